import {readFile, stat} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Processes, ProcessUsage} from '../../platform/processes.ts';
import type {InstanceFiles} from './files.ts';

/** A QEMU that is known to run this instance, by its command line and not by its number. */
export type MachineProcess = {
	readonly pid: number;
	readonly arguments: readonly string[];
	/** Who has started it, by its command line. */
	readonly runner: 'qemu' | 'libvirt';
	/** When it was started, milliseconds since the epoch; `undefined` when the file that tells is gone. */
	readonly since: number | undefined;
};

/** The processes of this host that run machines, as the system tells of them. */
export class Machines {
	readonly #processes: Processes;
	/** Where an instance's process was last seen: only a place to look first. */
	readonly #lastSeen = new Map<string, number>();
	#nextScan: Promise<ReadonlyMap<string, number>> | undefined;

	constructor(processes: Processes) {
		this.#processes = processes;
	}

	/**
	 * The process that runs an instance. A pid proves nothing (it is reused, and an ended process may stay as a zombie for
	 * seconds where process 1 is slow), the instance's UUID in the process's command line does.
	 */
	async find(id: string, files: InstanceFiles): Promise<MachineProcess | undefined> {
		const text = await readFile(files.pid, 'utf8').catch(() => '');
		const pids = [/^\s*\d{1,10}\s*$/.test(text) ? Number(text) : undefined, this.#lastSeen.get(id)];
		for (const pid of pids) {
			const found = pid === undefined ? undefined : await this.argumentsOf(pid, id);
			if (found) return describe(pid!, found, files);
		}
		// libvirt writes no pid file, and somebody may take one away; but a QEMU that ended well has taken its sockets away.
		const sockets = await Promise.all([files.monitor, files.agent].map(file => stat(file).catch(() => undefined)));
		return sockets.some(Boolean) ? this.search(id, files) : undefined;
	}

	/** As {@link find}, whatever the files say: for those who are about to start or to remove something. */
	async search(id: string, files: InstanceFiles): Promise<MachineProcess | undefined> {
		const pid = (await this.all()).get(id);
		const found = pid === undefined ? undefined : await this.argumentsOf(pid, id);
		if (!found) {
			this.#lastSeen.delete(id);
			return undefined;
		}
		this.#lastSeen.set(id, pid!);
		return describe(pid!, found, files);
	}

	/** Every process that runs a machine, by the machine's UUID. One look serves all who ask at the same time. */
	all(): Promise<ReadonlyMap<string, number>> {
		this.#nextScan ??= (async () => {
			// Whoever comes before the look is served by it; who comes later, by another.
			await new Promise(resolve => setImmediate(resolve));
			this.#nextScan = undefined;
			const machines = new Map<string, number>();
			for (const [pid, words] of await this.#processes.withWord('-uuid')) {
				const id = words[words.indexOf('-uuid') + 1];
				if (id) machines.set(id, pid);
			}
			return machines;
		})();
		return this.#nextScan;
	}

	/** A process's command line when it is the QEMU of this instance. */
	async argumentsOf(pid: number, id: string): Promise<readonly string[] | undefined> {
		const words = (await this.#processes.arguments(pid)) ?? [];
		const at = words.indexOf('-uuid');
		return at !== -1 && words[at + 1] === id ? words : undefined;
	}

	async isAlive(found: MachineProcess, id: string): Promise<boolean> {
		return (await this.argumentsOf(found.pid, id)) !== undefined;
	}

	/**
	 * Waits until a process is really gone.
	 * @returns whether it is, before the time was over or the signal came
	 */
	async waitGone(found: MachineProcess, id: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
		const deadline = Date.now() + timeoutMs;
		for (let pause = 5; await this.isAlive(found, id); pause = Math.min(50, pause * 2)) {
			if (Date.now() >= deadline || signal?.aborted) return false;
			await sleep(pause);
		}
		return true;
	}

	/** Ends that very process: asks, then insists. @returns whether it is gone */
	async end(found: MachineProcess, id: string): Promise<boolean> {
		for (const [force, timeoutMs] of [
			[false, 2000],
			[true, 5000],
		] as const) {
			if (!(await this.isAlive(found, id))) return true;
			this.#processes.end(found.pid, force);
			if (await this.waitGone(found, id, timeoutMs)) return true;
		}
		return false;
	}

	/** What the process has used; `undefined` when it is gone. */
	usage(found: MachineProcess): Promise<ProcessUsage | undefined> {
		return this.#processes.usage(found.pid);
	}
}

async function describe(pid: number, words: readonly string[], files: InstanceFiles): Promise<MachineProcess> {
	// libvirt names its machines with `-name guest=…`; drover does not.
	const runner = words[words.indexOf('-name') + 1]?.startsWith('guest=') ? 'libvirt' : 'qemu';
	const information = await stat(runner === 'qemu' ? files.pid : files.domain).catch(() => undefined);
	return {pid, arguments: words, runner, since: information?.mtimeMs};
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
