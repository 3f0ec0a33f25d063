import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {chmod, mkdir, open, readFile, rename, rm, stat, statfs} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../model/errors.ts';
import {humanSize, mebibyte} from '../model/sizes.ts';
import {syncDirectory, writeAtomic} from '../state/atomic.ts';
import {makePrivate} from '../state/paths.ts';
import {inspectImage} from './format.ts';
import type {CachedImage, ImageForm} from './image.ts';
import {inspectArchive} from './rootfs/inspect.ts';

/** What the index remembers of a source: which image it gave, and by what one sees that it has not changed. */
export type IndexEntry = {
	/** 64 hexadecimal digits. */
	readonly hash: string;
	/** Of a file its size and times, of an address what the server said. */
	readonly validators: Readonly<Record<string, string>>;
	/** ISO 8601: when it was fetched. */
	readonly at: string;
	/** What it is called, and where it came from, for a person. */
	readonly title?: string;
	readonly origin?: string;
};

type ImageFormat = Pick<CachedImage, 'format' | 'virtualSize'>;

type Description = ImageFormat & {readonly size: number; readonly modified: number};

/** Where an image comes from. */
export type Source = {
	readonly key: string;
	/** How it is called in errors. */
	readonly name: string;
	readonly validators: Readonly<Record<string, string>>;
	/** What it must be; a disk when nothing is said. */
	readonly form?: ImageForm;
	/** What it is called in lists; the name when absent. */
	readonly title?: string;
	/** Where it came from, for lists; the name when absent. */
	readonly origin?: string;
};

/** Kept free beside an image, in bytes. */
const reserve = 64 * mebibyte;

/**
 * Images by content: `<root>/<sha256>/disk.<format>` (of a container `root.tar`) with its description beside it, and an index from sources to
 * hashes. An image appears whole (written aside, synced, renamed) and is never changed.
 */
export class ImageCache {
	readonly root: string;

	constructor(root: string) {
		this.root = root;
	}

	/** Makes the directories. @throws DroverError `host.failed` when they belong to someone else */
	async prepare(): Promise<void> {
		makePrivate(this.root);
		await mkdir(path.join(this.root, 'index'), {recursive: true, mode: 0o700});
	}

