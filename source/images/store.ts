import path from 'node:path';
import process from 'node:process';
import {DroverError} from '../model/errors.ts';
import type {ImageInfo} from '../model/image-info.ts';
import {gibibyte, limits, mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {Paths} from '../state/paths.ts';
import {ImageCache, keyName} from './cache.ts';
import {listImages, pruneImages, touch} from './care.ts';
import {Catalogues} from './catalogue/catalogues.ts';
import {describeEntry, infoOf} from './catalogue/describe.ts';
import type {Distribution} from './catalogue/distributions.ts';
import {type CatalogueEntry, catalogueArchitecture, entryOf} from './catalogue/entry.ts';
import {publishedKey} from './catalogue/fetch.ts';
import {parseQuery} from './catalogue/query.ts';
import type {StreamRemote} from './catalogue/stream.ts';
import {type BuildMicro, createFetchers, keyOf, type Provider, providers} from './fetchers.ts';
import {fileValidators, pathOf} from './file-source.ts';
import {inspectHead} from './format.ts';
import {checkedUrl, defaultTimes, type Times} from './http.ts';
import type {CachedImage, ImageForm, ImageStore, ImageWork, ResolvedImage} from './image.ts';
import {buildMicro} from './micro/build-micro.ts';
import {recipe} from './micro/recipe.ts';
import {isArchive} from './rootfs/inspect.ts';
import {unlessCancelled} from './run.ts';
import {SharedWork} from './shared-work.ts';
import {compressionOfFile} from './unpack.ts';
import {withClaim} from './workshop.ts';

export type ImageStoreOptions = {
	readonly paths: Pick<Paths, 'cache'> & Partial<Pick<Paths, 'config'>>;
	/** Makes the micro image in an empty directory; tests give a quicker one. */
	readonly buildMicro?: BuildMicro;
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

/** Images for every scope and driver below `paths.cache/images`. Nothing is read or written before it is asked for. */
export function createImageStore(options: ImageStoreOptions): ImageStore {
	const cache = new ImageCache(path.join(options.paths.cache, 'images'));
	const shared = new SharedWork<CachedImage>();
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
	const fetchers = createFetchers({cache, build: options.buildMicro ?? buildMicro, times, catalogues});

	/** By what an image is known to be the same; of one whose hash is on a server, that is asked for it. */
	const keyFor = async (image: ResolvedImage, provider: Provider, work: ImageWork) => {
		if (provider !== 'catalogue') return (form: ImageForm) => keyOf(provider, image.query, form);
		work.progress('looking up what the image must be');
		const {digest, notes} = await unlessCancelled(catalogues.digestOf(entryOf(image)), work.signal);
		for (const note of notes) work.log(note);
		return (form: ImageForm) => (form === 'disk' ? publishedKey(digest) : `rootfs:${publishedKey(digest)}`);
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
			if (provider === 'file') await lookAtFile(pathOf(query));
			return {...describe(provider, query), query, provider};
		},

		async fetch(image, work, form = 'disk') {
			const provider = image.provider;
			if (!isProvider(provider)) throw unknown(image.query);
			await cache.prepare();
			for (const note of image.notes ?? []) work.log(note);
			const key = await keyFor(image, provider, work);
			// A source is read by one at a time, whichever form is wanted; the two forms of micro are built apart.
			const claim = keyName(key(provider === 'micro' ? form : 'disk'));
			const get = () =>
				shared.join(key(form), work, one =>
					withClaim(
						cache.root,
						claim,
						one.signal,
						() => one.progress('waiting for another drover that fetches it'),
						() => fetchers[provider](image, one, form),
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
			const own: ImageInfo = {...micro, cached};
			return {images: [own, ...published], notes: found.notes};
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

function decodeName(pathname: string): string {
	try {
		return decodeURIComponent(pathname);
	} catch {
		return pathname;
	}
}

/** Refuses at once what can be seen to be of no use. @throws DroverError `image.unusable` */
async function lookAtFile(file: string): Promise<void> {
	await fileValidators(file);
	// Which form is wanted, and what is in it when it is packed, shows when it is fetched.
	if ((await compressionOfFile(file).catch(refuseUnreadable(file))) !== undefined) return;
	const isForContainers = await isArchive(file, new AbortController().signal);
	if (!isForContainers) await inspectHead(file, plainLine(file)).catch(refuseUnreadable(file));
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
