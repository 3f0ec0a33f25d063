import path from 'node:path';
import {DroverError} from '../model/errors.ts';
import type {ImageInfo} from '../model/image-info.ts';
import {gibibyte, limits, mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {Paths} from '../state/paths.ts';
import {ImageCache, keyName} from './cache.ts';
import {type BuildMicro, createFetchers, keyOf, type Provider, providers} from './fetchers.ts';
import {fileValidators, pathOf} from './file-source.ts';
import {inspectHead} from './format.ts';
import {checkedUrl, defaultTimes, type Times} from './http.ts';
import type {CachedImage, ImageStore, ResolvedImage} from './image.ts';
import {buildMicro} from './micro/build-micro.ts';
import {recipe} from './micro/recipe.ts';
import {isArchive} from './rootfs/inspect.ts';
import {SharedWork} from './shared-work.ts';
import {withClaim} from './workshop.ts';

export type ImageStoreOptions = {
	readonly paths: Pick<Paths, 'cache'>;
	/** Makes the micro image in an empty directory; tests give a quicker one. */
	readonly buildMicro?: BuildMicro;
	readonly times?: Times;
};

/** Images for every scope and driver below `paths.cache/images`. Nothing is read or written before it is asked for. */
export function createImageStore(options: ImageStoreOptions): ImageStore {
	const cache = new ImageCache(path.join(options.paths.cache, 'images'));
	const shared = new SharedWork<CachedImage>();
	const fetchers = createFetchers(cache, options.buildMicro ?? buildMicro, options.times ?? defaultTimes);

	return {
		async resolve(query) {
			const provider = providerOf(query);
			if (provider === 'file') {
				const file = pathOf(query);
				await fileValidators(file);
				// Which form is wanted shows when it is fetched.
				const isForContainers = await isArchive(file, new AbortController().signal);
				if (!isForContainers) await inspectHead(file, plainLine(file)).catch(refuseUnreadable(file));
			}
			return {...describe(provider, query), query, provider};
		},

		async fetch(image, work, form = 'disk') {
			const provider = image.provider;
			if (!isProvider(provider)) throw unknown(image.query);
			await cache.prepare();
			// A source is read by one at a time, whichever form is wanted; the two forms of micro are built apart.
			const claim = keyName(keyOf(provider, image.query, provider === 'micro' ? form : 'disk'));
			return shared.join(keyOf(provider, image.query, form), work, one =>
				withClaim(
					cache.root,
					claim,
					one.signal,
					() => one.progress('waiting for another drover that fetches it'),
					() => fetchers[provider](image, one, form),
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

function decodeName(pathname: string): string {
	try {
		return decodeURIComponent(pathname);
	} catch {
		return pathname;
	}
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
