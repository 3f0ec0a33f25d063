import type {ImageInfo} from '../../model/image-info.ts';
import {limits} from '../../model/sizes.ts';
import type {ResolvedImage} from '../image.ts';
import type {CatalogueEntry} from './entry.ts';

/** What an entry is to the engine. */
export function describeEntry(query: string, entry: CatalogueEntry, notes: readonly string[]): ResolvedImage {
	const memoryMinimum = Math.max(entry.memoryMinimum ?? 0, limits.memoryMinimum);
	return {
		query,
		provider: 'catalogue',
		os: entry.os,
		release: entry.release,
		user: entry.user,
		memoryMinimum,
		memoryDefault: Math.max(memoryMinimum, limits.memoryDefault),
		...(entry.diskMinimum === undefined ? {} : {diskMinimum: entry.diskMinimum}),
		entry,
		notes,
	};
}

/** Aliases of one letter, and `default`, which is not what drover launches by default, are known but not shown. */
export function infoOf(entry: CatalogueEntry, cached: boolean): ImageInfo {
	return {
		name: entry.name,
		remote: entry.remote,
		aliases: entry.aliases.filter(alias => alias.length > 1 && alias !== 'default'),
		os: entry.os,
		release: entry.release,
		version: entry.version,
		description: `${entry.os} ${entry.release}`.trim(),
		supported: entry.supported,
		cached,
	};
}
