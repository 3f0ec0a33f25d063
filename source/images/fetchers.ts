import path from 'node:path';
import {mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {admitDisk} from './admit.ts';
import type {ImageCache} from './cache.ts';
import type {Catalogues} from './catalogue/catalogues.ts';
import {entryOf} from './catalogue/entry.ts';
import {fetchPublished} from './catalogue/fetch.ts';
import {fullName} from './catalogue/query.ts';
import {download} from './download.ts';
import {allocatedBytes, copyImage, fileValidators, pathOf} from './file-source.ts';
import {notDisk} from './format.ts';
import {checkedUrl, type Times} from './http.ts';
import type {CachedImage, ImageForm, ImageWork, ResolvedImage} from './image.ts';
import {recipeHash} from './micro/recipe.ts';
import type {Validators} from './partial.ts';
import {conversion, conversionSpace, convertDisk} from './rootfs/convert.ts';
import {isArchive} from './rootfs/inspect.ts';
import {unlessCancelled} from './run.ts';
import {isStillCurrent} from './still-current.ts';
import {withWorkDirectory} from './workshop.ts';

export const providers = ['micro', 'file', 'http', 'catalogue'] as const;
export type Provider = (typeof providers)[number];

export type BuildMicro = (directory: string, work: ImageWork, form: ImageForm) => Promise<string>;

/** Gets an image into the cache when it is not there. The caller sees to it that nobody else does at the same time. */
export type Fetcher = (image: ResolvedImage, work: ImageWork, form: ImageForm) => Promise<CachedImage>;

/** Room the build of the micro image takes, in bytes: packages, unpacked packages, disk. */
const buildSpace: Readonly<Record<ImageForm, number>> = {disk: 450 * mebibyte, rootfs: 150 * mebibyte};

/** What a source is called in the index: a change of the recipe, of a path or of an address is another source. */
export function keyOf(provider: Exclude<Provider, 'catalogue'>, query: string, form: ImageForm): string {
	if (provider === 'micro') return `micro:${recipeHash(form)}`;
	const source = provider === 'file' ? `file:${pathOf(query)}` : checkedUrl(query).href;
	return form === 'disk' ? source : `rootfs:${source}`;
}

export function createFetchers({
	cache,
	build,
	times,
	catalogues,
}: {
	readonly cache: ImageCache;
	readonly build: BuildMicro;
	readonly times: Times;
	readonly catalogues: Catalogues;
}): Readonly<Record<Provider, Fetcher>> {
	/** A container's root from a disk in the cache, made once for each disk. */
	const converted = async (disk: CachedImage, name: string, work: ImageWork, title = name): Promise<CachedImage> => {
		const key = `rootfs:${conversion}:${disk.hash}`;
		const found = await cache.find(key);
		if (found) return found.image;
		await cache.needSpace(await conversionSpace(disk, work.signal), `Converting ${name}`);
		return withWorkDirectory(cache.root, async directory => {
			const file = await convertDisk(disk, name, directory, work);
			work.progress('checking the image');
			const source = {key, name, validators: {}, form: 'rootfs' as const, title: `${title} (container)`};
			return cache.admit(file, source, work.signal);
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
				const title = form === 'disk' ? 'micro' : 'micro (container)';
				const source = {key, name: 'The micro image', validators: {}, form, title, origin: 'built here'};
				return cache.admit(file, source, work.signal);
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
				return converted(await fetchers.file(image, work, 'disk'), name, work, path.basename(name));
			}
			await cache.needSpace(await allocatedBytes(file), name);
			return withWorkDirectory(cache.root, async directory => {
				const copy = path.join(directory, 'image');
				const sha256 = await copyImage(file, copy, work);
				const source = {key, name, validators, form, title: path.basename(name)};
				if (form === 'disk') return admitDisk(cache, {directory, file: copy, sha256}, source, work);
				work.progress('checking the image');
				return cache.admit(copy, source, work.signal, sha256);
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
				return converted(await fetchers.http(image, work, 'disk'), name, work, image.release);
			}
			return withWorkDirectory(cache.root, async directory => {
				const file = path.join(directory, 'image');
				const {sha256, validators} = await download({url, cache, work, times, form}, file);
				const isForContainers = await isArchive(file, work.signal);
				if (form === 'disk' && isForContainers) throw notDisk(name);
				if (form === 'rootfs' && !isForContainers) {
					const source = {key: diskKey, name, validators, title: image.release};
					const disk = await admitDisk(cache, {directory, file, sha256}, source, work);
					return converted(disk, name, work, image.release);
				}
				const source = {key, name, validators, form, title: image.release};
				if (form === 'disk') return admitDisk(cache, {directory, file, sha256}, source, work);
				work.progress('checking the image');
				return cache.admit(file, source, work.signal, sha256);
			});
		},

		async catalogue(image, work, form) {
			const entry = entryOf(image);
			const {digest} = await unlessCancelled(catalogues.digestOf(entry), work.signal);
			const disk = await fetchPublished({cache, catalogues, times}, entry, digest, work);
			return form === 'disk' ? disk : converted(disk, fullName(entry), work);
		},
	};
	return fetchers;
}

function sameValidators(a: Validators, b: Validators): boolean {
	return (
		Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value)
	);
}
