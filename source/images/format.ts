import {open} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../model/errors.ts';
import {lastLine, tryRun} from './run.ts';

export type ImageFormat = {readonly format: 'qcow2' | 'raw' /** Bytes. */; readonly virtualSize: number};

/** Enough of a file's beginning to tell what it is. */
export const headSize = 0x9000;

/** Beginnings of files that are often taken for a disk image. Offsets and bytes from the formats' descriptions. */
const others: readonly {
	readonly at: number;
	readonly bytes: string;
	readonly name: string;
	readonly remedy?: string;
}[] = [
	{at: 0, bytes: 'KDMV', name: 'a VMDK image', remedy: 'qemu-img convert -O qcow2'},
	{at: 0, bytes: '# Disk DescriptorFile', name: 'a VMDK description', remedy: 'qemu-img convert -O qcow2'},
	{at: 0, bytes: 'vhdxfile', name: 'a VHDX image', remedy: 'qemu-img convert -O qcow2'},
	{at: 0, bytes: 'conectix', name: 'a VHD image', remedy: 'qemu-img convert -O qcow2'},
	{at: 0x40, bytes: '\x7f\x10\xda\xbe', name: 'a VDI image', remedy: 'qemu-img convert -O qcow2'},
	{at: 0, bytes: 'QED\0', name: 'a QED image', remedy: 'qemu-img convert -O qcow2'},
	{at: 0, bytes: '\xfd7zXZ\0', name: 'compressed with xz', remedy: 'xz -d'},
	{at: 0, bytes: '\x1f\x8b', name: 'compressed with gzip', remedy: 'gzip -d'},
	{at: 0, bytes: '\x28\xb5\x2f\xfd', name: 'compressed with zstd', remedy: 'zstd -d'},
	{at: 0, bytes: 'BZh', name: 'compressed with bzip2', remedy: 'bzip2 -d'},
	{at: 0, bytes: 'PK\x03\x04', name: 'a zip archive', remedy: 'unzip'},
	{at: 0x101, bytes: 'ustar', name: 'a tar archive', remedy: 'tar -x'},
	{at: 0, bytes: '\x7fELF', name: 'a program'},
	{at: 0, bytes: 'LUKS\xba\xbe', name: 'encrypted'},
];

/** Why a file that begins like this cannot be launched from, as the end of "it is …", or `undefined`. */
export function headProblem(head: Buffer): {readonly is: string; readonly remedy?: string} | undefined {
	for (const other of others) {
		if (head.toString('latin1', other.at, other.at + other.bytes.length) === other.bytes) {
			return {is: other.name, ...(other.remedy === undefined ? {} : {remedy: other.remedy})};
		}
	}
	if (/^\s*<(?:!doctype|html|\?xml)/i.test(head.toString('latin1', 0, 200))) return {is: 'a web page'};
	if (isQcow2(head)) return undefined;
	if (head.length >= 512 && (head[510] !== 0x55 || head[511] !== 0xaa)) {
		return head.toString('latin1', 0x8001, 0x8006) === 'CD001'
			? {is: 'an installation medium (ISO), not a disk'}
			: {is: 'neither qcow2 nor a disk with a boot sector'};
	}
	return undefined;
}

/** What a qcow2 header says, as far as it matters. Source: QEMU's docs/interop/qcow2.txt. */
export type Qcow2Header = {
	readonly version: number;
	readonly virtualSize: number;
	readonly hasBackingFile: boolean;
	readonly hasDataFile: boolean;
	readonly isEncrypted: boolean;
	readonly isCorrupt: boolean;
};

export function isQcow2(head: Buffer): boolean {
	return head.length >= 4 && head.readUInt32BE(0) === 0x51_46_49_fb;
}

/** @returns `undefined` when the header is cut short */
export function qcow2Header(head: Buffer): Qcow2Header | undefined {
	if (!isQcow2(head) || head.length < 104) return undefined;
	const version = head.readUInt32BE(4);
	const incompatible = version >= 3 ? head.readBigUInt64BE(72) : 0n;
	return {
		version,
		virtualSize: Number(head.readBigUInt64BE(24)),
		hasBackingFile: head.readBigUInt64BE(8) !== 0n,
		hasDataFile: (incompatible & 4n) !== 0n,
		isEncrypted: head.readUInt32BE(32) !== 0,
		isCorrupt: (incompatible & 2n) !== 0n,
	};
}

/**
 * Finds out what an image is, and refuses what must not be launched from. The header is read here before QEMU's tools
 * see the file: they would open what a hostile image names (a backing file, an external data file, the parts of a VMDK),
 * which may be any file of the host.
 * @param name how the image is called in the errors
 * @throws DroverError `image.unusable`, `operation.cancelled`, `host.failed`
 */
