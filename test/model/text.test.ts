import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {listOf, plainLine, plainText} from '../../source/model/text.ts';

const control = /[\u0000-\u001F\u007F-\u009F\u2028\u2029]/;
const direction = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/;

/** Text as a hostile guest would choose it. */
const hostile = fc
	.array(
		fc.oneof(
			fc.constantFrom(
				'\u001B[31m',
				'\u001B]0;title\u0007',
				'\u001B]8;;http://x\u001B\\',
				'\u001B[2J',
				'\u001B',
				'\u009B',
				'\u009D',
			),
			fc.constantFrom(
				'\u001B[',
				'\u001B]',
				'\u001BP',
				'\u202E',
				'\u2066',
				'\uFEFF',
				'\u200B',
				'\r',
				'\n',
				'\t',
				'\r\n',
				'\b',
				'\0',
			),
			fc.string({unit: 'binary', maxLength: 5}),
			fc.string({unit: 'grapheme', maxLength: 5}),
		),
		{maxLength: 12},
	)
	.map(parts => parts.join(''));

describe('plainLine', () => {
	test('never leaves a control character, a line break or a change of direction', () => {
		fc.assert(
			fc.property(hostile, text => {
				expect(plainLine(text)).not.toMatch(control);
				expect(plainLine(text)).not.toMatch(direction);
			}),
			{numRuns: 1000},
		);
	});

	test('has nothing more to do the second time', () => {
		fc.assert(fc.property(hostile, text => plainLine(plainLine(text)) === plainLine(text)));
	});

	test('leaves ordinary text as it is', () => {
		const word = fc.stringMatching(/^[A-Za-z0-9.,:;/()'"äöüßéñжעあ中😀-]+$/u);
		fc.assert(fc.property(fc.array(word, {minLength: 1}), words => plainLine(words.join(' ')) === words.join(' ')));
	});

	test('takes whole sequences out, not only their first character', () => {
		expect(plainLine('a\u001B[1;31mred\u001B[0m b')).toBe('ared b');
		expect(plainLine('\u001B]0;owned\u0007x\u001B]8;;http://e\u001B\\link')).toBe('xlink');
		expect(plainLine(' two\r\nlines\tand a tab ')).toBe('two lines and a tab');
	});
});

describe('plainText', () => {
	test('keeps line breaks and tabs, and nothing else of the kind', () => {
		expect(plainText('a\r\nb\rc\n\td\u0007')).toBe('a\nb\nc\n\td');
		fc.assert(fc.property(hostile, text => !control.test(plainText(text).replace(/[\n\t]/g, ''))));
	});

	test('a sequence that never ends hides one line at most', () => {
		expect(plainText('a\u001B]0;never ended\nnext line')).toBe('a\nnext line');
	});
});

test('listOf joins as a sentence does', () => {
	expect(listOf([])).toBe('');
	expect(listOf(['a'])).toBe('a');
	expect(listOf(['a', 'b'])).toBe('a and b');
	expect(listOf(['a', 'b', 'c'], 'or')).toBe('a, b or c');
});
