import {driverTitles} from '../../model/driver-name.ts';
import {plainLine} from '../../model/text.ts';
import {burst, type KeyPress} from '../keys/key-name.ts';
import {actionFor, textual} from '../keys/registry.ts';
import {isTiny} from '../pieces/layout.ts';
import {edit, type Field, insert} from './field.ts';
import {fieldIn, typeInForm, withField} from './form.ts';
import {asksOf, rowAtFocus} from './forms.ts';
import {change, pop, step, tell} from './layers.ts';
import type {ConfirmLayer, Effect, Model, Step} from './model.ts';
import {perform} from './perform.ts';
import {type Order, withFilter, withOrder} from './roster.ts';
import {isLive, isSwitching, topLayer, whereOf} from './selectors.ts';
import {openPlan, openStory} from './switching.ts';
import {follow} from './table.ts';

/** A new dialog ignores keys for so long, milliseconds: they were meant for what was there before. */
export const armingMs = 300;

/** The keys of one input event. */
export function onKeys(model: Model, presses: readonly KeyPress[], at: number): Step {
	const isText = textual.includes(whereOf(model)) || isTyping(model);
	const {obeyed, dropped} = isText ? {obeyed: presses, dropped: 0} : burst(presses);
	let result = step({...model, lastKeyAt: at, toast: undefined});
	for (const key of obeyed) {
		const next = onKey(result.model, key, at);
		result = {model: next.model, effects: [...result.effects, ...next.effects]};
	}
	if (dropped === 0) return result;
	const told = tell(
		result.model,
		dropped === 1
			? 'A key that came together with others was ignored: press it again.'
			: `${dropped} keys that came all at once were ignored.`,
	);
	return {model: told.model, effects: [...result.effects, ...told.effects]};
}

function isTyping(model: Model): boolean {
	const layer = topLayer(model);
	return layer?.kind === 'confirm' && layer.level === 2;
}

function onKey(model: Model, key: KeyPress, at: number): Step {
	if (key.name === 'ctrl-c' || key.name === 'ctrl-z' || key.name === 'ctrl-l') {
		return perform(model, actionFor('table', key.name)!.id, key.name, at);
	}
	if (isTiny(model.size)) return key.name === 'q' ? step(model, {type: 'quit'}) : step(model);
	const layer = topLayer(model);
	if (layer && 'openedAt' in layer && layer.kind !== 'finder' && at - layer.openedAt < armingMs) return step(model);
	if (layer?.kind === 'confirm') return onConfirmKey(model, layer, key);
	const edited = editLayer(model, key);
	if (edited) return edited;
	if (layer?.kind === 'filter' && key.name === 'esc') {
		return step(follow(pop(model), withFilter(model.roster, '')));
	}
	if (!layer && key.name === 'esc' && model.table.marks.size === 0 && model.roster.filter !== '') {
		return step(follow(model, withFilter(model.roster, '')));
	}
	const action = actionFor(whereOf(model), key.name);
	return action ? perform(model, action.id, key.name, at) : step(model);
}

/** Text for the layer that takes text; `undefined` when the key is not text there. */
function editLayer(model: Model, key: KeyPress): Step | undefined {
	const layer = topLayer(model);
	switch (layer?.kind) {
		case 'filter': {
			const field = edit(layer.field, key);
			if (!field) return undefined;
			const next = change(model, 'filter', filter => ({...filter, field}));
			return step(firstRow(follow(next, withFilter(next.roster, field.text))));
		}
		case 'finder': {
			const field = edit(layer.field, key);
			return field && step(change(model, 'finder', finder => ({...finder, field, index: 0})));
		}
		case 'form': {
			const typed = typeInForm(layer, rowAtFocus(model, layer), key);
			return (
				typed &&
				step(
					change(model, 'form', () => typed),
					...asksOf(layer, typed),
				)
			);
		}
		default:
			return undefined;
	}
}

/** While a filter is typed the cursor is on a hit, if there is one. */
function firstRow(model: Model): Model {
	if (model.table.cursor !== undefined || model.roster.shown.length === 0) return model;
	return {...model, table: {...model.table, cursor: model.roster.shown[0], index: 0, top: 0}};
}

