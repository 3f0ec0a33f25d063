import {readFile, statfs} from 'node:fs/promises';
import {availableParallelism, freemem, hostname, totalmem, userInfo} from 'node:os';
import {plainLine} from '../model/text.ts';
import type {HostFacts} from './engine.ts';

/** The machine that the instances run on. `directory`: where they are kept. */
export async function hostFacts(directory: string): Promise<HostFacts> {
	const disk = await statfs(directory).catch(() => undefined);
	return {
		name: plainLine(hostname()),
		user: userName(),
		cpus: availableParallelism(),
		memoryTotal: totalmem(),
		memoryAvailable: await availableMemory(),
		diskFree: disk ? disk.bavail * disk.bsize : 0,
	};
}

export function userName(): string {
	try {
		return plainLine(userInfo().username);
	} catch {
		return String(process.getuid?.() ?? 'unknown');
	}
}

/** Bytes that can be used without swapping; on Linux more than what is free. */
async function availableMemory(): Promise<number> {
	const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
	const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
	return kibibytes === undefined ? freemem() : Number(kibibytes) * 1024;
}
