import type {InstanceRecord} from '../../model/instance.ts';
import type {InstancePlace, WorkContext} from '../driver.ts';
import {type MachineJob, type MachineShared, machineJob, refuseOther} from '../machine/context.ts';
import type {MachineProcess} from '../machine/process.ts';
import type {Monitors} from './monitors.ts';
import type {FileServerProbe} from './mounts/file-server.ts';

/** What all pieces of work of one driver share. */
export type Shared = MachineShared & {
	readonly monitors: Monitors;
	/** What serves native mounts, if there is something. */
	readonly servers: FileServerProbe;
	/** Known when a QEMU has refused to be started with places for mounts over 9p: it was built without. */
	has9p?: false;
};

/** One piece of work on one instance. */
export type Job = MachineJob & {
	readonly shared: Shared;
	readonly monitors: Monitors;
	readonly servers: FileServerProbe;
};

export function jobOf(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): Job {
	const {monitors, servers} = shared;
	return {...machineJob(shared, record, place, work, signal), shared, monitors, servers};
}

/** The QEMU that runs an instance. @throws DroverError `instance.state` when it is another driver's */
export async function findOwn(job: Job): Promise<MachineProcess | undefined> {
	const found = await job.machines.search(job.record.id, job.files);
	if (found) refuseOther(found, 'qemu');
	return found;
}
