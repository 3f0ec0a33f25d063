import type {InstanceRecord} from '../../model/instance.ts';
import type {InstancePlace, WorkContext} from '../driver.ts';
import {type MachineJob, type MachineShared, machineJob, refuseOther} from '../machine/context.ts';
import type {MachineProcess} from '../machine/process.ts';
import type {Monitors} from './monitors.ts';

/** What all pieces of work of one driver share. */
export type Shared = MachineShared & {readonly monitors: Monitors};

/** One piece of work on one instance. */
export type Job = MachineJob & {readonly monitors: Monitors};

export function jobOf(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): Job {
	return {...machineJob(shared, record, place, work, signal), monitors: shared.monitors};
}

/** The QEMU that runs an instance. @throws DroverError `instance.state` when it is another driver's */
export async function findOwn(job: Job): Promise<MachineProcess | undefined> {
	const found = await job.machines.search(job.record.id, job.files);
	if (found) refuseOther(found, 'qemu');
	return found;
}
