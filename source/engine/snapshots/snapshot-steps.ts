import type {WorkContext} from '../../drivers/driver.ts';
import {DroverError} from '../../model/errors.ts';
import type {ActionOptions, Intent} from '../../model/instance.ts';
import {
	atSnapshot,
	checkSnapshotName,
	findSnapshot,
	hasName,
	type PlannedSnapshot,
	type SnapshotTree,
	withoutSnapshot,
	withSnapshot,
} from '../../model/snapshot.ts';
import type {Entry} from '../instances.ts';
import {clearIntent, type Step} from '../lifecycle.ts';
import {abandoned} from '../operations.ts';
import type {Workshop} from '../workshop.ts';
import {changeTree, treeOf} from './snapshot-shelf.ts';

/*
 * What the hypervisor does comes first and the tree follows; what is wanted stands in the record meanwhile. Each step
 * may be run again from its start, by a daemon that finds the wish of one that died.
 */

/** Takes a snapshot. */
export const takeSnapshot: Step = async (shop, entry, options, by, work) => {
	const planned = options.snapshot!;
	await begin(shop, 'snapshot', {snapshot: planned}, by, work);
	try {
		work.progress('taking the snapshot');
		await keep(shop, entry, planned, work);
		await shop.instances.tell(entry, `snapshot ${planned.name} taken${stateWords(planned)}`, by);
	} finally {
		await clearIntent(work);
	}
};

/** Makes an instance what it was, after it was kept as it is where that is wanted. */
export const restoreSnapshot: Step = async (shop, entry, {tags = [], snapshot}, by, work) => {
	const {instances} = shop;
	await begin(shop, 'restore', {tags, ...(snapshot === undefined ? {} : {snapshot})}, by, work);
	try {
		if (snapshot !== undefined) {
			work.progress('taking a snapshot of the present');
			await keep(shop, entry, snapshot, work);
		}
		const target = byTag(treeOf(instances, entry), entry.name, tags[0]);
		work.progress(`restoring ${target.name}`);
		const {driver} = instances;
		const {disk} = await driver.snapshots!.restore(instances.record(entry), instances.place(entry), target.tag, work);
		await changeTree(instances, entry, tree => atSnapshot(tree, byTag(tree, entry.name, target.tag).name));
		const {nics: _, ...hardware} = instances.record(entry).hardware;
		const {cpus, memory, nics} = target.hardware;
		await work.update({
			hardware: {...hardware, cpus, memory, disk, ...(nics === undefined ? {} : {nics})},
			mounts: target.mounts.length === 0 ? undefined : target.mounts,
			unanswered: undefined,
		});
		const kept = snapshot === undefined ? 'what was there before is discarded' : `before it is ${snapshot.name}`;
		await instances.tell(entry, `restored to snapshot ${target.name}; ${kept}`, by);
	} finally {
		await clearIntent(work);
	}
};

/** Deletes snapshots; those that came from them come from their parents then. */
export const deleteSnapshots: Step = async (shop, entry, {tags = []}, by, work) => {
	const {instances} = shop;
	await begin(shop, 'delete-snapshots', {tags}, by, work);
	try {
		for (const [index, tag] of tags.entries()) {
			const found = treeOf(instances, entry).snapshots.find(snapshot => snapshot.tag === tag);
			if (found === undefined) continue;
			work.progress(`deleting ${found.name}`, Math.round((100 * index) / tags.length));
			await instances.driver.snapshots!.remove(instances.record(entry), instances.place(entry), tag, work);
			await changeTree(instances, entry, tree => withoutSnapshot(tree, tag));
			await instances.tell(entry, `snapshot ${found.name} deleted`, by);
		}
	} finally {
		await clearIntent(work);
	}
};

/** @throws DroverError `driver.incapable` for what an earlier daemon began under a driver that could */
async function begin(
	{instances, now}: Workshop,
	action: Intent['action'],
	options: ActionOptions,
	by: string,
	work: WorkContext,
): Promise<void> {
	if (instances.driver.snapshots === undefined) {
		await clearIntent(work);
		throw new DroverError('driver.incapable', `The driver in force has no snapshots: ${action} was called off.`);
	}
	await work.update({intent: {action, options, by, at: now().toISOString()}});
}

/** The hypervisor takes it, and the tree has it. What could not be kept is not left behind in the disk either. */
async function keep(shop: Workshop, entry: Entry, planned: PlannedSnapshot, work: WorkContext): Promise<void> {
	const {instances} = shop;
	const snapshots = instances.driver.snapshots!;
	const place = instances.place(entry);
	if (treeOf(instances, entry).snapshots.some(({tag}) => tag === planned.tag)) return;
	try {
		await snapshots.take(instances.record(entry), place, planned.tag, work);
		await changeTree(instances, entry, tree => {
			if (!tree.snapshots.some(({tag}) => tag === planned.tag))
				checkSnapshotName(entry.name, planned.name, hasName(tree));
			return withSnapshot(tree, planned);
		});
	} catch (error) {
		if (work.signal.reason !== abandoned) {
			const calm: WorkContext = {...work, signal: new AbortController().signal};
			await snapshots.remove(instances.record(entry), place, planned.tag, calm).catch(() => {});
		}
		throw error;
	}
}

function byTag(tree: SnapshotTree, instance: string, tag: string | undefined) {
	const name = tree.snapshots.find(snapshot => snapshot.tag === tag)?.name;
	if (name !== undefined) return findSnapshot(tree, instance, name);
	throw new DroverError('snapshot.missing', `the snapshot of instance "${instance}" is not there any more`);
}

function stateWords({state}: PlannedSnapshot): string {
	return state === 'Running' ? ' while it ran: its disk as after a power cut, without its memory' : '';
}
