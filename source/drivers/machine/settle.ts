import {rename, rm} from 'node:fs/promises';
import type {InstanceRecord} from '../../model/instance.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {type MachineJob, update} from './context.ts';
import type {InstanceFiles} from './files.ts';
import {diskStamp, exists, isSameDisk, unrecordedStamp} from './saved-memory.ts';
import {settlePart, wholePart} from './saved-part.ts';

/**
 * Brings the files of an instance that no process runs into one of two states: saved memory that fits (`state` and the
 * record's stamp), or none. What a crash left in between is finished or undone, by comparing with the disk:
 * - `state.part`: the guest was not parked yet, and it is of no use; but libvirt ends the machine before anybody can give
 *   the image its name: a whole one that fits becomes `state`.
 * - `state.used` over an unchanged disk: the guest never ran on; it becomes `state` again. Over a changed one: the
 *   guest ran and then lost its power, so that the memory would no longer fit.
 * - `state` that the record does not know of: written completely, but the record was not reached.
 *
 * @param by whose wish it was, where that is not written down anywhere
 */
export async function settleSavedMemory(job: MachineJob, by: 'user' | 'switch' = 'user'): Promise<void> {
	const {files, place} = job;
	const taken = await settlePart(job, job.record.parked ? 'switch' : by);
	if (taken) {
		job.work.log('Saved memory was found whole, though nobody had recorded it; it is kept.');
		await update(job, {suspended: taken});
	}
	const disk = await diskStamp(files);
	if (await exists(files.stateUsed)) {
		const stamp = job.record.suspended;
		if (stamp && isSameDisk(stamp.disk, disk) && !(await exists(files.state))) {
			job.work.log('Loading the saved memory was interrupted before the guest ran: it is used again.');
			await rename(files.stateUsed, files.state);
			await syncDirectory(place.directory);
		} else {
			if (stamp && !(await exists(files.state))) {
				job.work.log('The guest had been resumed and then lost its power: it boots from its disk.');
				await update(job, {suspended: undefined});
			}
			await rm(files.stateUsed, {force: true});
		}
	}
	if (job.record.suspended === undefined && (await exists(files.state))) {
		const stamp = await unrecordedStamp(job.record, files);
		if (stamp) {
			job.work.log('Saved memory was found that the record did not know of; it fits and is kept.');
			await update(job, {suspended: stamp});
		} else {
			job.work.log('Saved memory was found that does not fit the disk; it is removed.');
			await rm(files.state, {force: true});
		}
	}
}

/** Whether there is saved memory that fits, though the record does not know of it. */
export async function hasUnrecorded(record: InstanceRecord, files: InstanceFiles): Promise<boolean> {
	if (await exists(files.state)) return (await unrecordedStamp(record, files)) !== undefined;
	return (await wholePart(record, files)) !== undefined;
}

/** Takes the record's stamp and every file of saved memory away, in this order: a crash between loses nothing. */
export async function discardSavedMemory(job: MachineJob): Promise<void> {
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
	const {state, statePart, stateUsed} = job.files;
	for (const file of [state, statePart, stateUsed]) await rm(file, {force: true});
}

/**
 * The guest runs again. Taking away a file of a gigabyte takes the file system a while, which nobody needs to wait for:
 * under its name `state.used` it is not loaded again over a guest that has run on.
 */
export async function forgetSavedMemory(job: MachineJob): Promise<void> {
	const {state, statePart, stateUsed} = job.files;
	await Promise.all([state, statePart].map(file => rm(file, {force: true})));
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
	void rm(stateUsed, {force: true}).catch(() => {});
}
