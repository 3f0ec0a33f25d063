import path from 'node:path';
import type {Platform} from '../../model/driver-name.ts';

/**
 * Where an installed Multipass may keep its data, the likeliest first.
 * Source: Multipass 1.16, its documentation of data directories and `MULTIPASS_STORAGE`.
 */
export function multipassPlaces(platform: Platform, environment: NodeJS.ProcessEnv): readonly string[] {
	const storage = environment['MULTIPASS_STORAGE'];
	const own = storage !== undefined && path.isAbsolute(storage) ? [path.join(storage, 'data')] : [];
	return [...own, ...usual(platform, environment)];
}

function usual(platform: Platform, environment: NodeJS.ProcessEnv): readonly string[] {
	switch (platform) {
		case 'linux':
			return ['/var/snap/multipass/common/data/multipassd', '/root/.local/share/multipassd'];
		case 'darwin':
			return ['/var/root/Library/Application Support/multipassd'];
		case 'win32':
			return [path.win32.join(environment['ProgramData'] ?? 'C:\\ProgramData', 'Multipass', 'data')];
	}
}

/** The parts of their data that have instances of their own, by the names of their directories; empty: the root. */
export const theirScopes = ['', 'qemu', 'virtualbox', 'applevz', 'lxd'] as const;
export type TheirScope = (typeof theirScopes)[number];

/** What a person gives is the directory itself, or one that has it inside. */
export function insides(directory: string): readonly string[] {
	return [
		directory,
		path.join(directory, 'data'),
		path.join(directory, 'multipassd'),
		path.join(directory, 'data', 'multipassd'),
	];
}
