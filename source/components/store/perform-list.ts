import {layoutOf, tableHeight} from '../pieces/layout.ts';
import {detailLength} from '../screens/detail.ts';
import {finderEntries} from './finder.ts';
import {moveInForm} from './forms.ts';
import {offers} from './instance-actions.ts';
import {change, step} from './layers.ts';
import type {Layer, Model, Step} from './model.ts';
import {driverOf, operationAtCursor, operationRows, targetsOf, topLayer} from './selectors.ts';
import {shownSnapshots} from './snapshots.ts';
import {moveTo} from './table.ts';

type Move = 'up' | 'down' | 'page-up' | 'page-down' | 'half-up' | 'half-down' | 'first' | 'last';

function moved(index: number, move: Move, page: number, count: number): number {
	const to = {
		up: index - 1,
		down: index + 1,
		'page-up': index - page,
		'page-down': index + page,
		'half-up': index - Math.ceil(page / 2),
		'half-down': index + Math.ceil(page / 2),
		first: 0,
		last: count - 1,
	}[move];
	return Math.max(0, Math.min(to, count - 1));
}

/** A movement key on whatever has rows. */
export function performMove(model: Model, move: Move): Step {
	const layer = topLayer(model);
	if (!layer) {
		const {table, roster, size} = model;
		if (table.cursor === undefined) return step(moveTo(model, table.index));
		return step(moveTo(model, moved(table.index, move, tableHeight(size), roster.shown.length)));
	}
	const height = layoutOf(model.size).bodyHeight;
	switch (layer.kind) {
		case 'menu':
			return step(change(model, 'menu', menu => ({...menu, index: moved(menu.index, move, 8, menuLength(model))})));
		case 'finder': {
			const count = finderEntries(model, layer.mode, layer.field.text).length;
			return step(
				change(model, 'finder', finder => ({...finder, index: moved(finder.index, move, height - 4, count)})),
			);
		}
		case 'alerts':
			return step(
				change(model, 'alerts', alerts => ({...alerts, index: moved(alerts.index, move, height, model.alerts.length)})),
			);
		case 'copy':
			return step(change(model, 'copy', copy => ({...copy, index: moved(copy.index, move, 5, copy.choices.length)})));
		case 'operations':
			return moveInOperations(model, layer, move);
		case 'form':
			return step(change(model, 'form', form => moveInForm(model, form, move !== 'up')));
		case 'mounts': {
			const count = model.roster.byId.get(layer.id)?.mounts?.length ?? 0;
			return step(change(model, 'mounts', page => ({...page, index: moved(page.index, move, height - 4, count)})));
		}
		case 'networks': {
			const count = layer.host?.length ?? 0;
			return step(change(model, 'networks', page => ({...page, index: moved(page.index, move, height - 4, count)})));
		}
		case 'snapshots': {
			const count = shownSnapshots(layer).length;
			return step(change(model, 'snapshots', page => ({...page, index: moved(page.index, move, height - 4, count)})));
		}
		case 'import': {
			const count = layer.plan?.instances.length ?? 0;
			return step(change(model, 'import', page => ({...page, index: moved(page.index, move, height - 8, count)})));
		}
		case 'switch-plan': {
			const count = layer.plan?.[layer.side].length ?? 1;
			return step(change(model, 'switch-plan', plan => ({...plan, index: moved(plan.index, move, height - 8, count)})));
		}
		case 'switch-run': {
			const count = (model.story?.park.length ?? 0) + (model.story?.restore.length ?? 0) + 8;
			return step(change(model, 'switch-run', run => ({...run, top: moved(run.top, move, height - 4, count)})));
		}
		case 'detail':
		case 'doctor':
			return step(scrolled(model, layer.kind, move, height));
		default:
			return step(model);
	}
}

export function menuLength(model: Model): number {
	const driver = driverOf(model);
	const targets = targetsOf(model);
	return driver ? offers(targets, driver).length + (targets.length === 1 ? 1 : 0) : 1;
}

function moveInOperations(model: Model, layer: Extract<Layer, {kind: 'operations'}>, move: Move): Step {
	if (layer.isLogOpen) {
		const items = operationAtCursor(model)?.items.length ?? 0;
		const count = items + 1 + (layer.log?.length ?? 0);
		const page = layoutOf(model.size).bodyHeight - 2;
		const logTop = Math.max(0, Math.min(moved(layer.logTop, move, page, count), count - page));
		return step(change(model, 'operations', pane => ({...pane, logTop})));
	}
	const rows = operationRows(model);
	const index = Math.max(
		0,
		rows.findIndex(operation => operation.id === layer.cursor),
	);
	const chosen = rows[moved(index, move, 8, rows.length)];
	if (!chosen || chosen.id === layer.cursor) return step(model);
	const next = change(model, 'operations', ({log: _, ...pane}) => ({...pane, cursor: chosen.id}));
	return step(next, {type: 'load-log', id: chosen.id});
}

/** Pages that only scroll. */
function scrolled(model: Model, kind: 'detail' | 'doctor', move: Move, height: number): Model {
	const page = Math.max(1, height - 3);
	const open = topLayer(model);
	const count = open?.kind === 'detail' ? detailLength(model, open) : 60;
	const last = Math.max(0, count - page);
	return change(model, kind, layer => {
		const at = Math.min(layer.top, last);
		const to = {
			up: at - 1,
			down: at + 1,
			'page-up': at - page,
			'page-down': at + page,
			'half-up': at - Math.ceil(page / 2),
			'half-down': at + Math.ceil(page / 2),
			first: 0,
			// The end stays the end when lines are added: a console is followed.
			last: open?.kind === 'detail' && open.tab === 2 ? endOfText : last,
		}[move];
		return {...layer, top: to === endOfText ? to : Math.max(0, Math.min(to, last))};
	});
}

/** A place that is always the last one. */
export const endOfText = Number.MAX_SAFE_INTEGER;
