import type {InstanceView} from '../../model/instance.ts';
import type {InstanceSnapshots, SnapshotView} from '../../model/snapshot.ts';
import {decideSnapshot, type SnapshotAction} from '../../model/snapshot-transitions.ts';
import {plainLine} from '../../model/text.ts';
import {copyText} from './copying.ts';
import {emptyField} from './field.ts';
import {push, step, tell} from './layers.ts';
import type {ConfirmLayer, Model, SnapshotsLayer, Step} from './model.ts';
import {driverOf, isSwitching, switchingReason, topLayer} from './selectors.ts';
import {newSnapshotForm} from './snapshot-form.ts';

export function openSnapshots(model: Model, {id, name}: InstanceView): Step {
	return step(push(model, {kind: 'snapshots', id, index: 0}), {type: 'load-snapshots', id, name});
}

/** A line of the tree; without a snapshot it is where the instance is now. */
export type TreeRow = {readonly branch: string; readonly snapshot?: SnapshotView};

/** The tree as it is drawn: each snapshot below the one it came from, the oldest first, and the present where it belongs. */
export function treeRows({snapshots, head}: Pick<InstanceSnapshots, 'snapshots' | 'head'>): readonly TreeRow[] {
	const below = (parent: string | undefined, indent: string): readonly TreeRow[] => {
		const children = snapshots.filter(snapshot => snapshot.parent === parent);
		const isHere = head === parent;
		const count = children.length + (isHere ? 1 : 0);
		const fork = (index: number) => (parent === undefined ? '' : index === count - 1 ? '└─ ' : '├─ ');
		const inner = (index: number) => (parent === undefined ? '' : index === count - 1 ? '   ' : '│  ');
		return [
			...children.flatMap((snapshot, index) => [
				{branch: `${indent}${fork(index)}`, snapshot},
				...below(snapshot.name, `${indent}${inner(index)}`),
			]),
			...(isHere ? [{branch: `${indent}${fork(count - 1)}`}] : []),
		];
	};
	return below(undefined, '');
}

/** The snapshots in the order they are drawn in. */
export function shownSnapshots({list}: SnapshotsLayer): readonly SnapshotView[] {
	return list ? treeRows(list).flatMap(({snapshot}) => snapshot ?? []) : [];
}

/** The one under the cursor; when the last one has gone, the one that is last now. */
export function snapshotAt(layer: SnapshotsLayer): SnapshotView | undefined {
	const shown = shownSnapshots(layer);
	return shown[Math.min(layer.index, shown.length - 1)];
}

/** Why something cannot be done with its snapshots now, in words without a full stop. */
export function whyNoSnapshot(model: Model, {state}: InstanceView, action: SnapshotAction): string | undefined {
	if (isSwitching(model)) return switchingReason;
	const decision = decideSnapshot(action, state, driverOf(model)?.snapshotsLive);
	return decision.kind === 'refuse' ? decision.reason : undefined;
}

const actions: Readonly<Record<string, SnapshotAction>> = {
	take: 'snapshot',
	restore: 'restore',
	overwrite: 'restore',
	remove: 'delete-snapshots',
};

/** What the keys of the page do. */
export function performSnapshots(model: Model, word: string, key: string, at: number): Step {
	const layer = topLayer(model);
	if (layer?.kind !== 'snapshots') return step(model);
	const instance = model.roster.byId.get(layer.id);
	if (!instance) return tell(model, 'The instance is gone: nothing was done.', 'problem');
	const action = actions[word];
	const reason = action && whyNoSnapshot(model, instance, action);
	if (reason !== undefined) return tell(model, `Not now: ${plainLine(reason)}.`, 'problem');
	if (word === 'take') return step(push(model, newSnapshotForm(instance.id)));
	const snapshot = snapshotAt(layer);
	if (!snapshot) return tell(model, 'It has no snapshots: n takes one.');
	if (word === 'copy') return copyText(model, 'Command line', `drover restore ${fullName(instance, snapshot)}`);
	if (word === 'edit') return step(push(model, newSnapshotForm(instance.id, snapshot)));
	return step(push(model, {...question(word, instance, snapshot), field: emptyField, openedAt: at, openedBy: key}));
}

/** As the command line calls it: `web.before-upgrade`. */
export function fullName({name}: Pick<InstanceView, 'name'>, snapshot: Pick<SnapshotView, 'name'>): string {
	return plainLine(`${name}.${snapshot.name}`);
}

function question(
	word: string,
	instance: InstanceView,
	snapshot: SnapshotView,
): Omit<ConfirmLayer, 'field' | 'openedAt' | 'openedBy'> {
	const full = fullName(instance, snapshot);
	const ids = [instance.id];
	if (word === 'remove') {
		const children = snapshot.children.length;
		return {
			kind: 'confirm',
			level: 1,
			title: `Delete snapshot ${full}?`,
			effects: [
				'It is gone for good. The instance and its other snapshots stay as they are.',
				...(children > 0
					? [`${children} that came from it ${children === 1 ? 'is' : 'are'} shown below its parent then.`]
					: []),
			],
			command: `drover delete --purge ${full}`,
			intention: {kind: 'delete-snapshot', request: {name: instance.name, snapshots: [snapshot.name]}, ids},
		};
	}
	const destructive = word === 'overwrite';
	return {
		kind: 'confirm',
		level: destructive ? 2 : 1,
		title: `Restore ${full}${destructive ? ' and throw the present away' : ''}?`,
		effects: [
			`The disk becomes what it was then, and cpus, memory and mounts, too.`,
			destructive ? 'What it is now is gone for good.' : 'What it is now is kept: a snapshot is taken of it before.',
		],
		command: `drover restore ${destructive ? '--destructive ' : ''}${full}`,
		intention: {
			kind: 'restore',
			request: {name: instance.name, snapshot: snapshot.name, destructive},
			ids,
		},
		...(destructive ? {word: instance.name} : {}),
	};
}
