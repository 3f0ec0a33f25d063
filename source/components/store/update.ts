import {isEnded} from '../../model/operation.ts';
import {plainLine} from '../../model/text.ts';
import {asksOf} from './forms.ts';
import {importArrived} from './importing.ts';
import {chooseDriver, chooseOrder, onKeys, onPaste} from './keys.ts';
import {withLastLaunch} from './launch-choices.ts';
import {also, change, step, tell} from './layers.ts';
import type {Message, Model, Step} from './model.ts';
import {newestFirst, onBegun, onEnded, onOperation, withAlert} from './operation-news.ts';
import {pageLoads} from './page-loads.ts';
import {openScreen, perform} from './perform.ts';
import {emptyRoster, replaceAll, withFilter} from './roster.ts';
import {onSampleDue, onSamples, withSampling} from './sampling.ts';
import {screenLayer, topLayer} from './selectors.ts';
import {onStory, planArrived, withoutAsked} from './switching.ts';
import {changeRows, chooseFirst, emptyTable, follow, moveTo, settleRows} from './table.ts';
import {noMetrics} from './usage.ts';

export function initialModel(options: {size: Model['size']; user: string}): Model {
	return {
		size: options.size,
		user: options.user,
		link: {kind: 'connecting', attempt: 1},
		facts: undefined,
		roster: emptyRoster,
		operations: [],
		mine: new Set(),
		story: undefined,
		alerts: [],
		unseenAlerts: 0,
		table: emptyTable,
		layers: [],
		toast: undefined,
		metrics: noMetrics,
		hasShownDoctor: false,
		lastKeyAt: 0,
	};
}

/** The dashboard's one decision: what a message makes of the model, and what is to be done about it. Pure. */
export function update(model: Model, message: Message): Step {
	return withSampling(decide(model, message));
}

function decide(model: Model, message: Message): Step {
	switch (message.type) {
		case 'key':
			return message.presses.length === 0 ? step(model) : onKeys(model, message.presses, message.at);
		case 'paste':
			return onPaste(model, message.text, message.at);
		case 'action':
			return perform(model, message.id, message.key ?? '', message.at);
		case 'resize':
			return step(moveTo({...model, size: {columns: message.columns, rows: message.rows}}, model.table.index));
		case 'overview':
			return onOverview(model, message);
		case 'events':
			return onEvents(model, message);
		case 'settle':
			return settleRows(model, message.at);
		case 'connecting':
		case 'lost':
			return step(onLink(model, message));
		case 'begun':
			return onBegun(model, message.operation);
		default:
			return onAnswer(model, message);
	}
}

function onLink(model: Model, message: Extract<Message, {type: 'connecting' | 'lost'}>): Model {
	if (message.type === 'lost') return {...model, link: {kind: 'stale', since: message.at, attempt: 0}};
	const error = message.error ? {error: message.error} : {};
	const link =
		model.link.kind === 'connecting'
			? ({kind: 'connecting', attempt: message.attempt, ...error} as const)
			: ({
					kind: 'stale',
					since: model.link.kind === 'stale' ? model.link.since : message.at,
					attempt: message.attempt,
					...error,
				} as const);
	return {...model, link};
}

function onOverview(model: Model, {overview, at}: Extract<Message, {type: 'overview'}>): Step {
	const {instances, operations, notices, ...facts} = overview;
	const cameBack = model.link.kind === 'stale';
	// Another scope is another table: the filter and the cursor were for the one before.
	const isSameScope = model.facts === undefined || model.facts.driver.scope === overview.driver.scope;
	const roster = replaceAll(isSameScope ? model.roster : withFilter(model.roster, ''), instances);
	const next: Model = {
		...model,
		link: {kind: 'live'},
		facts,
		operations: newestFirst(operations),
		// Another daemon counts its operations from 1 again: those of the old one are nobody's any more.
		mine: new Set(operations.filter(operation => isMine(model, operation)).map(operation => operation.id)),
	};
	const isFirst = model.facts === undefined;
	const followed = follow(notices.reduce(withAlert, next), roster);
	const settled = isFirst || !isSameScope || model.roster.byId.size === 0 ? chooseFirst(followed) : followed;
	const isFirstRun =
		isFirst &&
		!model.hasShownDoctor &&
		model.layers.length === 0 &&
		instances.length === 0 &&
		operations.length === 0 &&
		overview.elsewhere.every(scope => scope.count === 0);
	if (isFirstRun) return openScreen(settled, 'doctor', at);
	let result = cameBack ? tell(settled, 'Connected again.', 'good') : step(settled);
	// What a page asked for meanwhile was not answered.
	if (model.link.kind !== 'live') result = also(result, latest => step(latest, ...pageLoads(latest)));
	// What ended while nobody listened is told now.
	for (const operation of operations) {
		if (settled.mine.has(operation.id) && isEnded(operation)) {
			result = also(result, latest => onEnded(latest, operation, at));
		}
	}
	return result;
}

function isMine(model: Model, {id, createdAt}: Model['operations'][number]): boolean {
	return model.mine.has(id) && model.operations.some(known => known.id === id && known.createdAt === createdAt);
}

function onEvents(model: Model, message: Extract<Message, {type: 'events'}>): Step {
	let result = changeRows(model, message.changed, message.removed, message.at);
	for (const operation of message.operations) result = also(result, next => onOperation(next, operation, message.at));
	return also(result, next => reloadPage(next, model, message));
}

