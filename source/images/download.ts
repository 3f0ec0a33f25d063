import {createHash, type Hash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {type FileHandle, mkdir, open, readFile, rename, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../model/errors.ts';
import {humanSize, mebibyte} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import {writeAtomic} from '../state/atomic.ts';
import {type ImageCache, keyName} from './cache.ts';
import {headProblem, headSize, notDisk, unusable} from './format.ts';
import {Interrupted, networkCause, request, type Times} from './http.ts';
import type {ImageForm, ImageWork} from './image.ts';
import {mayBeArchive} from './rootfs/inspect.ts';
import {throwIfCancelled} from './run.ts';

/** By what one sees that what a server has is still the same. */
export type Validators = Readonly<Record<string, string>>;

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

export type Downloaded = {readonly hash: string; readonly validators: Validators};

/**
 * Downloads to `target`. An interrupted download is taken up again where it stopped, in this call and (when the server
 * says by what it knows the file) in a later one; a cancelled one leaves nothing.
 * @throws DroverError `image.download`, `image.unusable`, `host.disk-full`, `operation.cancelled`
 */
export async function download(
	url: URL,
	target: string,
	cache: ImageCache,
	work: ImageWork,
	times: Times,
	form: ImageForm,
): Promise<Downloaded> {
	const partials = path.join(cache.root, 'partial');
	await mkdir(partials, {recursive: true, mode: 0o700});
	const part = path.join(partials, `${keyName(url.href)}.part`);
	for (let attempt = 0; ; attempt++) {
		try {
			const result = await transfer(url, part, cache, work, times, form);
			await rename(part, target);
			await rm(`${part}.json`, {force: true});
			return result;
		} catch (error) {
			if (!(error instanceof Interrupted)) {
				// Cancelled or refused: nothing stays.
				await rm(part, {force: true});
				await rm(`${part}.json`, {force: true});
				throw error;
			}
			const delay = times.retries[attempt];
			if (delay === undefined) {
				throw new DroverError('image.download', `The image could not be downloaded: ${error.message}.`, {
					next: 'Check the network and try again; what was downloaded is kept for that.',
					cause: error.cause ?? error,
				});
			}
			work.log(`Download interrupted: ${error.message}. Trying again.`);
			await sleep(delay, undefined, {signal: work.signal}).catch(() => undefined);
			if (work.signal.aborted) {
				await rm(part, {force: true});
				await rm(`${part}.json`, {force: true});
			}
			throwIfCancelled(work.signal);
		}
	}
}

/** Asks the server whether what we have is what it has. A server that cannot be asked changes nothing: we have one. */
export async function isStillCurrent(
	url: URL,
	entry: {readonly validators: Validators; readonly at: string},
	work: ImageWork,
	times: Times,
): Promise<boolean> {
	const instead = (why: string) => {
		work.log(`${why}: using the image that was downloaded at ${entry.at}.`);
		return true;
	};
	work.progress('asking whether the image has changed');
	try {
		const response = await request(url, {method: 'HEAD', signal: work.signal, answerTimeout: times.answer});
		await response.body?.cancel();
		if (!response.ok) return instead(`${url.host} answers with status ${response.status}`);
		const current = validatorsOf(response);
		const known = Object.keys(entry.validators).filter(name => name in current);
		return known.length > 0 && known.every(name => current[name] === entry.validators[name]);
	} catch (error) {
		if (error instanceof Interrupted) return instead(error.message);
		throw error;
	}
}

async function transfer(
	url: URL,
	part: string,
	cache: ImageCache,
	work: ImageWork,
	times: Times,
	form: ImageForm,
): Promise<Downloaded> {
	const started = await readPartial(part);
	const condition = started && strongValidator(started.validators);
	const headers: Record<string, string> =
		started && condition ? {range: `bytes=${started.size}-`, 'if-range': condition} : {};
	const response = await request(url, {method: 'GET', headers, signal: work.signal, answerTimeout: times.answer});
	try {
		const resumed = response.status === 206 && started !== undefined && continues(response, started);
		if (response.status === 416 || (response.status === 206 && !resumed)) {
			await rm(part, {force: true});
			throw new Interrupted(`${url.host} cannot continue the download`);
		}
		checkStatus(response, url);
		const offset = resumed ? started.size : 0;
		const length = lengthOf(response);
		const total = length === undefined ? undefined : offset + length;
		const validators = {...validatorsOf(response), ...(total === undefined ? {} : {length: String(total)})};
		if (total !== undefined) await cache.needSpace(total - offset, 'The image');
		if (total === 0) throw unusable(plainLine(url.href), 'is empty');
		await writeAtomic(`${part}.json`, JSON.stringify(validators));
		const hash = createHash('sha256');
		if (resumed) {
			work.log(`Continuing the download at ${humanSize(offset)}.`);
			await hashFrom(part, hash);
		}
		const handle = await open(part, resumed ? 'a' : 'w', 0o600);
		try {
			await receive(response, handle, {hash, offset, total, url, form}, work, times);
			await handle.sync();
		} finally {
			await handle.close();
		}
		return {hash: hash.digest('hex'), validators};
	} catch (error) {
		await response.body?.cancel().catch(() => undefined);
		throw error;
	}
}

async function receive(
	response: Response,
	handle: FileHandle,
	{
		hash,
		offset,
		total,
		url,
		form,
	}: {
		readonly hash: Hash;
		readonly offset: number;
		readonly total: number | undefined;
		readonly url: URL;
		readonly form: ImageForm;
	},
	work: ImageWork,
	times: Times,
): Promise<void> {
	if (response.body === null) throw new Interrupted(`${url.host} sent nothing`);
	const reader = response.body.getReader();
	let received = offset;
	let head: Buffer | undefined = Buffer.alloc(0);
	for (;;) {
		const {done, value} = await readWithin(reader, times.stall, work.signal, url.host);
		if (done) break;
		hash.update(value);
		await handle.write(value);
		received += value.length;
		if (head !== undefined && offset === 0) {
			head = Buffer.concat([head, value]);
			if (head.length >= headSize) {
				// A web page or an archive is refused after its first bytes, not after its last.
				refuse(head, url, form);
				head = undefined;
			}
		}
		if (total !== undefined && received > total) throw new Interrupted(`${url.host} sends more than it said`);
		const stage = 'downloading the image';
		if (total === undefined) work.progress(`${stage}, ${humanSize(received)}`);
		else work.progress(stage, (100 * received) / total);
	}
	if (total !== undefined && received < total) {
		throw new Interrupted(`${url.host} ended the connection after ${humanSize(received)} of ${humanSize(total)}`);
	}
}

async function readWithin(
	reader: ReadableStreamDefaultReader<Uint8Array>,
	milliseconds: number,
	signal: AbortSignal,
	host: string,
): Promise<Awaited<ReturnType<typeof reader.read>>> {
	let timer: NodeJS.Timeout | undefined;
	const stalled = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Interrupted(`${host} sends nothing any more`)), milliseconds);
	});
	try {
		return await Promise.race([reader.read(), stalled]);
	} catch (error) {
		throwIfCancelled(signal);
		if (error instanceof Interrupted) {
			await reader.cancel().catch(() => undefined);
			throw error;
		}
		throw new Interrupted(networkCause(error), {cause: error});
	} finally {
		clearTimeout(timer);
	}
}

