import {DroverError, type ErrorCode} from '../../model/errors.ts';
import type {OperationKind, OperationView} from '../../model/operation.ts';
import {
	checkedComment,
	checkSnapshotName,
	defaultSnapshotName,
	findSnapshot,
	hasName,
	type InstanceSnapshots,
	type PlannedSnapshot,
	snapshotViews,
	withComment,
	withName,
} from '../../model/snapshot.ts';
import {decideSnapshot, type SnapshotAction} from '../../model/snapshot-transitions.ts';
import {isUp} from '../../model/state.ts';
import {demandCapability, demandFeature, demandUsable} from '../demands.ts';
import type {DeleteSnapshotsRequest, RestoreRequest, SettingValue, SnapshotRequest} from '../engine.ts';
import type {Entry} from '../instances.ts';
import type {ItemWork} from '../operations.ts';
import type {SceneParts} from '../scene-parts.ts';
import {changeTree, treeOf} from './snapshot-shelf.ts';
import {deleteSnapshots, restoreSnapshot, takeSnapshot} from './snapshot-steps.ts';

type Wish = {readonly name: string; readonly comment: string};

/** A snapshot, or a property of one, that a settings key is about: `local.NAME.SNAPSHOT.comment`. */
export type SnapshotKey = {
	readonly instance: string;
	readonly snapshot: string;
	readonly property: 'name' | 'comment';
};

export function snapshotKey(key: string): SnapshotKey | undefined {
	const match = /^local\.([^.]+)\.([^.]+)\.(name|comment)$/.exec(key);
	return match ? {instance: match[1]!, snapshot: match[2]!, property: match[3] as SnapshotKey['property']} : undefined;
}

/** Turns requests about snapshots into operations: all is checked before anything is touched. */
export class Snapshots {
	readonly #parts: SceneParts;
	/** Names of snapshots that are about to be taken, by the instance's id. */
	readonly #promised = new Map<string, Set<string>>();

	constructor(parts: SceneParts) {
		this.#parts = parts;
	}

	/** @throws DroverError when it cannot be taken; nothing is touched then */
	async take({name, snapshot, comment = '', by}: SnapshotRequest): Promise<OperationView> {
		const entry = this.#entry(name);
		this.#demand(entry, 'snapshot');
		const text = checkedComment(comment);
		await demandUsable(this.#parts.driver);
		const wish = {name: this.#promise(entry, snapshot), comment: text};
		return this.#begin('snapshot', by, entry, [wish.name], async item => {
			try {
				await this.#exclusive(entry, 'snapshot', item, work =>
					takeSnapshot(this.#parts.shop, entry, {snapshot: this.#planned(entry, wish)}, by, work),
				);
				if (isUp(entry.view.state)) {
					item.note('taken while it runs: its disk is kept as after a power cut, its memory is not');
				}
			} finally {
				this.#promised.get(entry.view.id)?.delete(wish.name);
			}
		});
	}

