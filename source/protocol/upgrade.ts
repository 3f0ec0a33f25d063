import {statSync} from 'node:fs';

/** What a program file looks like, so that a change of it shows; `gone` when it is not there. */
export function stampOf(file: string): string {
	try {
		const {mtimeMs, size, ino} = statSync(file);
		return `${mtimeMs} ${size} ${ino}`;
	} catch {
		return 'gone';
	}
}

/**
 * Whether a client of another build comes from an upgrade of the daemon's program, and is not merely a second
 * installation beside it: two installations that are used in turn must not end each other's daemon every time.
 */
export function isUpgrade(
	daemon: {readonly version: string; readonly stamp: string},
	found: {readonly clientVersion: string; readonly stamp: string},
): boolean {
	return found.stamp !== daemon.stamp || isNewer(found.clientVersion, daemon.version);
}

/** Compares `1.2.3`; what follows the three numbers is not looked at. */
function isNewer(version: string, than: string): boolean {
	const parts = (text: string) => (/^(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1) ?? []).map(Number);
	const [left, right] = [parts(version), parts(than)];
	for (let index = 0; index < 3; index++) {
		const difference = (left[index] ?? 0) - (right[index] ?? 0);
		if (difference !== 0) return difference > 0;
	}
	return false;
}
