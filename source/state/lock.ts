import {readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import process from 'node:process';
import {setTimeout as delay} from 'node:timers/promises';
import {DroverError} from '../model/errors.ts';

export type Lock = {
	/** Frees it. It is also freed by the kernel when the process ends, however it ends. */
	release(): void;
};

const attempts = 3;
const busy = 5;
const notADatabase = 26;

/**
 * Takes the lock that only one process of a user can hold, or answers `undefined` within 30 ms when another has it.
 *
 * It is an exclusive transaction on an SQLite file: the one kernel lock Node can reach without native code. The kernel
 * drops it when the process dies, so there is never a file that a person must remove; programs that are started
 * meanwhile do not inherit it. The file stays empty: nothing is ever written to it.
 * @throws DroverError `host.failed` when the file cannot be made or opened
 */
export async function takeLock(path: string): Promise<Lock | undefined> {
	const {DatabaseSync} = await import('node:sqlite');
	let isEmptied = false;
	for (let attempt = 1; ; attempt++) {
		let database: InstanceType<typeof DatabaseSync> | undefined;
		try {
			database = new DatabaseSync(path);
			database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
			writeHolder(path);
			return hold(database, path);
		} catch (error) {
			if (database?.isOpen) database.close();
			const code = (error as {errcode?: number}).errcode;
			if (code === busy) {
				// SQLite locks in two steps, so two that try in the same instant can both be refused: try again a few times.
				if (attempt >= attempts) return undefined;
				await delay(1 + Math.random() * 9);
				continue;
			}
			if (code === notADatabase && !isEmptied) {
				isEmptied = true;
				// Something else was written over it. Emptied, not removed: a second process that removes it a moment later
				// would remove a file that the first one has locked by then.
				truncateSync(path, 0);
				continue;
			}
			throw new DroverError('host.failed', `The lock ${path} cannot be taken, so drover cannot start.`, {
				next: 'Check that its directory exists, is yours and can be written to, and that the disk is not full.',
				cause: error,
			});
		}
	}
}

/** The process that holds the lock, or held it last: for messages only, never for a decision. */
export function lockHolder(path: string): number | undefined {
	try {
		const pid = Number(readFileSync(holderPath(path), 'utf8').trim());
		return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
	} catch {
		return undefined;
	}
}

function hold(database: {isOpen: boolean; close(): void}, path: string): Lock {
	return {
		release() {
			if (!database.isOpen) return;
			rmSync(holderPath(path), {force: true});
			database.close();
		},
	};
}

const holderPath = (path: string) => `${path}.pid`;

function writeHolder(path: string) {
	try {
		writeFileSync(holderPath(path), `${process.pid}\n`, {mode: 0o600});
	} catch {
		// Only messages are poorer without it; a full disk must not keep the daemon from starting.
	}
}
