import {chmodSync, mkdirSync, statSync} from 'node:fs';
import {homedir, tmpdir, userInfo} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import type {ScopeName} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';

/** Where everything is kept. All paths are absolute; every directory is made with mode 0700 by {@link makePrivate}. */
export type Paths = {
	/** Settings and key bindings. */
	readonly config: string;
	/** Records, disks, keys. */
	readonly data: string;
	/** Images; can be fetched or built again. */
	readonly cache: string;
	/** Sockets, short enough for the 107 bytes a socket path may have. */
	readonly runtime: string;
	readonly socket: string;
	/** Held by the one daemon that may write. */
	readonly lock: string;
	readonly daemonLog: string;
};

/** A socket's path may have 107 bytes; the longest name below `runtime` is `i/<8>/console.sock`, 23 bytes. */
const longestRuntime = 80;

/**
 * `DROVER_HOME` puts everything under one directory; otherwise the XDG places on Linux and the platform's own elsewhere.
 * @throws DroverError `usage.invalid` when `DROVER_HOME` is not an absolute path
 */
export function locate(
	environment: NodeJS.ProcessEnv = process.env,
	platform: NodeJS.Platform = process.platform,
): Paths {
	const home = environment['DROVER_HOME'];
	if (home !== undefined && home !== '') {
		if (!path.isAbsolute(home)) {
			throw new DroverError('usage.invalid', `DROVER_HOME must be an absolute path, not ${JSON.stringify(home)}.`);
		}
		return assemble(
			path.join(home, 'config'),
			path.join(home, 'data'),
			path.join(home, 'cache'),
			path.join(home, 'run'),
		);
	}
	const user = environment['HOME'] ?? homedir();
	if (platform === 'darwin') {
		const support = path.join(user, 'Library', 'Application Support', 'drover');
		return assemble(
			path.join(user, 'Library', 'Preferences', 'drover'),
			support,
			path.join(user, 'Library', 'Caches', 'drover'),
			path.join(support, 'run'),
		);
	}
	if (platform === 'win32') {
		const local = path.join(environment['LOCALAPPDATA'] ?? path.join(user, 'AppData', 'Local'), 'drover');
		return assemble(
			path.join(local, 'config'),
			path.join(local, 'data'),
			path.join(local, 'cache'),
			path.join(local, 'run'),
		);
	}
	const xdg = (name: string, fallback: string) => {
		const value = environment[name];
		return path.join(value?.startsWith('/') ? value : path.join(user, fallback), 'drover');
	};
	const runtime = environment['XDG_RUNTIME_DIR'];
	const data = xdg('XDG_DATA_HOME', '.local/share');
	return assemble(
		xdg('XDG_CONFIG_HOME', '.config'),
		data,
		xdg('XDG_CACHE_HOME', '.cache'),
		runtime?.startsWith('/') ? path.join(runtime, 'drover') : path.join(data, 'run'),
	);
}

function assemble(config: string, data: string, cache: string, runtime: string): Paths {
	// A deep home would make socket paths too long: a private directory with a short name stands in, the same each time.
	const short =
		Buffer.byteLength(runtime) <= longestRuntime
			? runtime
			: path.join(tmpdir(), `drover-${userInfo().uid}-${hash(runtime).slice(0, 8)}`);
	return {
		config,
		data,
		cache,
		runtime: short,
		socket: path.join(short, 'drover.sock'),
		lock: path.join(data, 'lock'),
		daemonLog: path.join(data, 'daemon.log'),
	};
}

function hash(text: string): string {
	// Loaded only where it is needed: it takes 5 ms, and every command passes here.
	return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex');
}

/** The directory of a scope's instances. */
export function scopeDirectory(paths: Paths, scope: ScopeName): string {
	return path.join(paths.data, 'scopes', scope);
}

/** The directory of one instance. The name must have been checked. */
export function instanceDirectory(paths: Paths, scope: ScopeName, name: string): string {
	return path.join(scopeDirectory(paths, scope), name);
}

/** What linked clones share, out of the way of the instances' names: one directory a layer. */
export function layersDirectory(paths: Paths, scope: ScopeName): string {
	return path.join(scopeDirectory(paths, scope), layersName);
}

const layersName = '.layers';

/** A layer: a disk that other disks lie over, and that is never written again. @param id a UUID, checked */
export function layerFile(paths: Paths, scope: ScopeName, id: string): string {
	return path.join(layersDirectory(paths, scope), id, 'disk.qcow2');
}

/** Which layer a file is, by its path; `undefined` when it is none. */
export function layerIn(file: string): string | undefined {
	return /[\\/]\.layers[\\/]([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})[\\/]disk\.qcow2$/.exec(file)?.[1];
}

/** The directory of one instance's sockets, by the first eight digits of its id. */
export function socketDirectory(paths: Paths, id: string): string {
	return path.join(paths.runtime, 'i', id.slice(0, 8));
}

/**
 * Makes a directory (and what is above it) that only its owner can enter; one of ours that others can enter is closed.
 * @throws DroverError `host.failed` when it exists and belongs to someone else: in a shared `/tmp` that is an attack
 */
export function makePrivate(directory: string): void {
	mkdirSync(directory, {recursive: true, mode: 0o700});
	const found = statSync(directory);
	const isOurs = process.getuid === undefined || found.uid === process.getuid();
	if (isOurs && process.platform !== 'win32' && (found.mode & 0o077) !== 0) chmodSync(directory, 0o700);
	if (!isOurs) {
		throw new DroverError('host.failed', `${directory} belongs to another user, so drover does not use it.`, {
			next: 'Remove it, or set DROVER_HOME to a directory of your own.',
		});
	}
}
