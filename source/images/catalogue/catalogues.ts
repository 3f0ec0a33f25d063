import {DroverError} from '../../model/errors.ts';
import type {FindRequest} from '../../model/image-info.ts';
import {plainLine} from '../../model/text.ts';
import {type Digest, isSameDigest} from '../digest.ts';
import type {Times} from '../http.ts';
import {ChecksumFiles, verdictNotes} from './checksum-files.ts';
import type {Distribution} from './distributions.ts';
import {type CatalogueEntry, type Found, isDigest} from './entry.ts';
import {distributionEntries} from './fixed.ts';
import {
	isHashPrefix,
	matches,
	named,
	oneOf,
	parseQuery,
	type Query,
	unknownImage,
	unknownRemote,
	withoutRepeats,
} from './query.ts';
import {StreamCatalogue, type StreamContent, type StreamRemote} from './stream.ts';
import {entriesByHash, newestEntries, ubuntuRemotes} from './ubuntu.ts';
import {readUserFile} from './user-file.ts';

export type CataloguesOptions = {
	/** The cache of images. */
	readonly root: string;
	/** Where a user's own list may be. */
	readonly config: string | undefined;
	/** As catalogues write it: `amd64`. */
	readonly architecture: string;
	readonly times: Times;
	/** The setting `local.image.mirror`, empty when it is not set. */
	readonly mirror: () => string;
	/** Searched in this order; those that are not searched before the others come last. */
	readonly remotes?: readonly StreamRemote[];
	readonly distributions?: readonly Distribution[];
	readonly now?: () => number;
};

/** Searched before the lists without a name. */
const first = new Set(['release', 'daily']);

/** All that can be launched by name, besides micro. */
export class Catalogues {
	readonly #options: CataloguesOptions;
	readonly #streams: readonly StreamCatalogue[];
	readonly #mirrors = new Map<string, StreamCatalogue>();
	readonly #sums: ChecksumFiles;

	constructor(options: CataloguesOptions) {
		this.#options = options;
		this.#streams = (options.remotes ?? ubuntuRemotes).map(remote => new StreamCatalogue(remote, options));
		this.#sums = new ChecksumFiles(options);
	}

