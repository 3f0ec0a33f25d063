import {rename} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import type {SuspendStamp} from '../../model/instance.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {buildAnew} from '../machine/balloon.ts';
import {keepPort} from '../machine/identity.ts';
import {cancelled} from '../machine/lanes.ts';
import {acceleratorProblem, checkLoadable, loadingTimeoutMs} from '../machine/load.ts';
import type {MachineProcess} from '../machine/process.ts';
import {requireDisk} from '../machine/rest.ts';
import {exists, savedMemoryError} from '../machine/saved-memory.ts';
import {forgetSavedMemory, settleSavedMemory} from '../machine/settle.ts';
import {destroyDomain, findOwn, type Job, stateOf, waitForgotten} from './context.ts';
import {launchDomain} from './launch.ts';
import {VirshError, virshError} from './virsh.ts';

/** Boots, resumes, or brings to its end what a crash has left half way. */
export async function start(job: Job): Promise<void> {
	try {
		const found = await findOwn(job);
		if (found && (await takeUp(job, found))) return await keepPort(job, found);
		await settleSavedMemory(job);
		await requireDisk(job);
		if (job.record.suspended) await resume(job, job.record.suspended);
		else await boot(job);
	} catch (error) {
		throw virshError(error, 'starting');
	}
}

async function boot(job: Job): Promise<void> {
	job.work.progress('starting the machine');
	await buildAnew(job);
	const {accelerator} = await job.libvirt.require();
	if ((await launchDomain(job, {accelerator})) === 'other') await keepPort(job);
}

/**
 * A machine is there already.
 * @returns whether the guest now runs; `false`: the machine was of no use, is gone, and one can start from the files
 */
async function takeUp(job: Job, found: MachineProcess): Promise<boolean> {
	const deadline = Date.now() + 60_000;
	let isCalledOff = false;
	for (;;) {
		if (job.signal.aborted) throw cancelled();
		const state = await stateOf(job);
		switch (state) {
			case 'running':
				await forgetSavedMemory(job);
				return true;
			case 'paused':
			case 'io-error':
				job.work.log('The guest was found standing still; it is set going.');
				await setGoing(job);
				return true;
			case 'crashed':
				job.work.log('The machine was found crashed; it is started anew.');
				await destroyDomain(job, found);
				await waitForgotten(job);
				return false;
			case 'saving':
				if (!isCalledOff) {
					isCalledOff = true;
					job.work.log('Saving its memory was under way; it is called off.');
					// It may be done in this very moment: then the memory is saved, and is loaded again.
					await job.virsh.ask(['domjobabort', job.record.id]).catch(() => {});
				}
				break;
			case 'starting':
			case 'ending':
				break;
			default:
				if (!(await findOwn(job))) {
					await waitForgotten(job);
					return false;
				}
		}
		if (Date.now() > deadline) {
			throw new DroverError(
				'driver.unresponsive',
				`libvirt does not get on with the machine: it is ${state ?? 'not known to it'}.`,
				{
					next: 'Cut its power with stop --force, and start it again.',
				},
			);
		}
		await sleep(100);
	}
}

/** The saved memory stops being true before the guest's first step, and not after it. */
async function setGoing(job: Job): Promise<void> {
	if (await exists(job.files.state)) {
		await rename(job.files.state, job.files.stateUsed);
		await syncDirectory(job.place.directory);
	}
	await job.virsh.ask(['resume', job.record.id], {timeoutMs: 30_000});
	await forgetSavedMemory(job);
}

/** Loads the saved memory, whoever saved it. @throws DroverError `instance.broken` when it cannot be loaded; it is kept */
export async function resume(job: Job, stamp: SuspendStamp): Promise<void> {
	const {work} = job;
	work.progress('checking the saved memory');
	const {accelerator: usable, qemu} = await job.libvirt.require();
	const saved = await checkLoadable(job, stamp, each => acceleratorProblem(each, usable, qemu.verdict.reason));
	work.progress('loading the saved memory');
	const outcome = await launchDomain(job, {
		accelerator: stamp.accelerator === 'tcg' ? 'tcg' : usable,
		saved: {name: saved.domain, timeoutMs: loadingTimeoutMs(saved.size)},
	}).catch(error => {
		if (error instanceof VirshError && error.problem === 'refused') {
			throw savedMemoryError(`libvirt cannot load it: ${error.message}`);
		}
		throw error;
	});
	if (outcome === 'other') await keepPort(job);
	else await setGoing(job);
}
