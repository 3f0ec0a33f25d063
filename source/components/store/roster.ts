import type {InstanceView} from '../../model/instance.ts';
import {instanceStates} from '../../model/state.ts';
import {filterTest} from './filter.ts';

export const orders = ['name', 'state', 'image', 'memory', 'newest'] as const;
export type Order = (typeof orders)[number];

/** All instances, and which of them are shown in which order. Sorting is done when something changes, never per key. */
export type Roster = {
	readonly byId: ReadonlyMap<string, InstanceView>;
	/** IDs that pass the filter, in the order of the rows. */
	readonly shown: readonly string[];
	readonly filter: string;
	readonly order: Order;
	/** Rows are not where their order wants them, because somebody was aiming when they changed. */
	readonly isUnsettled: boolean;
	/** How many are up: counted on change, shown in the header. */
	readonly up: number;
};

export const emptyRoster: Roster = {
	byId: new Map(),
	shown: [],
	filter: '',
	order: 'name',
	isUnsettled: false,
	up: 0,
};

// `localeCompare` takes fifty times as long, and names are ASCII.
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byName = (a: InstanceView, b: InstanceView) => compareText(a.name, b.name) || compareText(a.id, b.id);

const comparisons: Readonly<Record<Order, (a: InstanceView, b: InstanceView) => number>> = {
	name: byName,
	state: (a, b) => instanceStates.indexOf(a.state) - instanceStates.indexOf(b.state) || byName(a, b),
	image: (a, b) => compareText(a.image.release, b.image.release) || byName(a, b),
	memory: (a, b) => b.memory - a.memory || byName(a, b),
	newest: (a, b) => compareText(b.createdAt, a.createdAt) || byName(a, b),
};

const isUp = (instance: InstanceView | undefined) =>
	instance !== undefined && (instance.state === 'Running' || instance.state === 'Delayed Shutdown') ? 1 : 0;

/** Everything chosen and sorted anew. */
export function settle(roster: Roster): Roster {
	const test = filterTest(roster.filter);
	const all = [...roster.byId.values()];
	const chosen = roster.filter === '' ? all : all.filter(test);
	return {
		...roster,
		shown: chosen.sort(comparisons[roster.order]).map(instance => instance.id),
		isUnsettled: false,
		up: all.reduce((sum, instance) => sum + isUp(instance), 0),
	};
}

export function replaceAll(roster: Roster, instances: readonly InstanceView[]): Roster {
	return settle({...roster, byId: new Map(instances.map(instance => [instance.id, instance]))});
}

export function withFilter(roster: Roster, filter: string): Roster {
	return filter === roster.filter ? roster : settle({...roster, filter});
}

export function withOrder(roster: Roster, order: Order): Roster {
	return order === roster.order && !roster.isUnsettled ? roster : settle({...roster, order});
}

/**
 * Changes applied. While somebody is aiming (`isFrozen`) rows keep their places: new ones come last, and only what is
 * gone leaves.
 */
export function applyChanges(
	roster: Roster,
	changed: readonly InstanceView[],
	removed: readonly string[],
	isFrozen: boolean,
): Roster {
	if (changed.length === 0 && removed.length === 0) return roster;
	const test = filterTest(roster.filter);
	const compare = comparisons[roster.order];
	const byId = new Map(roster.byId);
	const gone = new Set<string>();
	const moved: InstanceView[] = [];
	let up = roster.up;
	for (const id of removed) {
		up -= isUp(byId.get(id));
		if (byId.delete(id)) gone.add(id);
	}
	// Of two words about one instance the last is true.
	for (const instance of new Map(changed.map(view => [view.id, view])).values()) {
		const before = byId.get(instance.id);
		byId.set(instance.id, instance);
		up += isUp(instance) - isUp(before);
		const wasShown = before !== undefined && test(before);
		const isShown = test(instance);
		// Somebody who aims must not find the neighbour under the cursor: a row that no longer matches leaves later.
		if (wasShown && !isShown && !isFrozen) gone.add(instance.id);
		else if (wasShown && !isShown) moved.push(instance);
		else if (isShown && (!wasShown || compare(before, instance) !== 0)) moved.push(instance);
	}
	return {...roster, byId, up, ...place(roster, byId, gone, moved, isFrozen, compare)};
}

function place(
	roster: Roster,
	byId: ReadonlyMap<string, InstanceView>,
	gone: ReadonlySet<string>,
	moved: readonly InstanceView[],
	isFrozen: boolean,
	compare: (a: InstanceView, b: InstanceView) => number,
): Pick<Roster, 'shown' | 'isUnsettled'> {
	if (gone.size === 0 && moved.length === 0) return {shown: roster.shown, isUnsettled: roster.isUnsettled};
	const kept = gone.size === 0 ? roster.shown : roster.shown.filter(id => !gone.has(id));
	if (moved.length === 0) return {shown: kept, isUnsettled: roster.isUnsettled};
	if (isFrozen) {
		const known = new Set(kept);
		const added = moved.filter(instance => !known.has(instance.id)).map(instance => instance.id);
		return {shown: added.length === 0 ? kept : [...kept, ...added], isUnsettled: true};
	}
	const moving = new Set(moved.map(instance => instance.id));
	const shown = kept.filter(id => !moving.has(id));
	for (const instance of moved) {
		let low = 0;
		let high = shown.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (compare(byId.get(shown[middle]!)!, instance) < 0) low = middle + 1;
			else high = middle;
		}
		shown.splice(low, 0, instance.id);
	}
	return {shown, isUnsettled: roster.isUnsettled};
}