	/**
	 * What a query stands for. Asks servers only where the answer depends on them.
	 * @throws DroverError `image.unknown`; `image.download` when a catalogue that would be needed cannot be had
	 */
	async resolve(text: string): Promise<{readonly entry: CatalogueEntry; readonly notes: readonly string[]}> {
		const query = parseQuery(text);
		const found = await (query.remote === undefined ? this.#anywhere(query.name, text) : this.#within(query, text));
		return {
			entry: found.entry,
			notes: [
				...found.notes,
				...(found.entry.supported ? [] : [`${found.entry.os} ${found.entry.release} is no longer supported.`]),
			],
		};
	}

	/** @throws DroverError `image.unknown` for a remote there is not; `image.download` for one that cannot be had */
	async find({query, showUnsupported = false, forceUpdate = false}: FindRequest): Promise<Found> {
		const {remote, name} = parseQuery(query);
		const streams = remote === undefined ? this.#streams : [this.#stream(remote)];
		const fixed = remote === undefined ? await this.#fixed() : {entries: [], notes: []};
		const answers = await Promise.all(
			streams.map(async stream => {
				try {
					const {value, note} = await stream.get({force: forceUpdate});
					return {
						isFirst: first.has(stream.remote.name),
						entries: newestOf(stream, value),
						notes: notesOf(stream, value, note),
						advice: undefined,
					};
				} catch (error) {
					// Asked for by name it must be there; otherwise the others are listed.
					if (remote !== undefined || !(error instanceof DroverError)) throw error;
					return {isFirst: false, entries: [], notes: [error.message], advice: error.next};
				}
			}),
		);
		const all = [
			...answers.filter(({isFirst}) => isFirst).flatMap(({entries}) => entries),
			...fixed.entries,
			...answers.filter(({isFirst}) => !isFirst).flatMap(({entries}) => entries),
		].filter(({supported}) => supported || showUnsupported);
		const entries = name === '' ? all : all.filter(entry => matches(entry, name));
		return {
			entries: name === '' && remote === undefined ? withoutRepeats(entries) : entries,
			notes: [
				...new Set([
					...answers.flatMap(({notes}) => notes),
					// Said once, though it is so for each.
					...answers.flatMap(({advice}) => advice ?? []),
					...fixed.notes,
				]),
			],
		};
	}

	/** What its publisher says an image's bytes are. @throws DroverError `image.*` */
	async digestOf(
		entry: CatalogueEntry,
		options?: {force?: boolean},
	): Promise<{readonly digest: Digest; readonly notes: readonly string[]}> {
		if (isDigest(entry.checksum)) return {digest: entry.checksum, notes: []};
		return this.#sums.get(entry, entry.checksum, options);
	}

	/** The same without asking; `undefined` when it is not known. */
	async knownDigest(entry: CatalogueEntry): Promise<Digest | undefined> {
		return isDigest(entry.checksum) ? entry.checksum : this.#sums.peek(entry, entry.checksum);
	}

	/** The entry as its catalogue has it now, asked anew; `undefined` when it is as it was. */
	async renewed(
		entry: CatalogueEntry,
		before: Digest,
	): Promise<{readonly entry: CatalogueEntry; readonly digest: Digest} | undefined> {
		let now = entry;
		if (isDigest(entry.checksum)) {
			const stream = this.#streams.find(({remote}) => remote.name === entry.remote);
			if (stream === undefined) return undefined;
			const {value} = await stream.get({force: true});
			const same = newestOf(stream, value).find(({product}) => product === entry.product);
			if (same === undefined || same.url !== entry.url) return undefined;
			now = same;
		}
		const {digest} = await this.digestOf(now, {force: true});
		return isSameDigest(digest, before) ? undefined : {entry: now, digest};
	}

	/** Where a mirror has exactly this image; a sentence when one is set and does not. */
	async mirrored(entry: CatalogueEntry): Promise<{readonly url?: string; readonly note?: string}> {
		const base = this.#options.mirror();
		const stream = this.#streams.find(({remote}) => remote.name === entry.remote);
		if (base === '' || !stream?.remote.hasMirrors || base === stream.remote.base) return {};
		const mirror = this.#mirror(base, stream.remote);
		try {
			const {value} = await mirror.get();
			const version = value.files
				.flatMap(({products}) => products)
				.find(({id}) => id === entry.product)
				?.versions.find(one => one.version === entry.version);
			const isIdentical = version !== undefined && isDigest(entry.checksum) && version.sha256 === entry.checksum.hex;
			if (isIdentical) return {url: mirror.urlOf(version.path).href};
			const host = plainLine(mirror.root.host);
			const what = version === undefined ? 'does not list this version' : 'lists another hash for this version';
			return {note: `The mirror ${host} ${what}: the image is taken from ${stream.root.host}.`};
		} catch (error) {
			if (!(error instanceof DroverError)) throw error;
			return {note: `The mirror cannot be used (${error.message}): the image is taken from ${stream.root.host}.`};
		}
	}

	async #anywhere(name: string, text: string) {
		const fixed = await this.#fixed();
		const inFixed = named(fixed.entries, name);
		const failures: DroverError[] = [];
		const notes: string[] = [];
		const look = async (stream: StreamCatalogue) => {
			if (inFixed !== undefined) {
				// For a name that is known here no server is waited for, unless its catalogue has the name as well.
				const known = await stream.peek();
				if (known === undefined || named(newestOf(stream, known.value), name) === undefined) return undefined;
			}
			try {
				const {value, note} = await stream.get();
				const entry = named(newestOf(stream, value), name);
				const more = notesOf(stream, value, note);
				notes.push(...more);
				return entry && {entry, notes: more};
			} catch (error) {
				if (!(error instanceof DroverError)) throw error;
				failures.push(error);
				return undefined;
			}
		};
		for (const stream of this.#streams.filter(({remote}) => first.has(remote.name))) {
			const found = await look(stream);
			if (found !== undefined) return found;
		}
		if (inFixed !== undefined) return {entry: inFixed, notes: []};
		for (const stream of this.#streams.filter(({remote}) => !first.has(remote.name))) {
			const found = await look(stream);
			if (found !== undefined) return found;
		}
		if (isHashPrefix(name)) {
			const entry = await this.#byHash(name, this.#streams, fixed.entries);
			if (entry !== undefined) return {entry, notes};
		}
		// It may be in the one that could not be had.
		if (failures[0] !== undefined) throw failures[0];
		throw unknownImage(text, fixed.notes);
	}

