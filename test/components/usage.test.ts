import {describe, expect, test} from 'vitest';
import {percentLevel, rateLevel, sparkline} from '../../source/components/pieces/sparkline.ts';
import {paint} from '../../source/components/pieces/theme.ts';
import {formatRate} from '../../source/components/screens/detail-usage.ts';
import {memoryPercent, steady, steadyUsage, usageBetween} from '../../source/components/store/usage.ts';
import type {Metrics} from '../../source/model/metrics.ts';
import {gibibyte, mebibyte} from '../../source/model/sizes.ts';

const sample = (at: number, more: Partial<Metrics> = {}): Metrics => ({at, cpuSeconds: 0, ...more});

describe('rates', () => {
	test('are made from two samples, the processors shared', () => {
		const before = sample(10_000, {cpuSeconds: 5, received: 1000, sent: 0, diskRead: 0, diskWritten: 4096});
		const after = sample(12_000, {cpuSeconds: 7, received: 5000, sent: 0, diskRead: 2048, diskWritten: 4096});
		expect(usageBetween(before, after, 4)).toEqual({cpu: 25, received: 2000, sent: 0, read: 1024, written: 0});
	});

	test('are not known after the first sample, but what needs no second one is', () => {
		const first = sample(0, {memoryUsed: 5, memoryTotal: 10, received: 7});
		expect(usageBetween(undefined, first, 1)).toEqual({memory: 5, memoryTotal: 10});
	});

	test('of a counter that begins anew are not known, the others are', () => {
		const before = sample(0, {cpuSeconds: 50, received: 1000, sent: 10});
		const after = sample(2000, {cpuSeconds: 1, received: 100, sent: 12});
		expect(usageBetween(before, after, 1)).toEqual({sent: 1});
	});

	test.each([
		['back', -5000],
		['on by hours', 3_600_000],
		['not at all', 0],
	])('are not known when the clock goes %s', (_, ms) => {
		const after = sample(100_000 + ms, {cpuSeconds: 1, received: 9});
		expect(usageBetween(sample(100_000, {received: 0}), after, 1)).toEqual({});
	});

	test('of more than there are processors are a clock that was set; a little more is a rounding', () => {
		const cpu = (seconds: number) => usageBetween(sample(0), sample(1000, {cpuSeconds: seconds}), 2).cpu;
		expect(cpu(2.1)).toBe(100);
		expect(cpu(9)).toBeUndefined();
	});
});

describe('what is shown', () => {
	test('stays until the value has clearly moved', () => {
		let shown: number | undefined;
		const seen = [3.2, 3.6, 2.6, 3.5, 3.9, 3.4].map(value => {
			shown = steady(shown, value, 1);
			return shown;
		});
		expect(seen).toEqual([3, 3, 3, 3, 4, 4]);
	});

	test('of memory moves in hundredths of all', () => {
		const at = (bytes: number) => ({memory: bytes, memoryTotal: gibibyte});
		const first = steadyUsage(undefined, at(600 * mebibyte));
		expect(steadyUsage(first, at(605 * mebibyte)).memory).toBe(first.memory);
		expect(steadyUsage(first, at(620 * mebibyte)).memory).not.toBe(first.memory);
		expect(memoryPercent(first)).toBe(59);
		expect(memoryPercent({memory: 5})).toBeUndefined();
	});

	test.each([
		[undefined, '-'],
		[0, '0B/s'],
		[99, '0B/s'],
		[700, '<1K/s'],
		[1024, '1.0K/s'],
		[348_160, '340K/s'],
		[1_023_000, '1.0M/s'],
		[1_258_291, '1.2M/s'],
		[5 * 1024 ** 4, '5100G/s'],
	])('of %s bytes a second is %s', (bytes, text) => {
		expect(formatRate(bytes)).toBe(text);
	});
});

describe('a graph', () => {
	test('has the newest at the right, gaps where nothing is known, and is always as wide', () => {
		expect(sparkline([1, undefined, 8, 0, 3], 6)).toBe(' ▁ █ ▃');
		expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8], 3)).toBe('▆▇█');
		expect(sparkline([], 3)).toBe('   ');
	});

	test('tells nothing from little, and has one scale for all', () => {
		expect([0, 0.4, 1, 50, 100].map(percentLevel).map(Math.round)).toEqual([0, 0, 1, 4, 8]);
		expect([0, 99, 100, 1024, 8 * 1024, 2 ** 31].map(rateLevel).map(Math.round)).toEqual([0, 0, 1, 1, 2, 8]);
	});

	test('is ASCII where the terminal has no more', () => {
		const text = sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8);
		expect(paint([{text}], 8, {color: false, ascii: true})).toBe('_..::||#');
	});
});
