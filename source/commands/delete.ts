import {type CommandArguments, type CommandContext, EarlyExit} from './command.ts';
import {eachInTurn} from './each.ts';
import {follow} from './follow.ts';
import {namesOrAll, usageError} from './parse.ts';
import {askYesNo, isLive} from './question.ts';
import {byInstance, demandSnapshots, instanceAndSnapshot, meansSnapshot} from './snapshot-name.ts';
import {act} from './targets.ts';

export async function run(args: CommandArguments, context: CommandContext): Promise<number> {
	const {names, all} = namesOrAll(args);
	if (names.length === 0 && !all) throw usageError('Name argument or --all is required.');
	const isPurge = args.has('purge');
	const instances = names.filter(name => !meansSnapshot(name));
	const snapshots = byInstance(names.filter(meansSnapshot).map(instanceAndSnapshot));
	if (snapshots.size > 0) {
		if (!isPurge) await agree(context);
		await deleteSnapshots(snapshots, instances, isPurge, context);
		if (instances.length === 0) return 0;
	}
	return act(instances, all, {action: 'delete', ...(isPurge ? {options: {purge: true}} : {})}, context);
}

/** All names are looked at before anything is deleted. What goes with its instance anyway needs no work of its own. */
async function deleteSnapshots(
	snapshots: ReadonlyMap<string, readonly string[]>,
	instances: readonly string[],
	isPurge: boolean,
	context: CommandContext,
): Promise<void> {
	const engine = await context.engine();
	if (instances.length > 0) await engine.info({names: instances, runtime: false});
	await demandSnapshots(snapshots, engine);
	const wanted = [...snapshots].filter(([name]) => !(isPurge && instances.includes(name)));
	await eachInTurn(wanted, async ([name, chosen]) => {
		await follow(context, engine, () => engine.deleteSnapshots({name, snapshots: chosen, by: context.user}));
	});
}

/** There is no trash for snapshots. @throws DroverError `usage.invalid` where nobody can be asked; EarlyExit on a no */
async function agree(context: CommandContext): Promise<void> {
	if (!isLive(context)) {
		throw usageError(
			'Snapshots can only be purged, and cannot be recovered then.',
			'Use --purge when that is what you want.',
		);
	}
	const question = 'Snapshots can only be purged, and cannot be recovered then. Go on? (Yes/no):';
	if (!(await askYesNo(question, context))) throw new EarlyExit(2, 'Nothing was changed.');
}
