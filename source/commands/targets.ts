import type {ActRequest, Engine, EngineAction} from '../engine/engine.ts';
import type {ActionOptions} from '../model/instance.ts';
import {plainLine} from '../model/text.ts';
import {decide} from '../model/transitions.ts';
import type {CommandArguments, CommandContext} from './command.ts';
import {type FollowOptions, follow} from './follow.ts';
import {namesOrAll, usageError} from './parse.ts';

/** The name that stands for no name; empty when the user has switched that off. */
export async function primaryName(engine: Engine): Promise<string> {
	return (await engine.get({key: 'client.primary-name'})).value;
}

/** The names given, or the primary instance. @throws DroverError `usage.invalid` when there is no primary name */
export async function namesOrPrimary(names: readonly string[], engine: Engine): Promise<readonly string[]> {
	if (names.length > 0) return names;
	const primary = await primaryName(engine);
	if (primary !== '') return [primary];
	throw usageError(
		'No instance is named, and the primary instance is disabled.',
		'Give a name, or choose a primary one with "drover set client.primary-name=<name>".',
	);
}

export type ActSpec = {
	readonly action: EngineAction;
	readonly options?: ActionOptions;
	readonly follow?: FollowOptions;
};

/** Does something to the instances named, or to all it can be done to. @returns the exit code */
export async function act(
	names: readonly string[],
	isAll: boolean,
	spec: ActSpec,
	context: CommandContext,
): Promise<number> {
	const engine = await context.engine();
	const chosen = isAll ? await allFor(spec, engine) : {names, refused: []};
	if (chosen.names.length > 0) {
		const request: ActRequest = {
			action: spec.action,
			names: chosen.names,
			by: context.user,
			...(spec.options === undefined ? {} : {options: spec.options}),
		};
		await follow(context, engine, () => engine.act(request), spec.follow);
	}
	for (const line of chosen.refused) context.stderr.write(`${spec.action} failed: ${line}\n`);
	return chosen.refused.length > 0 ? 2 : 0;
}

/** As {@link act}, for commands that need names or `--all`. */
export async function actOnNames(args: CommandArguments, spec: ActSpec, context: CommandContext): Promise<number> {
	const {names, all} = namesOrAll(args);
	if (names.length === 0 && !all) throw usageError('Name argument or --all is required.');
	return act(names, all, spec, context);
}

/** As {@link act}, for commands that act on the primary instance when nothing is named. */
export async function actOnNamesOrPrimary(
	args: CommandArguments,
	spec: ActSpec,
	context: CommandContext,
): Promise<number> {
	const {names, all} = namesOrAll(args);
	const targets = all ? [] : await namesOrPrimary(names, await context.engine());
	return act(targets, all, spec, context);
}

/**
 * `--all`: those that need it. One instance that refuses must not keep the others from it, as it would in a request
 * that names them; it is told of afterwards.
 */
async function allFor(spec: ActSpec, engine: Engine): Promise<{names: readonly string[]; refused: readonly string[]}> {
	const isWanted = (state: string) => (spec.action === 'recover') === (state === 'Deleted');
	const names: string[] = [];
	const refused: string[] = [];
	for (const {name, state, isPaused} of (await engine.list()).filter(instance => isWanted(instance.state))) {
		const decision = decide(spec.action, state, spec.options, {isPaused});
		if (decision.kind === 'do' || decision.kind === 'join') names.push(name);
		if (decision.kind === 'refuse') {
			refused.push(plainLine(`${name}: ${decision.reason}. ${decision.next ?? ''}`));
		}
	}
	return {names, refused};
}
