import {type ChildProcess, spawn} from 'node:child_process';
import {open} from 'node:fs/promises';
import {environment} from '../machine/programs.ts';

/** A QEMU that was just started by us. */
export type Spawned = {
	readonly child: ChildProcess;
	/** Set once it has ended (or could not be started). */
	ended: string | undefined;
};

export type SpawnInput = {
	readonly program: string;
	readonly args: readonly string[];
	readonly directory: string;
	readonly logFile: string;
	/** An open file that QEMU gets as its descriptor 3. */
	readonly inherited?: number;
};

/**
 * Starts QEMU in a session of its own, so that it outlives us and no terminal's signals reach it. Not through execa,
 * whose worth is in waiting for an end and collecting output: this one is left to itself, its output goes to a file.
 */
export async function spawnQemu({program, args, directory, logFile, inherited}: SpawnInput): Promise<Spawned> {
	const log = await open(logFile, 'w', 0o600);
	try {
		const child = spawn(program, args, {
			cwd: directory,
			detached: true,
			env: environment(),
			stdio: ['ignore', log.fd, log.fd, ...(inherited === undefined ? [] : [inherited])],
		});
		const spawned: Spawned = {child, ended: undefined};
		child.once('error', error => {
			spawned.ended = error.message;
		});
		child.once('exit', (code, signal) => {
			spawned.ended = signal === null ? `exit code ${code}` : signal;
		});
		child.unref();
		return spawned;
	} finally {
		await log.close();
	}
}
