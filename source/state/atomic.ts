import {type FileHandle, mkdir, open, readdir, rename, rm} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../model/errors.ts';

let counter = 0;

/**
 * Replaces a file's content whole or not at all, also over a power cut: written aside, synced, renamed, directory synced.
 * @param mode permissions of the file, 0600 unless told
 * @throws DroverError `host.disk-full` or `host.failed`; the file is then as it was
 */
export async function writeAtomic(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
	const aside = `${file}.${process.pid}-${counter++}.tmp`;
	let handle: FileHandle | undefined;
	try {
		handle = await open(aside, 'wx', mode);
		await handle.writeFile(content);
		await handle.sync();
		await handle.close();
		handle = undefined;
		await replace(aside, file);
		await syncDirectory(path.dirname(file));
	} catch (error) {
		await handle?.close().catch(() => {});
		await rm(aside, {force: true}).catch(() => {});
		throw storageError(error, file);
	}
}

/** How often, and how long apart in milliseconds, a file is tried to be replaced that somebody has open. */
const replaceAttempts = 10;
const replacePause = 20;

/**
 * Puts a file in the place of another. On Windows that is refused while a program has the other one open, as a virus
 * scanner does for a moment after each write.
 */
export async function replace(
	aside: string,
	file: string,
	platform: NodeJS.Platform = process.platform,
	move: typeof rename = rename,
): Promise<void> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await move(aside, file);
		} catch (error) {
			const code = (error as NodeJS.ErrnoException).code ?? '';
			const isHeld = platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(code);
			if (!isHeld || attempt >= replaceAttempts) throw error;
			await sleep(replacePause);
		}
	}
}

/** Makes the names in a directory survive a power cut. Platforms that cannot sync a directory are left alone. */
export async function syncDirectory(directory: string): Promise<void> {
	if (process.platform === 'win32') return;
	const handle = await open(directory, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Removes what a crash in the middle of {@link writeAtomic} left in a directory. */
export async function removeLeftovers(directory: string): Promise<void> {
	for (const name of await readdir(directory).catch(() => [])) {
		if (/\.\d+-\d+\.tmp$/.test(name)) await rm(path.join(directory, name), {force: true});
	}
}

/** A failure of the file system in words. */
export function storageError(error: unknown, file: string): DroverError {
	if (error instanceof DroverError) return error;
	const code = (error as NodeJS.ErrnoException).code;
	if (code === 'ENOSPC' || code === 'EDQUOT') {
		return new DroverError('host.disk-full', `There is no space left to write ${file}.`, {
			next: 'Free some disk space and try again.',
			cause: error,
		});
	}
	if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
		return new DroverError('host.failed', `${file} may not be written.`, {
			next: 'Check its owner and permissions.',
			cause: error,
		});
	}
	return new DroverError('host.failed', `${file} could not be written.`, {cause: error});
}

/** Makes one directory, private; fails when it exists. */
export async function makeNew(directory: string): Promise<void> {
	await mkdir(directory, {mode: 0o700});
}
