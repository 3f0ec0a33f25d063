import {causeWords} from '../../model/cause-words.ts';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {SftpRefusal} from './client.ts';

/** A path as it is shown. */
export function shown(file: string): string {
	return plainLine(file).slice(0, 200);
}

/** A refusal with what it is about. */
export async function refusedAt<Value>(file: string, asked: Promise<Value>): Promise<Value> {
	try {
		return await asked;
	} catch (error) {
		if (!(error instanceof SftpRefusal)) throw error;
		throw new DroverError('guest.failed', `${shown(file)} in the guest: ${error.message}.`);
	}
}

export function isDirectory(file: string): DroverError {
	return new DroverError('usage.invalid', `${shown(file)} is a directory.`, {next: 'Use --recursive to copy it.'});
}

export function notDirectory(file: string): DroverError {
	return new DroverError('guest.failed', `${shown(file)} in the guest is not a directory.`, {
		next: 'Several sources need a directory for their target; --parents makes it where there is nothing.',
	});
}

/** What could not be copied of a tree. One file that cannot be read is no reason to leave out the others. */
export class Mishaps {
	#first: DroverError | undefined;
	#count = 0;

	/** Runs, and keeps what concerns one entry only; what ends the whole is thrown. */
	async note(act: () => Promise<void>): Promise<void> {
		try {
			await act();
		} catch (error) {
			this.#keep(error);
		}
	}

	#keep(error: unknown): void {
		const known = asEntryProblem(error);
		if (known === undefined) throw error;
		this.#first ??= known;
		this.#count++;
	}

	/** @throws DroverError with the first reason, and how many more there were */
	tell(): void {
		if (this.#first === undefined) return;
		const more = this.#count === 1 ? '' : ` (and ${this.#count - 1} more)`;
		throw new DroverError(this.#first.code, `Not all could be copied: ${this.#first.message}${more}`, {
			next: this.#first.next,
		});
	}
}

const ofOneEntry = new Set([
	'EACCES',
	'EPERM',
	'ENOENT',
	'EISDIR',
	'ENOTDIR',
	'ELOOP',
	'ENAMETOOLONG',
	'EEXIST',
	'ENXIO',
]);

function asEntryProblem(error: unknown): DroverError | undefined {
	if (error instanceof DroverError) {
		return error.code === 'guest.failed' || error.code === 'host.failed' ? error : undefined;
	}
	if (error instanceof SftpRefusal) return new DroverError('guest.failed', `In the guest: ${error.message}.`);
	const {code} = error as NodeJS.ErrnoException;
	if (code === undefined || !ofOneEntry.has(code)) return undefined;
	return new DroverError('host.failed', `${plainLine(causeWords(error))}.`);
}
