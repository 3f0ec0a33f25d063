import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {formatSize, gibibyte, humanSize, limits, mebibyte, parseSize} from '../../source/model/sizes.ts';

describe('parseSize', () => {
	test.each([
		['0', 0],
		['512', 512],
		['512B', 512],
		['1k', 1024],
		['1KB', 1024],
		['1KiB', 1024],
		['2M', 2 * mebibyte],
		['1.5G', 1.5 * gibibyte],
		['1.5gib', 1.5 * gibibyte],
		['  5G\t', 5 * gibibyte],
		['0.0001k', 0],
		['1.9B', 1],
	])('%s', (text, bytes) => {
		expect(parseSize(text)).toBe(bytes);
	});

	test.each([
		'',
		' ',
		'G',
		'1 G',
		'1.5',
		'.5G',
		'1.G',
		'-1G',
		'+1G',
		'1T',
		'1GG',
		'1BiB',
		'1iB',
		'1,5G',
		'1e3',
		'0x10',
		'Infinity',
		'9007199254740993',
		'99999999999999G',
	])('%j is no size', text => {
		expect(parseSize(text)).toBeUndefined();
	});

	test('reads back every whole number in every spelling of its unit', () => {
		const spellings = fc.constantFrom<[string, number]>(
			['', 1],
			['B', 1],
			['b', 1],
			['K', 1024],
			['kb', 1024],
			['KiB', 1024],
			['m', mebibyte],
			['MB', mebibyte],
			['g', gibibyte],
			['GiB', gibibyte],
		);
		fc.assert(
			fc.property(
				fc.nat(2 ** 22),
				spellings,
				(number, [unit, factor]) => parseSize(`${number}${unit}`) === number * factor,
			),
		);
	});

	test('gives whole, safe bytes or nothing, for any text', () => {
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\s*\d{1,18}(\.\d{1,4})?[kmgtKMGT]?(i?[bB])?$/)), text => {
				const bytes = parseSize(text);
				return bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0);
			}),
		);
	});
});

describe('formatSize', () => {
	test.each([
		[0, '0B'],
		[1023, '1023B'],
		[1024, '1K'],
		[512 * mebibyte, '512M'],
		[gibibyte, '1.0G'],
		[1.5 * gibibyte, '1.5G'],
		[5 * gibibyte, '5.0G'],
	])('%d is %s', (bytes, text) => {
		expect(formatSize(bytes)).toBe(text);
	});

	test('can be read back, is off by a twentieth or half a unit at most, and never larger for less', () => {
		const sizes = fc.oneof(fc.nat(2 ** 31 - 1), fc.integer({min: 0, max: 2 ** 45}));
		fc.assert(
			fc.property(sizes, sizes, (a, b) => {
				const [less, more] = [Math.min(a, b), Math.max(a, b)];
				const read = parseSize(formatSize(less))!;
				const unit = less >= 2 ** 30 ? 2 ** 30 / 10 : less >= 2 ** 20 ? 2 ** 20 : 1024;
				expect(Math.abs(read - less)).toBeLessThanOrEqual(Math.max(less / 20, unit / 2 + 1));
				expect(read).toBeLessThanOrEqual(parseSize(formatSize(more))!);
				expect(formatSize(less).length).toBeLessThanOrEqual(8);
			}),
		);
	});
});

test('humanSize writes sizes as Multipass does', () => {
	expect(humanSize(limits.diskDefault)).toBe('5.0GiB');
	expect(humanSize(limits.memoryMinimum)).toBe('128.0MiB');
	expect(humanSize(1536)).toBe('1.5KiB');
	expect(humanSize(7)).toBe('7B');
	fc.assert(fc.property(fc.nat(), bytes => parseSize(humanSize(bytes)) !== undefined));
});