function refuse(head: Buffer, url: URL, form: ImageForm): void {
	if (mayBeArchive(head)) {
		if (form === 'rootfs') return;
		if (/\.(?:tar(?:\.\w+)?|t[gx]z)$/i.test(url.pathname)) throw notDisk(plainLine(url.href));
	}
	const problem = headProblem(head);
	if (problem === undefined) return;
	throw unusable(
		plainLine(url.href),
		`cannot be used: it is ${problem.is}`,
		problem.remedy && `Download it, unpack or convert it (${problem.remedy}), and launch from file:///….`,
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
			: `${url.host} refuses to send the image: status ${status}.`,
		{next: 'Check the address.'},
	);
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

function continues(response: Response, started: {size: number; validators: Validators}): boolean {
	const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
	if (range === null || Number(range[1]) !== started.size) return false;
	const etag = response.headers.get('etag');
	return etag === null || etag === started.validators['etag'];
}

async function readPartial(part: string): Promise<{size: number; validators: Validators} | undefined> {
	try {
		const {size} = await stat(part);
		const validators: unknown = JSON.parse(await readFile(`${part}.json`, 'utf8'));
		if (size === 0 || typeof validators !== 'object' || validators === null) return undefined;
		const texts = Object.entries(validators).filter(pair => typeof pair[1] === 'string');
		return {size, validators: Object.fromEntries(texts) as Validators};
	} catch {
		return undefined;
	}
}

async function hashFrom(file: string, hash: Hash): Promise<void> {
	for await (const chunk of createReadStream(file, {highWaterMark: mebibyte})) hash.update(chunk);
}
