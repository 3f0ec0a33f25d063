import {DroverError} from './errors.ts';
import type {Mount} from './mount.ts';
import {nameProblem} from './names.ts';
import type {Nic} from './network.ts';
import {plainText} from './text.ts';

/** What an instance consisted of when a snapshot was taken. Memory and disk in bytes. */
export type SnapshotHardware = {
	readonly cpus: number;
	readonly memory: number;
	readonly disk: number;
	readonly nics?: readonly Nic[];
};

/** A snapshot that is to be taken; where it belongs in the tree is known when it has been. */
export type PlannedSnapshot = {
	/** What the hypervisor keeps it under: never changes, and is never used twice. */
	readonly tag: string;
	readonly name: string;
	/** May have several lines; empty when there is none. */
	readonly comment: string;
	/** ISO 8601, UTC. */
	readonly createdAt: string;
	/** Of one that ran there is the disk as after a power cut, and not its memory. */
	readonly state: 'Stopped' | 'Running';
	readonly hardware: SnapshotHardware;
	readonly mounts: readonly Mount[];
};

export type Snapshot = PlannedSnapshot & {
	/** How many had been taken, this one included. */
	readonly index: number;
	/** The name of the snapshot that the instance was at when this one was taken. */
	readonly parent?: string;
};

/** All snapshots of an instance. What the hypervisor keeps of them are tags: everything else is here. */
export type SnapshotTree = {
	readonly schema: 1;
	/** How many were ever taken. */
	readonly taken: number;
	/** The name of the one that the instance's present disk came from. */
	readonly head?: string;
	/** Oldest first. */
	readonly snapshots: readonly Snapshot[];
};

/** A snapshot as clients are shown it. */
export type SnapshotView = Omit<Snapshot, 'tag' | 'index'> & {readonly children: readonly string[]};

export type InstanceSnapshots = {
	/** The instance's name. */
	readonly name: string;
	readonly head?: string;
	/** Oldest first. */
	readonly snapshots: readonly SnapshotView[];
	/** Why they cannot be told. */
	readonly problem?: string;
};

export const emptyTree: SnapshotTree = {schema: 1, taken: 0, snapshots: []};

/** A comment is one argument of a request, and no more. */
export const longestComment = 4096;

/** @throws DroverError `snapshot.missing` */
export function findSnapshot(tree: SnapshotTree, instance: string, name: string): Snapshot {
	const found = tree.snapshots.find(snapshot => snapshot.name === name);
	if (found) return found;
	throw new DroverError(
		'snapshot.missing',
		`instance "${instance}" has no snapshot ${JSON.stringify(plainText(name).slice(0, 80))}`,
		{
			next:
				tree.snapshots.length === 0 ? 'It has none at all.' : `drover info --snapshots ${instance} shows those it has.`,
		},
	);
}

export function childrenOf(tree: SnapshotTree, name: string): readonly string[] {
	return tree.snapshots.filter(snapshot => snapshot.parent === name).map(snapshot => snapshot.name);
}

/** The name that a snapshot is given when nobody chose one: `snapshotN`, N counting all that were ever taken. */
export function defaultSnapshotName(tree: SnapshotTree, isTaken: (name: string) => boolean): string {
	for (let number = tree.taken + 1; ; number++) {
		const name = `snapshot${number}`;
		if (!isTaken(name)) return name;
	}
}

/** @throws DroverError `snapshot.name-invalid`, `snapshot.exists` */
export function checkSnapshotName(instance: string, name: string, isTaken: (name: string) => boolean): void {
	const problem = nameProblem(name);
	if (problem !== undefined) {
		throw new DroverError(
			'snapshot.name-invalid',
			`Invalid snapshot name ${JSON.stringify(plainText(name).slice(0, 80))}: ${problem}.`,
			{next: 'Use letters, digits and hyphens, for example before-upgrade.'},
		);
	}
	if (isTaken(name)) {
		throw new DroverError('snapshot.exists', `instance "${instance}" already has a snapshot "${name}"`, {
			next: 'Choose another name, or delete that one first.',
		});
	}
}

