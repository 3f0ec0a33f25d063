import {statfs} from 'node:fs/promises';
import {availableParallelism, hostname, totalmem} from 'node:os';
import {plainLine} from '../model/text.ts';
import type {System} from '../platform/system.ts';
import {accountName} from '../platform/user-name.ts';
import type {HostFacts} from './engine.ts';

/** The machine that the instances run on. `directory`: where they are kept. */
export async function hostFacts(directory: string, system: Pick<System, 'availableMemory'>): Promise<HostFacts> {
	const disk = await statfs(directory).catch(() => undefined);
	return {
		name: plainLine(hostname()),
		user: accountName(),
		cpus: availableParallelism(),
		memoryTotal: totalmem(),
		memoryAvailable: await system.availableMemory(),
		diskFree: disk ? disk.bavail * disk.bsize : 0,
	};
}
