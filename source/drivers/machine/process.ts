import {readdir, readFile, stat} from 'node:fs/promises';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import type {InstanceFiles} from './files.ts';
import {run} from './programs.ts';

/** A QEMU that is known to run this instance, by its command line and not by its number. */
export type MachineProcess = {
	readonly pid: number;
	readonly arguments: readonly string[];
	/** Who has started it, by its command line. */
	readonly runner: 'qemu' | 'libvirt';
	/** When it was started, milliseconds since the epoch; `undefined` when the file that tells is gone. */
	readonly since: number | undefined;
};

/** Where an instance's process was last seen: only a place to look first. */
const lastSeen = new Map<string, number>();

/**
 * The process that runs an instance. A pid proves nothing (it is reused, and an ended process may stay as a zombie for
 * seconds where process 1 is slow), the instance's UUID in the process's command line does.
 */
export async function findProcess(id: string, files: InstanceFiles): Promise<MachineProcess | undefined> {
	const text = await readFile(files.pid, 'utf8').catch(() => '');
	const pids = [/^\s*\d{1,10}\s*$/.test(text) ? Number(text) : undefined, lastSeen.get(id)];
	for (const pid of pids) {
		const found = pid === undefined ? undefined : await argumentsOf(pid, id);
		if (found) return describe(pid!, found, files);
	}
	// libvirt writes no pid file, and somebody may take one away; but a QEMU that ended well has taken its sockets away.
	const sockets = await Promise.all([files.monitor, files.agent].map(file => stat(file).catch(() => undefined)));
	return sockets.some(Boolean) ? searchProcess(id, files) : undefined;
}

/** As {@link findProcess}, whatever the files say: for those who are about to start or to remove something. */
export async function searchProcess(id: string, files: InstanceFiles): Promise<MachineProcess | undefined> {
	const pid = (await allMachines()).get(id);
	const found = pid === undefined ? undefined : await argumentsOf(pid, id);
	if (!found) {
		lastSeen.delete(id);
		return undefined;
	}
	lastSeen.set(id, pid!);
	return describe(pid!, found, files);
}

async function describe(pid: number, words: readonly string[], files: InstanceFiles): Promise<MachineProcess> {
	// libvirt names its machines with `-name guest=…`; drover does not.
	const runner = words[words.indexOf('-name') + 1]?.startsWith('guest=') ? 'libvirt' : 'qemu';
	const information = await stat(runner === 'qemu' ? files.pid : files.domain).catch(() => undefined);
	return {pid, arguments: words, runner, since: information?.mtimeMs};
}

let nextScan: Promise<ReadonlyMap<string, number>> | undefined;

/** Every process of this host that runs a machine, by the machine's UUID. One look serves all who ask at the same time. */
export function allMachines(): Promise<ReadonlyMap<string, number>> {
	nextScan ??= (async () => {
		// Whoever comes before the look is served by it; who comes later, by another.
		await new Promise(resolve => setImmediate(resolve));
		nextScan = undefined;
		const machines = new Map<string, number>();
		const names = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name));
		await Promise.all(
			names.map(async name => {
				const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
				const at = words.indexOf('-uuid');
				if (at !== -1 && words[at + 1]) machines.set(words[at + 1]!, Number(name));
			}),
		);
		return machines;
	})();
	return nextScan;
}

/** A process's command line when it is the QEMU of this instance. */
export async function argumentsOf(pid: number, id: string): Promise<readonly string[] | undefined> {
	const text =
		process.platform === 'linux'
			? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
			: (await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {timeoutMs: 1000})).stdout.replaceAll(' ', '\0');
	const words = text.split('\0');
	const at = words.indexOf('-uuid');
	return at !== -1 && words[at + 1] === id ? words : undefined;
}

/** How it runs its guest: `tcg`, `kvm`. */
export function acceleratorOf(found: MachineProcess): string {
	const word = found.arguments[found.arguments.indexOf('-accel') + 1] ?? '';
	return /^[a-z]+/.exec(word)?.[0] ?? 'tcg';
}

/** The loopback port that leads into the guest, as this process was told; what a record says may be older. */
export function sshPortOf(found: MachineProcess): number | undefined {
	for (const word of found.arguments) {
		const match = /(?:^|,)hostfwd=tcp:127\.0\.0\.1:(\d{1,5})-:22(?:,|$)/.exec(word);
		if (match) return Number(match[1]);
	}
	return undefined;
}

export async function isAlive(found: MachineProcess, id: string): Promise<boolean> {
	return (await argumentsOf(found.pid, id)) !== undefined;
}

/**
 * Waits until a process is really gone.
 * @returns whether it is, before the time was over or the signal came
 */
export async function waitGone(
	found: MachineProcess,
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
export async function endProcess(found: MachineProcess, id: string): Promise<boolean> {
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
