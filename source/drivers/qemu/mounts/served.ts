import {type FileHandle, open, readdir, readFile, readlink, stat} from 'node:fs/promises';
import process from 'node:process';
import {DroverError} from '../../../model/errors.ts';
import {plainLine} from '../../../model/text.ts';
import {run} from '../../machine/programs.ts';

/** Milliseconds that the disk of a directory may take to say something of it. */
const patienceMs = 3000;

/** Which directory it is, whatever it is called: its device and its number there. */
export type Identity = string;

/** A directory that is held open, so that it is the same whatever is renamed meanwhile. */
export type OpenedSource = {
	readonly identity: Identity;
	/** A path that leads to this directory for as long as it is held. */
	readonly path: string;
	close(): Promise<void>;
};

/**
 * Opens a directory of which it was said that no links lead to it, and looks whether that is so: a guest that can write
 * around it could have made it lead elsewhere.
 * @throws DroverError `instance.invalid`
 */
export async function openSource(source: string): Promise<OpenedSource> {
	const handle = await open(source, 'r').catch(() => undefined);
	const at = handle && (await lookAt(handle, source));
	if (handle && at) return {...at, close: () => handle.close()};
	await handle?.close();
	throw new DroverError('instance.invalid', `${plainLine(source)} on this host is not the directory it was.`, {
		next: 'End the mount and mount it again if that is what you want.',
	});
}

async function lookAt(handle: FileHandle, source: string): Promise<Omit<OpenedSource, 'close'> | undefined> {
	const stats = await handle.stat({bigint: true});
	if (!stats.isDirectory()) return undefined;
	const identity = `${stats.dev}:${stats.ino}`;
	if (process.platform !== 'linux') return {identity, path: source};
	const path = `/proc/${process.pid}/fd/${handle.fd}`;
	return (await readlink(path)) === source ? {identity, path} : undefined;
}

/**
 * Which directories these paths lead to now, by the path; one that is not there is left out. Asked by another program: a disk that
 * does not answer must hold up no thread of ours.
 * @returns `silent` when there was no answer in time
 */
export async function identities(paths: readonly string[]): Promise<ReadonlyMap<string, Identity> | 'silent'> {
	const found = new Map<string, Identity>();
	if (process.platform !== 'linux') {
		for (const path of paths) {
			const stats = await stat(path, {bigint: true}).catch(() => undefined);
			if (stats !== undefined) found.set(path, `${stats.dev}:${stats.ino}`);
		}
		return found;
	}
	if (paths.length === 0) return found;
	const {stdout, timedOut} = await run('stat', ['--dereference', '--format=%d:%i %F %n', '--', ...paths], {
		timeoutMs: patienceMs,
	});
	if (timedOut) return 'silent';
	for (const line of stdout.split('\n')) {
		const [, identity, path] = /^(\d+:\d+) directory (.+)$/.exec(line) ?? [];
		if (identity !== undefined && path !== undefined) found.set(path, identity);
	}
	return found;
}

/** The processes of this user whose command line has a word that begins so: anybody can write any word into his own. */
export async function processesWith(mark: string): Promise<ReadonlyMap<number, readonly string[]>> {
	const found = new Map<number, readonly string[]>();
	const names = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name));
	await Promise.all(
		names.map(async name => {
			const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0').slice(0, -1);
			if (words.some(word => word.startsWith(mark)) && (await isOwn(name))) found.set(Number(name), words);
		}),
	);
	return found;
}

/** Whose it is, as the kernel tells in this process's own numbers; who may look into it is another question. */
async function isOwn(pid: string): Promise<boolean> {
	const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
	return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) === process.getuid?.();
}

/** What a process sees as its root. */
export const rootOf = (pid: number) => `/proc/${pid}/root`;

/** The directories that a process has locked itself up in, and the root of what has not (yet). */
export async function rootsOf(pids: Iterable<number>): Promise<readonly Identity[]> {
	const found = await identities([...pids].map(rootOf));
	return found === 'silent' ? [] : [...found.values()];
}

/** What a process holds open below this name, as its paths. */
export async function openPaths(pid: number): Promise<readonly string[]> {
	const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
	const paths = await Promise.all(names.map(name => readlink(`/proc/${pid}/fd/${name}`).catch(() => undefined)));
	return paths.filter(path => path?.startsWith('/')) as string[];
}
