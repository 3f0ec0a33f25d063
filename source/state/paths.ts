import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import type {Platform, ScopeName} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import {type Places, pathsOf, placesBelow, standardPlaces} from '../platform/places.ts';
import {homeOf, platformOf} from '../platform/system.ts';
import {environmentUser} from '../platform/user-name.ts';

export {makePrivate} from '../platform/private-directory.ts';

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
	/** Of the daemon: a socket, on Windows the file that names its pipe. */
	readonly socket: string;
	/** Held by the one daemon that may write. */
	readonly lock: string;
	readonly daemonLog: string;
};

/**
 * A socket's path may have 107 bytes on Linux, 103 on macOS; the longest name below `runtime` is `i/<8>/console.sock`, 23
 * bytes with the slash before it. Source: unix(7), and `sys/un.h` of macOS.
 */
const longestRuntime: Readonly<Record<Platform, number>> = {linux: 80, darwin: 78, win32: 80};

/**
 * `DROVER_HOME` puts everything under one directory; otherwise it is where the platform has such things.
 * @throws DroverError `usage.invalid` when `DROVER_HOME` is not an absolute path
 */
export function locate(
	environment: NodeJS.ProcessEnv = process.env,
	nodePlatform: NodeJS.Platform = process.platform,
): Paths {
	const platform = platformOf(nodePlatform);
	const home = environment['DROVER_HOME'];
	if (home === undefined || home === '') {
		return assemble(standardPlaces(platform, environment, homeOf(platform, environment)), platform);
	}
	if (pathsOf(platform).isAbsolute(home)) return assemble(placesBelow(home, platform), platform);
	throw new DroverError('usage.invalid', `DROVER_HOME must be an absolute path, not ${JSON.stringify(home)}.`);
}

function assemble({config, data, cache, runtime}: Places, platform: Platform): Paths {
	const {join} = pathsOf(platform);
	// A deep home would make socket paths too long: a private directory with a short name stands in, the same each time.
	const short =
		Buffer.byteLength(runtime) <= longestRuntime[platform]
			? runtime
			: join(
					tmpdir(),
					`drover-${process.getuid?.() ?? environmentUser(process.env) ?? 'user'}-${hash(runtime).slice(0, 8)}`,
				);
	return {
		config,
		data,
		cache,
		runtime: short,
		socket: join(short, platform === 'win32' ? 'drover.pipe' : 'drover.sock'),
		lock: join(data, 'lock'),
		daemonLog: join(data, 'daemon.log'),
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