	/** @throws DroverError when it cannot be restored; nothing is touched then */
	async restore({name, snapshot, destructive, by}: RestoreRequest): Promise<OperationView> {
		const entry = this.#entry(name);
		this.#demand(entry, 'restore');
		const {tag} = findSnapshot(treeOf(this.#parts.instances, entry), name, snapshot);
		await demandUsable(this.#parts.driver);
		const wish = destructive
			? undefined
			: {name: this.#promise(entry, undefined), comment: `Before restoring ${snapshot}`};
		return this.#begin('restore', by, entry, [snapshot], async item => {
			try {
				await this.#exclusive(entry, 'restore', item, work => {
					const before = wish && {snapshot: this.#planned(entry, wish)};
					return restoreSnapshot(this.#parts.shop, entry, {tags: [tag], ...before}, by, work);
				});
				if (wish) item.note(`what it was before is kept as ${name}.${wish.name}`);
			} finally {
				if (wish) this.#promised.get(entry.view.id)?.delete(wish.name);
			}
		});
	}

	/** @throws DroverError when one of them is not there, or the state does not allow it; nothing is touched then */
	async remove({name, snapshots, by}: DeleteSnapshotsRequest): Promise<OperationView> {
		const entry = this.#entry(name);
		this.#demand(entry, 'delete-snapshots');
		const tree = treeOf(this.#parts.instances, entry);
		const chosen = [...new Set(snapshots)].map(each => findSnapshot(tree, name, each));
		await demandUsable(this.#parts.driver);
		const tags = chosen.map(({tag}) => tag);
		const names = chosen.map(snapshot => snapshot.name);
		return this.#begin('delete-snapshots', by, entry, names, item =>
			this.#exclusive(entry, 'delete-snapshots', item, work =>
				deleteSnapshots(this.#parts.shop, entry, {tags}, by, work),
			),
		);
	}

	/** Of all instances when no names are given. @throws DroverError `driver.incapable`, `instance.missing` */
	list(names: readonly string[]): readonly InstanceSnapshots[] {
		this.#demandDriver();
		const {instances} = this.#parts;
		const entries = names.length === 0 ? instances.all() : [...new Set(names)].map(name => instances.get(name));
		return entries.map(({name, stored, snapshots}) => {
			if (stored.kind === 'broken') return {name, snapshots: [], problem: stored.reason};
			if (snapshots?.kind !== 'tree') return {name, snapshots: [], problem: snapshots?.reason ?? 'not read'};
			const {tree} = snapshots;
			return {name, ...(tree.head === undefined ? {} : {head: tree.head}), snapshots: snapshotViews(tree)};
		});
	}

	/** @throws DroverError `driver.incapable`, `instance.missing`, `snapshot.missing` */
	get({instance, snapshot, property}: SnapshotKey): SettingValue {
		const found = findSnapshot(treeOf(this.#parts.instances, this.#entry(instance)), instance, snapshot);
		const isDefault = property === 'comment' && found.comment === '';
		return {key: `local.${instance}.${snapshot}.${property}`, value: found[property], isDefault};
	}

	/** Gives a snapshot another name or comment, whatever its instance does. @throws DroverError `snapshot.*` too */
	async set({instance, snapshot, property}: SnapshotKey, value: string, by: string): Promise<SettingValue> {
		const entry = this.#entry(instance);
		const {instances} = this.#parts;
		if (instances.record(entry).deleted) throw refusal(entry, 'the instance is deleted', 'instance.deleted');
		const isPromised = (name: string) => this.#promised.get(entry.view.id)?.has(name) === true;
		const text = property === 'comment' ? checkedComment(value) : value;
		await changeTree(instances, entry, tree => {
			findSnapshot(tree, instance, snapshot);
			if (property === 'comment') return withComment(tree, snapshot, text);
			if (text === snapshot) return tree;
			checkSnapshotName(instance, text, name => hasName(tree)(name) || isPromised(name));
			return withName(tree, snapshot, text);
		});
		if (property === 'name' && text !== snapshot) {
			await instances.tell(entry, `snapshot ${snapshot} is called ${text} now`, by);
		}
		return this.get({instance, snapshot: property === 'name' ? text : snapshot, property});
	}

	/** The first layers: the driver's table, then this version of drover. */
	#demandDriver(): void {
		const {driver, host} = this.#parts;
		demandCapability(driver, host.platform, 'snapshots');
		demandFeature(driver, 'snapshot');
	}

	#entry(name: string): Entry {
		this.#demandDriver();
		return this.#parts.instances.get(name);
	}

	/** The last layer: the instance and its state. */
	#demand(entry: Entry, action: SnapshotAction): void {
		const {instances, driver} = this.#parts;
		if (instances.record(entry).phase === 'creating') {
			throw refusal(entry, 'the instance is being prepared', 'instance.busy', 'Wait until it is there.');
		}
		const decision = decideSnapshot(action, entry.view.state, driver.snapshots?.isLive);
		if (decision.kind === 'refuse') {
			const code: ErrorCode = entry.view.state === 'Deleted' ? 'instance.deleted' : 'instance.state';
			throw refusal(entry, `${words[action]}: ${decision.reason}`, code, decision.next);
		}
		treeOf(instances, entry);
	}

	/** A name for a snapshot that is about to be taken, which nobody else is given meanwhile. @throws DroverError `snapshot.*` */
	#promise(entry: Entry, wanted: string | undefined): string {
		const tree = treeOf(this.#parts.instances, entry);
		const promised = this.#promised.get(entry.view.id) ?? new Set();
		const isTaken = (name: string) => promised.has(name) || hasName(tree)(name);
		const name = wanted ?? defaultSnapshotName(tree, isTaken);
		checkSnapshotName(entry.name, name, isTaken);
		this.#promised.set(entry.view.id, promised.add(name));
		return name;
	}

	/** What is to be remembered of the instance as it is at this moment. */
	#planned(entry: Entry, {name, comment}: Wish): PlannedSnapshot {
		const {instances, shop} = this.#parts;
		const {hardware, mounts = []} = instances.record(entry);
		const {cpus, memory, disk, nics} = hardware;
		return {
			tag: `drover-${shop.uuid()}`,
			name,
			comment,
			createdAt: shop.now().toISOString(),
			state: isUp(entry.view.state) ? 'Running' : 'Stopped',
			hardware: {cpus, memory, disk, ...(nics === undefined ? {} : {nics})},
			mounts,
		};
	}

	/** In its turn; what was so when it was asked for is looked at again. */
	async #exclusive(
		entry: Entry,
		action: SnapshotAction,
		item: ItemWork,
		run: (work: Parameters<Parameters<SceneParts['instances']['exclusive']>[3]>[0]) => Promise<void>,
	): Promise<void> {
		const {instances} = this.#parts;
		await instances.exclusive(entry, action, item, async work => {
			await instances.observe(entry);
			this.#demand(entry, action);
			await run(work);
		});
	}

	/** The operation's item is called as the command line writes a snapshot: `web.before-upgrade`. */
	#begin(
		kind: OperationKind,
		by: string,
		entry: Entry,
		names: readonly string[],
		run: (item: ItemWork) => Promise<void>,
	): OperationView {
		const target = names.map(name => `${entry.name}.${name}`).join(', ');
		return this.#parts.operations.begin(kind, by, [{target, run}]);
	}
}

const words: Readonly<Record<SnapshotAction, string>> = {
	snapshot: 'no snapshot can be taken of it',
	restore: 'no snapshot of it can be restored',
	'delete-snapshots': 'no snapshot of it can be deleted',
	clone: 'it cannot be cloned',
};

function refusal({name}: Entry, reason: string, code: ErrorCode, next?: string): DroverError {
	return new DroverError(code, `instance "${name}": ${reason}`, {next});
}
