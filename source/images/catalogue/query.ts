import {DroverError} from '../../model/errors.ts';
import {listOf, plainLine} from '../../model/text.ts';
import {type CatalogueEntry, isDigest} from './entry.ts';

/** `[remote:]name`, taken apart. */
export type Query = {readonly remote?: string; readonly name: string};

export function parseQuery(text: string): Query {
	const trimmed = text.trim();
	const colon = trimmed.indexOf(':');
	return colon === -1
		? {name: trimmed}
		: {remote: trimmed.slice(0, colon).toLowerCase(), name: trimmed.slice(colon + 1).trim()};
}

/** Digits that may be the beginning of a hash. */
export function isHashPrefix(name: string): boolean {
	return /^[\da-f]{8,128}$/i.test(name);
}

/** The entry that is called so. */
export function named(entries: readonly CatalogueEntry[], name: string): CatalogueEntry | undefined {
	const wanted = name.toLowerCase();
	return (
		entries.find(entry => entry.name.toLowerCase() === wanted) ??
		entries.find(({aliases}) => aliases.some(alias => alias.toLowerCase() === wanted))
	);
}

/**
 * The one image with a hash.
 * @param entries all whose hash begins so
 * @throws DroverError `image.unknown` naming the candidates when there are several
 */
export function oneOf(entries: readonly CatalogueEntry[], digits: string): CatalogueEntry | undefined {
	const byHash = new Map<string, CatalogueEntry>();
	for (const entry of entries) {
		// The same image in two catalogues is one image; the first catalogue counts.
		if (isDigest(entry.checksum) && !byHash.has(entry.checksum.hex)) byHash.set(entry.checksum.hex, entry);
	}
	if (byHash.size <= 1) return byHash.values().next().value;
	const names = [...byHash]
		.slice(0, 5)
		.map(([hex, entry]) => `${hex.slice(0, 12)} (${fullName(entry)} ${entry.version})`);
	const more = byHash.size > names.length ? [`${byHash.size - names.length} more`] : [];
	throw new DroverError(
		'image.unknown',
		`The hash ${digits.slice(0, 20)} is the beginning of several: ${listOf([...names, ...more])}.`,
		{next: 'Give more of its digits.'},
	);
}

/** Whether an entry is what is searched for: the text is a part of one of its names, or its hash begins so. */
export function matches(entry: CatalogueEntry, text: string): boolean {
	const wanted = text.toLowerCase();
	const words = [entry.name, ...entry.aliases, `${entry.os} ${entry.release}`];
	if (words.some(word => word.toLowerCase().includes(wanted))) return true;
	return isHashPrefix(wanted) && isDigest(entry.checksum) && entry.checksum.hex.startsWith(wanted);
}

/**
 * What is shown when everything is: of each release the first catalogue's image only, so that `daily` adds what
 * `release` does not have yet.
 */
export function withoutRepeats(entries: readonly CatalogueEntry[]): CatalogueEntry[] {
	const seen = new Set<string>();
	return entries.filter(({os, release, name}) => {
		const key = `${os} ${release} ${name}`;
		if (seen.has(key)) return false;
		seen.add(key);
		return true;
	});
}

/** What leads to exactly this entry. */
export function fullName({remote, name}: CatalogueEntry): string {
	return remote === 'daily' ? `daily:${name}` : name;
}

export function unknownImage(query: string, problems: readonly string[]): DroverError {
	const shown = JSON.stringify(plainLine(query).slice(0, 100));
	return new DroverError('image.unknown', `There is no image ${shown}.`, {
		next: ['"drover find" lists what there is.', ...problems].join(' '),
	});
}

export function unknownRemote(remote: string, remotes: readonly string[]): DroverError {
	const shown = JSON.stringify(plainLine(remote).slice(0, 100));
	return new DroverError('image.unknown', `There is no catalogue ${shown}; there are ${listOf(remotes)}.`, {
		next: '"drover find" lists what there is.',
	});
}
