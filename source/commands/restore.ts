import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {oneName, usageError} from './parse.ts';
import {askYesNo, isLive} from './question.ts';
import {byInstance, demandSnapshots, instanceAndSnapshot} from './snapshot-name.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const {name, snapshot} = instanceAndSnapshot(oneName(args));
	if (!args.has('destructive') && !isLive(context)) {
		throw usageError(
			'There is no terminal to ask on whether the present state is to be kept.',
			'Use --destructive to discard it, or take a snapshot of it before.',
		);
	}
	const engine = await context.engine();
	await demandSnapshots(byInstance([{name, snapshot}]), engine);
	const destructive =
		args.has('destructive') ||
		!(await askYesNo(`Take a snapshot of ${name} as it is now before it is restored? (Yes/no):`, context));
	await follow(context, engine, () => engine.restore({name, snapshot, destructive, by: context.user}));
	context.stdout.write(`Snapshot restored: ${name}.${snapshot}\n`);
	return 0;
}
