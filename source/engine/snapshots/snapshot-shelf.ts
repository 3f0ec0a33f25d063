import {DroverError} from '../../model/errors.ts';
import type {SnapshotTree} from '../../model/snapshot.ts';
import {readSnapshots, writeSnapshots} from '../../state/snapshots.ts';
import type {Entry, Instances} from '../instances.ts';

/** Reads what is kept of an instance's snapshots, where its driver has any. */
export async function loadSnapshots(instances: Instances, entry: Entry): Promise<void> {
	if (instances.driver.snapshots === undefined || entry.stored.kind !== 'record') return;
	entry.snapshots = await readSnapshots(instances.place(entry).directory);
	instances.refreshView(entry);
}

/** @throws DroverError `instance.broken`, `snapshot.broken` */
export function treeOf(instances: Instances, entry: Entry): SnapshotTree {
	instances.record(entry);
	const {snapshots} = entry;
	if (snapshots?.kind === 'tree') return snapshots.tree;
	throw new DroverError(
		'snapshot.broken',
		`the snapshots of instance "${entry.name}" cannot be used: ${snapshots?.reason ?? 'they have not been read'}`,
		{
			next:
				snapshots === undefined
					? 'Try again.'
					: `The instance itself is whole. ${snapshots.file} was left as it is: repair it, or move it away to begin anew.`,
		},
	);
}

/**
 * Changes what is kept of an instance's snapshots: in turn with all other changes of what is kept of it, and on the disk
 * when this returns.
 * @throws DroverError `snapshot.broken`, `host.*`, and what `change` throws; then nothing is changed
 */
export function changeTree(
	instances: Instances,
	entry: Entry,
	change: (tree: SnapshotTree) => SnapshotTree,
): Promise<SnapshotTree> {
	const save = async () => {
		const before = treeOf(instances, entry);
		const tree = change(before);
		if (tree === before) return tree;
		await writeSnapshots(instances.place(entry).directory, tree);
		entry.snapshots = {kind: 'tree', tree};
		instances.refreshView(entry);
		return tree;
	};
	const saved = entry.saving.then(save);
	entry.saving = saved.catch(() => {});
	return saved;
}
