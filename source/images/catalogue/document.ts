import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {bodyOf} from '../body.ts';
import {Interrupted, request, type Times} from '../http.ts';
import type {Validators} from '../partial.ts';
import {checkSignature, type Signing, type Verdict, verifierFor} from '../signature.ts';
import {withWorkDirectory} from '../workshop.ts';

/** A catalogue or a list of hashes, with what is known of its signature. */
export type FetchedDocument = {readonly text: string; readonly verdict: Verdict; readonly validators: Validators};

export type DocumentOptions = {
	/** What the server said of the one that is known. */
	readonly known?: Validators;
	readonly signing?: Signing;
	/** Bytes; a longer one is refused. */
	readonly limit: number;
	readonly signal: AbortSignal;
	readonly times: Times;
	/** The cache, for work directories. */
	readonly root: string;
};

/**
 * Fetches a document over https, and checks its signature when its publisher signs it.
 * @returns `undefined` when the server says that it is the one that is known
 * @throws Interrupted; DroverError `image.download`, `image.untrusted`
 */
export async function fetchDocument(url: URL, options: DocumentOptions): Promise<FetchedDocument | undefined> {
	if (url.protocol !== 'https:') {
		throw new DroverError('image.untrusted', `${plainLine(url.href)} is not an https:// address.`, {
			next: 'Catalogues and lists of hashes are fetched over https only.',
		});
	}
	const fetched = await get(url, options, options.known);
	if (fetched === undefined) return undefined;
	const {signing} = options;
	if (signing === undefined) {
		return {text: fetched.body.toString('utf8'), verdict: {kind: 'unsigned'}, validators: fetched.validators};
	}
	// A file that nothing can be done with is not asked for, and must not be missed.
	const isWanted = signing.kind === 'detached' && 'keyring' in (await verifierFor(signing));
	const signature = isWanted && signing.url !== undefined ? await get(new URL(signing.url), options) : undefined;
	const {verdict, text} = await withWorkDirectory(options.root, directory =>
		checkSignature(
			{name: url.href, body: fetched.body, ...(signature === undefined ? {} : {signature: signature.body})},
			signing,
			{directory, signal: options.signal},
		),
	);
	return {text: text.toString('utf8'), verdict, validators: fetched.validators};
}

/** For who has something to go on with: one try, and not for long. */
export function hasty(times: Times): Times {
	return {answer: Math.min(times.answer, 5000), stall: Math.min(times.stall, 5000), retries: []};
}

type Body = {readonly body: Buffer; readonly validators: Validators};

async function get(url: URL, options: DocumentOptions, known?: Validators): Promise<Body | undefined> {
	try {
		return await getOnce(url, options, known);
	} catch (error) {
		const [delay] = options.times.retries;
		if (!(error instanceof Interrupted) || delay === undefined) throw error;
		// A stumble of the network is common; more than that is told.
		await sleep(delay, undefined, {signal: options.signal}).catch(() => undefined);
		return getOnce(url, options, known);
	}
}

async function getOnce(url: URL, options: DocumentOptions, known: Validators = {}): Promise<Body | undefined> {
	const {signal, times, limit} = options;
	const {etag, 'last-modified': modified} = known;
	const response = await request(url, {
		method: 'GET',
		headers: {
			// Catalogues are long and repeat themselves.
			'accept-encoding': 'gzip',
			...(etag === undefined ? {} : {'if-none-match': etag}),
			...(modified === undefined ? {} : {'if-modified-since': modified}),
		},
		signal,
		answerTimeout: Math.min(times.answer, 15_000),
	});
	if (response.status !== 200) await response.body?.cancel();
	if (response.status === 304 && Object.keys(known).length > 0) return undefined;
	if (response.status >= 500 || response.status === 429) {
		throw new Interrupted(`${url.host} answers with status ${response.status}`);
	}
	if (response.status !== 200) {
		throw new DroverError(
			'image.download',
			`${url.host} has no ${plainLine(url.pathname)}: status ${response.status}.`,
			{next: 'Try again later.'},
		);
	}
	const body = await readBody(response, url, {limit, stall: Math.min(times.stall, 15_000), signal});
	const validators = Object.fromEntries(
		['etag', 'last-modified'].flatMap(name => {
			const value = response.headers.get(name);
			return value === null ? [] : [[name, value.slice(0, 1000)]];
		}),
	);
	return {body, validators};
}

async function readBody(
	response: Response,
	url: URL,
	{limit, stall, signal}: {limit: number; stall: number; signal: AbortSignal},
): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	let size = 0;
	for await (const piece of bodyOf(response, {host: url.host, stall, signal})) {
		pieces.push(piece);
		size += piece.length;
		if (size > limit) {
			throw new DroverError('image.unusable', `${plainLine(url.href)} is longer than a catalogue can be.`, {
				next: 'Check the address.',
			});
		}
	}
	const length = response.headers.get('content-length');
	if (length !== null && response.headers.get('content-encoding') === null && Number(length) !== size) {
		throw new Interrupted(`${url.host} ended the connection too early`);
	}
	return Buffer.concat(pieces);
}
