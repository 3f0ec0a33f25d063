import {createHash} from 'node:crypto';
import {type FileHandle, open, stat} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {DroverError} from '../model/errors.ts';
import {mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {unusable} from './format.ts';
import type {ImageWork} from './image.ts';
import {throwIfCancelled} from './run.ts';
import {writeAll} from './write.ts';

const block = 65_536;
const zeros = Buffer.alloc(block);

/**
 * The path in a `file://` address.
 * @throws DroverError `image.unusable` when it names a host (a forgotten slash) or cannot be read
 */
export function pathOf(query: string): string {
	const shown = plainLine(query).slice(0, 200);
	const rest = query.slice('file://'.length);
	if (!rest.startsWith('/')) {
		throw new DroverError('image.unusable', `${shown} is not an absolute path: was a slash forgotten?`, {
			next: `Write three slashes: file:///${plainLine(rest).slice(0, 200)}`,
		});
	}
	try {
		return fileURLToPath(new URL(query));
	} catch (error) {
		throw new DroverError('image.unusable', `${shown} is not the address of a file.`, {
			next: 'Write it as file:///path/to/image.qcow2, with % as %25.',
			cause: error,
		});
	}
}

/**
 * By what one sees that a file is still the same.
 * @throws DroverError `image.unusable` when there is no such file
 */
export async function fileValidators(file: string): Promise<Record<string, string>> {
	const name = plainLine(file);
	let found: Awaited<ReturnType<typeof bigStat>>;
	try {
		found = await bigStat(file);
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code;
		throw new DroverError(
			'image.unusable',
			code === 'EACCES' ? `${name} may not be read.` : `There is no file ${name}.`,
			{next: 'Check the path; it is looked up on the machine that runs the instances.', cause: error},
		);
	}
	if (!found.isFile()) throw unusable(name, found.isDirectory() ? 'is a directory' : 'is not a regular file');
	return {
		size: String(found.size),
		modified: String(found.mtimeNs),
		changed: String(found.ctimeNs),
		inode: `${found.dev}:${found.ino}`,
	};
}

function bigStat(file: string) {
	return stat(file, {bigint: true});
}

/** How much of the disk a file takes, in bytes: less than its size when it has holes. */
export async function allocatedBytes(file: string): Promise<number> {
	const found = await stat(file);
	return Math.min(found.size, (found.blocks ?? 0) * 512);
}

/**
 * Copies a file and hashes it on the way; parts that are all zero become holes.
 * @returns the SHA-256 of what was copied, in hexadecimal
 * @throws DroverError `operation.cancelled`, `image.unusable` when it changes or ends meanwhile
 */
export async function copyImage(from: string, to: string, work: ImageWork): Promise<string> {
	const source = await openImage(from);
	try {
		const {size} = await source.stat();
		const target = await open(to, 'wx', 0o600);
		try {
			const hash = createHash('sha256');
			const chunk = Buffer.alloc(4 * mebibyte);
			let at = 0;
			while (at < size) {
				throwIfCancelled(work.signal);
				const {bytesRead} = await source.read(chunk, 0, chunk.length, at);
				if (bytesRead === 0) throw unusable(plainLine(from), 'became shorter while it was copied');
				const part = chunk.subarray(0, bytesRead);
				hash.update(part);
				await writeSparse(target, part, at);
				at += bytesRead;
				work.progress('copying the image', (100 * at) / size);
			}
			await target.truncate(at);
			await target.sync();
			return hash.digest('hex');
		} finally {
			await target.close();
		}
	} finally {
		await source.close();
	}
}

async function openImage(file: string): Promise<FileHandle> {
	try {
		return await open(file, 'r');
	} catch (error) {
		throw new DroverError('image.unusable', `${plainLine(file)} may not be read.`, {
			next: 'Give the user who runs drover the right to read it.',
			cause: error,
		});
	}
}

/** Writes a piece; blocks of it that are all zero become holes. */
export async function writeSparse(target: FileHandle, part: Buffer, at: number): Promise<void> {
	let from = 0;
	// Neighbouring blocks with content are written together.
	for (let offset = 0; offset <= part.length; offset += block) {
		const piece = part.subarray(offset, offset + block);
		const isHole = piece.length === block && piece.equals(zeros);
		if (!isHole && offset < part.length) continue;
		const end = Math.min(offset, part.length);
		if (end > from) await writeAll(target, part.subarray(from, end), at + from);
		from = offset + block;
	}
	if (from < part.length) await writeAll(target, part.subarray(from), at + from);
}
