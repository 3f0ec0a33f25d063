import {createReadStream, createWriteStream} from 'node:fs';
import {lstat, readdir, readlink} from 'node:fs/promises';
import path from 'node:path';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {createGzip} from 'node:zlib';
import {mebibyte} from '../../model/sizes.ts';
import {throwIfCancelled} from '../run.ts';
import {type TarEntry, tarArchive} from './tar.ts';

/**
 * Writes an archive compressed with gzip.
 * @param level 1 (quick) to 9 (small)
 * @throws DroverError `operation.cancelled`
 */
export async function writeArchive(
	target: string,
	entries: Iterable<TarEntry> | AsyncIterable<TarEntry>,
	level: number,
	signal: AbortSignal,
): Promise<void> {
	try {
		await pipeline(
			Readable.from(gathered(tarArchive(entries)), {objectMode: false, highWaterMark: mebibyte}),
			createGzip({level}),
			createWriteStream(target, {flags: 'wx', mode: 0o600}),
			{signal},
		);
	} catch (error) {
		throwIfCancelled(signal);
		throw error;
	}
}

/** All below a directory, in the order of their names and owned by root, whoever put it there. Names are ASCII. */
export async function* treeEntries(directory: string, prefix: string, modified: number): AsyncGenerator<TarEntry> {
	const common = {uid: 0, gid: 0, modified};
	yield {...common, path: prefix, mode: (await lstat(directory)).mode & 0o7777, kind: 'directory'};
	for (const name of (await readdir(directory)).sort()) {
		const file = path.join(directory, name);
		const at = `${prefix}/${name}`;
		const found = await lstat(file);
		if (found.isDirectory()) yield* treeEntries(file, at, modified);
		else if (found.isSymbolicLink()) {
			yield {...common, path: at, mode: 0o777, kind: 'symlink', target: await readlink(file)};
		} else {
			const content = createReadStream(file, {highWaterMark: mebibyte});
			yield {...common, path: at, mode: found.mode & 0o7777, kind: 'file', size: found.size, content};
		}
	}
}

/** In pieces of some size: each one that is compressed is a turn of the thread pool. */
async function* gathered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let waiting: Buffer[] = [];
	let length = 0;
	for await (const piece of pieces) {
		waiting.push(piece);
		length += piece.length;
		if (length < 2 ** 18) continue;
		yield Buffer.concat(waiting);
		waiting = [];
		length = 0;
	}
	if (length > 0) yield Buffer.concat(waiting);
}
