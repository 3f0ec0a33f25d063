import path from 'node:path';
import {DroverError} from '../model/errors.ts';
import type {ImageInfo} from '../model/image-info.ts';
import {gibibyte, limits, mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {Paths} from '../state/paths.ts';
import {ImageCache, keyName} from './cache.ts';
import {download, type Validators, validatorsOf} from './download.ts';
import {allocatedBytes, copyImage, fileValidators, pathOf} from './file-source.ts';
import {inspectHead} from './format.ts';
import {checkedUrl, defaultTimes, Interrupted, request, type Times} from './http.ts';
import type {CachedImage, ImageForm, ImageStore, ImageWork, ResolvedImage} from './image.ts';
import {buildMicro} from './micro/build-micro.ts';
import {recipe, recipeHash} from './micro/recipe.ts';
import {SharedWork} from './shared-work.ts';
import {withClaim, withWorkDirectory} from './workshop.ts';

export type ImageStoreOptions = {
	readonly paths: Pick<Paths, 'cache'>;
	/** Makes the micro image in an empty directory; tests give a quicker one. */
	readonly buildMicro?: (directory: string, work: ImageWork, form: ImageForm) => Promise<string>;
	readonly times?: Times;
};

/** Room the build of the micro image takes, in bytes: packages, unpacked packages, disk. */
const buildSpace: Readonly<Record<ImageForm, number>> = {disk: 450 * mebibyte, rootfs: 150 * mebibyte};

/** Images for every scope and driver below `paths.cache/images`. Nothing is read or written before it is asked for. */
export function createImageStore(options: ImageStoreOptions): ImageStore {
	const cache = new ImageCache(path.join(options.paths.cache, 'images'));
	const shared = new SharedWork<CachedImage>();
	const build = options.buildMicro ?? buildMicro;
	const times = options.times ?? defaultTimes;

	const fetchOf: Readonly<
		Record<Provider, (image: ResolvedImage, key: string, work: ImageWork, form: ImageForm) => Promise<CachedImage>>
	> = {
		async micro(_, key, work, form) {
			const found = await cache.find(key);
			if (found) return found.image;
			await cache.needSpace(buildSpace[form], 'Building the micro image');
			return withWorkDirectory(cache.root, async directory => {
				const file = await build(directory, work, form);
				return cache.admit(file, {key, name: 'The micro image', validators: {}, form}, work.signal);
			});
		},
		async file(image, key, work) {
			const file = pathOf(image.query);
			const name = plainLine(file);
			const validators = await fileValidators(file);
			const found = await cache.find(key);
			if (found && sameValidators(found.entry.validators, validators)) return found.image;
			await cache.needSpace(await allocatedBytes(file), name);
			return withWorkDirectory(cache.root, async directory => {
				const copy = path.join(directory, 'image');
				const hash = await copyImage(file, copy, work);
				work.progress('checking the image');
				return cache.admit(copy, {key, name, validators}, work.signal, hash);
			});
		},
		async http(image, key, work) {
			const url = checkedUrl(image.query);
			const found = await cache.find(key);
			if (found && (await isStillCurrent(url, found.entry, work, times))) return found.image;
			return withWorkDirectory(cache.root, async directory => {
				const file = path.join(directory, 'image');
				const {hash, validators} = await download(url, file, cache, work, times);
				work.progress('checking the image');
				return cache.admit(file, {key, name: plainLine(url.href), validators}, work.signal, hash);
			});
		},
	};

	return {
		async resolve(query) {
			const provider = providerOf(query);
			if (provider === 'file') {
				const file = pathOf(query);
				await fileValidators(file);
				await inspectHead(file, plainLine(file)).catch(refuseUnreadable(file));
			}
			return {...describe(provider, query), query, provider};
		},

		async fetch(image, work, form = 'disk') {
			const provider = image.provider;
			if (!isProvider(provider)) throw unknown(image.query);
			if (form === 'rootfs' && provider !== 'micro') {
				throw new DroverError('image.unusable', 'Only the image micro can be launched as a container.');
			}
			await cache.prepare();
			const key = keyOf(provider, image.query, form);
			return shared.join(key, work, one =>
				withClaim(
					cache.root,
					keyName(key),
					one.signal,
					() => one.progress('waiting for another drover that fetches it'),
					() => fetchOf[provider](image, key, one, form),
				),
			);
		},

		async find(query) {
			const wanted = query.trim().toLowerCase();
			const cached = (await cache.find(keyOf('micro', 'micro', 'disk')).catch(() => undefined)) !== undefined;
			const known: ImageInfo[] = [{...micro, cached}];
			return known.filter(
				image => wanted === '' || [image.name, ...image.aliases].some(name => name.toLowerCase().startsWith(wanted)),
			);
		},
	};
}

const micro = {
	name: 'micro',
	remote: '',
	aliases: ['default'],
	os: 'Micro',
	release: `Micro ${recipe.version}`,
	version: recipe.version,
	description: 'A small Debian-based guest, built on this machine from packages',
} as const;

const providers = ['micro', 'file', 'http'] as const;
type Provider = (typeof providers)[number];

function isProvider(name: string): name is Provider {
	return (providers as readonly string[]).includes(name);
}

/** @throws DroverError `image.unknown` */
function providerOf(query: string): Provider {
	if (query === micro.name || query === '' || (micro.aliases as readonly string[]).includes(query)) return 'micro';
	if (/^file:\/\//i.test(query)) return 'file';
	if (/^https?:\/\//i.test(query)) {
		checkedUrl(query);
		return 'http';
	}
	throw unknown(query);
}

function unknown(query: string): DroverError {
	const shown = JSON.stringify(plainLine(query).slice(0, 100));
	return new DroverError(
		'image.unknown',
		`There is no image ${shown}: there is no catalogue of images in this version of drover, only micro.`,
		{next: 'Launch micro, or an image of your own: file:///path/to/image.qcow2 or https://host/image.qcow2.'},
	);
}

function describe(provider: Provider, query: string): Omit<ResolvedImage, 'query' | 'provider'> {
	if (provider === 'micro') {
		const memory = {memoryMinimum: limits.memoryMinimum, memoryDefault: 256 * mebibyte};
		return {os: micro.os, release: micro.release, user: 'ubuntu', ...memory};
	}
	const name = provider === 'file' ? pathOf(query) : decodeName(checkedUrl(query).pathname);
	return {
		os: '',
		release: plainLine(path.posix.basename(name)).slice(0, 60),
		user: 'ubuntu',
		memoryMinimum: limits.memoryMinimum,
		memoryDefault: Math.min(gibibyte, limits.memoryDefault),
	};
}

/** What a source is called in the index: a change of the recipe, of a path or of an address is another source. */
function keyOf(provider: Provider, query: string, form: ImageForm): string {
	if (provider === 'micro') return `micro:${recipeHash(form)}`;
	const source = provider === 'file' ? `file:${pathOf(query)}` : checkedUrl(query).href;
	return form === 'disk' ? source : `rootfs:${source}`;
}

function decodeName(pathname: string): string {
	try {
		return decodeURIComponent(pathname);
	} catch {
		return pathname;
	}
}

/** Asks the server whether what we have is what it has. A server that cannot be asked changes nothing: we have one. */
async function isStillCurrent(
	url: URL,
	entry: {readonly validators: Validators; readonly at: string},
	work: ImageWork,
	times: Times,
): Promise<boolean> {
	const instead = (why: string) => {
		work.log(`${why}: using the image that was downloaded at ${entry.at}.`);
		return true;
	};
	work.progress('asking whether the image has changed');
	try {
		const response = await request(url, {method: 'HEAD', signal: work.signal, answerTimeout: times.answer});
		await response.body?.cancel();
		if (!response.ok) return instead(`${url.host} answers with status ${response.status}`);
		const current = validatorsOf(response);
		const known = Object.keys(entry.validators).filter(name => name in current);
		return known.length > 0 && known.every(name => current[name] === entry.validators[name]);
	} catch (error) {
		if (error instanceof Interrupted) return instead(error.message);
		throw error;
	}
}

function sameValidators(a: Validators, b: Validators): boolean {
	return (
		Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, value]) => b[name] === value)
	);
}

function refuseUnreadable(file: string) {
	return (error: unknown): never => {
		if (error instanceof DroverError) throw error;
		throw new DroverError('image.unusable', `${plainLine(file)} may not be read.`, {
			next: 'Give the user who runs drover the right to read it.',
			cause: error,
		});
	};
}
