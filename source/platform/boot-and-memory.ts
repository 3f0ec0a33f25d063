import {readFile} from 'node:fs/promises';
import {freemem} from 'node:os';
import type {Platform} from '../model/driver-name.ts';
import {powershell} from './powershell.ts';
import type {Run} from './programs.ts';

export type BootAndMemory = {
	/** Names the host's boot; `undefined` where nobody tells. */
	bootId(): Promise<string | undefined>;
	/** Bytes that can be used without swapping. */
	availableMemory(): Promise<number>;
};

export function bootAndMemoryOf(platform: Platform, run: Run): BootAndMemory {
	if (platform === 'darwin') return onDarwin(run);
	return platform === 'win32' ? onWindows(run) : onLinux;
}

const onLinux: BootAndMemory = {
	async bootId() {
		const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
		return text?.trim();
	},
	async availableMemory() {
		const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
		const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
		return kibibytes === undefined ? freemem() : Number(kibibytes) * 1024;
	},
};

/** macOS. A boot has an id of its own; the time of it, which moves when the clock is set, stands in on old systems. */
function onDarwin(run: Run): BootAndMemory {
	return {
		async bootId() {
			for (const name of ['kern.bootsessionuuid', 'kern.boottime']) {
				const {stdout} = await run('/usr/sbin/sysctl', ['-n', name], {timeoutMs: 2000});
				const id = /^\s*([\dA-Fa-f-]{36})\s*$/.exec(stdout)?.[1] ?? /\bsec = (\d+)/.exec(stdout)?.[1];
				if (id !== undefined) return id;
			}
			return undefined;
		},
		async availableMemory() {
			const {stdout} = await run('/usr/bin/vm_stat', [], {timeoutMs: 2000});
			return availableIn(stdout) ?? freemem();
		},
	};
}

/** What can be had at once, from the pages that `vm_stat` counts. Source: vm_stat(1) of macOS. */
export function availableIn(text: string): number | undefined {
	const page = Number(/page size of (\d+) bytes/.exec(text)?.[1] ?? Number.NaN);
	const pages = ['free', 'inactive', 'speculative', 'purgeable'].map(name =>
		Number(new RegExp(`^Pages ${name}:\\s+(\\d+)\\.`, 'm').exec(text)?.[1] ?? Number.NaN),
	);
	const counted = pages.filter(Number.isFinite).reduce((sum, each) => sum + each, 0);
	return Number.isFinite(page) && Number.isFinite(pages[0]) ? counted * page : undefined;
}

/** Windows. With "fast startup" a shutdown is no boot to the kernel: Hyper-V's instances are asleep then, not gone. */
function onWindows(run: Run): BootAndMemory {
	return {
		async bootId() {
			const text = await powershell(
				run,
				'(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToFileTimeUtc().ToString()',
			);
			return /^\s*(\d+)\s*$/.exec(text)?.[1];
		},
		// What Node calls free is what Windows calls available.
		availableMemory: async () => freemem(),
	};
}
