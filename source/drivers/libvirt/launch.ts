import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import {trimConsole} from '../machine/console.ts';
import {update} from '../machine/context.ts';
import type {Accelerator} from '../machine/hardware.ts';
import {keepIdentity} from '../machine/identity.ts';
import {cancelled} from '../machine/lanes.ts';
import {startError} from '../machine/start-error.ts';
import {destroyDomain, findOwn, type Job, stateOf, waitForgotten, xmlFor} from './context.ts';
import {VirshError} from './virsh.ts';

export type LaunchInput = {
	readonly accelerator: Accelerator;
	/** Load the saved memory instead of booting, and leave the guest standing still. */
	readonly saved?: {
		/** The name that libvirt knew it by when it was saved. */
		readonly name?: string | undefined;
		/** How long loading may take, milliseconds. */
		readonly timeoutMs: number;
	};
};

const attempts = 6;
/** A libvirt that has to find out first what QEMU can do takes a minute. */
const createTimeoutMs = 180_000;

/**
 * Has libvirt make the machine. It is a transient one: libvirt forgets it when it ends, so that there is nothing to keep
 * in step and nothing that could be started past drover.
 * @returns `other` when somebody else has started this instance at the same moment, and it runs
 * @throws DroverError `driver.*`, `host.*`, `operation.cancelled`; VirshError when saved memory could not be loaded
 */
export async function launchDomain(job: Job, input: LaunchInput): Promise<'started' | 'other'> {
	const {files, signal} = job;
	makePrivate(job.place.sockets);
	await trimConsole(files.console);
	const {qemu} = await job.libvirt.require();
	for (let attempt = 1; ; attempt++) {
		if (signal.aborted) throw cancelled();
		const reservation = await job.ports.reserve(attempt === 1 ? job.record.ssh.port : undefined);
		try {
			await keepIdentity(job, reservation.port);
			await writeAtomic(files.domain, xmlFor(job, input.accelerator, qemu, input.saved?.name));
			await make(job, input);
			return 'started';
		} catch (error) {
			if (!(error instanceof VirshError) || error.problem !== 'refused') throw error;
			if (attempt < attempts && (await canRetry(job, error.message, input))) continue;
			if (isThereAlready(error.message) && (await isRunByOther(job))) return 'other';
			if (input.saved) throw error;
			throw startError('libvirt', error.message);
		} finally {
			reservation.release();
		}
	}
}

/** Ending virsh would not end what libvirt does for it: when it is cancelled the machine is destroyed. */
async function make(job: Job, {saved}: LaunchInput): Promise<void> {
	const {files, signal, virsh} = job;
	const aborted = () => void destroyDomain(job, undefined);
	signal.addEventListener('abort', aborted, {once: true});
	try {
		await virsh.ask(saved ? ['restore', files.state, '--xml', files.domain, '--paused'] : ['create', files.domain], {
			timeoutMs: saved?.timeoutMs ?? createTimeoutMs,
		});
		if (!signal.aborted) return;
		await destroyDomain(job, undefined);
	} catch (error) {
		// What takes too long is not left to come up behind our back.
		if (error instanceof VirshError && error.problem === 'silent') await destroyDomain(job, undefined);
		if (!signal.aborted) throw error;
	} finally {
		signal.removeEventListener('abort', aborted);
	}
	throw cancelled();
}

async function canRetry(job: Job, message: string, input: LaunchInput): Promise<boolean> {
	if (/could not set up host forwarding rule/i.test(message)) return true;
	if (isThereAlready(message) && !(await findOwn(job))) {
		// The one before it is gone, and libvirt has not noticed yet.
		await waitForgotten(job);
		return true;
	}
	if (/machine type/i.test(message) && input.saved === undefined) {
		// This QEMU no longer knows the type: a guest that boots anyway can be given another.
		job.work.log(`This QEMU does not know the machine type ${job.record.hardware.machine}.`);
		const machine = await job.host.newestMachine();
		if (machine === job.record.hardware.machine) return false;
		await update(job, {hardware: {...job.record.hardware, machine}});
		return true;
	}
	return false;
}

/** Source: libvirt, `src/conf/virdomainobjlist.c`: active, being started, being destroyed. */
function isThereAlready(message: string): boolean {
	return /domain .*(?:already (?:exists|active|being started|defined)|is being (?:started|destroyed))|failed to get "write" lock/i.test(
		message,
	);
}

/** Waits for the start that was quicker. */
async function isRunByOther(job: Job): Promise<boolean> {
	for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
		const found = await findOwn(job);
		const state = await stateOf(job);
		if (state === 'running') return true;
		if (!found && state === undefined) return false;
		if (job.signal.aborted) throw cancelled();
	}
	throw new DroverError('driver.unresponsive', 'Somebody else has begun to start this instance, and does not get on.');
}
