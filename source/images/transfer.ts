import {open} from 'node:fs/promises';
import {DroverError} from '../model/errors.ts';
import {humanSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {bodyOf} from './body.ts';
import type {ImageCache} from './cache.ts';
import {type Digest, Hashes} from './digest.ts';
import {headSize, unusable} from './format.ts';
import {Interrupted, request, type Times} from './http.ts';
import type {ImageForm, ImageWork} from './image.ts';
import type {Begun, Partial, Validators} from './partial.ts';
import {refuseHead} from './unpack.ts';
import {Appender} from './write.ts';

export type Job = {
	readonly url: URL;
	readonly partial: Partial;
	readonly cache: ImageCache;
	readonly work: ImageWork;
	readonly times: Times;
	/** A disk, or an archive for containers. */
	readonly form: ImageForm;
	/** What its publisher says of it, when that is known before. */
	readonly wanted?: {readonly digest: Digest; readonly size?: number | undefined} | undefined;
};

export type Transferred = {
	readonly sha256: string;
	readonly sha512?: string;
	readonly validators: Validators;
	/** Whether its beginning came from an earlier request. */
	readonly isResumed: boolean;
};

/**
 * One request: from where the partial file ends, or from the beginning, to the end. The bytes are hashed on their way;
 * what an earlier request left is read once more for that.
 * @throws Interrupted, with the partial file kept; DroverError `image.*`, `host.disk-full`, `operation.cancelled`
 */
export async function transfer(job: Job): Promise<Transferred> {
	const {url, partial, cache, work, times, wanted} = job;
	const begun = await partial.read();
	const headers = begun === undefined ? undefined : rangeHeaders(begun, job);
	const response = await request(url, {
		method: 'GET',
		...(headers === undefined ? {} : {headers}),
		signal: work.signal,
		answerTimeout: times.answer,
	});
	try {
		const isResumed = response.status === 206 && begun !== undefined && continues(response, begun);
		if (response.status === 416 || (response.status === 206 && !isResumed)) {
			await partial.remove();
			throw new Interrupted(`${url.host} cannot continue the download`);
		}
		checkStatus(response, url);
		const offset = isResumed ? begun.size : 0;
		const length = lengthOf(response);
		const total = length === undefined ? wanted?.size : offset + length;
		if (total === 0) throw unusable(plainLine(url.href), 'is empty');
		checkSize(total, job);
		if (total !== undefined) await cache.needSpace(total - offset, 'The image');
		const validators = {...validatorsOf(response), ...(total === undefined ? {} : {length: String(total)})};
		const hashes = new Hashes(wanted?.digest);
		if (isResumed) {
			work.log(`Continuing the download at ${humanSize(offset)}.`);
			await partial.hashInto(hashes);
		} else {
			// Not what the old note says: its bytes are replaced from the beginning.
			await partial.remove();
		}
		await partial.describe(url.href, validators);
		await receive(response, {job, hashes, offset, total});
		return {...hashes.finish(), validators, isResumed};
	} catch (error) {
		await response.body?.cancel().catch(() => undefined);
		throw error;
	}
}

/** What asks for the rest only; `undefined` when nothing tells that it would be the rest of the same. */
function rangeHeaders(begun: Begun, {url, wanted}: Job): Record<string, string> | undefined {
	const range = `bytes=${begun.size}-`;
	const condition = begun.url === url.href ? strongValidator(begun.validators) : undefined;
	// Where the hash of the whole is known it tells in the end; where it is not, the file must be known to be the same.
	if (wanted !== undefined) return {range, ...(condition === undefined ? {} : {'if-range': condition})};
	return condition !== undefined && begun.isSound ? {range, 'if-range': condition} : undefined;
}

async function receive(
	response: Response,
	{job, hashes, offset, total}: {job: Job; hashes: Hashes; offset: number; total: number | undefined},
): Promise<void> {
	const {url, work, times} = job;
	const handle = await open(job.partial.file, offset > 0 ? 'a' : 'w', 0o600);
	const appender = new Appender(handle);
	let received = offset;
	let head: Buffer | undefined = offset === 0 ? Buffer.alloc(0) : undefined;
	try {
		for await (const value of bodyOf(response, {host: url.host, stall: times.stall, signal: work.signal})) {
			received += value.length;
			if (total !== undefined && received > total) throw new Interrupted(`${url.host} sends more than it said`);
			hashes.update(value);
			const isMuch = appender.add(value);
			if (isMuch !== undefined) await isMuch;
			if (head !== undefined) {
				head = Buffer.concat([head, value]);
				if (head.length >= headSize) {
					// A web page or an archive is refused after its first bytes, not after its last.
					refuseHead(head, url, job.form);
					head = undefined;
				}
			}
			const stage = 'downloading the image';
			if (total === undefined) work.progress(`${stage}, ${humanSize(received)}`);
			else work.progress(stage, (100 * received) / total);
		}
		// Put on the disk for good when it enters the cache.
		await appender.end();
	} finally {
		// What has arrived is kept for the next attempt. Whether it was written, the file's length tells.
		await appender.end().catch(() => undefined);
		await handle.close();
	}
	if (total !== undefined && received < total) {
		throw new Interrupted(`${url.host} ended the connection after ${humanSize(received)} of ${humanSize(total)}`);
	}
}

function checkSize(total: number | undefined, {url, wanted}: Job): void {
	if (wanted?.size === undefined || total === undefined || total === wanted.size) return;
	throw new DroverError(
		'image.untrusted',
		`${plainLine(url.href)} is not what its catalogue lists: it has ${total} bytes instead of ${wanted.size}.`,
		{next: 'Its publisher may be replacing it just now: try again later, or with find --force-update before.'},
	);
}

function checkStatus(response: Response, url: URL): void {
	const {status} = response;
	if (status === 200 || status === 206) return;
	if (status >= 500 || status === 408 || status === 429) {
		throw new Interrupted(`${url.host} answers with status ${status}`);
	}
	throw new DroverError(
		'image.download',
		status === 404 || status === 410
			? `${url.host} has no ${plainLine(url.pathname)}.`
			: `${url.host} refuses to send ${plainLine(url.pathname)}: status ${status}.`,
		{next: 'Check the address.'},
	);
}

export function validatorsOf(response: Response): Record<string, string> {
	const found: Record<string, string> = {};
	for (const name of ['etag', 'last-modified']) {
		const value = response.headers.get(name);
		if (value !== null) found[name] = value.slice(0, 1000);
	}
	const length = lengthOf(response);
	if (length !== undefined) found['length'] = String(length);
	return found;
}

function lengthOf(response: Response): number | undefined {
	const text = response.headers.get('content-length');
	// With an encoding the length is that of something else.
	if (text === null || !/^\d{1,15}$/.test(text) || response.headers.get('content-encoding') !== null) return undefined;
	return Number(text);
}

/** What may be sent as If-Range: a weak ETag may not. Source: RFC 9110, 13.1.5. */
function strongValidator(validators: Validators): string | undefined {
	const etag = validators['etag'];
	if (etag !== undefined) return etag.startsWith('"') ? etag : undefined;
	return validators['last-modified'];
}

function continues(response: Response, begun: Begun): boolean {
	const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
	if (range === null || Number(range[1]) !== begun.size) return false;
	const etag = response.headers.get('etag');
	return etag === null || begun.validators['etag'] === undefined || etag === begun.validators['etag'];
}