	async #within({remote = '', name}: Query, text: string) {
		const stream = this.#stream(remote);
		const {value, note} = await stream.get();
		const entry =
			named(newestOf(stream, value), name === '' ? 'default' : name) ??
			(isHashPrefix(name) ? await this.#byHash(name, [stream], []) : undefined);
		if (entry === undefined) throw unknownImage(text, []);
		return {entry, notes: notesOf(stream, value, note)};
	}

	async #byHash(
		name: string,
		streams: readonly StreamCatalogue[],
		fixed: readonly CatalogueEntry[],
	): Promise<CatalogueEntry | undefined> {
		const digits = name.toLowerCase();
		const found: CatalogueEntry[] = [];
		for (const stream of streams) {
			const known = await stream.peek();
			if (known !== undefined) {
				found.push(...entriesByHash(stream.remote, productsOf(known.value), digits, below => stream.urlOf(below).href));
			}
		}
		found.push(...fixed.filter(({checksum}) => isDigest(checksum) && checksum.hex.startsWith(digits)));
		return oneOf(found, digits);
	}

	#stream(remote: string): StreamCatalogue {
		const found = this.#streams.find(stream => stream.remote.name === remote);
		if (found !== undefined) return found;
		throw unknownRemote(
			remote,
			this.#streams.map(stream => stream.remote.name),
		);
	}

	#mirror(base: string, remote: StreamRemote): StreamCatalogue {
		const key = `${base} ${remote.name}`;
		const existing = this.#mirrors.get(key);
		if (existing !== undefined) return existing;
		// It is not believed, only compared: what its own signature says does not matter.
		const {signing: _, ...unsigned} = remote;
		const mirror = new StreamCatalogue({...unsigned, name: `mirror-${remote.name}`, base}, this.#options);
		this.#mirrors.set(key, mirror);
		return mirror;
	}

	/** The lists without a name: the user's own, then drover's. A name of the user's stands for the user's image. */
	async #fixed(): Promise<Found> {
		const {config, architecture} = this.#options;
		const own = config === undefined ? {entries: [], problems: []} : await readUserFile(config, architecture);
		const taken = new Set(own.entries.map(({name}) => name.toLowerCase()));
		const ours = distributionEntries(architecture, this.#options.distributions);
		return {entries: [...own.entries, ...ours.filter(({name}) => !taken.has(name))], notes: own.problems};
	}
}

function productsOf(content: StreamContent) {
	return content.files.flatMap(({products}) => products);
}

function newestOf(stream: StreamCatalogue, content: StreamContent): CatalogueEntry[] {
	return newestEntries(stream.remote, productsOf(content), below => stream.urlOf(below).href);
}

function notesOf(stream: StreamCatalogue, {verdict}: StreamContent, note: string | undefined): string[] {
	return [...(note === undefined ? [] : [note]), ...verdictNotes(verdict, `the catalogue ${stream.remote.name}`)];
}
