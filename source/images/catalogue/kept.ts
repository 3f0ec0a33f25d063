import {mkdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import {ageText} from '../../model/age.ts';
import {DroverError} from '../../model/errors.ts';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import {Interrupted} from '../http.ts';

/** What a server said is believed this long without asking, in milliseconds. */
export const freshFor = 6 * 3600 * 1000;
/** A server that could not be asked is left alone this long, in milliseconds: longer when there is something to go on with. */
const pauseAfterFailure = {known: 60_000, unknown: 5000};
/** Asking may take this long in all, in milliseconds. */
const longest = 90_000;

export type Known<T> = {readonly value: T /** Milliseconds since the epoch. */; readonly checkedAt: number};

export type Answer<T> = {
	readonly value: T;
	/** A sentence, when the server could not be asked and this is what it said earlier. */
	readonly note?: string;
};

export type KeptOptions<T> = {
	readonly file: string;
	/** What is kept under another identity is of no use: another address, another architecture. */
	readonly identity: string;
	/** How it is called in sentences: `The catalogue release`. */
	readonly name: string;
	readonly host: string;
	/** What is kept, checked; `undefined` when it cannot be used. */
	readonly read: (value: unknown) => T | undefined;
	/** Asks the server. @throws Interrupted, DroverError */
	readonly ask: (known: T | undefined, signal: AbortSignal) => Promise<T>;
	/** What can be done without it, for the error when there is nothing. */
	readonly without: string;
	readonly now?: () => number;
};

/** What a server said, kept on disk: asked for again after six hours, and used on when the server cannot be asked. */
export class Kept<T> {
	readonly #options: KeptOptions<T>;
	#known: Promise<Known<T> | undefined> | undefined;
	#asking: Promise<Answer<T>> | undefined;
	#failure: {readonly at: number; readonly result: Answer<T> | DroverError} | undefined;

	constructor(options: KeptOptions<T>) {
		this.#options = options;
	}

	/** What is known, however old; nothing is asked. */
	peek(): Promise<Known<T> | undefined> {
		this.#known ??= this.#readFile();
		return this.#known;
	}

	/** @throws DroverError `image.download`, `image.untrusted` when it was never known and cannot be asked for */
	async get({force = false} = {}): Promise<Answer<T>> {
		const known = await this.peek();
		if (!force) {
			if (known !== undefined && this.#isYoung(known.checkedAt, freshFor)) return {value: known.value};
			const pause = pauseAfterFailure[known === undefined ? 'unknown' : 'known'];
			if (this.#failure !== undefined && this.#isYoung(this.#failure.at, pause)) {
				if (this.#failure.result instanceof DroverError) throw this.#failure.result;
				return this.#failure.result;
			}
		}
		this.#asking ??= this.#ask(known).finally(() => {
			this.#asking = undefined;
		});
		return this.#asking;
	}

	async #ask(known: Known<T> | undefined): Promise<Answer<T>> {
		const {name, host, file, identity} = this.#options;
		const abort = new AbortController();
		const timer = setTimeout(
			() => abort.abort(new DroverError('image.download', `${host} takes too long to answer.`)),
			longest,
		);
		try {
			const value = await this.#options.ask(known?.value, abort.signal);
			const checkedAt = this.#now();
			this.#failure = undefined;
			this.#known = Promise.resolve({value, checkedAt});
			makePrivate(path.dirname(path.dirname(file)));
			await mkdir(path.dirname(file), {recursive: true, mode: 0o700});
			// It is used whether it can be kept or not.
			await writeAtomic(file, JSON.stringify({identity, checkedAt, value})).catch(() => undefined);
			return {value};
		} catch (error) {
			const why = reasonOf(error);
			if (why === undefined) throw error;
			if (known === undefined) {
				const unavailable = this.#unavailable(error, why);
				this.#failure = {at: this.#now(), result: unavailable};
				throw unavailable;
			}
			const note = `${name} could not be refreshed (${why}): what ${host} said ${ageText(this.#now() - known.checkedAt)} ago is used.`;
			const result = {value: known.value, note};
			this.#failure = {at: this.#now(), result};
			return result;
		} finally {
			clearTimeout(timer);
		}
	}

	#unavailable(error: unknown, why: string): DroverError {
		const {name, without} = this.#options;
		return new DroverError(
			error instanceof DroverError ? error.code : 'image.download',
			`${name} could not be fetched: ${why}, and nothing of it is kept here.`,
			{next: without, cause: error instanceof DroverError ? error.detail : (error as Error).cause},
		);
	}

	async #readFile(): Promise<Known<T> | undefined> {
		try {
			const stored: unknown = JSON.parse(await readFile(this.#options.file, 'utf8'));
			const {identity, checkedAt, value} = stored as Record<string, unknown>;
			if (identity !== this.#options.identity || typeof checkedAt !== 'number') return undefined;
			const read = this.#options.read(value);
			return read === undefined ? undefined : {value: read, checkedAt};
		} catch {
			return undefined;
		}
	}

	/** What lies in the future was written under a wrong clock. */
	#isYoung(at: number, milliseconds: number): boolean {
		const age = this.#now() - at;
		return age >= 0 && age < milliseconds;
	}

	#now(): number {
		return this.#options.now?.() ?? Date.now();
	}
}

/** Why a server could not be asked, without the full stop; `undefined` for what is no trouble of the server. */
function reasonOf(error: unknown): string | undefined {
	if (error instanceof Interrupted) return error.message;
	if (!(error instanceof DroverError) || error.code === 'operation.cancelled') return undefined;
	return error.message.replace(/\.$/, '');
}