/** Level 1 takes `y` alone as yes; level 2 takes Enter once the word is right. Everything else is no. */
function onConfirmKey(model: Model, layer: ConfirmLayer, key: KeyPress): Step {
	if (layer.level === 2) {
		if (key.name === 'esc') return tell(pop(model), 'Nothing was done.');
		if (key.name === 'enter') {
			return layer.field.text === layer.word
				? carryOut(model, layer)
				: tell(model, `Type ${layer.word ?? ''} to confirm, or esc to leave.`);
		}
		const field = edit(layer.field, key);
		return step(field ? change(model, 'confirm', confirm => ({...confirm, field})) : model);
	}
	// A key that opened the dialog is never its answer, however long it is held.
	if (key.name === layer.openedBy) return step(model);
	return key.name === 'y' ? carryOut(model, layer) : tell(pop(model), 'Nothing was done.');
}

function carryOut(model: Model, {intention}: ConfirmLayer): Step {
	const closed = pop(model);
	switch (intention.kind) {
		case 'act':
			return ask(model, closed, intention.ids, {type: 'act', request: intention.request});
		case 'unmount':
			return ask(model, closed, intention.ids, {type: 'unmount', request: intention.request});
		case 'add-network':
			return ask(model, closed, intention.ids, {type: 'add-network', request: intention.request});
		case 'restore':
			return ask(model, closed, intention.ids, {type: 'restore', request: intention.request});
		case 'delete-snapshot':
			return ask(model, closed, intention.ids, {type: 'delete-snapshot', request: intention.request});
		case 'cancel':
			return step(closed, {type: 'cancel', id: intention.id});
		case 'switch':
			return step(
				{...closed, layers: [{kind: 'switch-run', top: 0, asked: {to: intention.to, before: model.story?.id}}]},
				{type: 'switch', to: intention.to, force: intention.force},
			);
		case 'import':
			if (!isLive(model)) return tell(closed, 'No connection to the drover daemon: nothing was done.', 'problem');
			return step(pop(closed), {type: 'import'});
		case 'leave-form':
			return step(pop(closed));
		case 'quit':
			return step(model, {type: 'quit'});
	}
}

/** What was confirmed for some instances, as long as they are all still there. */
function ask(model: Model, closed: Model, ids: readonly string[], effect: Effect): Step {
	if (ids.some(id => !model.roster.byId.has(id)))
		return tell(closed, 'An instance of these is gone meanwhile: nothing was done.', 'problem');
	if (!isLive(model)) return tell(closed, 'No connection to the drover daemon: nothing was done.', 'problem');
	return step(closed, effect);
}

/** Pasted text goes into the field that is being typed in, and nowhere else. */
export function onPaste(model: Model, text: string, at: number): Step {
	const layer = topLayer(model);
	const base = {...model, lastKeyAt: at, toast: undefined};
	const field = pastedInto(model);
	if (!field || (layer?.kind === 'confirm' && layer.level === 1))
		return tell(base, 'Pasted text was ignored: no field is open.');
	const next = insert(field, text);
	switch (layer?.kind) {
		case 'filter':
			return step(
				follow(
					change(base, 'filter', filter => ({...filter, field: next})),
					withFilter(base.roster, next.text),
				),
			);
		case 'finder':
			return step(change(base, 'finder', finder => ({...finder, field: next, index: 0})));
		case 'confirm':
			// A name that must be typed is not to be pasted: the point is the pause.
			return tell(base, 'Type the name: pasting it is not taken.');
		case 'form': {
			const filled = withField(layer, layer.focus, next);
			return step(
				change(base, 'form', () => filled),
				...asksOf(layer, filled),
			);
		}
		default:
			return step(base);
	}
}

function pastedInto(model: Model): Field | undefined {
	const layer = topLayer(model);
	switch (layer?.kind) {
		case 'form':
			return rowAtFocus(model, layer)?.kind === 'text' ? fieldIn(layer, layer.focus) : undefined;
		case 'filter':
		case 'finder':
		case 'confirm':
			return layer.field;
		default:
			return undefined;
	}
}

export function chooseOrder(model: Model, order: Order): Step {
	return step(follow(pop(model), withOrder(model.roster, order)));
}

/** A driver other than the current one: shows what switching to it would do. */
export function chooseDriver(model: Model, index: number): Step {
	const layer = topLayer(model);
	const driver = layer?.kind === 'drivers' ? layer.list?.[index] : undefined;
	if (!driver) return step(model);
	const title = driverTitles[driver.name];
	if (isSwitching(model)) return openStory(model);
	if (driver.current) return tell(model, `${title} is the current driver already.`);
	const reason = driver.supported
		? driver.health.usable
			? undefined
			: driver.health.summary
		: driver.unsupportedReason;
	return reason === undefined
		? openPlan(model, driver.name)
		: tell(model, `${title} cannot be used: ${plainLine(reason)}`, 'problem');
}