export async function inspectImage(file: string, name: string, signal: AbortSignal): Promise<ImageFormat> {
	const head = await inspectHead(file, name);
	if (head.format === 'qcow2') await checkQcow2(file, name, head.size, head.virtualSize, signal);
	return {format: head.format, virtualSize: head.virtualSize};
}

/** The quick part of {@link inspectImage}: only the beginning of the file is read. */
export async function inspectHead(file: string, name: string): Promise<ImageFormat & {readonly size: number}> {
	const {head, size} = await readHead(file);
	if (size === 0) throw unusable(name, 'is empty');
	if (size < 512) throw unusable(name, `is not a disk image: it has only ${size} bytes`);
	const problem = headProblem(head);
	if (problem !== undefined) {
		const remedy = problem.remedy === undefined ? undefined : `Unpack or convert it first: ${problem.remedy}`;
		throw unusable(name, `cannot be used: it is ${problem.is}`, remedy);
	}
	// A raw image whose last sector is cut is filled up by the hypervisor.
	if (!isQcow2(head)) return {format: 'raw', virtualSize: Math.ceil(size / 512) * 512, size};
	const header = qcow2Header(head);
	if (header === undefined) throw unusable(name, 'is cut short');
	if (header.version !== 2 && header.version !== 3) {
		throw unusable(name, `cannot be used: it is qcow2 of the unknown version ${header.version}`);
	}
	if (header.hasBackingFile) {
		throw unusable(
			name,
			'cannot be used: it is based on another file, which it could use to read files of this host',
			'Make it stand alone first: qemu-img convert -O qcow2',
		);
	}
	if (header.hasDataFile) {
		throw unusable(
			name,
			'cannot be used: it keeps its data in another file, which it could use to read files of this host',
			'Make it stand alone first: qemu-img convert -O qcow2',
		);
	}
	if (header.isEncrypted) throw unusable(name, 'cannot be used: it is encrypted');
	if (header.isCorrupt) throw unusable(name, 'is damaged: it is marked as corrupt');
	if (header.virtualSize < 512 || header.virtualSize > 2 ** 46) {
		throw unusable(name, `cannot be used: it claims to be a disk of ${header.virtualSize} bytes`);
	}
	return {format: 'qcow2', virtualSize: header.virtualSize, size};
}

async function checkQcow2(
	file: string,
	name: string,
	size: number,
	virtualSize: number,
	signal: AbortSignal,
): Promise<void> {
	const options = {signal, timeout: 120, purpose: 'check the image'};
	const info = await tryRun('qemu-img', ['info', '-f', 'qcow2', '--output=json', file], options);
	if (info.exitCode !== 0) throw unusable(name, `cannot be read: ${reason(info.stderr, file)}`);
	const described = readJson(info.stdout);
	if (described['virtual-size'] !== virtualSize || described['backing-filename'] !== undefined) {
		throw unusable(name, 'cannot be used: its header is contradictory');
	}
	const check = await tryRun('qemu-img', ['check', '-f', 'qcow2', '--output=json', file], options);
	// 3: clusters that nobody uses, which is harmless. 2: damaged.
	if (check.exitCode !== 0 && check.exitCode !== 3) {
		throw unusable(
			name,
			check.exitCode === 2 ? 'is damaged or cut short' : `cannot be read: ${reason(check.stderr, file)}`,
		);
	}
	const end = readJson(check.stdout)['image-end-offset'];
	const cluster = Number(described['cluster-size']);
	// The last cluster may have been written in part only.
	if (typeof end === 'number' && end - size >= cluster)
		throw unusable(name, `is cut short: ${size} of ${end} bytes are there`);
}

/** An object in JSON; an empty one when it is something else. */
export function readJson(text: string): Record<string, unknown> {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
	} catch {
		return {};
	}
}

async function readHead(file: string): Promise<{head: Buffer; size: number}> {
	const handle = await open(file, 'r');
	try {
		const {size} = await handle.stat();
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(headSize), 0, headSize, 0);
		return {head: buffer.subarray(0, bytesRead), size};
	} finally {
		await handle.close();
	}
}

/** What a tool said, without the path in the cache, which means nothing to a reader. */
function reason(stderr: string, file: string): string {
	return (
		lastLine(stderr)
			.replaceAll(`'${file}'`, 'it')
			.replaceAll(file, path.basename(file))
			.replace(/^qemu-img: (?:Could not open it: )?/, '') || 'qemu-img gave no reason'
	);
}

export function unusable(name: string, what: string, next?: string): DroverError {
	return new DroverError('image.unusable', `${name} ${what}.`, {
		next: next ?? 'Use a complete qcow2 image, or a raw one with a boot sector.',
	});
}

/** An archive where a disk is needed. */
export function notDisk(name: string): DroverError {
	return unusable(
		name,
		'cannot be used for a virtual machine: it is a tar archive, as containers have it',
		'Launch it with a driver of containers, or use a disk image: qcow2 or raw.',
	);
}
