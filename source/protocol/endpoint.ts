import {randomBytes} from 'node:crypto';
import {chmodSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/** Where a daemon listens, and what it has to do so that clients find it there. */
export type Endpoint = {
	/** What Node listens on. */
	readonly address: string;
	/** Called when it listens: from then on clients find it. */
	announce(): void;
	/** Called at its end. */
	withdraw(): void;
};

/** By this ending a place is known for the file that names a pipe, and not for a socket. */
const pipeFile = '.pipe';

/**
 * The endpoint of a new daemon. A socket in a directory that only its user can enter needs no more than its mode.
 *
 * Windows has no such sockets in Node, but named pipes, whose names everybody on the machine shares: anybody may make a
 * pipe of any name, before the daemon does, and would then be talked to in its place. So each daemon makes up a name with
 * 128 random bits, opens the pipe, and only then writes the name into a file in the runtime directory, which only the
 * user can read; clients go by that file. Who learns the name (pipes can be listed) comes too late to make it, as it is
 * opened as the first of that name or not at all, and cannot use it: unless rights are given to everyone, which is not
 * done here, others than the owner, the system and administrators may read from it at most, and the daemon says nothing
 * before it is spoken to. What is left: a daemon that was killed leaves its file, and until the next one has written its
 * own, another user of the machine who had noted the name could open a pipe under it.
 * Source: "Named Pipe Security and Access Rights", learn.microsoft.com; libuv, `src/win/pipe.c`.
 */
export function newEndpoint(socketPath: string): Endpoint {
	if (!socketPath.endsWith(pipeFile)) {
		return {address: socketPath, announce: () => chmodSync(socketPath, 0o600), withdraw: () => {}};
	}
	const name = randomBytes(16).toString('hex');
	const aside = `${socketPath}.${process.pid}.tmp`;
	return {
		address: pipeAddress(socketPath, name),
		announce() {
			writeFileSync(aside, `${name}\n`, {mode: 0o600});
			renameSync(aside, socketPath);
		},
		withdraw() {
			// The next daemon may have written its own name by now.
			if (nameIn(socketPath) === name) rmSync(socketPath, {force: true});
		},
	};
}

/** Where a daemon listens that has announced itself; `undefined` when none has. */
export function endpointAddress(socketPath: string): string | undefined {
	if (!socketPath.endsWith(pipeFile)) return socketPath;
	const name = nameIn(socketPath);
	return name === undefined ? undefined : pipeAddress(socketPath, name);
}

function nameIn(file: string): string | undefined {
	try {
		return /^([\da-f]{32})\n$/.exec(readFileSync(file, 'utf8'))?.[1];
	} catch {
		return undefined;
	}
}

/** Elsewhere than on Windows a socket stands for the pipe, by which all of this can be tested. */
function pipeAddress(socketPath: string, name: string): string {
	return process.platform === 'win32'
		? String.raw`\\.\pipe\drover-${name}`
		: path.join(path.dirname(socketPath), `drover-${name.slice(0, 8)}`);
}
