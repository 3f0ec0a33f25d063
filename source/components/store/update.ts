import {isEnded, type OperationView} from '../../model/operation.ts';
import {plainLine} from '../../model/text.ts';
import {chooseDriver, chooseOrder, onKeys, onPaste} from './keys.ts';
import {also, change, pop, step, tell} from './layers.ts';
import type {Alert, Message, Model, Step} from './model.ts';
import {openScreen, perform} from './perform.ts';
import {emptyRoster, replaceAll} from './roster.ts';
import {topLayer} from './selectors.ts';
import {changeRows, chooseFirst, emptyTable, follow, moveTo, settleRows} from './table.ts';

const mostAlerts = 200;
/** More ended operations than anyone scrolls through. */
const mostOperations = 200;

export function initialModel(options: {size: Model['size']; user: string}): Model {
	return {
		size: options.size,
		user: options.user,
		link: {kind: 'connecting', attempt: 1},
		facts: undefined,
		heardAt: 0,
		roster: emptyRoster,
		operations: [],
		mine: new Set(),
		alerts: [],
		unseenAlerts: 0,
		table: emptyTable,
		layers: [],
		toast: undefined,
		hasShownDoctor: false,
		lastKeyAt: 0,
	};
}

/** The dashboard's one decision: what a message makes of the model, and what is to be done about it. Pure. */
export function update(model: Model, message: Message): Step {
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
	if (message.type === 'lost') return {...model, link: {kind: 'stale', since: model.heardAt, attempt: 0}};
	const error = message.error ? {error: message.error} : {};
	const link =
		model.link.kind === 'connecting'
			? ({kind: 'connecting', attempt: message.attempt, ...error} as const)
			: ({
					kind: 'stale',
					since: model.link.kind === 'stale' ? model.link.since : model.heardAt,
					attempt: message.attempt,
					...error,
				} as const);
	return {...model, link};
}

function onOverview(model: Model, {overview, at}: Extract<Message, {type: 'overview'}>): Step {
	const {instances, operations, notices, ...facts} = overview;
	const cameBack = model.link.kind === 'stale';
	const known = new Set(model.alerts.map(alert => alert.id));
	const added: Alert[] = notices
		.filter(notice => !known.has(notice.id))
		.map(({id, at: when, level, text}) => ({id, at: when, level, text}));
	const roster = replaceAll(model.roster, instances);
	const next: Model = {
		...model,
		link: {kind: 'live'},
		facts,
		heardAt: at,
		operations: newestFirst(operations),
		alerts: [...added, ...model.alerts].slice(0, mostAlerts),
		unseenAlerts: model.unseenAlerts + added.length,
	};
	const isFirst = model.facts === undefined;
	const followed = follow(next, roster);
	const settled = isFirst || model.roster.byId.size === 0 ? chooseFirst(followed) : followed;
	const isFirstRun =
		isFirst &&
		!model.hasShownDoctor &&
		model.layers.length === 0 &&
		instances.length === 0 &&
		operations.length === 0 &&
		overview.elsewhere.every(scope => scope.count === 0);
	if (isFirstRun) return openScreen(settled, 'doctor', at);
	return cameBack ? tell(settled, 'Connected again.', 'good') : step(settled);
}

function newestFirst(operations: readonly OperationView[]): readonly OperationView[] {
	return operations
		.toSorted((a, b) => b.createdAt - a.createdAt || Number(b.id) - Number(a.id))
		.slice(0, mostOperations);
}

function onEvents(model: Model, message: Extract<Message, {type: 'events'}>): Step {
	const heard = model.table.isPaused ? model : {...model, heardAt: message.at};
	let result = changeRows(heard, message.changed, message.removed, message.at);
	for (const operation of message.operations) result = also(result, next => onOperation(next, operation, message.at));
	const layer = topLayer(result.model);
	if (layer?.kind === 'detail') {
		const instance = message.changed.find(changed => changed.id === layer.id);
		if (instance) {
			const before = model.roster.byId.get(layer.id);
			// The page is asked for again when something it shows has changed, not for each percent of progress.
			if (before?.state !== instance.state) {
				result = also(result, next =>
					step(next, {type: 'load-detail', id: layer.id, name: instance.name, tab: layer.tab}),
				);
			}
		}
	}
	return result;
}

function onOperation(model: Model, operation: OperationView, at: number): Step {
	const before = model.operations.find(known => known.id === operation.id);
	const operations = before
		? model.operations.map(known => (known.id === operation.id ? operation : known))
		: newestFirst([operation, ...model.operations]);
	let result = step({...model, operations});
	const pane = topLayer(model);
	if (pane?.kind === 'operations' && (pane.cursor === operation.id || pane.cursor === undefined)) {
		result = step(
			{...change(result.model, 'operations', layer => ({...layer, cursor: operation.id}))},
			{
				type: 'load-log',
				id: operation.id,
			},
		);
	}
	const hasJustEnded = isEnded(operation) && !(before && isEnded(before));
	return hasJustEnded ? also(result, next => onEnded(next, operation, at)) : result;
}

