import {setTimeout as sleep} from 'node:timers/promises';
import {abandoned} from '../model/abandoned.ts';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {storageError} from '../state/atomic.ts';
import {keyName} from './cache.ts';
import {Interrupted} from './http.ts';
import {Partial, type Validators} from './partial.ts';
import {throwIfCancelled} from './run.ts';
import {type Job, type Transferred, transfer} from './transfer.ts';

/** A connection that brings less than this has brought nothing: bytes. */
const progressWorthwhile = 65_536;
/** Attempts in all, whatever they bring. */
const attemptsAtMost = 1000;

export type Downloaded = {
	/** Of what was downloaded, in hexadecimal. */
	readonly sha256: string;
	readonly validators: Validators;
};

/**
 * Downloads to `target`, and compares with what is wanted when that is known. An interrupted download is taken up again
 * where it stopped, in this call and in a later one of whatever process; a cancelled or refused one leaves nothing.
 * @param request.name what the part that is kept is called: as the claim of the work is; the address when absent
 * @throws DroverError `image.download`, `image.unusable`, `image.untrusted`, `host.disk-full`, `operation.cancelled`
 */
export async function download(
	request: Omit<Job, 'partial'> & {readonly name?: string},
	target: string,
): Promise<Downloaded> {
	const {cache, url} = request;
	const partial = new Partial(cache.root, keyName(request.name ?? url.href));
	await partial.prepare();
	const job: Job = {...request, partial};
	try {
		let result = await persist(job);
		if (isWrong(result, job) && result.isResumed) {
			// Put together from two requests: perhaps the halves of different files.
			request.work.log('The parts of the download do not fit together: it is fetched anew.');
			await partial.remove();
			result = await persist(job);
		}
		if (isWrong(result, job)) throw mismatch(job, result);
		await partial.moveTo(target);
		return {sha256: result.sha256, validators: result.validators};
	} catch (error) {
		// Kept is only what can be continued: not what was refused or cancelled.
		if (!(error instanceof Exhausted) && request.work.signal.reason !== abandoned) await partial.remove();
		if (error instanceof Exhausted) throw error.told;
		throw error instanceof DroverError ? error : storageError(error, partial.file);
	}
}

/** Given up for now; what has arrived is kept. */
class Exhausted extends Error {
	readonly told: DroverError;

	constructor(told: DroverError) {
		super(told.message);
		this.told = told;
	}
}

/** Tries until all of it is there; only attempts that bring nothing are counted. */
async function persist(job: Job): Promise<Transferred> {
	const {partial, work, times} = job;
	let furthest = 0;
	let failures = 0;
	for (let attempt = 1; ; attempt++) {
		try {
			return await transfer(job);
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
			const size = await partial.size();
			if (size >= furthest + progressWorthwhile) failures = 0;
			furthest = Math.max(furthest, size);
			const delay = attempt < attemptsAtMost ? times.retries[failures++] : undefined;
			if (delay === undefined) {
				throw new Exhausted(
					new DroverError('image.download', `The image could not be downloaded: ${error.message}.`, {
						next: 'Check the network and try again; what was downloaded is kept for that.',
						cause: error.cause ?? error,
					}),
				);
			}
			work.log(`Download interrupted: ${error.message}. Trying again.`);
			await sleep(delay, undefined, {signal: work.signal}).catch(() => undefined);
			throwIfCancelled(work.signal);
		}
	}
}

function isWrong(result: Transferred, {wanted}: Job): boolean {
	return wanted !== undefined && result[wanted.digest.algorithm] !== wanted.digest.hex;
}

function mismatch({url, wanted}: Job, result: Transferred): DroverError {
	return new DroverError(
		'image.untrusted',
		`${plainLine(url.href)} is not what its publisher lists: its hash is another one. It was thrown away.`,
		{
			next: 'Its publisher may be replacing it just now: try again later, or with find --force-update before.',
			cause: `wanted ${wanted?.digest.hex}, got ${wanted && result[wanted.digest.algorithm]}`,
		},
	);
}
