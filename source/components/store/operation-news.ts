import {isEnded, type OperationView} from '../../model/operation.ts';
import {plainLine} from '../../model/text.ts';
import {also, change, step, tell} from './layers.ts';
import type {Alert, FormPurpose, Model, Step} from './model.ts';
import {topLayer} from './selectors.ts';
import {follow} from './table.ts';

const mostAlerts = 200;
/** More ended operations than anyone scrolls through. */
const mostOperations = 200;

export function newestFirst(operations: readonly OperationView[]): readonly OperationView[] {
	return operations
		.toSorted((a, b) => b.createdAt - a.createdAt || Number(b.id) - Number(a.id))
		.slice(0, mostOperations);
}

/** An operation has begun, got further or ended. */
export function onOperation(model: Model, operation: OperationView, at: number): Step {
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
export function onEnded(model: Model, operation: OperationView, at: number): Step {
	// A switch tells its own end, with more in it.
	if (operation.kind === 'switch') {
		const mine = new Set(model.mine);
		mine.delete(operation.id);
		return step({...model, mine});
	}
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

/** One more alert, once. */
export function withAlert(model: Model, alert: Alert): Model {
	if (model.alerts.some(known => known.id === alert.id)) return model;
	return {
		...model,
		alerts: [alert, ...model.alerts].slice(0, mostAlerts),
		unseenAlerts: topLayer(model)?.kind === 'alerts' ? 0 : model.unseenAlerts + 1,
	};
}

const begunBy: Partial<Readonly<Record<FormPurpose, OperationView['kind']>>> = {
	launch: 'launch',
	mount: 'mount',
	edit: 'resize',
	snapshot: 'snapshot',
	clone: 'clone',
};

/** The form that was sent for it has done its work, and whatever was asked over it meanwhile is settled with it. */
function withoutForm(model: Model, {kind}: OperationView): Model {
	const index = model.layers.findLastIndex(
		layer => layer.kind === 'form' && layer.isSending && begunBy[layer.purpose] === kind,
	);
	return index < 0 ? model : {...model, layers: model.layers.slice(0, index)};
}

/** The engine has taken what was asked for from here. */
export function onBegun(model: Model, operation: OperationView): Step {
	const known = model.operations.find(other => other.id === operation.id);
	// Its end may have been told before the answer to the request came.
	const mine = known && isEnded(known) ? model.mine : new Set([...model.mine, operation.id]);
	const operations = known ? model.operations : newestFirst([operation, ...model.operations]);
	const next: Model = {...model, mine, operations};
	const closed = withoutForm(next, operation);
	if (operation.kind !== 'launch') return tell(closed, `${titleOf(operation)} ... (b shows it)`);
	const wanted = operation.items[0]?.target;
	const placed = follow({...closed, table: {...closed.table, wanted}}, closed.roster);
	return tell(placed, `${titleOf(operation)} ... goes on when you quit (b shows it)`);
}
