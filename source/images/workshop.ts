import {randomBytes} from 'node:crypto';
import {link, mkdir, readdir, readFile, rename, rm, stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Processes} from '../platform/processes.ts';
import {thisSystem} from '../platform/system.ts';
import {storageError} from '../state/atomic.ts';
import {throwIfCancelled} from './run.ts';

/** Downloads that were interrupted are kept this long, in milliseconds, to be taken up again. */
const partialLifetime = 7 * 24 * 3600 * 1000;

/**
 * A process, so that another with the same number is not taken for it: `<pid>-<start time>`.
 * Where the start time cannot be read the number alone has to do.
 */
async function ownName(processes: Processes): Promise<string> {
	return `${process.pid}-${(await processes.began(process.pid)) ?? '0'}`;
}

async function isAlive(name: string, processes: Processes): Promise<boolean> {
	const [, pid, began] = /^(\d+)-(\d+)$/.exec(name) ?? [];
	return pid !== undefined && ((await processes.began(Number(pid))) ?? '') === began;
}

/**
 * Gives `use` an empty directory on the cache's file system and removes it afterwards, whatever happens. What crashed
 * processes left there is removed first.
 */
export async function withWorkDirectory<T>(
	root: string,
	use: (directory: string) => Promise<T>,
	processes = thisSystem().processes,
): Promise<T> {
	const works = path.join(root, 'work');
	await mkdir(works, {recursive: true, mode: 0o700});
	await removeLeftovers(root, processes);
	const owner = await ownName(processes);
	const directory = path.join(works, `${owner}-${randomBytes(4).toString('hex')}`);
	try {
		await mkdir(directory, {mode: 0o700});
		return await use(directory);
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code;
		throw code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS' ? storageError(error, directory) : error;
	} finally {
		await rm(directory, {recursive: true, force: true});
	}
}

async function removeLeftovers(root: string, processes: Processes): Promise<void> {
	for (const name of await readdir(path.join(root, 'work'))) {
		const owner = /^(\d+-\d+)-[\da-f]+$/.exec(name)?.[1];
		if (owner !== undefined && !(await isAlive(owner, processes))) {
			await rm(path.join(root, 'work', name), {recursive: true, force: true});
		}
	}
	const partials = path.join(root, 'partial');
	for (const name of await readdir(partials).catch(() => [])) {
		const found = await stat(path.join(partials, name)).catch(() => undefined);
		if (found && Date.now() - found.mtimeMs > partialLifetime) await rm(path.join(partials, name), {force: true});
	}
}

/**
 * Keeps two processes from fetching the same thing at the same time. A process that dies loses its claim. This saves
 * work only: the cache is right without it, because everything enters it whole and by content.
 * @param onWait called once, when another process has the claim
 * @throws DroverError `operation.cancelled` while waiting
 */
export async function withClaim<T>(
	root: string,
	key: string,
	signal: AbortSignal,
	onWait: () => void,
	use: () => Promise<T>,
	processes = thisSystem().processes,
): Promise<T> {
	const claims = path.join(root, 'claims');
	await mkdir(claims, {recursive: true, mode: 0o700});
	const claim = path.join(claims, key);
	const owner = await ownName(processes);
	const aside = `${claim}.${owner}-${randomBytes(4).toString('hex')}`;
	await writeFile(aside, owner, {mode: 0o600});
	try {
		for (let waited = false; ; waited = true) {
			if (await take(aside, claim)) break;
			const holder = (await readFile(claim, 'utf8').catch(() => '')).trim();
			if (holder !== '' && !(await isAlive(holder, processes))) {
				// Renamed before it is removed: of two who see a dead holder only one succeeds.
				await rename(claim, `${aside}.stale`).catch(() => undefined);
				await rm(`${aside}.stale`, {force: true});
				continue;
			}
			if (!waited) onWait();
			throwIfCancelled(signal);
			await sleep(200, undefined, {signal}).catch(() => undefined);
			throwIfCancelled(signal);
		}
	} catch (error) {
		await rm(aside, {force: true});
		throw error;
	}
	await rm(aside, {force: true});
	try {
		return await use();
	} finally {
		await rm(claim, {force: true});
	}
}

/** Whether a process that lives has this claim. */
export async function isClaimed(root: string, key: string, processes = thisSystem().processes): Promise<boolean> {
	const holder = (await readFile(path.join(root, 'claims', key), 'utf8').catch(() => '')).trim();
	return holder !== '' && (await isAlive(holder, processes));
}

/** Whether the claim is ours now. A hard link appears whole or not at all, with its content. */
async function take(aside: string, claim: string): Promise<boolean> {
	try {
		await link(aside, claim);
		return true;
	} catch (error) {
		// A file system without hard links: do without the claim.
		return (error as NodeJS.ErrnoException).code !== 'EEXIST';
	}
}
