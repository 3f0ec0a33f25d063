import {type ChildProcess, spawn} from 'node:child_process';
import {open, readdir, readFile, stat} from 'node:fs/promises';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import type {InstanceFiles} from './files.ts';
import {environment, run} from './programs.ts';

/** A QEMU that is known to run this instance, by its command line and not by its number. */
export type QemuProcess = {
	readonly pid: number;
	readonly arguments: readonly string[];
	/** When it was started, milliseconds since the epoch; `undefined` when its pid file is gone. */
	readonly since: number | undefined;
};

/**
 * The process that runs an instance. A pid proves nothing (it is reused, and an ended process may stay as a zombie for
 * seconds where process 1 is slow), the instance's UUID in the process's command line does.
 */
export async function findProcess(id: string, files: InstanceFiles): Promise<QemuProcess | undefined> {
	const [text, information] = await Promise.all([
		readFile(files.pid, 'utf8').catch(() => undefined),
		stat(files.pid).catch(() => undefined),
	]);
	const pid = text !== undefined && /^\s*\d{1,10}\s*$/.test(text) ? Number(text) : undefined;
	if (pid !== undefined) {
		const found = await argumentsOf(pid, id);
		if (found) return {pid, arguments: found, since: information?.mtimeMs};
	}
	// Its pid file was taken away, but a QEMU that ended well has also taken its sockets away: look for it by name.
	if (pid === undefined && (await stat(files.monitor).catch(() => undefined))) return searchProcess(id);
	return undefined;
}

async function searchProcess(id: string): Promise<QemuProcess | undefined> {
	for (const name of await readdir('/proc').catch(() => [])) {
		if (!/^\d+$/.test(name)) continue;
		const found = await argumentsOf(Number(name), id);
		if (found) return {pid: Number(name), arguments: found, since: undefined};
	}
	return undefined;
}

/** A process's command line when it is the QEMU of this instance. */
async function argumentsOf(pid: number, id: string): Promise<readonly string[] | undefined> {
	const text =
		process.platform === 'linux'
			? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
			: (await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {timeoutMs: 1000})).stdout.replaceAll(' ', '\0');
	const words = text.split('\0');
	const at = words.indexOf('-uuid');
	return at !== -1 && words[at + 1] === id ? words : undefined;
}

/** How it runs its guest: `tcg`, `kvm`. */
export function acceleratorOf(found: QemuProcess): string {
	const word = found.arguments[found.arguments.indexOf('-accel') + 1] ?? '';
	return /^[a-z]+/.exec(word)?.[0] ?? 'tcg';
}

/** The loopback port that leads into the guest, as this process was told; what a record says may be older. */
export function sshPortOf(found: QemuProcess): number | undefined {
	for (const word of found.arguments) {
		const match = /(?:^|,)hostfwd=tcp:127\.0\.0\.1:(\d{1,5})-:22(?:,|$)/.exec(word);
		if (match) return Number(match[1]);
	}
	return undefined;
}

export async function isAlive(found: QemuProcess, id: string): Promise<boolean> {
	return (await argumentsOf(found.pid, id)) !== undefined;
}

/**
 * Waits until a process is really gone.
 * @returns whether it is, before the time was over or the signal came
 */
export async function waitGone(
	found: QemuProcess,
	id: string,
	timeoutMs: number,
	signal?: AbortSignal,
): Promise<boolean> {
	const deadline = Date.now() + timeoutMs;
	for (let pause = 5; await isAlive(found, id); pause = Math.min(50, pause * 2)) {
		if (Date.now() >= deadline || signal?.aborted) return false;
		await sleep(pause);
	}
	return true;
}

/** Ends that very process: asks, then insists. @returns whether it is gone */
export async function endProcess(found: QemuProcess, id: string): Promise<boolean> {
	for (const [name, timeoutMs] of [
		['SIGTERM', 2000],
		['SIGKILL', 5000],
	] as const) {
		if (!(await isAlive(found, id))) return true;
		try {
			process.kill(found.pid, name);
		} catch {
			// It ended in between, or is not ours to end: what counts is whether it is there.
		}
		if (await waitGone(found, id, timeoutMs)) return true;
	}
	return false;
}

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
