import type {Engine} from '../engine/engine.ts';
import {decideSnapshot} from '../model/snapshot-transitions.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {follow} from './follow.ts';
import {oneName, usageError} from './parse.ts';
import {askYesNo, isLive} from './question.ts';
import {byInstance, demandSnapshots, instanceAndSnapshot} from './snapshot-name.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const {name, snapshot} = instanceAndSnapshot(oneName(args));
	const engine = await context.engine();
	await demandSnapshots(byInstance([{name, snapshot}]), engine);
	const destructive =
		args.has('destructive') || ((await isPossible(name, engine)) && (await mayDiscard(name, context)));
	await follow(context, engine, () => engine.restore({name, snapshot, destructive, by: context.user}));
	context.stdout.write(`Snapshot restored: ${name}.${snapshot}\n`);
	return 0;
}

/** What cannot be restored now is not asked about: the engine refuses it, and says why. */
async function isPossible(name: string, engine: Engine): Promise<boolean> {
	const state = (await engine.list()).find(instance => instance.name === name)?.state;
	return state !== undefined && decideSnapshot('restore', state).kind === 'do';
}

/** @throws DroverError `usage.invalid` where nobody can be asked */
async function mayDiscard(name: string, context: CommandContext): Promise<boolean> {
	if (!isLive(context)) {
		throw usageError(
			'There is no terminal to ask on whether the present state is to be kept.',
			'Use --destructive to discard it, or take a snapshot of it before.',
		);
	}
	return !(await askYesNo(`Take a snapshot of ${name} as it is now before it is restored? (Yes/no):`, context));
}
