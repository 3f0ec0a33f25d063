/** The parts of a launch after its image is there, in order: made, booted until it answers, initialized. */
export const launchParts = ['create', 'boot', 'init'] as const;
export type LaunchPart = (typeof launchParts)[number];

/** Milliseconds that each part took, or usually takes. */
export type PartTimes = Readonly<Record<LaunchPart, number>>;

/** What is remembered of earlier launches of one image under one driver: the newest last. */
export type LaunchTimes = {
	readonly create: readonly number[];
	readonly boot: readonly number[];
	/** By what was asked of cloud-init, as it takes as long as that does: a digest, empty for nothing. */
	readonly init: Readonly<Record<string, readonly number[]>>;
};

/** What launches of this kind took in the middle; nothing where a part was never seen to its end. */
export function usualTimes(times: LaunchTimes | undefined, config: string): PartTimes | undefined {
	const [create, boot, init] = [middle(times?.create), middle(times?.boot), middle(times?.init[config])];
	if (create === undefined || boot === undefined || init === undefined) return undefined;
	return {create, boot, init};
}

function middle(values: readonly number[] = []): number | undefined {
	return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** So many launches of one kind are remembered, and so many different cloud-configs of one image. */
const [mostLaunches, mostConfigs] = [5, 8];

export function withTimes(times: LaunchTimes | undefined, config: string, took: PartTimes): LaunchTimes {
	const add = (values: readonly number[] = [], value: number) => [...values, Math.round(value)].slice(-mostLaunches);
	const {[config]: own, ...others} = times?.init ?? {};
	return {
		create: add(times?.create, took.create),
		boot: add(times?.boot, took.boot),
		init: Object.fromEntries([...Object.entries(others), [config, add(own, took.init)]].slice(-mostConfigs)),
	};
}

/**
 * How far a launch is, judged by what earlier ones took: 0 to 99, since its end is not a matter of time. A part that takes
 * longer than usual comes ever nearer to its end without reaching it.
 * @param elapsed milliseconds since the part began
 */
export function percentAt(usual: PartTimes, part: LaunchPart, elapsed: number): number {
	const total = launchParts.reduce((sum, each) => sum + usual[each], 0);
	if (total <= 0) return 0;
	const before = launchParts.slice(0, launchParts.indexOf(part)).reduce((sum, each) => sum + usual[each], 0);
	const own = usual[part] <= 0 ? 1 : approach(elapsed / usual[part]);
	return Math.min(99, (100 * (before + own * usual[part])) / total);
}

/** In step up to nine tenths, and then slower and slower. */
function approach(part: number): number {
	return part <= 0.9 ? Math.max(0, part) : 1 - 0.1 * Math.exp((0.9 - part) / 0.1);
}
