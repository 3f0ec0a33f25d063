import {assert, integer, property, string} from 'fast-check';
import stringWidth from 'string-width';
import {describe, expect, test} from 'vitest';
import {fitText, line, lineWidth, overlay, sliceText, span, spread, wrap} from '../../source/components/pieces/line.ts';
import {paint} from '../../source/components/pieces/theme.ts';
import {plainLine} from '../../source/model/text.ts';

describe('fitText', () => {
	test('is exactly as wide as asked, whatever the text', () => {
		void assert(
			property(string({unit: 'grapheme', maxLength: 30}), integer({min: 1, max: 40}), (text, width) => {
				expect(stringWidth(fitText(plainLine(text), width))).toBe(width);
			}),
			{numRuns: 500},
		);
	});

	test.each([
		['漢字データベース', '漢字デー …'],
		['web-front', 'web-front '],
		['👩‍👩‍👧‍👦 family of four', '👩‍👩‍👧‍👦 family…'],
		['e\u0301clair', 'e\u0301clair    '],
	])('%s', (text, expected) => {
		expect(fitText(text, 10).trimEnd()).toBe(expected.trimEnd());
		expect(stringWidth(fitText(text, 10))).toBe(10);
	});

	test('stands at the right when asked', () => {
		expect(fitText('2.0G', 6, 'right')).toBe('  2.0G');
	});
});

test('half of a wide character becomes a space', () => {
	expect(sliceText('漢字', 1, 4)).toBe(' 字');
	expect(sliceText('漢字', 0, 3)).toBe('漢 ');
});

test('the right part of a line wins when both do not fit', () => {
	const text = spread(line('a long left side'), line('right'), 14)
		.map(piece => piece.text)
		.join('');
	expect(text).toBe('a long … right');
});

test('a box is laid over lines and leaves what is around it', () => {
	const result = overlay([line('abcdef'), line('ghijkl')], [line('XY')], 1, 2).map(content =>
		content.map(piece => piece.text).join(''),
	);
	expect(result).toEqual(['abcdef', 'ghXYkl']);
});

test('text is broken at spaces, and words that are too long are cut', () => {
	expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
	expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
});

describe('paint', () => {
	const content = [span('● Running ', 'good'), span('漢', 'problem'), span(' ok')];
	const strip = (text: string) => text.replace(/\u001B\[[\d;]*m/g, '');

	test('fills the width', () => {
		expect(stringWidth(strip(paint(content, 30, {color: true, ascii: false})))).toBe(30);
		expect(lineWidth(content)).toBe(15);
	});

	test('without colours uses none', () => {
		const codes = paint(content, 30, {color: false, ascii: false}).match(/\u001B\[[\d;]*m/g) ?? [];
		expect(codes.every(code => !/3\d/.test(code))).toBe(true);
	});

	test('writes only ASCII when asked, at the same width', () => {
		const text = strip(paint(content, 30, {color: true, ascii: true}));
		expect(text).toMatch(/^[\u0020-\u007E]*$/);
		expect(text).toBe('* Running ?? ok'.padEnd(30));
	});
});
