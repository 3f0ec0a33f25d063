import path from 'node:path';
import * as v from 'valibot';
import {DroverError} from '../../model/errors.ts';
import {mebibyte} from '../../model/sizes.ts';
import type {Times} from '../http.ts';
import type {Validators} from '../partial.ts';
import {type Signing, type Verdict, verifierFor} from '../signature.ts';
import {type DocumentOptions, fetchDocument, hasty} from './document.ts';
import {type Answer, Kept, type Known} from './kept.ts';
import {readIndex, readProducts, type StreamProduct} from './simplestreams.ts';

/** A remote whose catalogue is in the simplestreams format. */
export type StreamRemote = {
	readonly name: string;
	/** `https://cloud-images.ubuntu.com/`: what a mirror stands in for. */
	readonly base: string;
	/** `releases/` */
	readonly directory: string;
	readonly hasMirrors: boolean;
	/** Products of other types are left out. */
	readonly imageType?: string;
	readonly signing?: Signing;
};

/** A catalogue as it is kept. */
export type StreamContent = {
	readonly verdict: Verdict;
	readonly index: Part & {readonly paths: readonly string[]};
	readonly files: readonly (Part & {readonly products: readonly StreamProduct[]})[];
};
type Part = {readonly url: string; readonly validators: Validators};

/** Bytes of a list of products; those of Ubuntu have some three million. */
const longest = 64 * mebibyte;

export type StreamOptions = {
	/** The cache of images. */
	readonly root: string;
	readonly architecture: string;
	readonly times: Times;
	readonly now?: () => number;
};

/** A catalogue on a server: read, checked, kept. */
export class StreamCatalogue {
	readonly remote: StreamRemote;
	/** The directory that paths are below. */
	readonly root: URL;
	readonly #options: StreamOptions;
	readonly #kept: Kept<StreamContent>;

	constructor(remote: StreamRemote, options: StreamOptions) {
		this.remote = remote;
		this.root = new URL(remote.directory, remote.base);
		this.#options = options;
		const {architecture, now} = options;
		const identity = `2 ${this.root.href} ${architecture}`;
		this.#kept = new Kept({
			file: path.join(options.root, 'catalogue', `${remote.name}-${this.root.host.replaceAll(/[^\w.-]/g, '_')}.json`),
			identity,
			name: `The catalogue ${remote.name}`,
			host: this.root.host,
			without: 'micro, images on this machine (file:///…) and addresses (https://…) can be launched without it.',
			read: value => {
				const read = v.safeParse(content, value);
				return read.success ? (read.output as StreamContent) : undefined;
			},
			ask: (known, signal) => this.#ask(known, signal),
			...(now === undefined ? {} : {now}),
		});
	}

	/** What is known of it without asking; `undefined` when nothing is. */
	peek(): Promise<Known<StreamContent> | undefined> {
		return this.#kept.peek();
	}

	/** @throws DroverError when nothing is known and it cannot be asked for */
	get(options?: {force?: boolean}): Promise<Answer<StreamContent>> {
		return this.#kept.get(options);
	}

	/** @throws DroverError `image.untrusted` when the path leads out of the catalogue */
	urlOf(below: string): URL {
		const url = new URL(below, this.root);
		if (url.href.startsWith(this.root.href)) return url;
		throw new DroverError('image.untrusted', `The catalogue ${this.remote.name} names a file outside of it.`, {
			next: 'Try again later.',
		});
	}

	async #ask(known: StreamContent | undefined, signal: AbortSignal): Promise<StreamContent> {
		const {signing, imageType} = this.remote;
		const verifier = signing === undefined ? undefined : await verifierFor(signing);
		const isSigned = verifier !== undefined && 'keyring' in verifier;
		const options: DocumentOptions = {
			limit: longest,
			signal,
			times: known === undefined ? this.#options.times : hasty(this.#options.times),
			root: this.#options.root,
			...(isSigned && signing !== undefined ? {signing} : {}),
		};
		const read = async (below: string, before: Part | undefined) => {
			const url = this.urlOf(isSigned ? below.replace(/\.json$/, '.sjson') : below);
			const same = before?.url === url.href ? before : undefined;
			const document = await fetchDocument(url, {...options, ...(same ? {known: same.validators} : {})});
			return {url: url.href, document};
		};
		const first = await read('streams/v1/index.json', known?.index);
		const index =
			first.document === undefined
				? known!.index
				: {
						url: first.url,
						validators: first.document.validators,
						paths: readIndex(first.document.text, this.remote.name),
					};
		const files = [];
		for (const below of index.paths) {
			const stem = this.urlOf(below).href.replace(/\.s?json$/, '');
			const before = known?.files.find(file => file.url.replace(/\.s?json$/, '') === stem);
			const {url, document} = await read(below, before);
			files.push(
				document === undefined
					? before!
					: {
							url,
							validators: document.validators,
							products: readProducts(document.text, this.remote.name, this.#options.architecture, imageType),
						},
			);
		}
		return {verdict: verdictOf(verifier, first.document?.verdict ?? known?.verdict), index, files};
	}
}

function verdictOf(
	verifier: {readonly keyring: string} | {readonly reason: string} | undefined,
	found: Verdict | undefined,
): Verdict {
	if (verifier === undefined) return {kind: 'unsigned'};
	if ('reason' in verifier) return {kind: 'unchecked', reason: verifier.reason};
	return found ?? {kind: 'unchecked', reason: 'nothing was fetched'};
}

const text = v.string();
const texts = v.array(text);
const part = {url: text, validators: v.record(text, text)};
const content = v.object({
	verdict: v.variant('kind', [
		v.object({kind: v.literal('verified'), key: text}),
		v.object({kind: v.literal('unsigned')}),
		v.object({kind: v.literal('unchecked'), reason: text}),
	]),
	index: v.object({...part, paths: texts}),
	files: v.array(
		v.object({
			...part,
			products: v.array(
				v.object({
					id: text,
					aliases: texts,
					os: text,
					release: text,
					codename: text,
					title: text,
					supported: v.boolean(),
					versions: v.pipe(
						v.array(v.object({version: text, path: text, sha256: text, size: v.number()})),
						v.minLength(1),
					),
				}),
			),
		}),
	),
});
