import {stat} from 'node:fs/promises';
import {cpus} from 'node:os';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import type {InstancePlace} from '../driver.ts';
import {filesOf} from './files.ts';
import type {Manage} from './manage.ts';
import {parseMetrics} from './parse.ts';

const names = {
	user: 'CPU/Load/User',
	kernel: 'CPU/Load/Kernel',
	memory: 'RAM/Usage/Used',
	received: 'Net/Rate/Rx',
	sent: 'Net/Rate/Tx',
} as const;
const list = Object.values(names).join(',');

/** What a sample may take in all is a second. */
const answerLimitMs = 900;
/** VirtualBox's service forgets that it was asked to count when it ends, and counts nothing for what starts later. */
const setUpEveryMs = 5000;

type Values = ReadonlyMap<string, number>;
type Sum = {readonly at: number; readonly cpuSeconds: number; readonly received: number; readonly sent: number};

/**
 * Asks VirtualBox once for all who want to know at the same time. It tells rates of the last second, and clients want
 * sums: each sample stands for the time since the one before.
 */
export class Sampler {
	#next: Promise<ReadonlyMap<string, Values>> | undefined;
	#setUpAt = 0;
	readonly #sums = new Map<string, Sum>();

	/** By machine's name. @throws ManageError */
	async all(manage: Manage): Promise<ReadonlyMap<string, Values>> {
		this.#next ??= (async () => {
			// Whoever comes before the question is asked is answered by it; who comes later, by another.
			await new Promise(resolve => setTimeout(resolve, 5));
			this.#next = undefined;
			return parseMetrics(await manage.look(['metrics', 'query', '*', list], {timeoutMs: answerLimitMs}));
		})();
		return this.#next;
	}

	/** Has VirtualBox count, in the background, at most now and then. */
	setUp(manage: Manage, now = Date.now()): void {
		if (now - this.#setUpAt < setUpEveryMs) return;
		this.#setUpAt = now;
		void manage
			.work(['metrics', 'setup', '--period', '1', '--samples', '1', '*', list], {timeoutMs: 10_000})
			.catch(() => {});
	}

	/** The sums of a machine after a sample. */
	add(id: string, values: Values, at: number, processors = cpus().length): Sum {
		const last = this.#sums.get(id);
		const seconds = last === undefined ? 0 : Math.min(60, Math.max(0, (at - last.at) / 1000));
		// Of all the host's processors together. Source: VirtualBox's SDK, performance metrics of a machine.
		const load = ((values.get(names.user) ?? 0) + (values.get(names.kernel) ?? 0)) / 100;
		const sum = {
			at,
			cpuSeconds: (last?.cpuSeconds ?? 0) + Math.min(1, load) * processors * seconds,
			received: (last?.received ?? 0) + (values.get(names.received) ?? 0) * seconds,
			sent: (last?.sent ?? 0) + (values.get(names.sent) ?? 0) * seconds,
		};
		this.#sums.set(id, sum);
		return sum;
	}

	forget(id: string): void {
		this.#sums.delete(id);
	}
}

/** @param machine the name VirtualBox knows it by: its table has no ids */
export async function sample(
	sampler: Sampler,
	manage: Manage,
	machine: string,
	record: InstanceRecord,
	place: InstancePlace,
): Promise<Metrics> {
	const [values, disk] = await Promise.all([
		sampler.all(manage).then(
			all => all.get(machine),
			() => undefined,
		),
		stat(filesOf(place).disk).catch(() => undefined),
	]);
	const at = Date.now();
	const diskUsed = disk === undefined ? {} : {diskUsed: disk.size};
	if (values?.get(names.user) === undefined) {
		sampler.setUp(manage);
		return {at, ...diskUsed};
	}
	const {cpuSeconds, received, sent} = sampler.add(record.id, values, at);
	const memory = values.get(names.memory);
	const total = record.hardware.memory;
	return {
		at,
		cpuSeconds,
		...(memory === undefined ? {} : {memoryUsed: Math.min(memory * 1024, total), memoryTotal: total}),
		...(values.has(names.received) ? {received: Math.round(received)} : {}),
		...(values.has(names.sent) ? {sent: Math.round(sent)} : {}),
		...diskUsed,
	};
}
