import {DroverError} from '../model/errors.ts';
import {type Forward, parseForward, parseForwardKey} from '../model/forward.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {eachInTurn} from './each.ts';
import {follow} from './follow.ts';
import {compactTable, csvLine, dataText, formatOf, formats} from './formats.ts';
import {forwardData} from './forward-data.ts';
import {usageError} from './parse.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [name, ...specs] = args.positionals;
	if (name === undefined) throw usageError('Name argument is required.');
	const forwards = specs.map(parseForward);
	const ended = args.values('remove').map(parseForwardKey);
	if (forwards.length > 0 && ended.length > 0) throw usageError('Ports are forwarded or removed, not both at once.');
	const format = formatOf(args, formats);
	if (forwards.length === 0 && ended.length === 0) {
		await list(name, format, context);
		return 0;
	}
	const engine = await context.engine();
	const by = context.user;
	await eachInTurn(forwards, async forward => {
		await follow(context, engine, () => engine.forward({name, forward, by}));
	});
	await eachInTurn(ended, async key => {
		await follow(context, engine, () => engine.unforward({name, key, by}));
	});
	return 0;
}

async function list(name: string, format: (typeof formats)[number], context: CommandContext): Promise<void> {
	const engine = await context.engine();
	const instance = (await engine.list()).find(each => each.name === name);
	if (instance === undefined) {
		throw new DroverError('instance.missing', `instance "${plainLine(name).slice(0, 80)}" does not exist`, {
			next: 'drover list shows the instances there are.',
		});
	}
	const forwards = instance.forwards ?? [];
	switch (format) {
		case 'table':
			context.stdout.write(table(forwards));
			break;
		case 'csv':
			context.stdout.write(
				`Address,Port,Instance port,Protocol\n${forwards
					.map(({address, host, guest, protocol}) => csvLine([address, String(host), String(guest), protocol]))
					.join('')}`,
			);
			break;
		default:
			context.stdout.write(await dataText(format, {[name]: forwards.map(forwardData)}));
	}
}

function table(forwards: readonly Forward[]): string {
	if (forwards.length === 0) return 'No ports are forwarded.\n';
	return compactTable([
		['Host', 'Instance', 'Protocol'],
		...forwards.map(({address, host, guest, protocol}) => [`${address}:${host}`, String(guest), protocol]),
	]);
}
