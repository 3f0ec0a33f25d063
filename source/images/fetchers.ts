import path from 'node:path';
import {mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {ImageCache} from './cache.ts';
import {download, isStillCurrent, type Validators} from './download.ts';
import {allocatedBytes, copyImage, fileValidators, pathOf} from './file-source.ts';
import {notDisk} from './format.ts';
import {checkedUrl, type Times} from './http.ts';
import type {CachedImage, ImageForm, ImageWork, ResolvedImage} from './image.ts';
import {recipeHash} from './micro/recipe.ts';
import {conversion, conversionSpace, convertDisk} from './rootfs/convert.ts';
import {isArchive} from './rootfs/inspect.ts';
import {withWorkDirectory} from './workshop.ts';

export const providers = ['micro', 'file', 'http'] as const;
export type Provider = (typeof providers)[number];

export type BuildMicro = (directory: string, work: ImageWork, form: ImageForm) => Promise<string>;

/** Gets an image into the cache when it is not there. The caller sees to it that nobody else does at the same time. */
export type Fetcher = (image: ResolvedImage, work: ImageWork, form: ImageForm) => Promise<CachedImage>;

/** Room the build of the micro image takes, in bytes: packages, unpacked packages, disk. */
const buildSpace: Readonly<Record<ImageForm, number>> = {disk: 450 * mebibyte, rootfs: 150 * mebibyte};

/** What a source is called in the index: a change of the recipe, of a path or of an address is another source. */
export function keyOf(provider: Provider, query: string, form: ImageForm): string {
	if (provider === 'micro') return `micro:${recipeHash(form)}`;
	const source = provider === 'file' ? `file:${pathOf(query)}` : checkedUrl(query).href;
	return form === 'disk' ? source : `rootfs:${source}`;
}

export function createFetchers(
	cache: ImageCache,
	build: BuildMicro,
	times: Times,
): Readonly<Record<Provider, Fetcher>> {
	/** A container's root from a disk in the cache, made once for each disk. */
	const converted = async (disk: CachedImage, name: string, work: ImageWork): Promise<CachedImage> => {
		const key = `rootfs:${conversion}:${disk.hash}`;
		const found = await cache.find(key);
		if (found) return found.image;
		await cache.needSpace(await conversionSpace(disk, work.signal), `Converting ${name}`);
		return withWorkDirectory(cache.root, async directory => {
			const file = await convertDisk(disk, name, directory, work);
			work.progress('checking the image');
			return cache.admit(file, {key, name, validators: {}, form: 'rootfs'}, work.signal);
		});
	};

	const fetchers: Readonly<Record<Provider, Fetcher>> = {
		async micro(image, work, form) {
			const key = keyOf('micro', image.query, form);
			const found = await cache.find(key);
			if (found) return found.image;
			await cache.needSpace(buildSpace[form], 'Building the micro image');
			return withWorkDirectory(cache.root, async directory => {
				const file = await build(directory, work, form);
				return cache.admit(file, {key, name: 'The micro image', validators: {}, form}, work.signal);
			});
		},

		async file(image, work, form) {
			const key = keyOf('file', image.query, form);
			const file = pathOf(image.query);
			const name = plainLine(file);
			const validators = await fileValidators(file);
			const found = await cache.find(key);
			if (found && sameValidators(found.entry.validators, validators)) return found.image;
			const isForContainers = await isArchive(file, work.signal);
			if (form === 'disk' && isForContainers) throw notDisk(name);
			if (form === 'rootfs' && !isForContainers) {
				return converted(await fetchers.file(image, work, 'disk'), name, work);
			}
			await cache.needSpace(await allocatedBytes(file), name);
			return withWorkDirectory(cache.root, async directory => {
				const copy = path.join(directory, 'image');
				const hash = await copyImage(file, copy, work);
				work.progress('checking the image');
				return cache.admit(copy, {key, name, validators, form}, work.signal, hash);
			});
		},

		async http(image, work, form) {
			const key = keyOf('http', image.query, form);
			const url = checkedUrl(image.query);
			const name = plainLine(url.href);
			const found = await cache.find(key);
			if (found && (await isStillCurrent(url, found.entry, work, times))) return found.image;
			const diskKey = keyOf('http', image.query, 'disk');
			if (form === 'rootfs' && (await cache.find(diskKey))) {
				return converted(await fetchers.http(image, work, 'disk'), name, work);
			}
			return withWorkDirectory(cache.root, async directory => {
				const file = path.join(directory, 'image');
				const {hash, validators} = await download(url, file, cache, work, times, form);
				work.progress('checking the image');
				const isForContainers = await isArchive(file, work.signal);
				if (form === 'disk' && isForContainers) throw notDisk(name);
				if (form === 'rootfs' && !isForContainers) {
					const disk = await cache.admit(file, {key: diskKey, name, validators}, work.signal, hash);
					return converted(disk, name, work);
				}
				return cache.admit(file, {key, name, validators, form}, work.signal, hash);
			});
		},
	};
	return fetchers;
}

function sameValidators(a: Validators, b: Validators): boolean {
	return (
		Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value)
	);
}
