import {rm} from 'node:fs/promises';
import path from 'node:path';
import type {ImageCache, Source} from './cache.ts';
import type {CachedImage, ImageWork} from './image.ts';
import {compressionOfFile, unpack} from './unpack.ts';

/**
 * Takes a disk into the cache that came from outside; one that is packed is unpacked first.
 * @param directory a work directory, removed by the caller
 * @param file in it; its bytes are what its source says they are
 * @param sha256 of the file
 */
export async function admitDisk(
	cache: ImageCache,
	{directory, file, sha256}: {readonly directory: string; readonly file: string; readonly sha256: string},
	source: Source,
	work: ImageWork,
): Promise<CachedImage> {
	const compression = await compressionOfFile(file);
	if (compression === undefined) {
		work.progress('checking the image');
		return cache.admit(file, source, work.signal, sha256);
	}
	const disk = path.join(directory, 'unpacked');
	const hash = await unpack(file, disk, {name: source.name, compression, work});
	await rm(file);
	work.progress('checking the image');
	return cache.admit(disk, source, work.signal, hash);
}