	/** The image of a source, when it is there and whole. */
	async find(key: string): Promise<{readonly image: CachedImage; readonly entry: IndexEntry} | undefined> {
		const entry = readEntry(await readFile(this.#entryPath(key), 'utf8').catch(() => ''));
		if (entry === undefined) return undefined;
		const image = await this.get(entry.hash);
		return image && {image, entry};
	}

	/** An image by its hash, when it is there and whole. One that was changed by hand is hashed again. */
	async get(hash: string): Promise<CachedImage | undefined> {
		const directory = path.join(this.root, hash);
		const described = readDescription(await readFile(path.join(directory, 'image.json'), 'utf8').catch(() => ''));
		if (described === undefined) return undefined;
		const file = path.join(directory, fileName(described.format));
		const found = await stat(file).catch(() => undefined);
		if (found === undefined || found.size !== described.size) return undefined;
		if (found.mtimeMs !== described.modified) {
			if ((await hashFile(file)) !== hash) return undefined;
			await writeAtomic(
				path.join(directory, 'image.json'),
				JSON.stringify({...described, modified: found.mtimeMs}),
				0o444,
			);
		}
		return {path: file, format: described.format, hash: `sha256:${hash}`, virtualSize: described.virtualSize};
	}

	/**
	 * Takes a file from a work directory into the cache, after it was checked.
	 * @throws DroverError `image.unusable`, `host.disk-full`, `host.failed`, `operation.cancelled`
	 */
	async admit(file: string, source: Source, signal: AbortSignal, knownHash?: string): Promise<CachedImage> {
		const inspect = source.form === 'rootfs' ? inspectArchive : inspectImage;
		const format = await inspect(file, source.name, signal);
		const hash = knownHash ?? (await hashFile(file));
		let image = await this.get(hash);
		if (image === undefined) {
			await this.#publish(file, hash, format);
			image = await this.get(hash);
			if (image === undefined)
				throw new DroverError('host.failed', `${source.name} was lost while it was being stored.`);
		}
		const entry: IndexEntry = {
			hash,
			validators: source.validators,
			at: new Date().toISOString(),
			title: source.title ?? source.name,
			origin: source.origin ?? source.name,
		};
		await writeAtomic(this.#entryPath(source.key), JSON.stringify({key: source.key, ...entry}));
		return image;
	}

	/** @throws DroverError `host.disk-full` with figures when `bytes` do not fit */
	async needSpace(bytes: number, name: string): Promise<void> {
		const found = await statfs(this.root);
		const free = found.bavail * found.bsize;
		if (bytes + reserve <= free) return;
		throw new DroverError(
			'host.disk-full',
			`${name} needs ${humanSize(bytes + reserve)} of disk space, and ${this.root} has ${humanSize(free)} left.`,
			{next: 'Free some disk space and try again.'},
		);
	}

	async #publish(file: string, hash: string, format: ImageFormat): Promise<void> {
		const ready = `${file}.ready`;
		await mkdir(ready, {mode: 0o700});
		const disk = path.join(ready, fileName(format.format));
		await rename(file, disk);
		await chmod(disk, 0o444);
		const handle = await open(disk, 'r');
		try {
			await handle.sync();
		} finally {
			await handle.close();
		}
		const {size, mtimeMs} = await stat(disk);
		const description: Description = {...format, size, modified: mtimeMs};
		await writeAtomic(path.join(ready, 'image.json'), JSON.stringify(description), 0o444);
		await syncDirectory(ready);
		const place = path.join(this.root, hash);
		// What is there was found damaged: out of the way, into the work directory that is removed afterwards.
		await rename(place, `${file}.damaged`).catch(() => undefined);
		try {
			await rename(ready, place);
		} catch (error) {
			// Another process was quicker; it has the same content.
			if ((await this.get(hash)) === undefined) throw error;
			await rm(ready, {recursive: true, force: true});
		}
		await syncDirectory(this.root);
	}

	#entryPath(key: string): string {
		return path.join(this.root, 'index', `${keyName(key)}.json`);
	}
}

/** A source's key as a file name. */
export function keyName(key: string): string {
	return createHash('sha256').update(key).digest('hex');
}

function fileName(format: CachedImage['format']): string {
	return format === 'rootfs' ? 'root.tar' : `disk.${format}`;
}

async function hashFile(file: string): Promise<string> {
	const hash = createHash('sha256');
	for await (const chunk of createReadStream(file, {highWaterMark: mebibyte})) hash.update(chunk);
	return hash.digest('hex');
}

export function readObject(text: string): Record<string, unknown> {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
	} catch {
		return {};
	}
}

export function readEntry(text: string): IndexEntry | undefined {
	const {hash, validators, at, title, origin} = readObject(text);
	if (typeof hash !== 'string' || !/^[\da-f]{64}$/.test(hash) || typeof at !== 'string') return undefined;
	if (typeof validators !== 'object' || validators === null) return undefined;
	if (!Object.values(validators).every(value => typeof value === 'string')) return undefined;
	return {
		hash,
		validators: validators as Record<string, string>,
		at,
		...(typeof title === 'string' ? {title} : {}),
		...(typeof origin === 'string' ? {origin} : {}),
	};
}

function readDescription(text: string): Description | undefined {
	const {format, virtualSize, size, modified} = readObject(text);
	if (format !== 'qcow2' && format !== 'raw' && format !== 'rootfs') return undefined;
	if (!Number.isSafeInteger(virtualSize) || !Number.isSafeInteger(size) || typeof modified !== 'number')
		return undefined;
	return {format, virtualSize: virtualSize as number, size: size as number, modified};
}
