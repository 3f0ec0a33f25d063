import {DroverError} from '../../model/errors.ts';
import type {SuspendStamp} from '../../model/instance.ts';
import {humanSize, mebibyte} from '../../model/sizes.ts';
import {cancelled, checkCancelled} from '../machine/lanes.ts';
import {freeBytes, savingTimeoutMs} from '../machine/space.ts';
import {type Job, type Machine, notRunning, stuck, update} from './context.ts';
import {readSettings} from './files.ts';
import {ManageError} from './manage.ts';
import {findProcess, waitProcessGone} from './process.ts';
import {attachedDisk, chipset, devicesDigest, diskStamp, readSaved} from './saved.ts';
import {settled, start} from './start.ts';

/**
 * Has VirtualBox save the memory and end the machine. VirtualBox keeps it safe itself: until its file is whole the guest
 * is there, and the machine is marked as saved with the file's name. The record learns of it after that; when it cannot
 * be told, the guest is set going again.
 */
export async function suspend(job: Job, by: 'user' | 'switch'): Promise<SuspendStamp> {
	const machine = await settled(job);
	if (machine.phase === 'saved') return job.record.suspended ?? recordSaved(job, machine, by);
	if (machine.phase === 'broken') throw stuck(job.record.name);
	if (machine.phase === 'off') throw notRunning('suspended');
	await demandSpace(job);
	job.work.progress('saving memory', 0);
	checkCancelled(job.signal);
	await save(job);
	const now = await settled(job);
	if (now.phase !== 'saved') {
		throw new DroverError(
			'driver.failed',
			`VirtualBox says that it saved the memory, and the machine is ${now.state}.`,
		);
	}
	if (job.signal.aborted) {
		await goOn(job);
		throw cancelled();
	}
	try {
		return await recordSaved(job, now, by);
	} catch (error) {
		await goOn(job);
		throw error;
	}
}

/** To its end, whoever lets go meanwhile: half of it would be nothing. */
async function save(job: Job): Promise<void> {
	const {manage, record, place, work} = job;
	const settings = await readSettings(record, place);
	const running = settings === undefined ? undefined : await findProcess(settings.directory, record.id);
	try {
		await manage.work(['controlvm', record.id, 'savestate'], {
			timeoutMs: savingTimeoutMs(record.hardware.memory),
			onProgress: percent => work.progress('saving memory', Math.min(99, percent)),
		});
	} catch (error) {
		if (error instanceof ManageError && error.problem === 'state') throw notRunning('suspended');
		throw error;
	}
	// The disk is let go of by the process, and must not change after it was looked at.
	if (running !== undefined) await waitProcessGone(running.pid, record.id, 30_000);
	work.progress('saving memory', 100);
}

/** Refused before the guest is touched. @throws DroverError `host.disk-full` */
async function demandSpace({record, place}: Job): Promise<void> {
	// Some MiB for the states of devices and video memory. What the guest has never touched is not written.
	const needed = record.hardware.memory + 48 * mebibyte;
	const free = await freeBytes(place.directory);
	if (needed <= free) return;
	throw new DroverError(
		'host.disk-full',
		`Saving the memory needs up to ${humanSize(needed)}, ${humanSize(free)} are free; the instance goes on running.`,
		{next: 'Free some disk space and suspend it again, or stop it instead.'},
	);
}

/** @throws DroverError `driver.failed` when there is nothing where VirtualBox says it is */
async function recordSaved(job: Job, {info}: Machine, by: 'user' | 'switch'): Promise<SuspendStamp> {
	const {record, place, version} = job;
	const saved = await readSaved(await readSettings(record, place));
	const disk = await diskStamp(attachedDisk(info, place));
	if (typeof saved === 'string') throw new DroverError('driver.failed', `The saved memory cannot be found: ${saved}.`);
	if (disk === undefined) throw new DroverError('instance.broken', 'The disk of the instance is missing.');
	const stamp: SuspendStamp = {
		driver: 'virtualbox',
		version,
		machine: record.hardware.machine ?? chipset,
		accelerator: 'hm',
		cpus: record.hardware.cpus,
		memory: record.hardware.memory,
		devices: devicesDigest(record),
		disk,
		size: saved.size,
		at: new Date().toISOString(),
		by,
	};
	await update(job, {suspended: stamp});
	return stamp;
}

/** The guest goes on as if nothing had been asked. Best effort: the error that led here is the one to tell. */
async function goOn(job: Job): Promise<void> {
	// A record that could not be written cannot be written now.
	const update: Job['work']['update'] = change => job.work.update(change).catch(() => job.record);
	const quiet: Job = {...job, signal: new AbortController().signal, work: {...job.work, update}};
	try {
		await start(quiet);
	} catch (error) {
		job.work.log(`The guest could not be set going again: ${(error as Error).message}`);
	}
}
