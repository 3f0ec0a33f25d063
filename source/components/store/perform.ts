import {isEnded} from '../../model/operation.ts';
import {plainLine} from '../../model/text.ts';
import {paneFrom} from '../pieces/layout.ts';
import {copyText} from './copying.ts';
import {emptyField, fieldOf} from './field.ts';
import {finderEntries} from './finder.ts';
import {performForm} from './forms.ts';
import {openImport, performImport} from './importing.ts';
import {isEngineAction} from './instance-actions.ts';
import {launchLoads, newLaunchForm} from './launch-form.ts';
import {change, pop, push, step, tell} from './layers.ts';
import type {Model, Step} from './model.ts';
import {performMounts} from './mounts.ts';
import {performNetworks} from './networks.ts';
import {pageLoads} from './page-loads.ts';
import {openDetail, performInstance, runMenuLine} from './perform-instance.ts';
import {endOfText, performMove} from './perform-list.ts';
import {isSwitching, operationAtCursor, operationRows, topLayer, whereOf} from './selectors.ts';
import {performSnapshots} from './snapshots.ts';
import {openStory, performPlan} from './switching.ts';
import {markShown, toggleMark, togglePane, unmark} from './table.ts';

/** Carries out an action of the registry on the screen that is on top. */
export function perform(model: Model, id: string, key: string, at: number): Step {
	const [group, word = ''] = id.split('.');
	if (group === 'list') return performMove(model, word as Parameters<typeof performMove>[1]);
	if (id === 'instance.pane') return showPane(model);
	if (group === 'instance') return performInstance(model, id, key, at);
	switch (group) {
		case 'table':
			return performTable(model, word);
		case 'screen':
			return openScreen(model, word, at);
		case 'detail':
			return performDetail(model, word);
		case 'operations':
			return performOperations(model, word, key, at);
		case 'form':
			return performForm(model, word);
		case 'mounts':
			return performMounts(model, word, key, at);
		case 'networks':
			return performNetworks(model, word, key, at);
		case 'snapshots':
			return performSnapshots(model, word, key, at);
		case 'import':
			return performImport(model, word, key, at);
		case 'switch':
			return performPlan(model, word, key, at);
		case 'session':
			return performSession(model, word, key, at);
		default:
			return performChoice(model, id, key, at);
	}
}

function showPane(model: Model): Step {
	if (topLayer(model)?.kind === 'menu' || model.size.columns < paneFrom) return openDetail(model);
	return step(togglePane(model));
}

function performTable(model: Model, word: string): Step {
	switch (word) {
		case 'mark':
			return step(toggleMark(model));
		case 'mark-all':
			return step(markShown(model));
		case 'unmark':
			return step(unmark(model));
		case 'filter':
			return step(push(model, {kind: 'filter', field: fieldOf(model.roster.filter), before: model.roster.filter}));
		case 'order':
			return step(push(model, {kind: 'order'}));
		case 'pause': {
			const isPaused = !model.table.isPaused;
			const next = {...model, table: {...model.table, isPaused}};
			const told = tell(next, isPaused ? 'Live updates are paused: . goes on.' : 'Live again.');
			return isPaused ? told : {...told, effects: [...told.effects, {type: 'load-overview'}]};
		}
		default:
			return step(model);
	}
}

export function openScreen(model: Model, word: string, at: number): Step {
	switch (word) {
		case 'launch':
			return step(push(model, newLaunchForm()), ...launchLoads(model));
		case 'drivers':
			if (isSwitching(model)) return openStory(model);
			return step(push(model, {kind: 'drivers', index: 0}), {type: 'load-drivers'});
		case 'switch':
			return openStory(model);
		case 'import':
			return openImport(model);
		case 'operations': {
			const first = operationRows(model)[0];
			const next = push(model, {kind: 'operations', cursor: first?.id, isLogOpen: false, logTop: 0});
			return first ? step(next, {type: 'load-log', id: first.id}) : step(next);
		}
		case 'alerts':
			return step(push({...model, unseenAlerts: 0}, {kind: 'alerts', index: 0}));
		case 'doctor':
			return step(push({...model, hasShownDoctor: true}, {kind: 'doctor', top: 0}), {
				type: 'load-doctor',
				again: false,
			});
		case 'palette':
		case 'help':
			if (whereOf(model) === 'finder') return step(model);
			return step(push(model, {kind: 'finder', mode: word, field: emptyField, index: 0, openedAt: at}));
		default:
			return step(model);
	}
}

function performDetail(model: Model, word: string): Step {
	const layer = topLayer(model);
	if (layer?.kind !== 'detail') return step(model);
	if (word === 'previous-tab' && layer.tab === 0) return step(pop(model));
	const tab = word === 'next-tab' ? layer.tab + 1 : word === 'previous-tab' ? layer.tab - 1 : Number(word.at(-1)) - 1;
	const next = (((tab % 3) + 3) % 3) as 0 | 1 | 2;
	const name = model.roster.byId.get(layer.id)?.name;
	const moved = change(model, 'detail', detail => ({...detail, tab: next, top: next === 2 ? endOfText : 0}));
	return name === undefined ? step(moved) : step(moved, {type: 'load-detail', id: layer.id, name, tab: next});
}

