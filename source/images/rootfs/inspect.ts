import {createReadStream} from 'node:fs';
import {open} from 'node:fs/promises';
import {pipeline} from 'node:stream';
import {createGunzip} from 'node:zlib';
import {DroverError} from '../../model/errors.ts';
import {unusable} from '../format.ts';
import {searchPath, throwIfCancelled} from '../run.ts';
import {BrokenArchive, hasRightSum, tarHeaders} from './read-tar.ts';

/** Beginnings of compressed files, and the programs that read them. LXD and Incus take archives of all of them. */
const compressions: readonly {readonly bytes: string; readonly program?: string}[] = [
	{bytes: '\x1f\x8b'},
	{bytes: '\xfd7zXZ\0', program: 'xz'},
	{bytes: '\x28\xb5\x2f\xfd', program: 'zstd'},
	{bytes: 'BZh', program: 'bzip2'},
];

/** A block of a file system in the container, in bytes. */
const block = 4096;

const advice = 'An archive for containers has metadata.yaml and rootfs/ in it, as "lxc image export" writes it.';

/**
 * Reads an archive to its end.
 * @param name how the image is called in the errors
 * @returns about what its files take on a disk, in bytes
 * @throws DroverError `image.unusable` when LXD and Incus would not take it for a container's root, `operation.cancelled`
 */
export async function inspectArchive(
	file: string,
	name: string,
	signal: AbortSignal,
): Promise<{readonly format: 'rootfs'; readonly virtualSize: number}> {
	let hasMetadata = false;
	let hasRoot = false;
	let virtualSize = 0;
	try {
		for await (const header of tarHeaders(await openArchive(file, signal))) {
			if (header.path === 'metadata.yaml') hasMetadata = true;
			if (header.path.startsWith('rootfs/')) hasRoot = true;
			if (header.path === 'rootfs.img') throw unusable(name, 'holds the disk of a virtual machine, not a container');
			virtualSize += header.type === '5' ? block : Math.ceil(header.size / block) * block;
		}
	} catch (error) {
		throwIfCancelled(signal);
		if (error instanceof BrokenArchive) throw unusable(name, error.message, advice);
		if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw unusable(name, 'is damaged or cut short');
		throw error;
	}
	const missing = hasMetadata ? (hasRoot ? undefined : 'rootfs/') : 'metadata.yaml';
	if (missing !== undefined) throw unusable(name, `is an archive without ${missing}: not one for containers`, advice);
	return {format: 'rootfs', virtualSize};
}

/** Whether a file that begins like this can be an archive. */
export function mayBeArchive(head: Buffer): boolean {
	return hasRightSum(head) || compressions.some(({bytes}) => head.toString('latin1', 0, bytes.length) === bytes);
}

/** Whether a file is an archive, compressed or not; only its beginning is read. */
export async function isArchive(file: string, signal: AbortSignal): Promise<boolean> {
	const done = new AbortController();
	try {
		let head: Buffer = Buffer.alloc(0);
		for await (const piece of await openArchive(file, AbortSignal.any([signal, done.signal]))) {
			head = Buffer.concat([head, piece]);
			if (head.length >= 512) break;
		}
		return hasRightSum(head.subarray(0, 512));
	} catch (error) {
		throwIfCancelled(signal);
		if (error instanceof DroverError) throw error;
		return false;
	} finally {
		done.abort();
	}
}

/** What is in a file, unpacked. */
async function openArchive(file: string, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
	const head = await beginningOf(file);
	const compression = compressions.find(({bytes}) => head.startsWith(bytes));
	if (compression?.program !== undefined) return unpackWith(compression.program, file, signal);
	const stream = createReadStream(file, {signal, highWaterMark: 2 ** 18});
	if (compression === undefined) return stream;
	// An error of either is one of the second, which is read.
	return pipeline(stream, createGunzip({chunkSize: 2 ** 18}), () => undefined);
}

async function beginningOf(file: string): Promise<string> {
	const handle = await open(file, 'r');
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(8), 0, 8, 0);
		return buffer.toString('latin1', 0, bytesRead);
	} finally {
		await handle.close();
	}
}

async function* unpackWith(program: string, file: string, signal: AbortSignal): AsyncGenerator<Buffer> {
	const {execa} = await import('execa');
	const child = execa(program, ['-d', '-c'], {
		inputFile: file,
		env: {PATH: searchPath(), LC_ALL: 'C'},
		encoding: 'buffer',
		buffer: false,
		cancelSignal: signal,
		reject: false,
	});
	try {
		for await (const piece of child.stdout) yield piece as Buffer;
		const {exitCode, code} = await child;
		if (code === 'ENOENT') {
			throw new DroverError(
				'image.unusable',
				`The image is packed with ${program}, which this machine does not have.`,
				{
					next: `Install it: sudo apt-get install ${program === 'xz' ? 'xz-utils' : program}`,
				},
			);
		}
		if (exitCode !== 0) throw new BrokenArchive('is damaged or cut short');
	} finally {
		child.kill();
		await child;
	}
}
