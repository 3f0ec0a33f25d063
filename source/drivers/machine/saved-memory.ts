import {open, stat} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord, SuspendStamp} from '../../model/instance.ts';
import {nameIn, stampIn} from './domain-xml.ts';
import type {InstanceFiles} from './files.ts';
import {devicesDigest, machineMemory} from './hardware.ts';
import {maximumOffset, parseSaveHeader, streamOffset} from './save-format.ts';

/** A saved memory image whose outside is in order. */
export type SavedMemory = {
	/** Where QEMU's stream begins, in bytes. */
	readonly offset: number;
	readonly size: number;
	readonly xml: string;
	/** What libvirt knew the machine by. */
	readonly domain?: string;
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
		const domain = nameIn(header.xml);
		return {
			offset: header.offset,
			size,
			xml: header.xml,
			...(domain === undefined ? {} : {domain}),
			...(stamp === undefined ? {} : {stamp}),
		};
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
	if (
		stamp.cpus !== hardware.cpus ||
		stamp.memory !== machineMemory(record) ||
		stamp.devices !== devicesDigest(record)
	) {
		return 'the machine has been changed since';
	}
	return undefined;
}

export function savedMemoryError(problem: string): DroverError {
	return new DroverError('instance.broken', `The saved memory cannot be used: ${problem}.`, {
		next: 'It is kept. Switch back to the driver that saved it, or start it with its memory discarded (start --discard-memory): the disk then boots as after a power cut.',
	});
}

/** The stamp in a `state` file that fits disk and machine, though the record may not know of it. */
export async function unrecordedStamp(record: InstanceRecord, files: InstanceFiles): Promise<SuspendStamp | undefined> {
	const saved = await readSavedMemory(files.state);
	if (typeof saved === 'string' || saved.stamp === undefined) return undefined;
	return stampProblem(saved.stamp, record, await diskStamp(files), saved) === undefined ? saved.stamp : undefined;
}

export async function exists(file: string): Promise<boolean> {
	return stat(file).then(
		() => true,
		() => false,
	);
}
