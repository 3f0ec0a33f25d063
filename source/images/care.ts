import {renameSync, statSync} from 'node:fs';
import {mkdir, readdir, readFile, rm, stat, utimes, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {ageText} from '../model/age.ts';
import type {ImageReport, PruneReport, StoredImage} from '../model/image-info.ts';
import {type IndexEntry, readEntry, readObject} from './cache.ts';
import type {ImageUse, PruneOptions} from './image.ts';
import {partialsDirectory} from './partial.ts';
import {isClaimed, withWorkDirectory} from './workshop.ts';

/** An image that was not used for so long is removed: milliseconds. As Multipass has it. */
const keptFor = 14 * 24 * 3600 * 1000;
/** Looked for at most so often: milliseconds. */
const pruneEvery = 6 * 3600 * 1000;

/** An image in the cache with what it came from. */
type Kept = StoredImage & {
	readonly digits: string /** It was made from a file of this machine. */;
	readonly isOwn: boolean;
};

/** Notes that an image is used now. @param hash `sha256:…` */
export async function touch(root: string, hash: string): Promise<void> {
	const file = stampOf(root, hash.replace(/^sha256:/, ''));
	const at = new Date();
	try {
		await utimes(file, at, at);
	} catch {
		await mkdir(path.dirname(file), {recursive: true, mode: 0o700});
		await writeFile(file, '', {mode: 0o600});
	}
}

export async function listImages(root: string): Promise<ImageReport> {
	const kept = await readCache(root);
	return {
		images: kept.map(({digits: _, isOwn: __, ...image}) => image).sort((a, b) => b.usedAt.localeCompare(a.usedAt)),
		size: await sizeOf(root),
		directory: root,
	};
}

/** Removes images, and what is left of downloads. Nothing that is needed by an instance or by work under way. */
export async function pruneImages(root: string, options: PruneOptions, now: number): Promise<PruneReport | undefined> {
	const stamp = path.join(root, 'pruned');
	const last = (await stat(stamp).catch(() => undefined))?.mtimeMs ?? 0;
	if (options.ifDue && now >= last && now - last < pruneEvery) return undefined;
	await writeFile(stamp, '', {mode: 0o600});
	await utimes(stamp, now / 1000, now / 1000);
	const use = await options.use();
	const removed: StoredImage[] = [];
	const kept: {image: StoredImage; reason: string}[] = [];
	await withWorkDirectory(root, async directory => {
		for (const {digits, isOwn, ...image} of await readCache(root)) {
			const facts = {usedAt: Date.parse(image.usedAt), isOwn, instances: use.counts.get(image.hash) ?? 0};
			const reason = reasonToKeep(facts, {now, all: options.all === true, usedSince: options.usedSince, use});
			if (reason !== undefined) {
				kept.push({image, reason});
				continue;
			}
			if (!takeAway(root, digits, directory, facts.usedAt)) {
				kept.push({image, reason: 'it is being used just now'});
				continue;
			}
			await rm(stampOf(root, digits), {force: true});
			removed.push(image);
		}
	});
	if (options.all) await removePartials(root);
	await forget(root);
	return {removed, kept, freed: removed.reduce((sum, {size}) => sum + size, 0)};
}

/**
 * Takes an image out of sight, unless it was used meanwhile. In one go: a fetch that marks it as used either comes before
 * and is seen here, or comes after and sees that the image has gone.
 */
function takeAway(root: string, digits: string, to: string, usedAt: number): boolean {
	const found = statSync(stampOf(root, digits), {throwIfNoEntry: false});
	if (found !== undefined && Math.floor(found.mtimeMs) > usedAt) return false;
	try {
		renameSync(path.join(root, digits), path.join(to, digits));
		return true;
	} catch (error) {
		// Somebody else has taken it away.
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
		throw error;
	}
}

/** Why an image is kept; `undefined` when it may go. Times in milliseconds since the epoch. */
export function reasonToKeep(
	image: {readonly usedAt: number; readonly isOwn: boolean; readonly instances: number},
	rules: {
		readonly now: number;
		readonly all: boolean;
		readonly usedSince: number | undefined;
		readonly use: Pick<ImageUse, 'unclear'>;
	},
): string | undefined {
	const {now, all, usedSince, use} = rules;
	if (image.instances > 0) {
		return image.instances === 1
			? 'an instance has its disk on it'
			: `${image.instances} instances have their disks on it`;
	}
	if (use.unclear.length > 0) return `it cannot be told whether ${use.unclear[0]} has its disk on it`;
	if (usedSince !== undefined && image.usedAt >= usedSince) return 'a launch that is under way uses it';
	if (all) return undefined;
	if (image.isOwn) return 'it was made from a file of this machine';
	const age = now - image.usedAt;
	return age < keptFor ? `it was used ${ageText(age)} ago` : undefined;
}

async function readCache(root: string): Promise<Kept[]> {
	const sources = await readIndex(root);
	const names = (await readdir(root)).filter(name => /^[\da-f]{64}$/.test(name));
	return Promise.all(
		names.map(async digits => {
			const directory = path.join(root, digits);
			const described = readObject(await readFile(path.join(directory, 'image.json'), 'utf8').catch(() => ''));
			const from = sources.get(digits) ?? [];
			const [first] = from;
			return {
				digits,
				name: unique(from.map(({entry}) => entry.title ?? '')) || digits.slice(0, 12),
				hash: `sha256:${digits}`,
				format: typeof described['format'] === 'string' ? described['format'] : 'unknown',
				size: await sizeOf(directory),
				usedAt: (await usedAt(root, digits)).toISOString(),
				source: first?.entry.origin ?? first?.key ?? '',
				isOwn: from.some(({key}) => /^(?:rootfs:)?file:/.test(key)),
			};
		}),
	);
}

/** When an image was last used. One of which nothing is known counts as used when that is noticed first. */
async function usedAt(root: string, digits: string): Promise<Date> {
	const found = await stat(stampOf(root, digits)).catch(() => undefined);
	if (found !== undefined) return found.mtime;
	await touch(root, digits);
	return new Date();
}

async function readIndex(root: string): Promise<Map<string, {key: string; entry: IndexEntry}[]>> {
	const sources = new Map<string, {key: string; entry: IndexEntry}[]>();
	const directory = path.join(root, 'index');
	for (const name of await readdir(directory).catch(() => [])) {
		const text = await readFile(path.join(directory, name), 'utf8').catch(() => '');
		const entry = readEntry(text);
		const {key} = readObject(text);
		if (entry === undefined || typeof key !== 'string') continue;
		sources.set(entry.hash, [...(sources.get(entry.hash) ?? []), {key, entry}]);
	}
	return sources;
}

/** Lets go of index entries and stamps whose image is gone. */
async function forget(root: string): Promise<void> {
	const there = new Set(await readdir(root));
	for (const name of await readdir(path.join(root, 'index')).catch(() => [])) {
		const file = path.join(root, 'index', name);
		const entry = readEntry(await readFile(file, 'utf8').catch(() => ''));
		if (entry !== undefined && !there.has(entry.hash)) await rm(file, {force: true});
	}
	for (const name of await readdir(path.join(root, 'used')).catch(() => [])) {
		if (!there.has(name)) await rm(path.join(root, 'used', name), {force: true});
	}
}

/** Parts of interrupted downloads; those that grow just now stay. */
async function removePartials(root: string): Promise<void> {
	const directory = partialsDirectory(root);
	for (const name of await readdir(directory).catch(() => [])) {
		if (!(await isClaimed(root, name.split('.')[0]!))) await rm(path.join(directory, name), {force: true});
	}
}

/** Bytes that a directory with all that is in it takes on the disk. */
async function sizeOf(directory: string): Promise<number> {
	const entries = await readdir(directory, {withFileTypes: true, recursive: true}).catch(() => []);
	const sizes = await Promise.all(
		entries
			.filter(entry => entry.isFile())
			.map(async entry => {
				const found = await stat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
				return found === undefined ? 0 : Math.min(found.size, (found.blocks ?? Number.POSITIVE_INFINITY) * 512);
			}),
	);
	return sizes.reduce((sum, size) => sum + size, 0);
}

function stampOf(root: string, digits: string): string {
	return path.join(root, 'used', digits);
}

function unique(words: readonly string[]): string {
	return [...new Set(words)].filter(word => word !== '').join(', ');
}
