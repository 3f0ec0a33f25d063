import {setTimeout as sleep} from 'node:timers/promises';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import type {InstancePlace} from '../driver.ts';
import {filesOf, type InstanceFiles} from '../machine/files.ts';
import {networkUse} from '../machine/guest.ts';
import {asObject} from '../machine/json.ts';
import {type Inside, inTime, isBytes, networkTimeoutMs, sample, toldMemory} from '../machine/metrics.ts';
import type {Shared} from './context.ts';
import {withAgent} from './guest.ts';

/** What a sample may take in all is a second. */
const answerTimeoutMs = 700;
/** A guest tells within some milliseconds, if it tells at all. */
const tellMs = 100;

const balloon = '/machine/peripheral/balloon0';
const interval = 'guest-stats-polling-interval';

export async function metrics(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	{closely = false}: {readonly closely?: boolean} = {},
): Promise<Metrics | undefined> {
	const files = filesOf(place);
	const found = await shared.machines.find(record.id, files);
	if (found?.runner !== 'qemu') return undefined;
	return sample(shared.machines, record, files, found, async () => {
		const [memory, stats, network] = await Promise.all([
			memoryOf(shared, files),
			asked(shared, files, 'query-blockstats'),
			closely ? inTime(networkOf(files)) : undefined,
		]);
		const disk = parseBlockStats(stats);
		return {...(memory ? {memory} : {}), ...(disk ? {disk} : {}), ...(network ? {network} : {})};
	});
}

function networkOf(files: InstanceFiles): Promise<Inside['network']> {
	return withAgent(files, {timeoutMs: networkTimeoutMs}, agent => networkUse(agent, {timeoutMs: networkTimeoutMs}));
}

function asked(shared: Shared, files: InstanceFiles, command: string, parameters?: Readonly<Record<string, unknown>>) {
	return shared.monitors.ask(files, command, {timeoutMs: answerTimeoutMs}, parameters);
}

/**
 * What the guest said last. It is asked once for the next sample and not on and on: nobody may look again, and a guest at
 * rest should stay at rest.
 */
async function memoryOf(shared: Shared, files: InstanceFiles): Promise<Inside['memory']> {
	const said = async () =>
		parseBalloon(await asked(shared, files, 'qom-get', {path: balloon, property: 'guest-stats'}), Date.now());
	const before = await said();
	await askGuest(shared, files);
	if (before !== undefined) return before;
	await sleep(tellMs);
	return said();
}

/** Setting an interval where there was none makes QEMU ask at once, and then again after that many seconds. */
async function askGuest(shared: Shared, files: InstanceFiles): Promise<void> {
	for (const value of [0, 24 * 3600]) await asked(shared, files, 'qom-set', {path: balloon, property: interval, value});
}

export function parseBalloon(answer: unknown, now: number): Inside['memory'] {
	const {stats, 'last-update': updated} = asObject(answer);
	const {'stat-available-memory': available, 'stat-total-memory': total} = asObject(stats);
	return toldMemory(available, total, updated, now);
}

/** Of the disk alone: the seed is read once and never again. */
export function parseBlockStats(answer: unknown): Inside['disk'] {
	const entries = Array.isArray(answer) ? answer.map(asObject) : [];
	const {rd_bytes: read, wr_bytes: written} = asObject(
		entries.find(entry => entry['node-name'] === 'disk0')?.['stats'],
	);
	return isBytes(read) && isBytes(written) ? {read, written} : undefined;
}
