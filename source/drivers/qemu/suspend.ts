import {type FileHandle, open, readFile, rename, rm} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import type {SuspendStamp} from '../../model/instance.ts';
import {mebibyte} from '../../model/sizes.ts';
import {storageError, syncDirectory} from '../../state/atomic.ts';
import {notRunning, update} from '../machine/context.ts';
import {domainXml} from '../machine/domain-xml.ts';
import {fileNames} from '../machine/files.ts';
import {type Accelerator, devicesDigest, machineMemory} from '../machine/hardware.ts';
import {asObject} from '../machine/json.ts';
import {machineKinds} from '../machine/kinds.ts';
import {acceleratorOf, type MachineProcess} from '../machine/process.ts';
import {hasStreamEnd, saveHeader, streamOffset, tailLength} from '../machine/save-format.ts';
import {diskStamp, unrecordedStamp} from '../machine/saved-memory.ts';
import {settleSavedMemory} from '../machine/settle.ts';
import {checkSpace, diskFull, freeBytes, savingTimeoutMs} from '../machine/space.ts';
import {findOwn, type Job} from './context.ts';
import {monitorError} from './monitors.ts';
import {unplugAll} from './mounts/plug.ts';
import {endAllServing} from './mounts/serving.ts';
import {type Qmp, QmpError} from './qmp.ts';
import {callOffSaving, goOn, migration, runState, until} from './waiting.ts';

/**
 * Saves the memory and ends QEMU. The order makes that a crash or a full disk at any step loses nothing: until the image
 * is complete and the record knows it, QEMU holds the guest, and the guest can go on.
 */
export async function suspend(job: Job, by: 'user' | 'switch'): Promise<SuspendStamp> {
	const found = await findOwn(job);
	if (!found) return suspendedAlready(job);
	try {
		return await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			const state = await runState(monitor);
			if (state === 'inmigrate') {
				// Loading was interrupted: the image is still there, whole and true.
				await end(job, found, monitor);
				return suspendedAlready(job);
			}
			if (state === 'shutdown') throw notRunning('suspended');
			const finished = state === 'postmigrate' ? await unrecordedStamp(job.record, job.files) : undefined;
			const stamp = finished ?? (await save(job, found, monitor, state, by));
			await record(job, monitor, stamp);
			await end(job, found, monitor);
			return stamp;
		});
	} catch (error) {
		throw monitorError(error, 'saving the memory');
	}
}

/** @throws DroverError `instance.state` when there is nothing that was saved */
async function suspendedAlready(job: Job): Promise<SuspendStamp> {
	await settleSavedMemory(job);
	if (job.record.suspended) return job.record.suspended;
	throw notRunning('suspended');
}

async function save(
	job: Job,
	found: MachineProcess,
	monitor: Qmp,
	state: string,
	by: 'user' | 'switch',
): Promise<SuspendStamp> {
	await checkSpace(job, found);
	await callOffSaving(monitor);
	// QEMU refuses to save a second time what it has saved once, until the guest has run on.
	if (state === 'postmigrate') {
		await rm(job.files.state, {force: true});
		await goOn(monitor);
	}
	await rm(job.files.statePart, {force: true});
	await unplugAll(job, monitor);
	job.work.progress('saving memory', 0);
	try {
		await monitor.execute('stop');
		return await write(job, found, monitor, by);
	} catch (error) {
		// Before what was written is taken away and makes room again.
		const free = await freeBytes(job.place.directory);
		await undo(job, monitor);
		throw await explain(job, error, free);
	}
}

async function write(job: Job, found: MachineProcess, monitor: Qmp, by: 'user' | 'switch'): Promise<SuspendStamp> {
	const {files, record} = job;
	const accelerator = acceleratorOf(found) as Accelerator;
	const input = {
		record,
		files,
		accelerator,
		emulator: found.arguments[0] ?? machineKinds[record.hardware.arch].program,
	};
	const version = await qemuVersion(monitor);
	const file = await open(files.statePart, 'wx+', 0o600);
	try {
		await file.write(saveHeader(domainXml(input), false), 0, streamOffset, 0);
		await stream(job, monitor, file);
		const disk = await diskStamp(files);
		if (!disk) throw new DroverError('instance.broken', 'The disk of the instance is missing.');
		const stamp: SuspendStamp = {
			driver: 'qemu',
			version,
			machine: record.hardware.machine ?? '',
			accelerator,
			cpus: record.hardware.cpus,
			memory: machineMemory(record),
			devices: devicesDigest(record),
			disk,
			size: (await file.stat()).size,
			at: new Date().toISOString(),
			by,
		};
		// Whole, and told so by its head, before it gets the name by which it is loaded.
		await file.write(saveHeader(domainXml({...input, stamp}), true), 0, streamOffset, 0);
		await file.sync();
		await rename(files.statePart, files.state);
		await syncDirectory(job.place.directory);
		return stamp;
	} finally {
		await file.close();
	}
}

