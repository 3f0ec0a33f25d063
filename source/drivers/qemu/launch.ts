import {readFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {makePrivate} from '../../state/paths.ts';
import {trimConsole} from '../machine/console.ts';
import {update} from '../machine/context.ts';
import {demandKind, keepVariables} from '../machine/create.ts';
import type {Accelerator} from '../machine/hardware.ts';
import {keepIdentity} from '../machine/identity.ts';
import {cancelled} from '../machine/lanes.ts';
import {hasStream} from '../machine/private-nic.ts';
import {startError} from '../machine/start-error.ts';
import {commandLine} from './command-line.ts';
import type {Job} from './context.ts';
import {slotArguments} from './mounts/native-mount.ts';
import {demandNics} from './networks.ts';
import {type Qmp, QmpError} from './qmp.ts';
import {type Spawned, spawnQemu} from './spawn.ts';

export type LaunchInput = {
	readonly accelerator: Accelerator;
	/** An open file with a memory image, at the stream's beginning: wait for it instead of booting. */
	readonly incoming?: number;
};

const portAttempts = 5;
/** QEMU needs some 40 ms; a host that is very busy gets a thousand times as long. */
const readyTimeoutMs = 40_000;

/**
 * Starts QEMU and calls `ready` with its monitor once it answers. What started but did not get ready is ended.
 * @returns `other` when QEMU of this instance was started by somebody else at the same moment, and runs
 * @throws DroverError `driver.*`, `host.*`, `operation.cancelled`, and what `ready` throws
 */
export async function launchQemu(
	job: Job,
	input: LaunchInput,
	ready: (monitor: Qmp, spawned: Spawned) => Promise<void>,
): Promise<'started' | 'other'> {
	const {program, version, flash} = await job.host.require();
	await demandKind(job);
	await demandNics(job);
	await keepVariables(job);
	makePrivate(job.place.sockets);
	await trimConsole(job.files.console);
	for (let attempt = 1; ; attempt++) {
		const reservation = await job.ports.reserve(attempt === 1 ? job.record.ssh.port : undefined);
		try {
			await keepIdentity(job, reservation.port);
			const spawned = await spawnQemu({
				program,
				args: commandLine({
					record: job.record,
					files: job.files,
					accelerator: input.accelerator,
					isPlugged: hasStream(version),
					...(job.shared.has9p === false ? {} : {slots: slotArguments(job.place)}),
					incoming: input.incoming !== undefined,
					platform: job.system.platform,
					flash,
				}),
				directory: job.place.directory,
				logFile: job.files.log,
				...(input.incoming === undefined ? {} : {inherited: input.incoming}),
			});
			return await awaitReady(job, spawned, ready);
		} catch (error) {
			if (!(error instanceof StartFailure)) throw error;
			if (/could not set up host forwarding rule/i.test(error.message) && attempt < portAttempts) continue;
			if (/fsdev|virtfs/i.test(error.message) && job.shared.has9p === undefined) {
				// Some QEMUs are built without 9p. Native mounts may work without it, and the guest must start in any case.
				job.shared.has9p = false;
				continue;
			}
			if (/unsupported machine type/i.test(error.message) && input.incoming === undefined && attempt < portAttempts) {
				// This QEMU no longer knows the type: a guest that boots anyway can be given another.
				job.work.log(`This QEMU does not know the machine type ${job.record.hardware.machine}.`);
				const machine = await job.host.newestMachine();
				if (machine !== job.record.hardware.machine) {
					await update(job, {hardware: {...job.record.hardware, machine}});
					continue;
				}
			}
			throw startError('QEMU', error.message);
		} finally {
			reservation.release();
		}
	}
}

async function awaitReady(
	job: Job,
	spawned: Spawned,
	ready: (monitor: Qmp, spawned: Spawned) => Promise<void>,
): Promise<'started' | 'other'> {
	const {files, record, signal} = job;
	const deadline = Date.now() + readyTimeoutMs;
	try {
		for (;;) {
			if (signal.aborted) throw cancelled();
			const failure = await failureOf(job, spawned);
			if (failure === 'other') return 'other';
			if (failure) throw failure;
			if (Date.now() > deadline) throw new DroverError('driver.unresponsive', 'QEMU was started but does not answer.');
			let isConnected = false;
			const isDone = await job.monitors
				.use(files, {timeoutMs: Math.max(100, deadline - Date.now()), signal}, async monitor => {
					// The socket may be that of another QEMU that won a race for it.
					if ((await job.machines.find(record.id, files))?.pid !== spawned.child.pid) return false;
					isConnected = true;
					await ready(monitor, spawned);
					return true;
				})
				.catch(error => {
					// Sockets are there before the rest of the machine is: a QEMU that fails then closes them again.
					const isEarly = error instanceof QmpError && (error.problem === 'absent' || error.problem === 'closed');
					if (isEarly && !isConnected) return false;
					throw error;
				});
			if (isDone) return 'started';
			await sleep(5);
		}
	} catch (error) {
		await endSpawned(job, spawned);
		throw error;
	}
}

/** Ends what we have started ourselves and have no use for. */
export async function endSpawned(job: Job, spawned: Spawned): Promise<void> {
	const {pid} = spawned.child;
	if (pid === undefined || spawned.ended !== undefined) return;
	await job.machines.end({pid, arguments: [], runner: 'qemu', since: undefined}, job.record.id);
}

/** Why QEMU ended before it answered, in its own words. */
class StartFailure extends Error {}

async function failureOf(job: Job, spawned: Spawned): Promise<StartFailure | 'other' | undefined> {
	if (spawned.ended === undefined) return undefined;
	const message = await logLine(job.files.log);
	if (/cannot lock pid file|failed to get "write" lock/i.test(message)) {
		const other = await job.machines.find(job.record.id, job.files);
		if (other && other.pid !== spawned.child.pid) return 'other';
	}
	return new StartFailure(message || spawned.ended);
}

/** What QEMU said last, safe to show; empty when it said nothing. */
export async function logLine(file: string): Promise<string> {
	const text = (await readFile(file, 'utf8').catch(() => '')).slice(-20_000);
	const lines = text.split('\n').filter(line => line.trim() !== '' && !/: warning:/.test(line));
	// QEMU goes on complaining after what mattered; the first line that names a known cause is the one to show.
	const known = lines.find(line =>
		/host forwarding rule|write" lock|lock pid file|unsupported machine type/i.test(line),
	);
	return plainLine((known ?? lines.at(-1) ?? '').replace(/^\S*qemu-system-\S+: /, '')).slice(0, 300);
}
