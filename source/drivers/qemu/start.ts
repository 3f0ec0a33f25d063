import {type FileHandle, open, rename} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {SuspendStamp} from '../../model/instance.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {type Job, update} from './context.ts';
import {fileNames} from './files.ts';
import type {Accelerator} from './hardware.ts';
import {endSpawned, launchQemu, logLine} from './launch.ts';
import {monitorError} from './monitors.ts';
import {endProcess, findProcess, type QemuProcess, sshPortOf, waitGone} from './process.ts';
import {type Qmp, QmpError} from './qmp.ts';
import {
	diskStamp,
	exists,
	forgetSavedMemory,
	readSavedMemory,
	type SavedMemory,
	savedMemoryError,
	settleSavedMemory,
	stampProblem,
} from './saved-memory.ts';
import {callOffSaving, goOn, runState, until} from './waiting.ts';

/** Boots, resumes, or brings to its end what a crash has left half way. */
export async function start(job: Job): Promise<void> {
	const found = await findProcess(job.record.id, job.files);
	if (found && (await takeUp(job, found))) return keepPort(job, found);
	await settleSavedMemory(job);
	if (!(await exists(job.files.disk))) {
		throw new DroverError('instance.broken', 'The disk of the instance is missing.', {
			next: `Put disk.qcow2 back into ${job.place.directory}, or delete the instance.`,
		});
	}
	if (job.record.suspended) await resume(job, job.record.suspended);
	else await boot(job);
}

/** A machine that somebody else has started may be reached by another port than the record says. */
async function keepPort(job: Job, found?: QemuProcess): Promise<void> {
	const running = found ?? (await findProcess(job.record.id, job.files));
	const port = running && sshPortOf(running);
	if (port !== undefined && port !== job.record.ssh.port) {
		await update(job, {ssh: {...job.record.ssh, port}});
	}
}

async function boot(job: Job): Promise<void> {
	job.work.progress('starting QEMU');
	const {verdict} = await job.host.require();
	const outcome = await launchQemu(job, {accelerator: verdict.accelerator}, async monitor => {
		const state = await runState(monitor);
		if (state !== 'running') throw new DroverError('driver.failed', `QEMU started, but the guest is ${state}.`);
	}).catch(error => {
		throw monitorError(error, 'starting');
	});
	if (outcome === 'other') await keepPort(job);
}

/**
 * A process is there already.
 * @returns whether the guest now runs; `false`: the process was of no use, is gone, and one can start from the files
 */
async function takeUp(job: Job, found: QemuProcess): Promise<boolean> {
	const {files, monitors, signal} = job;
	try {
		return await monitors.use(files, {timeoutMs: 5000, signal}, async monitor => {
			const state = await runState(monitor);
			if (state === 'inmigrate') {
				// Loading was interrupted. The guest's processors have not run, so nothing is lost by beginning again.
				job.work.log('Loading the saved memory had been interrupted; it is begun again.');
				await monitor.execute('quit').catch(() => {});
				if (!(await waitGone(found, job.record.id, 5000))) await endProcess(found, job.record.id);
				return false;
			}
			if (state === 'shutdown') {
				// A reboot by way of powering off was interrupted when the guest had powered off.
				await monitor.execute('set-action', {shutdown: 'poweroff'});
				await monitor.execute('system_reset');
				await goOn(monitor);
				return true;
			}
			if (state !== 'running') {
				job.work.log(`The guest was found ${state}; it is set going.`);
				await callOffSaving(monitor);
				await setGoing(job, monitor);
			} else await forgetSavedMemory(job);
			return true;
		});
	} catch (error) {
		throw monitorError(error, 'starting');
	}
}

/** The saved memory stops being true before the guest's first step, and not after it. */
async function setGoing(job: Job, monitor: Qmp): Promise<void> {
	if (await exists(job.files.state)) {
		await rename(job.files.state, job.files.stateUsed);
		await syncDirectory(job.place.directory);
	}
	await goOn(monitor);
	await forgetSavedMemory(job);
}

async function resume(job: Job, stamp: SuspendStamp): Promise<void> {
	const {files, record, work} = job;
	work.progress('checking the saved memory');
	const saved = await readSavedMemory(files.state);
	if (typeof saved === 'string') throw savedMemoryError(saved);
	const problem = stampProblem(stamp, record, await diskStamp(files), saved);
	if (problem !== undefined) throw savedMemoryError(problem);
	const accelerator = await acceleratorFor(job, stamp);
	// A memory image can be loaded by the machine type that saved it only.
	if (record.hardware.machine !== stamp.machine) {
		await update(job, {hardware: {...record.hardware, machine: stamp.machine}});
	}
	work.progress('loading the saved memory', 0);
	const file = await openAt(files.state, saved.offset);
	try {
		const outcome = await launchQemu(job, {accelerator, incoming: file.fd}, (monitor, spawned) =>
			load(job, monitor, saved).catch(async error => {
				if (!(error instanceof QmpError) || error.problem === 'aborted') throw error;
				await endSpawned(job, spawned);
				throw savedMemoryError(`QEMU cannot load it: ${(await logLine(files.log)) || error.message}`);
			}),
		);
		if (outcome === 'other') await keepPort(job);
	} catch (error) {
		throw monitorError(error, 'loading the saved memory');
	} finally {
		await file.close();
	}
}

/** A guest must not find another kind of processor when it wakes up. */
async function acceleratorFor(job: Job, stamp: SuspendStamp): Promise<Accelerator> {
	const {verdict} = await job.host.require();
	if (stamp.accelerator === 'tcg') return 'tcg';
	if (stamp.accelerator === verdict.accelerator) return verdict.accelerator;
	throw savedMemoryError(
		`it was saved with ${stamp.accelerator}, which cannot be used now${verdict.reason === undefined ? '' : ` (${verdict.reason})`}`,
	);
}

/** Opens a file and moves its read position, which is what QEMU gets to see of the descriptor it is given. */
async function openAt(file: string, offset: number): Promise<FileHandle> {
	const handle = await open(file, 'r');
	let left = offset;
	while (left > 0) {
		// Reading without a position is the only way Node has of moving it.
		const {bytesRead} = await handle.read(Buffer.alloc(Math.min(left, 65_536)), 0, Math.min(left, 65_536), null);
		if (bytesRead === 0) break;
		left -= bytesRead;
	}
	return handle;
}

/** Bytes a second that even a slow disk reads; what takes longer has failed. */
const slowestRate = 4 * 2 ** 20;

async function load(job: Job, monitor: Qmp, {offset, size}: SavedMemory): Promise<void> {
	const {signal} = job;
	await monitor.execute('migrate-set-capabilities', {capabilities: [{capability: 'events', state: true}]});
	await monitor.execute('migrate-incoming', {uri: 'fd:3'}).catch(async error => {
		if (!(error instanceof QmpError) || error.problem !== 'refused') throw error;
		// QEMU 9.1 has deprecated a file behind `fd:`; where that is gone, there is `file:` (8.2). Relative to its directory.
		await monitor.execute('migrate-incoming', {uri: `file:${fileNames.state},offset=${offset}`});
	});
	const isLoaded = await until(monitor, async () => (await runState(monitor)) !== 'inmigrate', {
		events: ['MIGRATION', 'STOP', 'RESUME'],
		everyMs: 100,
		timeoutMs: 60_000 + (size / slowestRate) * 1000,
		signal,
	});
	if (!isLoaded) throw new QmpError('silent', 'it takes too long');
	await setGoing(job, monitor);
}