/** QEMU's working directory is the instance's, so that this command is the same for all and nothing is put into it. */
const appendCommand = `exec:cat >> ${fileNames.statePart}`;

async function stream(job: Job, monitor: Qmp, file: FileHandle): Promise<void> {
	const {work, signal, record} = job;
	await monitor.execute('migrate-set-parameters', {'max-bandwidth': 10 ** 12});
	await monitor.execute('migrate-set-capabilities', {capabilities: [{capability: 'events', state: true}]});
	await monitor.execute('migrate', {uri: appendCommand});
	let last = await migration(monitor);
	const isDone = await until(
		monitor,
		async () => {
			last = await migration(monitor);
			if (last.isActive && last.total) {
				work.progress('saving memory', Math.round(99 * (1 - (last.remaining ?? 0) / last.total)));
			}
			return !last.isActive;
		},
		{
			events: ['MIGRATION'],
			everyMs: 100,
			timeoutMs: savingTimeoutMs(machineMemory(record)),
			signal,
		},
	);
	if (!isDone) throw new QmpError('silent', 'saving takes too long');
	if (last.status !== 'completed') {
		throw new DroverError('driver.failed', `QEMU could not save the memory: ${last.error ?? last.status}.`);
	}
	await streamEnd(file);
}

/** What writes the file runs beside QEMU: it may need a moment more, or have failed at the last bytes. */
async function streamEnd(file: FileHandle): Promise<void> {
	for (let attempt = 0; attempt < 500; attempt++) {
		const {size} = await file.stat();
		const length = Math.min(tailLength, Math.max(0, size - streamOffset));
		const {buffer, bytesRead} = await file.read(Buffer.alloc(length), 0, length, size - length);
		if (hasStreamEnd(buffer.subarray(0, bytesRead))) return;
		await sleep(10);
	}
	throw new DroverError('driver.failed', 'The saved memory did not arrive whole in its file.');
}

/** The record learns of the image before QEMU lets go of the guest. */
async function record(job: Job, monitor: Qmp, stamp: SuspendStamp): Promise<void> {
	try {
		await update(job, {suspended: stamp});
	} catch (error) {
		await undo(job, monitor);
		throw error;
	}
}

/** The guest goes on as if nothing had been asked. Best effort: the error that led here is the one to tell. */
async function undo(job: Job, monitor: Qmp): Promise<void> {
	try {
		await callOffSaving(monitor);
		// Only while QEMU still holds the guest: if it is gone, what was written may be all there is of it.
		await runState(monitor);
		await rm(job.files.statePart, {force: true});
		await rm(job.files.state, {force: true});
		await goOn(monitor);
	} catch (error) {
		job.work.log(`The guest could not be set going again: ${(error as Error).message}`);
	}
}

async function explain(job: Job, error: unknown, free: number): Promise<unknown> {
	if (error instanceof DroverError && error.code !== 'driver.failed') return error;
	if (error instanceof QmpError) return error;
	// The program that writes tells QEMU's log why it failed, but on a full disk not even that may have been possible.
	const log = await readFile(job.files.log, 'utf8').catch(() => '');
	const code = (error as NodeJS.ErrnoException).code;
	const isFull =
		free < mebibyte || code === 'ENOSPC' || code === 'EDQUOT' || /No space left|quota exceeded/i.test(log.slice(-2000));
	if (isFull) return diskFull(machineMemory(job.record), free);
	return error instanceof DroverError ? error : storageError(error, job.files.state);
}

async function qemuVersion(monitor: Qmp): Promise<string> {
	const {major, minor, micro} = asObject(asObject(await monitor.execute('query-version'))['qemu']);
	return [major, minor, micro].map(Number).join('.');
}

/** The image is safe: QEMU may go, by whatever way. */
async function end(job: Job, found: MachineProcess, monitor: Qmp): Promise<void> {
	job.work.progress('freeing memory', 100);
	await monitor.execute('quit', undefined, {timeoutMs: 2000}).catch(() => {});
	const isGone =
		(await job.machines.waitGone(found, job.record.id, 5000)) || (await job.machines.end(found, job.record.id));
	await endAllServing(job.place);
	if (!isGone) {
		throw new DroverError('host.failed', `QEMU (process ${found.pid}) does not end, though its memory is saved.`);
	}
}
