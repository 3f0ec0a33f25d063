import {lstatSync, type Stats, statSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {DroverError} from '../model/errors.ts';

/**
 * Makes sure that nobody else can listen on, or reach, the socket: its directory must be ours alone, and so must it.
 * What does not exist yet is fine.
 * @throws DroverError `daemon.unreachable`
 */
export function checkPrivate(socketPath: string) {
	const uid = process.getuid?.();
	// Windows has no such owners; named pipes carry their own rights.
	if (uid === undefined) return;
	const directory = path.dirname(socketPath);
	const place = found(directory, statSync);
	if (place === undefined) return;
	if (place.uid !== uid) {
		throw refusal(`${directory} belongs to another user`, 'Remove it, or set DROVER_HOME to a directory of your own.');
	}
	if ((place.mode & 0o077) !== 0) {
		throw refusal(`${directory} is open to other users`, `Close it: chmod 700 ${directory}`);
	}
	const socket = found(socketPath, lstatSync);
	if (socket !== undefined && socket.uid !== uid) {
		throw refusal(`${socketPath} belongs to another user`, 'Remove it, then try again.');
	}
}

function refusal(what: string, next: string): DroverError {
	return new DroverError('daemon.unreachable', `${what}, so drover does not trust it.`, {next});
}

function found(place: string, stat: (place: string) => Stats): Stats | undefined {
	try {
		return stat(place);
	} catch {
		return undefined;
	}
}
