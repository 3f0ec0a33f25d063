import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import * as esbuild from 'esbuild';
import originalWidth from 'string-width';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {patchPackages} from '../../scripts/patches/plugins.mjs';
import {QuickSegmenter} from '../../scripts/patches/quick-segmenter.mjs';

let home: string;
let patchedWidth: typeof originalWidth;

beforeAll(async () => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-width-'));
	const outfile = path.join(home, 'width.mjs');
	await esbuild.build({
		stdin: {contents: "export {default} from 'string-width'", resolveDir: import.meta.dirname},
		bundle: true,
		platform: 'node',
		format: 'esm',
		outfile,
		plugins: [patchPackages(new Set())],
	});
	({default: patchedWidth} = await import(pathToFileURL(outfile).href));
});

afterAll(() => rmSync(home, {recursive: true, force: true}));

const last = 0x2ffff;
const segments = (segmenter: {segment(text: string): Iterable<Intl.SegmentData>}, text: string) =>
	[...segmenter.segment(text)].map(({segment, index, input}) => ({segment, index, input}));

test('the fast width is another function, and equals the original for every code point', () => {
	expect(String(patchedWidth)).not.toBe(String(originalWidth));
	const different: string[] = [];
	for (let code = 0; code <= last; code++) {
		const text = String.fromCodePoint(code);
		if (patchedWidth(text) !== originalWidth(text)) different.push(code.toString(16));
	}
	expect(different).toEqual([]);
}, 90_000);

test('it equals the original for characters beside a letter, a selector, a mark and an escape sequence', () => {
	const different: string[] = [];
	for (let code = 0; code <= 0xffff; code++) {
		// Ideographs and syllables, which all go the original's way.
		if (code === 0x3400) code = 0xfb00;
		const character = String.fromCodePoint(code);
		for (const text of [
			`a${character}│`,
			`${character}\uFE0F`,
			`${character}\u20E3`,
			`é${character}\u0301\u001B[1mx`,
		]) {
			if (patchedWidth(text) !== originalWidth(text)) different.push(code.toString(16));
		}
	}
	expect(different).toEqual([]);
}, 90_000);

test('it heeds the options and odd arguments as the original does', () => {
	for (const options of [{}, {ambiguousIsNarrow: false}, {countAnsiEscapeCodes: true}]) {
		for (const text of ['', 'abc', '│─', '\u001B[31m│\u001B[39m', '日本', '±§']) {
			expect(patchedWidth(text, options)).toBe(originalWidth(text, options));
		}
	}
	expect(patchedWidth(5 as unknown as string)).toBe(0);
});

test('the quick segmenter cuts as the original does, whatever stands beside what', () => {
	const original = new Intl.Segmenter();
	const quick = new QuickSegmenter();
	const different: string[] = [];
	for (let code = 0; code <= last; code++) {
		const character = String.fromCodePoint(code);
		const text = `a${character}│${character}${character}`;
		const [left, right] = [quick.segment(text), original.segment(text)].map(found =>
			[...found].map(({segment}) => segment),
		);
		if (left!.join('|') !== right!.join('|')) different.push(code.toString(16));
	}
	expect(different).toEqual([]);
}, 90_000);

test('any two simple characters are two graphemes', () => {
	const original = new Intl.Segmenter();
	const quick = new QuickSegmenter();
	const simple: string[] = [];
	for (let code = 0; code <= 0xffff; code++) {
		const character = String.fromCharCode(code);
		// The quick way answers with an object of its own, the other with ICU's.
		if (!(Object.prototype.toString.call(quick.segment(character)) === '[object %Segments%]')) {
			if (quick.segment(character).constructor.name === 'SimpleSegments') simple.push(character);
		}
	}
	expect(simple.length).toBeGreaterThan(1000);
	// All pairs would be millions; ICU decides by class, so each is paired with one of each thing that classes are made of.
	for (const first of ['a', '\n', '\u001B', '©', '│', 'Ж', '⠿', '™'.normalize(), '▶', '↔', '0', '#']) {
		const text = simple.map(character => `${first}${character}`).join('');
		expect([...original.segment(text)].length).toBe([...quick.segment(text)].length);
	}
});

test('it answers as the original does: data, containing, options, line ends', () => {
	const original = new Intl.Segmenter(undefined, {granularity: 'grapheme'});
	const quick = new QuickSegmenter(undefined, {granularity: 'grapheme'});
	for (const text of ['', 'a│b', '\r\n', 'e\u0301│', '👩‍👩‍👧 x']) {
		expect(segments(quick, text)).toEqual(segments(original, text));
		for (const index of [-1, 0, 1, 2, 100]) {
			expect(quick.segment(text).containing(index)?.segment).toBe(original.segment(text).containing(index)?.segment);
		}
	}
	const words = new QuickSegmenter('en', {granularity: 'word'});
	expect(segments(words, 'two words').map(({segment}) => segment)).toEqual(['two', ' ', 'words']);
});