/** What a page has asked for itself is asked for again when something it shows has changed, not for each percent of progress. */
function reloadPage(model: Model, before: Model, {changed, operations}: Extract<Message, {type: 'events'}>): Step {
	const layer = screenLayer(model);
	if (layer?.kind !== 'detail' && layer?.kind !== 'networks' && layer?.kind !== 'snapshots') return step(model);
	const instance = model.roster.byId.get(layer.id);
	if (!instance) return step(model);
	const known = before.roster.byId.get(layer.id);
	const isOther =
		changed.some(view => view.id === layer.id) &&
		(known?.state !== instance.state || known.snapshotCount !== instance.snapshotCount);
	const isAbout = (target: string) => target === instance.name || target.startsWith(`${instance.name}.`);
	// Quick work begins and ends between two messages: its end is then all that is ever seen of it.
	const isDone =
		(known?.operation !== undefined && instance.operation === undefined) ||
		operations.some(each => isEnded(each) && each.items.some(item => isAbout(item.target)));
	if (!isOther && !isDone) return step(model);
	const {id, name} = instance;
	switch (layer.kind) {
		case 'detail':
			return step(model, {type: 'load-detail', id, name, tab: layer.tab});
		case 'networks':
			return step(model, {type: 'load-networks', id, name});
		case 'snapshots':
			return step(model, {type: 'load-snapshots', id, name});
	}
}

/** Only where nobody has typed yet. */
function onLastLaunch(model: Model, values: Readonly<Record<string, string>>): Step {
	const form = topLayer(model);
	if (form?.kind !== 'form') return step(model);
	const filled = withLastLaunch(form, values);
	return step(
		change(model, 'form', () => filled),
		...asksOf(form, filled),
	);
}

/** The form says why it was refused; where it has been left meanwhile it is told as every failure is. */
function onRefused(model: Model, {purpose, error, at}: Extract<Message, {type: 'form-refused'}>): Step {
	const refused = change(model, 'form', form =>
		form.purpose === purpose && form.isSending ? {...form, isSending: false, error} : form,
	);
	return refused === model ? onAnswer(model, {type: 'failed', what: purpose, error, at}) : step(refused);
}

function onFormDone(model: Model, {purpose, text}: Extract<Message, {type: 'form-done'}>): Step {
	const index = model.layers.findLastIndex(
		layer => layer.kind === 'form' && layer.isSending && layer.purpose === purpose,
	);
	return tell(index < 0 ? model : {...model, layers: model.layers.slice(0, index)}, text, 'good');
}

function onAnswer(model: Model, message: Message): Step {
	switch (message.type) {
		case 'alert':
			return step(withAlert(model, message.alert));
		case 'toast':
			return tell(model, message.text, message.level);
		case 'toast-over':
			return step(model.toast?.number === message.number ? {...model, toast: undefined} : model);
		case 'failed': {
			const text = `${message.what}: ${message.error.message}`;
			const alerted = withAlert(withoutAsked(model, message.what), {
				id: `failed-${message.at}-${message.what}`,
				at: message.at,
				level: 'error',
				text,
				...(message.error.next === undefined ? {} : {next: message.error.next}),
				...(message.error.cause === undefined ? {} : {cause: message.error.cause}),
			});
			return tell(alerted, plainLine(message.error.next ? `${text} ${message.error.next}` : text), 'problem');
		}
		case 'form-refused':
			return onRefused(model, message);
		case 'form-done':
			return onFormDone(model, message);
		case 'last-launch':
			return onLastLaunch(model, message.values);
		case 'form-data':
			return step(change(model, 'form', form => ({...form, ...message.part})));
		case 'networks':
			return step(change(model, 'networks', layer => (layer.id === message.id ? {...layer, ...message.part} : layer)));
		case 'snapshots':
			return step(
				change(model, 'snapshots', ({kind, id, index, ...known}) =>
					id === message.id ? {kind, id, index, ...message.part} : {kind, id, index, ...known},
				),
			);
		case 'detail':
			return step(change(model, 'detail', layer => (layer.id === message.id ? {...layer, ...message.part} : layer)));
		case 'log':
			return step(
				change(model, 'operations', pane =>
					(pane.cursor ?? message.id) === message.id ? {...pane, log: message.log} : pane,
				),
			);
		case 'drivers': {
			const current = message.list?.findIndex(driver => driver.current) ?? 0;
			const {error, list} = message;
			return step(
				change(model, 'drivers', layer => ({
					...layer,
					...(list ? {list, index: Math.max(0, layer.list ? layer.index : current)} : {}),
					...(error ? {error} : {}),
				})),
			);
		}
		case 'sample-due':
			return onSampleDue(model, message.turn);
		case 'samples':
			return onSamples(model, message);
		case 'driver-shown':
			return step(change(model, 'drivers', layer => ({...layer, index: message.index})));
		case 'driver-chosen':
			return chooseDriver(model, message.index);
		case 'switch-plan':
			return step(planArrived(model, message));
		case 'import-plan':
			return step(importArrived(model, message));
		case 'story':
			return onStory(model, message.story, message.at);
		case 'order-chosen':
			return chooseOrder(model, message.order);
		case 'doctor':
			return step(
				change(model, 'doctor', layer => ({
					...layer,
					...(message.report ? {report: message.report} : {}),
					...(message.error ? {error: message.error} : {}),
				})),
			);
		default:
			return step(model);
	}
}