function performOperations(model: Model, word: string, key: string, at: number): Step {
	const operation = operationAtCursor(model);
	if (!operation) return tell(model, 'There is no operation.');
	switch (word) {
		case 'log':
			return step(
				change(model, 'operations', pane => ({...pane, isLogOpen: !pane.isLogOpen, logTop: 0})),
				{type: 'load-log', id: operation.id},
			);
		case 'cancel': {
			if (isEnded(operation)) return tell(model, 'It has ended: there is nothing to cancel.');
			if (!operation.cancellable) return tell(model, 'It cannot be cancelled any more.', 'problem');
			return step(
				push(model, {
					kind: 'confirm',
					level: 1,
					title: `Cancel ${plainLine(operation.title)}?`,
					effects: ['What is half done is undone where it can be.'],
					intention: {kind: 'cancel', id: operation.id},
					field: emptyField,
					openedAt: at,
					openedBy: key,
				}),
			);
		}
		case 'retry': {
			const failed = operation.items.filter(item => item.state === 'failed').map(item => item.target);
			if (failed.length === 0) return tell(model, 'Nothing has failed in it.');
			if (operation.kind === 'import') return tell(model, 'An import is begun anew: esc, then I shows what there is.');
			if (operation.kind === 'move') return tell(model, 'A move is begun anew on the command line: drover move.');
			if (!isEngineAction(operation.kind)) {
				return tell(model, `A ${operation.kind} is begun anew: esc, then n opens the form.`);
			}
			return step(model, {type: 'act', request: {action: operation.kind, names: failed}});
		}
		case 'copy': {
			const error = operation.error ?? operation.items.find(item => item.error)?.error;
			if (!error) return tell(model, 'Nothing has failed in it.');
			return copyText(model, 'Error', [error.message, error.next, error.cause].filter(Boolean).join(' '));
		}
		default:
			return step(model);
	}
}

function performSession(model: Model, word: string, key: string, at: number): Step {
	switch (word) {
		case 'refresh':
			if (model.link.kind !== 'live') return step(model, {type: 'reconnect'});
			if (topLayer(model)?.kind === 'doctor') return step(model, {type: 'load-doctor', again: true});
			return refresh(model);
		case 'redraw':
			return step(model, {type: 'redraw'});
		case 'stop':
			return step(model, {type: 'stop'});
		case 'quit': {
			const top = topLayer(model);
			// Asked twice in the same way is an answer.
			if (top?.kind === 'confirm' && top.intention.kind === 'quit') return step(model, {type: 'quit'});
			const form = model.layers.find(layer => layer.kind === 'form');
			return form?.kind === 'form' && form.isEdited ? askToLeave(model, 'quit', key, at) : step(model, {type: 'quit'});
		}
		default:
			return back(model, key, at);
	}
}

function refresh(model: Model): Step {
	const loads = pageLoads(model);
	return topLayer(model)?.kind === 'drivers' ? step(model, ...loads) : step(model, {type: 'refresh'}, ...loads);
}

/** One step back. Esc never quits; `q` on the table does. */
function back(model: Model, key: string, at: number): Step {
	const layer = topLayer(model);
	if (!layer) return backOnTable(model, key);
	if (layer.kind === 'form' && layer.isEdited) return askToLeave(model, 'leave-form', key, at);
	if (layer.kind === 'operations' && layer.isLogOpen) {
		return step(change(model, 'operations', pane => ({...pane, isLogOpen: false})));
	}
	return step(pop(model));
}

function backOnTable(model: Model, key: string): Step {
	if (key === 'q') return step(model, {type: 'quit'});
	if (key !== 'esc') return step(model);
	if (model.table.marks.size > 0) return step(unmark(model));
	if (model.roster.filter !== '') return step(model);
	return tell(model, 'q quits.');
}

function askToLeave(model: Model, kind: 'quit' | 'leave-form', key: string, at: number): Step {
	return step(
		push(model, {
			kind: 'confirm',
			level: 1,
			title: 'Leave the form?',
			effects: ['What has been typed is lost. Nothing has been done with it.'],
			intention: {kind},
			field: emptyField,
			openedAt: at,
			openedBy: key,
		}),
	);
}

/** Enter, or a letter, on the lists of choices. */
function performChoice(model: Model, id: string, key: string, at: number): Step {
	const layer = topLayer(model);
	switch (id) {
		case 'menu.run':
			return runMenuLine(model, key, at);
		case 'filter.keep':
			return step(pop(model));
		case 'doctor.close':
			return step(pop(model));
		case 'doctor.copy': {
			const report = layer?.kind === 'doctor' ? layer.report : undefined;
			const remedies = report?.drivers.find(driver => !driver.health.usable && driver.supported)?.health.remedy;
			const check = report?.checks.find(entry => entry.remedy)?.remedy;
			const text = remedies ?? check;
			return text ? copyText(model, 'Fix', text) : tell(model, 'There is nothing to fix.');
		}
		case 'alerts.copy': {
			const alert = layer?.kind === 'alerts' ? model.alerts[layer.index] : undefined;
			return alert
				? copyText(model, 'Alert', [alert.text, alert.next, alert.cause].filter(Boolean).join(' '))
				: step(model);
		}
		case 'copy.choose': {
			const text = layer?.kind === 'copy' ? layer.choices[layer.index] : undefined;
			if (text === undefined) return step(model);
			return step(
				change(model, 'copy', copy => ({...copy, copied: text})),
				{type: 'copy', text},
			);
		}
		case 'finder.run': {
			if (layer?.kind !== 'finder') return step(model);
			const entry = finderEntries(model, layer.mode, layer.field.text)[layer.index];
			if (!entry) return step(model);
			if (entry.reason !== undefined)
				return tell(model, `${entry.action.title}: ${plainLine(entry.reason)}`, 'problem');
			return perform(pop(model), entry.action.id, key, at);
		}
		default:
			return step(model);
	}
}
