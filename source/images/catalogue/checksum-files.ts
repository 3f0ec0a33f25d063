import path from 'node:path';
import * as v from 'valibot';
import {DroverError} from '../../model/errors.ts';
import {mebibyte} from '../../model/sizes.ts';
import {plainLine} from '../../model/text.ts';
import {keyName} from '../cache.ts';
import type {Digest} from '../digest.ts';
import type {Times} from '../http.ts';
import type {Verdict} from '../signature.ts';
import {digestIn} from './checksums.ts';
import {type FetchedDocument, fetchDocument, hasty} from './document.ts';
import type {CatalogueEntry, ChecksumFile} from './entry.ts';
import {Kept} from './kept.ts';

/** Lists of hashes on servers, read, checked, kept. */
export class ChecksumFiles {
	readonly #options: {readonly root: string; readonly times: Times; readonly now?: () => number};
	readonly #files = new Map<string, Kept<FetchedDocument>>();

	constructor(options: {root: string; times: Times; now?: () => number}) {
		this.#options = options;
	}

	/**
	 * What its publisher says an image's bytes are.
	 * @throws DroverError `image.download`, `image.untrusted`
	 */
	async get(
		entry: CatalogueEntry,
		file: ChecksumFile,
		options?: {force?: boolean},
	): Promise<{readonly digest: Digest; readonly notes: readonly string[]}> {
		const {value, note} = await this.#file(file).get(options);
		const digest = digestIn(value.text, fileNameOf(entry.url));
		if (digest === undefined) {
			throw new DroverError(
				'image.download',
				`${plainLine(file.url)} does not list ${plainLine(fileNameOf(entry.url))}.`,
				{next: 'Its publisher may be replacing it just now: try again later.'},
			);
		}
		return {digest, notes: [...(note === undefined ? [] : [note]), ...verdictNotes(value.verdict, file.url)]};
	}

	/** What is known of it without asking. */
	async peek(entry: CatalogueEntry, file: ChecksumFile): Promise<Digest | undefined> {
		const known = await this.#file(file).peek();
		return known && digestIn(known.value.text, fileNameOf(entry.url));
	}

	#file(file: ChecksumFile): Kept<FetchedDocument> {
		const existing = this.#files.get(file.url);
		if (existing !== undefined) return existing;
		const url = new URL(file.url);
		const {root, times, now} = this.#options;
		const kept = new Kept<FetchedDocument>({
			file: path.join(root, 'catalogue', `sums-${keyName(url.href).slice(0, 20)}.json`),
			identity: `1 ${url.href} ${file.signing?.kind ?? 'unsigned'}`,
			name: `The list of hashes ${url.pathname.split('/').at(-1)}`,
			host: url.host,
			without: 'Try again when it can be reached; micro and images on this machine (file:///…) do not need it.',
			read: value => {
				const read = v.safeParse(document, value);
				return read.success ? (read.output as FetchedDocument) : undefined;
			},
			ask: async (known, signal) => {
				const fetched = await fetchDocument(url, {
					limit: mebibyte,
					signal,
					times: known === undefined ? times : hasty(times),
					root,
					...(file.signing === undefined ? {} : {signing: file.signing}),
					// One that could not be checked may be checked now.
					...(known === undefined || known.verdict.kind === 'unchecked' ? {} : {known: known.validators}),
				});
				return fetched ?? known!;
			},
			...(now === undefined ? {} : {now}),
		});
		this.#files.set(file.url, kept);
		return kept;
	}
}

/** What a person should know of a signature. */
export function verdictNotes(verdict: Verdict, what: string): string[] {
	if (verdict.kind !== 'unchecked') return [];
	return [`The signature of ${plainLine(what)} was not checked: ${verdict.reason}. Certificate and hash are checked.`];
}

function fileNameOf(url: string): string {
	return decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '');
}

const text = v.string();
const document = v.object({
	text,
	validators: v.record(text, text),
	verdict: v.variant('kind', [
		v.object({kind: v.literal('verified'), key: text}),
		v.object({kind: v.literal('unsigned')}),
		v.object({kind: v.literal('unchecked'), reason: text}),
	]),
});
