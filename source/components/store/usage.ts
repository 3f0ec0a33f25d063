import type {Metrics} from '../../model/metrics.ts';

/** What an instance uses, as it is shown. What is not known is absent. */
export type Usage = {
	/** Percent of all its processors, 0 to 100. */
	readonly cpu?: number;
	/** Bytes. */
	readonly memory?: number;
	readonly memoryTotal?: number;
	/** Bytes a second. */
	readonly received?: number;
	readonly sent?: number;
	readonly read?: number;
	readonly written?: number;
};

/** As many points as the widest graph has columns. */
export const mostPoints = 60;

/** What is remembered of one instance. */
export type Gauge = {
	readonly last: Metrics;
	readonly shown: Usage;
	/** Oldest first; only while its page is shown. */
	readonly points: readonly Usage[];
};

export type MetricsState = {
	/** What the samples are for; `undefined` while nothing is asked. */
	readonly of: string | undefined;
	/** Counts beginnings and ends: an answer that belongs to an earlier one leads to no further question. */
	readonly turn: number;
	/** By instance name. */
	readonly gauges: ReadonlyMap<string, Gauge>;
};

export const noMetrics: MetricsState = {of: undefined, turn: 0, gauges: new Map()};

/** Two samples further apart than this say nothing about now, and closer ones too little; milliseconds. */
const longestMs = 30_000;
const shortestMs = 200;
/** A processor can be busy for little more than the time that has passed: beyond this one of the clocks was set. */
const mostPercent = 130;

/**
 * What is used, from a sample and the one before it. A counter that runs backwards has begun anew (the guest was started
 * again), and time that runs backwards or leaps is a clock that was set: both leave the rate unknown until the next one.
 * @param cpus the processors it has
 */
export function usageBetween(before: Metrics | undefined, after: Metrics, cpus: number): Usage {
	const ms = before === undefined ? 0 : after.at - before.at;
	const isTold = before !== undefined && ms >= shortestMs && ms <= longestMs;
	const rate = (from: number | undefined, to: number | undefined) => {
		if (!isTold || from === undefined || to === undefined || to < from) return undefined;
		return ((to - from) * 1000) / ms;
	};
	const busy = rate(before?.cpuSeconds, after.cpuSeconds);
	const percent = busy === undefined ? undefined : (busy * 100) / Math.max(1, cpus);
	return known({
		cpu: percent === undefined || percent > mostPercent ? undefined : Math.min(100, percent),
		memory: after.memoryUsed,
		memoryTotal: after.memoryTotal,
		received: rate(before?.received, after.received),
		sent: rate(before?.sent, after.sent),
		read: rate(before?.diskRead, after.diskRead),
		written: rate(before?.diskWritten, after.diskWritten),
	});
}

/**
 * The value to show for a new one: a multiple of `step`, and the one shown before as long as the new one is close to it.
 * Without that a value between two steps would flip with every sample, and each flip is bytes on a slow line.
 */
export function steady(shown: number | undefined, value: number, step: number): number {
	if (shown !== undefined && shown % step === 0 && Math.abs(value - shown) < step * 0.8) return shown;
	return Math.round(value / step) * step;
}

/** A new reading made calm beside what is shown now. Rates are rounded to two digits where they are drawn. */
export function steadyUsage(shown: Usage | undefined, next: Usage): Usage {
	const step = memoryStep(next.memoryTotal ?? next.memory ?? 0);
	return known({
		...next,
		cpu: next.cpu === undefined ? undefined : steady(shown?.cpu, next.cpu, 1),
		memory: next.memory === undefined ? undefined : steady(shown?.memory, next.memory, step),
	});
}

/** About a hundredth of it, as a power of two. */
function memoryStep(total: number): number {
	return 2 ** Math.max(0, Math.round(Math.log2(Math.max(1, total) / 100)));
}

type Open<Type> = {readonly [Key in keyof Type]: Type[Key] | undefined};

function known(usage: Open<Usage>): Usage {
	return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined));
}

/** How much of its memory is used, percent. */
export function memoryPercent({memory, memoryTotal}: Usage): number | undefined {
	if (memory === undefined || memoryTotal === undefined || memoryTotal <= 0) return undefined;
	return Math.min(100, Math.round((memory / memoryTotal) * 100));
}
