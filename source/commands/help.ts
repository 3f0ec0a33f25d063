import {findAlias} from '../model/alias.ts';
import {plainLine} from '../model/text.ts';
import {absence} from './absent.ts';
import type {CommandArguments, CommandContext, KeyLine} from './command.ts';
import {compactTable, jsonText} from './formats.ts';
import {commandHelp, generalHelp} from './help-text.ts';
import {atMost, usageError} from './parse.ts';
import {findCommand} from './table.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	atMost(args, 1);
	const [name] = args.positionals;
	if (args.has('json') && name !== 'keys') throw usageError('Only "drover help keys" has JSON.');
	if (name === undefined) {
		context.stdout.write(generalHelp());
		return 0;
	}
	if (name === 'keys') {
		const keys = await context.keys();
		context.stdout.write(args.has('json') ? jsonText({keys}) : keysTable(keys));
		return 0;
	}
	const spec = findCommand(name);
	if (spec === undefined) {
		const alias = findAlias(await (await context.aliases()).read(), name);
		if (alias !== undefined) {
			context.stdout.write(`${name} is an alias for: drover exec ${alias.instance} -- ${plainLine(alias.command)}\n`);
			return 0;
		}
		const shown = plainLine(name).slice(0, 80);
		throw usageError(absence(name) ?? `Unknown command or alias '${shown}'.`, '"drover help" lists the commands.');
	}
	context.stdout.write(commandHelp(spec));
	return 0;
}

/** The keys screen by screen, those that work on all of them first. */
function keysTable(keys: readonly KeyLine[]): string {
	const screens = [...new Set(['everywhere', ...keys.flatMap(key => key.where)])];
	return screens
		.map(screen => {
			const here = keys.filter(key => key.where.includes(screen) && key.keys.length > 0);
			const rows = here.map(key => [`  ${key.keys.join(' ')}`, key.title]);
			return here.length === 0 ? '' : `${screen}:\n${compactTable(rows)}`;
		})
		.filter(text => text !== '')
		.join('\n');
}
