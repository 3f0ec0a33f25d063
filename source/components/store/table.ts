import {hasPane, scrollTo, tableHeight} from '../pieces/layout.ts';
import type {Model, Step, TableState} from './model.ts';
import {applyChanges, type Roster, settle} from './roster.ts';

/** After a key press rows keep their places for so long, milliseconds. */
export const aimingMs = 5000;

export const emptyTable: TableState = {
	cursor: undefined,
	index: 0,
	top: 0,
	marks: new Set(),
	isPaneOpen: true,
	isPaused: false,
	wanted: undefined,
};

/** The table after the rows have changed: the cursor stays on its instance and, where possible, on its screen line. */
export function follow(model: Model, roster: Roster): Model {
	const {table, size} = model;
	const count = roster.shown.length;
	const wantedId = table.wanted === undefined ? undefined : idOf(roster, table.wanted);
	const cursor = wantedId ?? table.cursor;
	const found = cursor === undefined ? -1 : rowOf(roster, cursor, table.index);
	const index = found >= 0 ? found : Math.max(0, Math.min(table.index, count - 1));
	const line = table.index - table.top;
	return {
		...model,
		roster,
		table: {
			...table,
			// A row that is gone leaves no row chosen: a key meant for it must not hit its neighbour.
			cursor: found >= 0 ? cursor : undefined,
			index,
			top: scrollTo(index, Math.max(0, index - line), tableHeight(size), count),
			marks: keepKnown(table.marks, roster),
			wanted: wantedId === undefined ? table.wanted : undefined,
		},
	};
}

function rowOf(roster: Roster, id: string, guess: number): number {
	return roster.shown[guess] === id ? guess : roster.shown.indexOf(id);
}

function idOf(roster: Roster, name: string): string | undefined {
	return roster.shown.find(id => roster.byId.get(id)?.name === name);
}

function keepKnown(marks: ReadonlySet<string>, roster: Roster): ReadonlySet<string> {
	if (marks.size === 0 || [...marks].every(id => roster.byId.has(id))) return marks;
	return new Set([...marks].filter(id => roster.byId.has(id)));
}

/** Puts the cursor on a row, counted from 0, or the nearest there is. */
export function moveTo(model: Model, row: number): Model {
	const {roster, table, size} = model;
	const count = roster.shown.length;
	if (count === 0) return model;
	const index = Math.max(0, Math.min(row, count - 1));
	const cursor = roster.shown[index];
	const top = scrollTo(index, table.top, tableHeight(size), count);
	if (cursor === table.cursor && index === table.index && top === table.top) return model;
	return {...model, table: {...table, cursor, index, top}};
}

/** The first row, when nothing has been chosen yet. */
export function chooseFirst(model: Model): Model {
	return model.table.cursor === undefined ? moveTo(model, model.table.index) : model;
}

export function toggleMark(model: Model): Model {
	const {cursor, marks, index} = model.table;
	if (cursor === undefined) return model;
	const next = new Set(marks);
	if (!next.delete(cursor)) next.add(cursor);
	return moveTo({...model, table: {...model.table, marks: next}}, index + 1);
}

export function markShown(model: Model): Model {
	return {...model, table: {...model.table, marks: new Set([...model.table.marks, ...model.roster.shown])}};
}

export function unmark(model: Model): Model {
	return model.table.marks.size === 0 ? model : {...model, table: {...model.table, marks: new Set()}};
}

/** Rows are put where their order wants them, once nobody aims any more. */
export function settleRows(model: Model, at: number): Step {
	if (!model.roster.isUnsettled) return {model, effects: []};
	if (at - model.lastKeyAt < aimingMs) return {model, effects: [{type: 'settle-later'}]};
	return {model: follow(model, settle(model.roster)), effects: []};
}

export function changeRows(
	model: Model,
	changed: Parameters<typeof applyChanges>[1],
	removed: readonly string[],
	at: number,
): Step {
	if (model.table.isPaused) return {model, effects: []};
	const isAiming = at - model.lastKeyAt < aimingMs;
	const roster = applyChanges(model.roster, changed, removed, isAiming);
	if (roster === model.roster) return {model, effects: []};
	const needsSettling = roster.isUnsettled && !model.roster.isUnsettled;
	const isFirst = model.roster.byId.size === 0;
	const followed = follow(model, roster);
	return {
		model: isFirst ? chooseFirst(followed) : followed,
		effects: needsSettling ? [{type: 'settle-later'}] : [],
	};
}

export function togglePane(model: Model): Model {
	return {...model, table: {...model.table, isPaneOpen: !model.table.isPaneOpen}};
}

export function isPaneShown(model: Model): boolean {
	return hasPane(model.size, model.table.isPaneOpen);
}
