import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {InstancePlace, WorkContext} from '../driver.ts';
import {filesOf, type InstanceFiles} from './files.ts';
import type {QemuHostProbe} from './host.ts';
import type {Lanes} from './lanes.ts';
import type {Monitors} from './monitors.ts';
import type {Ports} from './ports.ts';

/** What all pieces of work of one driver share. */
export type Shared = {
	readonly host: QemuHostProbe;
	readonly monitors: Monitors;
	readonly lanes: Lanes;
	readonly ports: Ports;
};

/** One piece of work on one instance. */
export type Job = Shared & {
	/** As it is now: replaced by what an update returned. */
	record: InstanceRecord;
	readonly place: InstancePlace;
	readonly files: InstanceFiles;
	readonly work: WorkContext;
	/** Ends when the user cancels, the daemon ends or somebody cuts the power. */
	readonly signal: AbortSignal;
};

export function jobOf(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): Job {
	return {...shared, record, place, files: filesOf(place), work, signal};
}

/** Persists a change of the record; the job goes on with the new one. */
export async function update(job: Job, change: Parameters<WorkContext['update']>[0]): Promise<void> {
	job.record = await job.work.update(change);
}

const forceHint = 'Cut its power with stop --force.';

export function notRunning(what: string): DroverError {
	return new DroverError('instance.state', `The instance is not running, so it cannot be ${what}.`, {
		next: 'Start it first.',
	});
}

export function unanswered(message: string, next = forceHint): DroverError {
	return new DroverError('guest.unanswered', message, {next});
}
