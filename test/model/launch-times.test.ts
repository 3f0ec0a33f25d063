import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type LaunchTimes, launchParts, percentAt, usualTimes, withTimes} from '../../source/model/launch-times.ts';

const took = (create: number, boot: number, init: number) => ({create, boot, init});

describe('what launches usually take', () => {
	test('is the middle of the last five; nothing as long as there was none', () => {
		expect(usualTimes(undefined, '')).toBeUndefined();
		let times: LaunchTimes | undefined;
		for (const boot of [9000, 9000, 9000, 1000, 5000, 4000, 2000, 3000])
			times = withTimes(times, '', took(10, boot, 100));
		expect(times!.boot).toEqual([1000, 5000, 4000, 2000, 3000]);
		expect(usualTimes(times, '')).toEqual(took(10, 3000, 100));
	});

	test('the initialization takes what was asked of it', () => {
		const times = withTimes(withTimes(undefined, '', took(1, 2, 3)), 'packages', took(1, 2, 300));
		expect(usualTimes(times, 'packages')?.init).toBe(300);
		expect(usualTimes(times, '')?.init).toBe(3);
		expect(usualTimes(times, 'something else')).toBeUndefined();
	});

	test('no more than some configurations are remembered: those used last', () => {
		let times = withTimes(undefined, '', took(1, 2, 3));
		for (let index = 0; index < 8; index++) times = withTimes(times, `config ${index}`, took(1, 2, 3));
		expect(Object.keys(times.init)).toHaveLength(8);
		expect(times.init['']).toBeUndefined();
	});
});

describe('how far a launch is', () => {
	test('by its parts', () => {
		const usual = took(1000, 6000, 3000);
		expect(percentAt(usual, 'create', 0)).toBe(0);
		expect(percentAt(usual, 'boot', 0)).toBeCloseTo(10);
		expect(percentAt(usual, 'boot', 3000)).toBeCloseTo(40);
		expect(percentAt(usual, 'init', 0)).toBeCloseTo(70);
		expect(percentAt(usual, 'init', 1_000_000)).toBe(99);
	});

	test('it only grows, and never says that it is the end', () => {
		const time = fc.nat({max: 1_000_000});
		fc.assert(
			fc.property(fc.tuple(time, time, time), fc.array(time), ([create, boot, init], moments) => {
				let last = 0;
				for (const part of launchParts) {
					for (const at of moments.toSorted((a, b) => a - b)) {
						const percent = percentAt({create, boot, init}, part, at);
						expect(percent).toBeGreaterThanOrEqual(last);
						expect(percent).toBeLessThanOrEqual(99);
						last = percent;
					}
				}
			}),
		);
	});
});
