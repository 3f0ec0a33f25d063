import type {Metrics} from '../model/metrics.ts';
import type {Instances} from './instances.ts';

/** Milliseconds one instance may take; who does not answer in time is left out. */
const sampleTimeoutMs = 1500;

/** A sample for each of these that runs, by name. One that cannot be asked holds up no other. */
export async function sampleMetrics(
	instances: Instances,
	names: readonly string[],
): Promise<Readonly<Record<string, Metrics>>> {
	const {driver} = instances;
	if (driver.metrics === undefined) return {};
	const closely = names.length === 1;
	const samples = await Promise.all(
		[...new Set(names)].map(async name => {
			if (!instances.has(name)) return [];
			const entry = instances.get(name);
			if (entry.stored.kind !== 'record' || entry.observation?.power !== 'running') return [];
			const sample = await within(driver.metrics!(entry.stored.record, instances.place(entry), {closely}));
			return sample === undefined ? [] : [[name, sample] as const];
		}),
	);
	return Object.fromEntries(samples.flat());
}

function within<Value>(promise: Promise<Value>): Promise<Value | undefined> {
	return new Promise(resolve => {
		const timer = setTimeout(() => resolve(undefined), sampleTimeoutMs);
		promise.then(resolve, () => resolve(undefined)).finally(() => clearTimeout(timer));
	});
}
