import path from 'node:path';
import process from 'node:process';
import {DroverError} from '../model/errors.ts';
import {gibibyte, limits, mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {Paths} from '../state/paths.ts';
import {admitDisk} from './admit.ts';
import {ImageCache, keyName} from './cache.ts';
import {listImages, pruneImages, touch} from './care.ts';
import {Catalogues} from './catalogue/catalogues.ts';
import {describeEntry, infoOf} from './catalogue/describe.ts';
import type {Distribution} from './catalogue/distributions.ts';
import {type CatalogueEntry, catalogueArchitecture} from './catalogue/entry.ts';
import {fetchPublished, publishedKey} from './catalogue/fetch.ts';
import {parseQuery} from './catalogue/query.ts';
import type {StreamRemote} from './catalogue/stream.ts';
import {download} from './download.ts';
import {allocatedBytes, copyImage, fileValidators, pathOf} from './file-source.ts';
import {inspectHead} from './format.ts';
import {checkedUrl, defaultTimes, type Times} from './http.ts';
import type {CachedImage, ImageForm, ImageStore, ImageWork, ResolvedImage} from './image.ts';
import {buildMicro} from './micro/build-micro.ts';
import {recipe, recipeHash} from './micro/recipe.ts';
import type {Validators} from './partial.ts';
import {throwIfCancelled} from './run.ts';
import {SharedWork} from './shared-work.ts';
import {isStillCurrent} from './still-current.ts';
import {compressionOfFile} from './unpack.ts';
import {withClaim, withWorkDirectory} from './workshop.ts';

export type ImageStoreOptions = {
	readonly paths: Pick<Paths, 'cache'> & Partial<Pick<Paths, 'config'>>;
	/** Makes the micro image in an empty directory; tests give a quicker one. */
	readonly buildMicro?: (directory: string, work: ImageWork, form: ImageForm) => Promise<string>;
	readonly times?: Times;
	/** The setting `local.image.mirror`. */
	readonly mirror?: () => string;
	/** Node's spelling: `x64`. */
	readonly architecture?: string;
	/** Other catalogues than the real ones, and another clock: for tests. */
	readonly remotes?: readonly StreamRemote[];
	readonly distributions?: readonly Distribution[];
	readonly now?: () => number;
};

/** Room the build of the micro image takes, in bytes: packages, unpacked packages, disk. */
const buildSpace: Readonly<Record<ImageForm, number>> = {disk: 450 * mebibyte, rootfs: 150 * mebibyte};

/** Images for every scope and driver below `paths.cache/images`. Nothing is read or written before it is asked for. */
export function createImageStore(options: ImageStoreOptions): ImageStore {
	const cache = new ImageCache(path.join(options.paths.cache, 'images'));
	const shared = new SharedWork<CachedImage>();
	const build = options.buildMicro ?? buildMicro;
	const times = options.times ?? defaultTimes;
	const now = options.now ?? Date.now;
	const catalogues = new Catalogues({
		root: cache.root,
		config: options.paths.config,
		architecture: catalogueArchitecture(options.architecture ?? process.arch),
		times,
		mirror: options.mirror ?? (() => ''),
		now,
		...(options.remotes === undefined ? {} : {remotes: options.remotes}),
		...(options.distributions === undefined ? {} : {distributions: options.distributions}),
	});

	const fetchOf: Readonly<
		Record<Provider, (image: ResolvedImage, key: string, work: ImageWork, form: ImageForm) => Promise<CachedImage>>
	> = {
		async micro(_, key, work, form) {
			const found = await cache.find(key);
			if (found) return found.image;
			await cache.needSpace(buildSpace[form], 'Building the micro image');
			return withWorkDirectory(cache.root, async directory => {
				const file = await build(directory, work, form);
				const source = {key, name: 'The micro image', validators: {}, form, title: micro.name, origin: 'built here'};
				return cache.admit(file, source, work.signal);
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
				const sha256 = await copyImage(file, copy, work);
				const source = {key, name, validators, title: path.basename(name)};
				return admitDisk(cache, {directory, file: copy, sha256}, source, work);
			});
		},
		async http(image, key, work) {
			const url = checkedUrl(image.query);
			const found = await cache.find(key);
			if (found && (await isStillCurrent(url, found.entry, work, times))) return found.image;
			return withWorkDirectory(cache.root, async directory => {
				const file = path.join(directory, 'image');
				const {sha256, validators} = await download({url, cache, work, times}, file);
				const source = {key, name: plainLine(url.href), validators, title: image.release};
				return admitDisk(cache, {directory, file, sha256}, source, work);
			});
		},
		async catalogue(image, _, work) {
			const entry = entryOf(image);
			const {digest} = await catalogues.digestOf(entry);
			return fetchPublished({cache, catalogues, times}, entry, digest, work);
		},
	};

	/** By what an image is known to be the same; of one whose hash is on a server, that is asked for it. */
	const keyFor = async (image: ResolvedImage, provider: Provider, form: ImageForm, work: ImageWork) => {
		if (provider !== 'catalogue') return keyOf(provider, image.query, form);
		throwIfCancelled(work.signal);
		work.progress('looking up what the image must be');
		const {digest, notes} = await catalogues.digestOf(entryOf(image));
		for (const note of notes) work.log(note);
		throwIfCancelled(work.signal);
		return publishedKey(digest);
	};

	const isCached = async (entry: CatalogueEntry) => {
		const digest = await catalogues.knownDigest(entry);
		return digest !== undefined && (await cache.find(publishedKey(digest))) !== undefined;
	};

	return {
		async resolve(query) {
			const provider = providerOf(query);
			if (provider === 'catalogue') {
				const {entry, notes} = await catalogues.resolve(query);
				return describeEntry(query, entry, notes);
			}
			if (provider === 'file') {
				const file = pathOf(query);
				await fileValidators(file);
				const compression = await compressionOfFile(file).catch(refuseUnreadable(file));
				if (compression === undefined) await inspectHead(file, plainLine(file)).catch(refuseUnreadable(file));
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
			for (const note of image.notes ?? []) work.log(note);
			const key = await keyFor(image, provider, form, work);
			const get = () =>
				shared.join(key, work, one =>
					withClaim(
						cache.root,
						keyName(key),
						one.signal,
						() => one.progress('waiting for another drover that fetches it'),
						() => fetchOf[provider](image, key, one, form),
					),
				);
			const cached = await get();
			await touch(cache.root, cached.hash);
			// From here on it is too young to be removed; it may just have been.
			return (await cache.get(cached.hash.replace(/^sha256:/, ''))) ?? get();
		},

		async find(request) {
			const {remote, name} = parseQuery(request.query);
			const wanted = name.toLowerCase();
			const isMicroOnly = remote === undefined && wanted === micro.name;
			// It needs no catalogue, so none is waited for.
			const found = isMicroOnly ? {entries: [], notes: []} : await catalogues.find(request);
			const published = await Promise.all(
				found.entries.map(async entry => infoOf(entry, await isCached(entry).catch(() => false))),
			);
			if (remote !== undefined || !micro.name.includes(wanted)) return {images: published, notes: found.notes};
			const cached = (await cache.find(keyOf('micro', 'micro', 'disk')).catch(() => undefined)) !== undefined;
			return {images: [{...micro, cached}, ...published], notes: found.notes};
		},

		async list() {
			await cache.prepare();
			return listImages(cache.root);
		},

		async prune(pruning) {
			await cache.prepare();
			return pruneImages(cache.root, pruning, now());
		},
	};
}

const micro = {
	name: 'micro',
	remote: '',
	aliases: [],
	os: 'Micro',
	release: `Micro ${recipe.version}`,
	version: recipe.version,
	description: 'A small Debian-based guest, built on this machine from packages',
} as const;

const providers = ['micro', 'file', 'http', 'catalogue'] as const;
type Provider = (typeof providers)[number];

function isProvider(name: string): name is Provider {
	return (providers as readonly string[]).includes(name);
}

/** @throws DroverError `image.unknown` */
function providerOf(query: string): Provider {
	if (query === micro.name || query === '') return 'micro';
	if (/^file:\/\//i.test(query)) return 'file';
	if (/^https?:\/\//i.test(query)) {
		checkedUrl(query);
		return 'http';
	}
	if (query.includes('://')) throw unknown(query);
	return 'catalogue';
}

function unknown(query: string): DroverError {
	const shown = JSON.stringify(plainLine(query).slice(0, 100));
	return new DroverError(
		'image.unknown',
		`There is no way to get ${shown}: an image’s address begins with file:///, https:// or http://.`,
		{next: '"drover find" lists what can be launched by name.'},
	);
}

function entryOf(image: ResolvedImage): CatalogueEntry {
	if (image.entry === undefined) throw unknown(image.query);
	return image.entry;
}

function describe(provider: Exclude<Provider, 'catalogue'>, query: string): Omit<ResolvedImage, 'query' | 'provider'> {
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
function keyOf(provider: Exclude<Provider, 'catalogue'>, query: string, form: ImageForm): string {
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
