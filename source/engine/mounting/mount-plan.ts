import type {Driver} from '../../drivers/driver.ts';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {Mount} from '../../model/mount.ts';
import type {WorkInHand} from '../view.ts';

/**
 * How a mount comes to be under a driver: `ssh`, as all of type classic, and native ones where the driver has none;
 * `plug`: the driver plugs something in, and the guest mounts it; `own`: the driver keeps it by itself.
 */
export type MountWay = 'ssh' | 'plug' | 'own';

export function wayOf({type}: Pick<Mount, 'type'>, driver: Pick<Driver, 'plug' | 'mount'>): MountWay {
	if (type === 'classic') return 'ssh';
	if (driver.plug !== undefined) return 'plug';
	return driver.mount === undefined ? 'ssh' : 'own';
}

/** Work beside which mounts are looked after as always; all other has them in its own hands. */
const quiet = new Set(['delay']);

/**
 * Which mounts are to be kept alive now. `leave`: as they are, since work on the instance has them in its hands, or
 * nobody can tell yet.
 */
export function wantedMounts(
	record: InstanceRecord,
	observation: Observation | undefined,
	work: readonly WorkInHand[],
	driver: Driver,
): readonly Mount[] | 'leave' {
	if (work.some(hand => !hand.isQueued && !quiet.has(hand.kind))) return 'leave';
	switch (observation?.power) {
		case 'running':
			if (record.unanswered !== undefined || record.phase === 'creating') return 'leave';
			return record.deleted ? [] : (record.mounts ?? []).filter(mount => wayOf(mount, driver) !== 'own');
		case 'off':
		case 'suspended':
			return [];
		default:
			return 'leave';
	}
}

/** Milliseconds to wait before the next attempt, by how many have failed in a row. */
export function pauseAfter(failures: number, isLasting: boolean): number {
	if (isLasting) return 10 * 60_000;
	const pauses = [1000, 2000, 5000, 10_000, 30_000, 60_000];
	return pauses[Math.min(Math.max(failures, 1), pauses.length) - 1]!;
}

/** Sentences about mounts that are not what their type says. */
export function mountNotes(record: InstanceRecord, driver: Driver, title: string): readonly string[] {
	return (record.mounts ?? []).flatMap(mount => {
		if (mount.type === 'classic' || wayOf(mount, driver) !== 'ssh') return [];
		return [`${mount.target} is mounted over SSH (classic) here: ${title} has no native mounts.`];
	});
}

/** @throws DroverError `driver.incapable` */
export function demandAllowed(privilegedMounts: string): void {
	if (privilegedMounts === 'true') return;
	throw new DroverError('driver.incapable', 'Mounts are disabled: the setting local.privileged-mounts is false.', {
		next: 'drover set local.privileged-mounts=true allows them.',
	});
}
