import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {admitDisk} from '../admit.ts';
import type {ImageCache} from '../cache.ts';
import {type Digest, digestText} from '../digest.ts';
import {download} from '../download.ts';
import type {Times} from '../http.ts';
import type {CachedImage, ImageWork} from '../image.ts';
import {unlessCancelled} from '../run.ts';
import {withWorkDirectory} from '../workshop.ts';
import type {Catalogues} from './catalogues.ts';
import type {CatalogueEntry} from './entry.ts';
import {fullName} from './query.ts';

export type FetchParts = {readonly cache: ImageCache; readonly catalogues: Catalogues; readonly times: Times};

/** What a published image is called in the cache's index: by what its bytes are, wherever they came from. */
export function publishedKey(digest: Digest): string {
	return `catalogue:${digestText(digest)}`;
}

/**
 * Brings a published image into the cache: from a mirror that has the same, else from its publisher. One that its
 * publisher has replaced meanwhile is looked up anew, once.
 * @throws DroverError `image.*`, `host.*`, `operation.cancelled`
 */
export async function fetchPublished(
	parts: FetchParts,
	entry: CatalogueEntry,
	digest: Digest,
	work: ImageWork,
): Promise<CachedImage> {
	const found = await parts.cache.find(publishedKey(digest));
	if (found) return found.image;
	try {
		return await fromSomewhere(parts, entry, digest, work);
	} catch (error) {
		const isReplaced =
			error instanceof DroverError && (error.code === 'image.untrusted' || error.code === 'image.download');
		const now = isReplaced
			? await unlessCancelled(
					parts.catalogues.renewed(entry, digest).catch(() => undefined),
					work.signal,
				)
			: undefined;
		if (now === undefined) throw error;
		work.log('Its publisher has replaced this image meanwhile: the new one is fetched.');
		const known = await parts.cache.find(publishedKey(now.digest));
		return known ? known.image : fromSomewhere(parts, now.entry, now.digest, work);
	}
}

async function fromSomewhere(
	parts: FetchParts,
	entry: CatalogueEntry,
	digest: Digest,
	work: ImageWork,
): Promise<CachedImage> {
	const mirror = await unlessCancelled(parts.catalogues.mirrored(entry), work.signal);
	if (mirror.note !== undefined) work.log(mirror.note);
	if (mirror.url !== undefined) {
		try {
			return await fromOne(parts, entry, digest, new URL(mirror.url), work);
		} catch (error) {
			if (!(error instanceof DroverError) || !error.code.startsWith('image.')) throw error;
			work.log(`The mirror does not give it (${error.message}): it is taken from ${new URL(entry.url).host}.`);
		}
	}
	return fromOne(parts, entry, digest, new URL(entry.url), work);
}

async function fromOne(
	{cache, times}: FetchParts,
	entry: CatalogueEntry,
	digest: Digest,
	url: URL,
	work: ImageWork,
): Promise<CachedImage> {
	return withWorkDirectory(cache.root, async directory => {
		const file = path.join(directory, 'image');
		const wanted = {digest, size: entry.size};
		const key = publishedKey(digest);
		const {sha256, validators} = await download({url, cache, work, times, wanted, form: 'disk', name: key}, file);
		const title = fullName(entry);
		const source = {key, name: plainLine(url.href), validators, title};
		return admitDisk(cache, {directory, file, sha256}, source, work);
	});
}
