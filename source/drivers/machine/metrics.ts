import {stat} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import type {InstanceFiles} from './files.ts';
import type {MachineProcess, Machines} from './process.ts';

/** What only the hypervisor knows. What it does not know is absent. */
export type Inside = {
	/** What the guest itself says of its memory, lately. Bytes. */
	readonly memory?: {readonly used: number; readonly total: number};
	/** What the guest itself says of its interfaces. Bytes since its boot. */
	readonly network?: {readonly received: number; readonly sent: number} | undefined;
	/** Bytes the guest has read from and written to its disk since the machine was started or resumed. */
	readonly disk?: {readonly read: number; readonly written: number};
};

/** What a guest said longer ago than this says nothing about now; milliseconds. */
const freshMs = 30_000;

/**
 * One sample: processor time of the machine's process, what its disk takes on the host, and what the hypervisor knows.
 * Where the guest does not tell about its memory, that of the host which it has ever touched stands in.
 * @param ask its failure costs what it would have told, and nothing else
 * @returns `undefined` when the process is gone, or this host does not tell of it
 */
export async function sample(
	machines: Machines,
	record: InstanceRecord,
	files: InstanceFiles,
	found: MachineProcess,
	ask: () => Promise<Inside>,
): Promise<Metrics | undefined> {
	const [inside, usage, disk] = await Promise.all([
		ask().catch(() => undefined),
		machines.usage(found).catch(() => undefined),
		stat(files.disk).catch(() => undefined),
	]);
	const at = Date.now();
	if (usage === undefined) return undefined;
	const memory = inside && (inside.memory ?? touched(usage.sharedMemory, record.hardware.memory));
	return {
		at,
		cpuSeconds: usage.cpuSeconds,
		...(memory === undefined ? {} : {memoryUsed: memory.used, memoryTotal: memory.total}),
		...(inside?.disk === undefined ? {} : {diskRead: inside.disk.read, diskWritten: inside.disk.written}),
		...(inside?.network === undefined ? {} : {received: inside.network.received, sent: inside.network.sent}),
		...(disk === undefined ? {} : {diskUsed: disk.blocks * 512}),
	};
}

/** A network that is inside QEMU's process is counted by the guest alone; it has so long to tell, milliseconds. */
export const networkTimeoutMs = 600;

/** What a guest tells in time; one that does not keeps nothing else from being told. */
export async function inTime<Value>(asked: Promise<Value>): Promise<Value | undefined> {
	const limit = new AbortController();
	const late = sleep(networkTimeoutMs, undefined, {signal: limit.signal}).catch(() => undefined);
	try {
		return await Promise.race([asked.catch(() => undefined), late]);
	} finally {
		limit.abort();
	}
}

function touched(used: number | undefined, total: number): Inside['memory'] {
	return used === undefined ? undefined : {used: Math.min(used, total), total};
}

/**
 * What a guest has told through its balloon: everything in it comes from inside the guest.
 * @param updated seconds since the epoch, 0 for never
 */
export function toldMemory(available: unknown, total: unknown, updated: unknown, now: number): Inside['memory'] {
	if (!isBytes(available) || !isBytes(total) || total === 0 || available > total) return undefined;
	const isFresh = typeof updated === 'number' && Math.abs(now - updated * 1000) <= freshMs;
	return isFresh ? {used: total - available, total} : undefined;
}

export function isBytes(value: unknown): value is number {
	return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