/** What has ended is told once; failures stay marked, so that they can be tried again together. */
function onEnded(model: Model, operation: OperationView, at: number): Step {
	const failed = operation.items.filter(item => item.state === 'failed');
	let result = step(model);
	if (operation.state === 'failed' || failed.length > 0) {
		const error = operation.error ?? failed[0]?.error;
		result = step(
			withAlert(model, {
				id: `operation-${operation.id}-${operation.createdAt}`,
				at: operation.endedAt ?? at,
				level: 'error',
				text: `${operation.title} failed: ${error?.message ?? 'no reason was given'}`,
				...(error?.next === undefined ? {} : {next: error.next}),
				...(error?.cause === undefined ? {} : {cause: error.cause}),
			}),
		);
	}
	if (!model.mine.has(operation.id)) return result;
	const failedNames = new Set(failed.map(item => item.target));
	const {roster, table} = result.model;
	const names = new Set(operation.items.map(item => item.target));
	const marks = new Set(
		[...table.marks].filter(id => {
			const name = roster.byId.get(id)?.name;
			return name === undefined || !names.has(name) || failedNames.has(name);
		}),
	);
	const mine = new Set(model.mine);
	mine.delete(operation.id);
	return also(result, next => tell({...next, mine, table: {...next.table, marks}}, ...outcome(operation)));
}

/** `stop web`, `stop 7 instances`: short enough for one line with something behind it. */
function titleOf({kind, title, items}: OperationView): string {
	return items.length > 2 ? `${kind} ${items.length} instances` : plainLine(title);
}

const inverse: Readonly<Record<string, string>> = {
	start: 't stops it',
	stop: 's starts it',
	suspend: 's resumes it',
	delete: 'u brings it back',
	recover: 'x deletes it',
};

function outcome(operation: OperationView): [text: string, level: 'good' | 'problem' | 'info'] {
	const title = titleOf(operation);
	const done = operation.items.filter(item => item.state === 'done' || item.state === 'skipped').length;
	const failed = operation.items.filter(item => item.state === 'failed').length;
	if (operation.state === 'cancelled') return [`${title}: cancelled.`, 'info'];
	if (operation.state === 'failed' || failed > 0) {
		if (operation.items.length > 1) return [`${title}: ${done} done, ${failed} failed (b shows each).`, 'problem'];
		return [`${title} failed: ${plainLine(operation.error?.message ?? 'see b')}`, 'problem'];
	}
	const note = operation.items.length === 1 ? operation.items[0]!.note : undefined;
	const how = operation.items.length === 1 ? inverse[operation.kind] : undefined;
	return [`${title}: ${note ? plainLine(note) : 'done'}${how ? ` (${how})` : ''}.`, 'good'];
}

function withAlert(model: Model, alert: Alert): Model {
	if (model.alerts.some(known => known.id === alert.id)) return model;
	return {
		...model,
		alerts: [alert, ...model.alerts].slice(0, mostAlerts),
		unseenAlerts: topLayer(model)?.kind === 'alerts' ? 0 : model.unseenAlerts + 1,
	};
}

function onBegun(model: Model, operation: OperationView): Step {
	const known = model.operations.find(other => other.id === operation.id);
	// Its end may have been told before the answer to the request came.
	const mine = known && isEnded(known) ? model.mine : new Set([...model.mine, operation.id]);
	const operations = known ? model.operations : newestFirst([operation, ...model.operations]);
	const next: Model = {...model, mine, operations};
	if (operation.kind !== 'launch') return tell(next, `${titleOf(operation)} ... (b shows it)`);
	const closed = topLayer(next)?.kind === 'form' ? pop(next) : next;
	const wanted = operation.items[0]?.target;
	const placed = follow({...closed, table: {...closed.table, wanted}}, closed.roster);
	return tell(placed, `${titleOf(operation)} ... goes on when you quit (b shows it)`);
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
			const alerted = withAlert(model, {
				id: `failed-${message.at}-${message.what}`,
				at: message.at,
				level: 'error',
				text,
				...(message.error.next === undefined ? {} : {next: message.error.next}),
				...(message.error.cause === undefined ? {} : {cause: message.error.cause}),
			});
			return tell(alerted, plainLine(message.error.next ? `${text} ${message.error.next}` : text), 'problem');
		}
		case 'launch-failed':
			return step(change(model, 'form', form => ({...form, isSending: false, error: message.error})));
		case 'detail':
			return step(change(model, 'detail', layer => (layer.id === message.id ? {...layer, ...message.part} : layer)));
		case 'log':
			return step(
				change(model, 'operations', pane =>
					(pane.cursor ?? message.id) === message.id ? {...pane, log: message.log} : pane,
				),
			);
		case 'images':
			return step(
				change(model, 'form', form => ({
					...form,
					...(message.images ? {images: message.images} : {}),
					...(message.error ? {imagesError: message.error} : {}),
				})),
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
		case 'driver-shown':
			return step(change(model, 'drivers', layer => ({...layer, index: message.index})));
		case 'driver-chosen':
			return chooseDriver(model, message.index);
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
