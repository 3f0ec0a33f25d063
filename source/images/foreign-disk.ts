import {open} from 'node:fs/promises';
import {plainLine} from '../model/text.ts';
import {allocatedBytes} from './file-source.ts';
import {headProblem, headSize, isQcow2, qcow2Header, readJson} from './format.ts';
import {lastLine, tryRun} from './run.ts';

/** How disks of instances are kept, in the words of `qemu-img`. */
export const diskFormats = ['qcow2', 'raw', 'vdi', 'vhdx', 'vpc'] as const;
export type DiskFormat = (typeof diskFormats)[number];

/** A disk that other software keeps, as it is while nobody runs it. Sizes in bytes. */
export type ForeignDisk = {
	readonly format: DiskFormat;
	/** What a guest sees of it. */
	readonly virtualSize: number;
	/** What a copy in the qcow2 format takes at most. */
	readonly copySize: number;
	/** Snapshots inside it, by their tags. */
	readonly tags: readonly string[];
};

/** Why it cannot be read, as the end of a sentence: `its disk is damaged`. */
export type DiskRefusal = {readonly problem: string; readonly isInUse?: true};

const mostBytes = 2 ** 46;

/**
 * Looks at a disk without changing a byte of it. Its header is read here before QEMU's tools see the file: they would
 * open what a hostile one names, which may be any file of the host.
 * @throws DroverError `operation.cancelled`, `host.failed` without `qemu-img`
 */
export async function lookAtDisk(file: string, signal: AbortSignal): Promise<ForeignDisk | DiskRefusal> {
	const format = await identify(file);
	if (typeof format !== 'string') return format;
	const options = {signal, timeout: 60, purpose: 'look at the disk'};
	const info = await tryRun('qemu-img', ['info', '-f', format, '--output=json', file], options);
	if (info.exitCode !== 0) return refusal(info.stderr, file);
	const described = readJson(info.stdout);
	const {'virtual-size': virtualSize, snapshots} = described;
	if (described['backing-filename'] !== undefined) return {problem: 'its disk is based on another file'};
	if (typeof virtualSize !== 'number' || virtualSize < 512 || virtualSize > mostBytes) {
		return {problem: 'its disk has no usable size'};
	}
	return {
		format,
		virtualSize,
		copySize: (await copySize(file, format, signal)) ?? Math.ceil(virtualSize * 1.01),
		tags: (Array.isArray(snapshots) ? snapshots : []).flatMap((each: {name?: unknown} | null) =>
			typeof each?.name === 'string' ? [plainLine(each.name)] : [],
		),
	};
}

/**
 * What a copy in the qcow2 format takes at most, in bytes; how much is in a disk is told without reading it.
 * @returns `undefined` when it cannot be told
 */
export async function copySize(file: string, format: DiskFormat, signal: AbortSignal): Promise<number | undefined> {
	if (format === 'raw') return allocatedBytes(file);
	const measured = await tryRun('qemu-img', ['measure', '-f', format, '-O', 'qcow2', '--output=json', file], {
		signal,
		timeout: 60,
		purpose: 'look at the disk',
	});
	const {required} = readJson(measured.stdout);
	return typeof required === 'number' ? required : undefined;
}

async function identify(file: string): Promise<DiskFormat | DiskRefusal> {
	const head = await headOf(file);
	if (typeof head === 'string') return {problem: head};
	if (head.length < 512) return {problem: head.length === 0 ? 'its disk is empty' : 'its disk is cut short'};
	const begins = (at: number, bytes: string) => head.toString('latin1', at, at + bytes.length) === bytes;
	if (isQcow2(head)) {
		const header = qcow2Header(head);
		if (header === undefined || (header.version !== 2 && header.version !== 3)) return {problem: 'its disk is damaged'};
		if (header.hasBackingFile) return {problem: 'its disk is based on another file'};
		if (header.hasDataFile) return {problem: 'its disk keeps its data in another file'};
		if (header.isEncrypted) return {problem: 'its disk is encrypted'};
		if (header.isCorrupt) return {problem: 'its disk is marked as corrupt'};
		return 'qcow2';
	}
	if (begins(0x40, '\x7f\x10\xda\xbe')) {
		// 1 and 2 stand alone; the others are the difference to another file. Source: VirtualBox, VDICore.h.
		const type = head.readUInt32LE(0x4c);
		return type === 1 || type === 2 ? 'vdi' : {problem: 'its disk is based on another file'};
	}
	if (begins(0, 'vhdxfile')) return 'vhdx';
	if (begins(0, 'conectix')) return 'vpc';
	const problem = headProblem(head);
	return problem === undefined ? 'raw' : {problem: `its disk cannot be used: it is ${problem.is}`};
}

async function headOf(file: string): Promise<Buffer | string> {
	const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown error');
	if (typeof handle === 'string') {
		if (handle === 'ENOENT') return 'its disk is missing';
		return handle === 'EACCES' || handle === 'EPERM'
			? 'its disk may not be read'
			: `its disk cannot be read (${handle})`;
	}
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(headSize), 0, headSize, 0);
		return buffer.subarray(0, bytesRead);
	} catch (error) {
		return `its disk cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`;
	} finally {
		await handle.close();
	}
}

/** Source: the words of QEMU's `block/file-posix.c` for a file that another process has open for writing. */
function refusal(stderr: string, file: string): DiskRefusal {
	if (/Failed to get (?:shared )?"[a-z ]+" lock/.test(stderr)) {
		return {problem: 'its disk is in use: it runs', isInUse: true};
	}
	const why = lastLine(stderr).replaceAll(`'${file}'`, 'it').replaceAll(file, 'it');
	return {
		problem: `its disk cannot be read: ${why.replace(/^qemu-img: (?:Could not open it: )?/, '') || 'no reason was given'}`,
	};
}
