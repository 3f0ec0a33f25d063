import type {Driver, WorkContext} from '../../drivers/driver.ts';
import {driverTitles} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import {
	type Forward,
	type ForwardKey,
	forwardProblem,
	forwardText,
	isSameForward,
	isSameKey,
} from '../../model/forward.ts';
import type {Entry, Instances} from '../instances.ts';

/** Where ports lead into: the current driver with its instances. */
type Scene = {readonly driver: Driver; readonly instances: Instances};

/** As many as a record holds. */
const mostForwards = 64;

/** @throws DroverError `driver.incapable` */
export function demandForwards(driver: Driver): void {
	if (driver.forwards !== undefined) return;
	throw new DroverError(
		'driver.incapable',
		`Forwarding ports is not in this version of drover for ${driverTitles[driver.name]}.`,
	);
}

/**
 * Looks whether a port can lead into an instance.
 * @returns whether the instance has it already: asking again makes it again, should it not be in force
 * @throws DroverError `instance.*` (no such port, in use by an instance), `host.failed` (in use by another program)
 */
export async function demandForward(
	scene: Scene,
	entry: Entry,
	forward: Forward,
): Promise<{readonly isKnown: boolean}> {
	const {driver, instances} = scene;
	const record = instances.record(entry);
	const problem = forwardProblem(forward);
	if (problem !== undefined) throw new DroverError('instance.invalid', `The port cannot be forwarded: ${problem}.`);
	if (record.deleted) {
		throw new DroverError('instance.deleted', `instance "${entry.name}" is deleted`, {
			next: `drover recover ${entry.name} brings it back.`,
		});
	}
	const own = record.forwards ?? [];
	if (own.some(each => isSameForward(each, forward))) return {isKnown: true};
	for (const other of instances.all()) {
		const taken =
			other.stored.kind === 'record' ? other.stored.record.forwards?.find(each => isSameKey(each, forward)) : undefined;
		if (taken === undefined) continue;
		throw new DroverError(
			'instance.exists',
			`Port ${forward.host} of this host leads into "${other.name}" already: ${forwardText(taken)}.`,
			{next: `drover forward ${other.name} --remove ${forward.host}${suffix(forward)} frees it.`},
		);
	}
	if (own.length >= mostForwards) {
		throw new DroverError('instance.invalid', `An instance can have ${mostForwards} ports forwarded, and no more.`);
	}
	const refusal = await driver.forwardProblem?.(record, instances.place(entry), forward);
	if (refusal !== undefined) throw cannot(forward, refusal);
	return {isKnown: false};
}

function suffix({protocol}: ForwardKey): string {
	return protocol === 'tcp' ? '' : `/${protocol}`;
}

function cannot(forward: Forward, reason: string): DroverError {
	return new DroverError('host.failed', `${forwardText(forward)} cannot be forwarded: ${reason}.`, {
		next: 'Choose another port, or another address of this host.',
	});
}

/** Forwards a port and remembers it; one that cannot be forwarded is not remembered. */
export async function forwardPort(scene: Scene, entry: Entry, forward: Forward, by: string, work: WorkContext) {
	const {driver, instances} = scene;
	// Asked again in the lane: another may have been made meanwhile.
	const {isKnown} = await demandForward(scene, entry, forward);
	work.progress(`forwarding port ${forward.host}`);
	const before = instances.record(entry).forwards;
	const record = isKnown ? instances.record(entry) : await work.update({forwards: [...(before ?? []), forward]});
	try {
		const failures = await driver.forwards!(record, instances.place(entry), work);
		const mine = failures.find(each => isSameForward(each.forward, forward));
		if (mine !== undefined) throw cannot(forward, mine.reason);
	} catch (error) {
		if (!isKnown) await work.update({forwards: before});
		throw error;
	}
	if (!isKnown) await instances.tell(entry, `port ${forwardText(forward)} forwarded`, by);
}

/** @throws DroverError `instance.missing` */
export function forwardOf(instances: Instances, entry: Entry, key: ForwardKey): Forward {
	const found = instances.record(entry).forwards?.find(each => isSameKey(each, key));
	if (found !== undefined) return found;
	throw new DroverError(
		'instance.missing',
		`Port ${key.host}${suffix(key)} of this host does not lead into "${entry.name}".`,
		{next: `drover forward ${entry.name} lists those that do.`},
	);
}

/** Ends a forward; nothing is left of it in the record, whether or not it was in force. */
export async function unforwardPort(scene: Scene, entry: Entry, key: ForwardKey, by: string, work: WorkContext) {
	const {driver, instances} = scene;
	const forward = forwardOf(instances, entry, key);
	work.progress(`ending port ${key.host}`);
	const left = (instances.record(entry).forwards ?? []).filter(each => !isSameKey(each, key));
	const record = await work.update({forwards: left.length === 0 ? undefined : left});
	await driver.forwards!(record, instances.place(entry), work);
	await instances.tell(entry, `port ${forwardText(forward)} no longer forwarded`, by);
}
