import {open, rename, rm, stat} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord, SuspendStamp} from '../../model/instance.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {type Job, update} from './context.ts';
import {stampIn} from './domain-xml.ts';
import type {InstanceFiles} from './files.ts';
import {devicesDigest} from './hardware.ts';
import {maximumOffset, parseSaveHeader, streamOffset} from './save-format.ts';

/** A saved memory image whose outside is in order. */
export type SavedMemory = {
	/** Where QEMU's stream begins, in bytes. */
	readonly offset: number;
	readonly size: number;
	/** What the file itself says it belongs to; libvirt's own files say nothing. */
	readonly stamp?: SuspendStamp;
};

/** Reads the outside of a saved memory image. @returns a sentence when it is missing or not one */
export async function readSavedMemory(file: string): Promise<SavedMemory | string> {
	const handle = await open(file, 'r').catch(() => undefined);
	if (!handle) return 'its file is missing';
	try {
		const {size} = await handle.stat();
		const read = async (length: number) => {
			const {buffer, bytesRead} = await handle.read(Buffer.alloc(length), 0, length, 0);
			return buffer.subarray(0, bytesRead);
		};
		let header = parseSaveHeader(await read(streamOffset + 4));
		if (header === 'it is too short' && size > streamOffset) header = parseSaveHeader(await read(maximumOffset + 4));
		if (typeof header === 'string') return header;
		if (!header.complete) return 'it was not written to its end';
		const stamp = await checkStamp(stampIn(header.xml));
		return {offset: header.offset, size, ...(stamp === undefined ? {} : {stamp})};
	} catch (error) {
		return `it cannot be read (${(error as NodeJS.ErrnoException).code ?? 'damaged'})`;
	} finally {
		await handle.close();
	}
}

async function checkStamp(value: unknown): Promise<SuspendStamp | undefined> {
	if (value === undefined) return undefined;
	const v = await import('valibot');
	const count = v.pipe(v.number(), v.minValue(0));
	const text = v.pipe(v.string(), v.regex(/^[^\u0000-\u001F\u007F]{1,200}$/));
	const schema = v.object({
		driver: v.picklist(['qemu', 'libvirt']),
		version: text,
		machine: v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/)),
		accelerator: text,
		cpus: count,
		memory: count,
		devices: text,
		disk: v.object({bytes: count, modifiedMs: v.number()}),
		size: count,
		at: text,
		by: v.picklist(['user', 'switch']),
	});
	const result = v.safeParse(schema, value);
	return result.success ? result.output : undefined;
}

/** The disk as a file: its size and when it was last written. `undefined` when it is not there. */
export async function diskStamp(files: InstanceFiles): Promise<SuspendStamp['disk'] | undefined> {
	const found = await stat(files.disk).catch(() => undefined);
	return found && {bytes: found.size, modifiedMs: Math.trunc(found.mtimeMs)};
}

export function isSameDisk(one: SuspendStamp['disk'], other: SuspendStamp['disk'] | undefined): boolean {
	return other !== undefined && one.bytes === other.bytes && one.modifiedMs === other.modifiedMs;
}

/** Why saved memory must not be loaded into this machine over this disk; `undefined` when it may. */
export function stampProblem(
	stamp: SuspendStamp,
	record: InstanceRecord,
	disk: SuspendStamp['disk'] | undefined,
	saved: SavedMemory,
): string | undefined {
	if (saved.size !== stamp.size) return `its file has ${saved.size} bytes, ${stamp.size} were written`;
	if (disk === undefined) return 'the disk is missing';
	if (!isSameDisk(stamp.disk, disk)) return 'the disk has been changed since';
	const {hardware} = record;
	if (stamp.cpus !== hardware.cpus || stamp.memory !== hardware.memory || stamp.devices !== devicesDigest(record)) {
		return 'the machine has been changed since';
	}
	return undefined;
}

export function savedMemoryError(problem: string): DroverError {
	return new DroverError('instance.broken', `The saved memory cannot be used: ${problem}.`, {
		next: 'It is kept. To do without it, use stop --force and start again: the disk then boots as after a power cut.',
	});
}

/**
 * Brings the files of an instance that no process runs into one of two states: saved memory that fits (`state` and the
 * record's stamp), or none. What a crash left in between is finished or undone, by comparing with the disk:
 * - `state.part`: the guest was not parked yet; it is of no use.
 * - `state.used` over an unchanged disk: the guest never ran on; it becomes `state` again. Over a changed one: the
 *   guest ran and then lost its power, so that the memory would no longer fit.
 * - `state` that the record does not know of: written completely, but the record was not reached.
 */
export async function settleSavedMemory(job: Job): Promise<void> {
	const {files, place} = job;
	await rm(files.statePart, {force: true});
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

/** The stamp in a `state` file that fits disk and machine, though the record may not know of it. */
export async function unrecordedStamp(record: InstanceRecord, files: InstanceFiles): Promise<SuspendStamp | undefined> {
	const saved = await readSavedMemory(files.state);
	if (typeof saved === 'string' || saved.stamp === undefined) return undefined;
	return stampProblem(saved.stamp, record, await diskStamp(files), saved) === undefined ? saved.stamp : undefined;
}

/** Takes the record's stamp and every file of saved memory away, in this order: a crash between loses nothing. */
export async function discardSavedMemory(job: Job): Promise<void> {
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
	const {state, statePart, stateUsed} = job.files;
	for (const file of [state, statePart, stateUsed]) await rm(file, {force: true});
}

/**
 * The guest runs again. Taking away a file of a gigabyte takes the file system a while, which nobody needs to wait for:
 * under its name `state.used` it is not loaded again over a guest that has run on.
 */
export async function forgetSavedMemory(job: Job): Promise<void> {
	const {state, statePart, stateUsed} = job.files;
	await Promise.all([state, statePart].map(file => rm(file, {force: true})));
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
	void rm(stateUsed, {force: true}).catch(() => {});
}

export async function exists(file: string): Promise<boolean> {
	return stat(file).then(
		() => true,
		() => false,
	);
}
