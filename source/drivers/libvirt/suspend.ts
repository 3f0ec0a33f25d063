import {rm, stat} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import type {SuspendStamp} from '../../model/instance.ts';
import {mebibyte} from '../../model/sizes.ts';
import {notRunning, update} from '../machine/context.ts';
import {machineMemory} from '../machine/hardware.ts';
import {cancelled, checkCancelled} from '../machine/lanes.ts';
import type {MachineProcess} from '../machine/process.ts';
import {completePart} from '../machine/saved-part.ts';
import {forgetSavedMemory, settleSavedMemory} from '../machine/settle.ts';
import {checkSpace, diskFull, freeBytes, residentMemory, savingTimeoutMs} from '../machine/space.ts';
import {destroyDomain, findOwn, type Job, stateOf, waitForgotten} from './context.ts';
import {resume} from './start.ts';
import {VirshError, virshError} from './virsh.ts';

/**
 * Has libvirt save the memory, into the file that the QEMU driver reads as well. libvirt ends the machine by itself as
 * soon as the file is whole: from then until the record knows it, the file alone holds the guest, and whoever finds it
 * so finishes what was begun (see `settleSavedMemory`).
 */
export async function suspend(job: Job, by: 'user' | 'switch'): Promise<SuspendStamp> {
	try {
		const found = await findOwn(job);
		if (!found) return await suspendedAlready(job, by);
		const state = await settledState(job);
		switch (state) {
			case undefined:
				// It ended meanwhile, or was just saved.
				await waitForgotten(job);
				return await suspendedAlready(job, by);
			case 'ending':
			case 'crashed':
				throw notRunning('suspended');
			case 'paused':
				if (job.record.suspended) {
					// Loading was interrupted before the guest ran: the image is still there, whole and true.
					await destroyDomain(job, found);
					await waitForgotten(job);
					return await suspendedAlready(job, by);
				}
		}
		await checkSpace(job, found);
		await save(job, found);
		return await keep(job, by);
	} catch (error) {
		throw virshError(error, 'saving the memory');
	}
}

/** @throws DroverError `instance.state` when there is nothing that was saved */
async function suspendedAlready(job: Job, by: 'user' | 'switch'): Promise<SuspendStamp> {
	await settleSavedMemory(job, by);
	if (job.record.suspended) return job.record.suspended;
	throw notRunning('suspended');
}

/** What libvirt says when it is not in the middle of something; a saving that a dead daemon began is waited for. */
async function settledState(job: Job) {
	for (const deadline = Date.now() + savingTimeoutMs(machineMemory(job.record)); ; await sleep(100)) {
		const state = await stateOf(job);
		if (state !== 'saving' && state !== 'starting') return state;
		checkCancelled(job.signal);
		if (Date.now() > deadline) {
			throw new DroverError('driver.unresponsive', 'libvirt has begun to save the memory, and does not get on.');
		}
	}
}

async function save(job: Job, found: MachineProcess): Promise<void> {
	const {files, signal, virsh, record, work} = job;
	await rm(files.statePart, {force: true});
	work.progress('saving memory', 0);
	checkCancelled(signal);
	const expected = await residentMemory(job.machines, found, record);
	const timer = setInterval(() => {
		stat(files.statePart).then(
			({size}) => work.progress('saving memory', Math.min(99, Math.floor((100 * size) / expected))),
			() => {},
		);
	}, 200);
	const callOff = () => void virsh.ask(['domjobabort', record.id]).catch(() => {});
	signal.addEventListener('abort', callOff, {once: true});
	try {
		// Not with the signal: what is to be ended is libvirt's work, not the one who waits for it.
		await virsh.ask(['save', record.id, files.statePart, '--running'], {
			timeoutMs: savingTimeoutMs(machineMemory(record)),
		});
	} catch (error) {
		if (error instanceof VirshError && error.problem === 'silent') callOff();
		// Before what was written is taken away and makes room again.
		const free = await freeBytes(job.place.directory);
		await undo(job);
		if (signal.aborted) throw cancelled('Saving the memory was called off; the instance goes on running.');
		const isFull = error instanceof VirshError && (free < mebibyte || /no space left|disk full/i.test(error.message));
		if (isFull) throw diskFull(machineMemory(record), free);
		throw error;
	} finally {
		clearInterval(timer);
		signal.removeEventListener('abort', callOff);
	}
}

/** The guest goes on as if nothing had been asked. Best effort: the error that led here is the one to tell. */
async function undo(job: Job): Promise<void> {
	try {
		const state = await settledState(job);
		// Gone: what was written may be all there is of it.
		if (state === undefined) return;
		await rm(job.files.statePart, {force: true});
		if (state === 'paused' || state === 'io-error') await job.virsh.ask(['resume', job.record.id]);
	} catch (error) {
		job.work.log(`The guest could not be set going again: ${(error as Error).message}.`);
	}
}

/** The machine is gone; its memory gets its stamp and its name, and the record learns of it. */
async function keep(job: Job, by: 'user' | 'switch'): Promise<SuspendStamp> {
	const {host} = job;
	const {version} = await host.require();
	await waitForgotten(job);
	const stamp = await completePart(job, {by, driver: 'libvirt', version});
	if (typeof stamp === 'string') {
		throw new DroverError('instance.broken', `The memory that libvirt saved cannot be used: ${stamp}.`, {
			next: `It is kept as state.part in ${job.place.directory}.`,
		});
	}
	try {
		await update(job, {suspended: stamp});
	} catch (error) {
		await goOn(job, stamp);
		throw error;
	}
	return stamp;
}

/** The record could not be written: the guest is brought back from what was just saved. */
async function goOn(job: Job, stamp: SuspendStamp): Promise<void> {
	try {
		await resume(job, stamp);
		await forgetSavedMemory(job);
	} catch (error) {
		job.work.log(`The guest could not be set going again: ${(error as Error).message}`);
	}
}
