import {isEnded, type OperationView} from '../model/operation.ts';
import {plainLine} from '../model/text.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {compactTable, dataText, formatOf} from './formats.ts';
import {timeoutOf, usageError} from './parse.ts';
import {timeText} from './time-text.ts';

const verbs = ['log', 'wait', 'cancel'] as const;

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const [verb, id, ...more] = args.positionals;
	const format = formatOf(args, ['table', 'json', 'yaml']);
	const timeout = timeoutOf(args);
	if (verb === undefined || (verb === 'list' && id === undefined)) return list(format, context);
	const known = verbs.find(candidate => candidate === verb);
	if (known === undefined) {
		throw usageError(
			`Unknown action ${JSON.stringify(plainLine(verb).slice(0, 40))}.`,
			'Use log, wait or cancel, and an id.',
		);
	}
	if (id === undefined || more.length > 0) throw usageError(`"drover operations ${known}" takes one id.`);
	const engine = await context.engine();
	switch (known) {
		case 'log':
			for (const line of await engine.operationLog({id})) {
				context.stdout.write(`${timeText(line.at)}  ${plainLine(line.text)}\n`);
			}
			return 0;
		case 'cancel': {
			const {title} = await engine.cancel({id, by: context.user});
			context.stdout.write(`Cancelling "${plainLine(title)}".\n`);
			return 0;
		}
		case 'wait':
			await follow(context, engine, () => engine.operation({id}), {
				timeout,
				timeoutText: `Timed out waiting for operation ${plainLine(id)}.`,
			});
			return 0;
	}
}

async function list(format: 'table' | 'json' | 'yaml', context: CommandContext): Promise<number> {
	const engine = await context.engine();
	const operations = await engine.operations();
	if (format !== 'table') {
		context.stdout.write(await dataText(format, {operations: operations.map(entry)}));
	} else if (operations.length === 0) {
		context.stdout.write('No operations.\n');
	} else {
		const rows = operations.map(operation => [
			operation.id,
			stateText(operation),
			plainLine(operation.by),
			timeText(operation.createdAt),
			plainLine(operation.title),
		]);
		context.stdout.write(compactTable([['Id', 'State', 'By', 'Begun', 'Operation'], ...rows]));
	}
	return 0;
}

function stateText(operation: OperationView): string {
	if (isEnded(operation)) return operation.state;
	const active = operation.items.find(item => item.state === 'running');
	if (active === undefined) return operation.state;
	return plainLine(active.percent === undefined ? active.stage : `${active.stage} ${Math.floor(active.percent)}%`);
}

function entry(operation: OperationView) {
	const {id, kind, title, by, state, cancellable, createdAt, endedAt, error} = operation;
	return {
		id,
		kind,
		title: plainLine(title),
		by: plainLine(by),
		state,
		cancellable,
		created_at: new Date(createdAt).toISOString(),
		...(endedAt === undefined ? {} : {ended_at: new Date(endedAt).toISOString()}),
		...(error === undefined ? {} : {error: {code: error.code, message: plainLine(error.message)}}),
		items: operation.items.map(item => ({
			target: item.target,
			state: item.state,
			stage: plainLine(item.stage),
			...(item.percent === undefined ? {} : {percent: item.percent}),
			...(item.note === undefined ? {} : {note: plainLine(item.note)}),
			...(item.error === undefined ? {} : {error: {code: item.error.code, message: plainLine(item.error.message)}}),
		})),
	};
}
