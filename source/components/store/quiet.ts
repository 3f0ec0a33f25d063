import type {InstanceView} from '../../model/instance.ts';
import type {OperationView} from '../../model/operation.ts';
import type {Model} from './model.ts';

/** Whether an operation has only got further: such news may wait, so that progress costs two frames a second at most. */
export function isProgressOnly(model: Model, operation: OperationView): boolean {
	const before = model.operations.find(known => known.id === operation.id);
	return (
		before !== undefined &&
		before.state === operation.state &&
		before.cancellable === operation.cancellable &&
		before.items.length === operation.items.length &&
		before.items.every((item, index) => item.state === operation.items[index]!.state)
	);
}

/** Whether nothing but the progress of the work on it, or the time it was looked at, has changed. */
export function isSameButProgress(model: Model, instance: InstanceView): boolean {
	const before = model.roster.byId.get(instance.id);
	if (!before) return false;
	const plain = ({operation: _, observedAt: __, ...rest}: InstanceView) => JSON.stringify(rest);
	return (before.operation?.id ?? '') === (instance.operation?.id ?? '') && plain(before) === plain(instance);
}
