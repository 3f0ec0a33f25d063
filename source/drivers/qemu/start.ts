import {type FileHandle, open, rename} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {SuspendStamp} from '../../model/instance.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {buildAnew} from '../machine/balloon.ts';
import {fileNames} from '../machine/files.ts';
import {keepPort} from '../machine/identity.ts';
import {acceleratorProblem, checkLoadable, loadingTimeoutMs} from '../machine/load.ts';
import type {MachineProcess} from '../machine/process.ts';
import {requireDisk} from '../machine/rest.ts';
import {exists, type SavedMemory, savedMemoryError} from '../machine/saved-memory.ts';
import {forgetSavedMemory, settleSavedMemory} from '../machine/settle.ts';
import {findOwn, type Job} from './context.ts';
import {endSpawned, launchQemu, logLine} from './launch.ts';
import {monitorError} from './monitors.ts';
import {endAllServing} from './mounts/serving.ts';
import {type Qmp, QmpError} from './qmp.ts';
import {callOffSaving, goOn, runState, until} from './waiting.ts';

/** Boots, resumes, or brings to its end what a crash has left half way. */
export async function start(job: Job): Promise<void> {
	const found = await findOwn(job);
	if (found && (await takeUp(job, found))) return keepPort(job, found);
	await endAllServing(job.place);
	await settleSavedMemory(job);
	await requireDisk(job);
	if (job.record.suspended) await resume(job, job.record.suspended);
	else await boot(job);
}

async function boot(job: Job): Promise<void> {
	job.work.progress('starting QEMU');
	await buildAnew(job);
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
async function takeUp(job: Job, found: MachineProcess): Promise<boolean> {
	const {files, monitors, signal} = job;
	try {
		return await monitors.use(files, {timeoutMs: 5000, signal}, async monitor => {
			const state = await runState(monitor);
			if (state === 'inmigrate') {
				// Loading was interrupted. The guest's processors have not run, so nothing is lost by beginning again.
				job.work.log('Loading the saved memory had been interrupted; it is begun again.');
				await monitor.execute('quit').catch(() => {});
				if (!(await job.machines.waitGone(found, job.record.id, 5000))) await job.machines.end(found, job.record.id);
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
	const {files, work} = job;
	work.progress('checking the saved memory');
	const {verdict} = await job.host.require();
	const saved = await checkLoadable(job, stamp, each => acceleratorProblem(each, verdict.accelerator, verdict.reason));
	const accelerator = stamp.accelerator === 'tcg' ? 'tcg' : verdict.accelerator;
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
		timeoutMs: loadingTimeoutMs(size),
		signal,
	});
	if (!isLoaded) throw new QmpError('silent', 'it takes too long');
	await setGoing(job, monitor);
}
