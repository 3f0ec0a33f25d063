import path from 'node:path';
import type {Platform} from '../model/driver-name.ts';

/** The directories of one user in which drover keeps its things. Absolute, in the platform's own spelling. */
export type Places = {
	readonly config: string;
	readonly data: string;
	readonly cache: string;
	readonly runtime: string;
};

/** How paths are put together on a platform, whichever this machine's is. */
export function pathsOf(platform: Platform): path.PlatformPath {
	return platform === 'win32' ? path.win32 : path.posix;
}

/** Everything below one directory. */
export function placesBelow(home: string, platform: Platform): Places {
	const below = (name: string) => pathsOf(platform).join(home, name);
	return {config: below('config'), data: below('data'), cache: below('cache'), runtime: below('run')};
}

/**
 * Where a platform has such things. Linux: the XDG Base Directory Specification, whose variables count when they are
 * absolute. macOS: Apple's File System Programming Guide (`Preferences` is for property lists only). Windows: what goes
 * along with a user to other machines in `APPDATA`, the rest in `LOCALAPPDATA`.
 * @param user the user's home directory
 */
export function standardPlaces(platform: Platform, environment: NodeJS.ProcessEnv, user: string): Places {
	const {isAbsolute, join} = pathsOf(platform);
	const given = (name: string, ...otherwise: string[]) => {
		const value = environment[name];
		return join(value !== undefined && isAbsolute(value) ? value : join(user, ...otherwise), 'drover');
	};
	if (platform === 'darwin') {
		const support = placesBelow(join(user, 'Library', 'Application Support', 'drover'), platform);
		return {...support, cache: join(user, 'Library', 'Caches', 'drover')};
	}
	if (platform === 'win32') {
		const local = placesBelow(given('LOCALAPPDATA', 'AppData', 'Local'), platform);
		return {...local, config: given('APPDATA', 'AppData', 'Roaming')};
	}
	const data = given('XDG_DATA_HOME', '.local', 'share');
	const runtime = environment['XDG_RUNTIME_DIR'];
	return {
		config: given('XDG_CONFIG_HOME', '.config'),
		data,
		cache: given('XDG_CACHE_HOME', '.cache'),
		runtime: runtime !== undefined && isAbsolute(runtime) ? join(runtime, 'drover') : join(data, 'run'),
	};
}