export function hasName(tree: SnapshotTree): (name: string) => boolean {
	return name => tree.snapshots.some(snapshot => snapshot.name === name);
}

/** A comment without what steers a terminal. @throws DroverError `usage.invalid` when it is too long */
export function checkedComment(text: string): string {
	const plain = plainText(text).trim();
	if (plain.length <= longestComment) return plain;
	throw new DroverError('usage.invalid', `The comment has ${plain.length} characters, ${longestComment} are allowed.`);
}

/** With one more: it comes from where the instance is, and the instance is at it then. Taken already: as it is. */
export function withSnapshot(tree: SnapshotTree, planned: PlannedSnapshot): SnapshotTree {
	if (tree.snapshots.some(snapshot => snapshot.tag === planned.tag)) return tree;
	const index = tree.taken + 1;
	const snapshot: Snapshot = {...planned, index, ...(tree.head === undefined ? {} : {parent: tree.head})};
	return {...tree, taken: index, head: planned.name, snapshots: [...tree.snapshots, snapshot]};
}

/** Without one: its children belong to its parent then, and so does the instance if it was at it. */
export function withoutSnapshot(tree: SnapshotTree, tag: string): SnapshotTree {
	const gone = tree.snapshots.find(snapshot => snapshot.tag === tag);
	if (gone === undefined) return tree;
	const heir = <Key extends 'head' | 'parent'>(key: Key, name: string | undefined): {readonly [K in Key]?: string} => {
		const next = name === gone.name ? gone.parent : name;
		return (next === undefined ? {} : {[key]: next}) as {readonly [K in Key]?: string};
	};
	const {head, ...rest} = tree;
	return {
		...rest,
		...heir('head', head),
		snapshots: tree.snapshots
			.filter(snapshot => snapshot !== gone)
			.map(({parent, ...snapshot}) => ({...snapshot, ...heir('parent', parent)})),
	};
}

/** The instance's disk is that of a snapshot now. */
export function atSnapshot(tree: SnapshotTree, name: string): SnapshotTree {
	return {...tree, head: name};
}

/** With another name for one of them, everywhere. The names must have been checked. */
export function withName(tree: SnapshotTree, from: string, to: string): SnapshotTree {
	const renamed = (name: string) => (name === from ? to : name);
	return {
		...tree,
		...(tree.head === undefined ? {} : {head: renamed(tree.head)}),
		snapshots: tree.snapshots.map(snapshot => ({
			...snapshot,
			name: renamed(snapshot.name),
			...(snapshot.parent === undefined ? {} : {parent: renamed(snapshot.parent)}),
		})),
	};
}

export function withComment(tree: SnapshotTree, name: string, comment: string): SnapshotTree {
	return {
		...tree,
		snapshots: tree.snapshots.map(snapshot => (snapshot.name === name ? {...snapshot, comment} : snapshot)),
	};
}

/** What keeps a text that was read from being a tree, in words; `undefined` when nothing does. */
export function treeProblem(tree: SnapshotTree): string | undefined {
	const {snapshots, head, taken} = tree;
	const names = new Map(snapshots.map(snapshot => [snapshot.name, snapshot]));
	if (names.size !== snapshots.length) return 'two snapshots have the same name';
	if (new Set(snapshots.map(snapshot => snapshot.tag)).size !== snapshots.length)
		return 'two snapshots have the same tag';
	if (head !== undefined && !names.has(head)) return `the snapshot it is at, "${head}", is not there`;
	let last = 0;
	for (const {name, parent, index} of snapshots) {
		if (index <= last || index > taken) return `the number of snapshot "${name}" is out of order`;
		last = index;
		if (parent === undefined) continue;
		const above = names.get(parent);
		if (above === undefined) return `the parent of snapshot "${name}" is not there`;
		// A parent is older than its child: there can be no ring.
		if (above.index >= index) return `snapshot "${name}" is older than its parent`;
	}
	return undefined;
}

/** As clients are shown them. */
export function snapshotViews(tree: SnapshotTree): readonly SnapshotView[] {
	return tree.snapshots.map(({tag: _, index: __, ...snapshot}) => ({
		...snapshot,
		children: childrenOf(tree, snapshot.name),
	}));
}
