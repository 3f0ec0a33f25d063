import type {DriverInfo} from '../../engine/engine.ts';
import type {InstanceView} from '../../model/instance.ts';
import {isEnded, type OperationView} from '../../model/operation.ts';
import type {KeyAction, Need, Where} from '../keys/registry.ts';
import {type OfferedAction, offer} from './instance-actions.ts';
import type {Layer, Model} from './model.ts';

export function topLayer(model: Model): Layer | undefined {
	return model.layers.at(-1);
}

const dialogs: ReadonlySet<Layer['kind']> = new Set(['menu', 'confirm', 'copy', 'filter', 'order']);

/** The topmost layer that fills the screen; dialogs are drawn over it. `undefined`: the table. */
export function screenLayer({layers}: Model): Layer | undefined {
	return layers.findLast(layer => !dialogs.has(layer.kind));
}

/** The instance that the screen is about. */
export function screenInstance(model: Model): InstanceView | undefined {
	const screen = screenLayer(model);
	return screen && 'id' in screen && screen.id !== undefined ? model.roster.byId.get(screen.id) : undefined;
}

/** Which screen gets the keys. */
export function whereOf(model: Model): Where {
	return topLayer(model)?.kind ?? 'table';
}

export function driverOf(model: Model): DriverInfo | undefined {
	return model.facts?.driver;
}

export function isLive(model: Model): boolean {
	return model.link.kind === 'live';
}

/** The instances that an action would be done to: those the open menu or page is pinned to, the marks, or the cursor. */
export function targetsOf(model: Model): readonly InstanceView[] {
	return targetIds(model).flatMap(id => model.roster.byId.get(id) ?? []);
}

export function targetIds(model: Model): readonly string[] {
	for (const layer of model.layers.toReversed()) {
		if (layer.kind === 'menu') return layer.ids;
		if ('id' in layer && layer.id !== undefined) return [layer.id];
	}
	const {marks, cursor} = model.table;
	if (marks.size > 0) return model.roster.shown.filter(id => marks.has(id)).concat(hiddenMarks(model));
	return cursor === undefined ? [] : [cursor];
}

/** Marked instances that the filter hides are still marked. */
function hiddenMarks(model: Model): string[] {
	const {marks} = model.table;
	if (model.roster.filter === '') return [];
	const shown = new Set(model.roster.shown);
	return [...marks].filter(id => !shown.has(id) && model.roster.byId.has(id));
}

export function activeOperations(model: Model): readonly OperationView[] {
	return model.operations.filter(operation => !isEnded(operation));
}

/** Active ones first, then the ended ones, each newest first: the order of the operations pane. */
export function operationRows(model: Model): readonly OperationView[] {
	return [...activeOperations(model), ...model.operations.filter(isEnded)];
}

export function operationAtCursor(model: Model): OperationView | undefined {
	const layer = model.layers.findLast(entry => entry.kind === 'operations');
	if (layer?.kind !== 'operations') return undefined;
	const rows = operationRows(model);
	return rows.find(operation => operation.id === layer.cursor) ?? rows[0];
}

/** Whether a switch is under way, whoever began it: the instances are in its hands then. */
export function isSwitching({story}: Model): boolean {
	return story !== undefined && story.phase !== 'done';
}

export const switchingReason = 'a switch is under way: L shows it';

/** Why an action of the registry cannot be done now, in words, or `undefined` when it can. */
export function reasonAgainst(action: KeyAction, model: Model): string | undefined {
	for (const need of action.needs ?? []) {
		const reason = reasonAgainstNeed(need, model);
		if (reason !== undefined) return reason;
	}
	if (!action.id.startsWith('instance.')) return undefined;
	const driver = driverOf(model);
	const offered = offeredBy(action.id);
	if (offered === undefined || driver === undefined) return undefined;
	if (isSwitching(model)) return switchingReason;
	const {answer} = offer(offered, targetsOf(model), driver);
	return answer.can ? undefined : answer.reason;
}

const notOffered = new Set(['menu', 'details', 'pane', 'copy']);

/** The instance action behind an action of the registry. */
export function offeredBy(id: string): OfferedAction | undefined {
	const word = id.slice('instance.'.length);
	return !id.startsWith('instance.') || notOffered.has(word) ? undefined : (word as OfferedAction);
}

/** Why one need of an action is not met. */
export function reasonAgainstNeed(need: Need, model: Model): string | undefined {
	switch (need) {
		case 'connection':
			return isLive(model) ? undefined : 'no connection to the drover daemon (ctrl-r tries again)';
		case 'target':
			return targetsOf(model).length > 0 ? undefined : 'no instance is selected';
		case 'one-target': {
			const count = targetsOf(model).length;
			if (count === 1) return undefined;
			return count === 0 ? 'no instance is selected' : 'one instance at a time: unmark the others (U)';
		}
		case 'marks':
			return model.table.marks.size > 0 ? undefined : 'nothing is marked';
		case 'mount':
			return screenInstance(model)?.mounts?.length ? undefined : 'it has no mounts';
		case 'network': {
			const screen = screenLayer(model);
			return screen?.kind === 'networks' && screen.host?.length ? undefined : 'there is no network to choose';
		}
		case 'snapshot': {
			const screen = screenLayer(model);
			return screen?.kind === 'snapshots' && screen.list?.snapshots.length ? undefined : 'it has no snapshots';
		}
		case 'operation':
			return operationAtCursor(model) ? undefined : 'there is no operation';
		case 'cancellable': {
			const operation = operationAtCursor(model);
			if (!operation) return 'there is no operation';
			if (isEnded(operation)) return 'it has ended';
			return operation.cancellable ? undefined : 'it cannot be cancelled any more';
		}
		case 'failed': {
			const operation = operationAtCursor(model);
			return operation?.error || operation?.items.some(item => item.error) ? undefined : 'nothing has failed in it';
		}
	}
}
