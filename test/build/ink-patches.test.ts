import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {pathToFileURL} from 'node:url';
import * as esbuild from 'esbuild';
import fc from 'fast-check';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {lazyBuiltins, patchPackages} from '../../scripts/patches/plugins.mjs';

type Ink = Pick<typeof import('ink'), 'renderToString' | 'Box' | 'Text'> &
	Pick<typeof import('react'), 'createElement'>;

let home: string;
let patched: Ink;
let original: Ink;
const colour = process.env['FORCE_COLOR'];

async function bundled(name: string, isPatched: boolean): Promise<Ink> {
	const outfile = path.join(home, `${name}.mjs`);
	await esbuild.build({
		stdin: {
			contents: "export {renderToString, Box, Text} from 'ink'; export {createElement} from 'react'",
			resolveDir: import.meta.dirname,
		},
		bundle: true,
		platform: 'node',
		format: 'esm',
		outfile,
		define: {'process.env.NODE_ENV': '"production"'},
		banner: {js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"},
		inject: isPatched ? [path.join(import.meta.dirname, '../../scripts/patches/builtin.mjs')] : [],
		alias: isPatched ? {} : {'react-devtools-core': 'react'},
		plugins: isPatched ? [lazyBuiltins, patchPackages(new Set())] : [],
	});
	return import(/* @vite-ignore */ pathToFileURL(outfile).href);
}

beforeAll(async () => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-ink-'));
	process.env['FORCE_COLOR'] = '3';
	[patched, original] = await Promise.all([bundled('patched', true), bundled('original', false)]);
});

afterAll(() => {
	if (colour === undefined) delete process.env['FORCE_COLOR'];
	else process.env['FORCE_COLOR'] = colour;
	rmSync(home, {recursive: true, force: true});
});

type Tree = {
	readonly text: string;
	readonly style: {color?: string; bold?: boolean; inverse?: boolean; wrap?: 'truncate-end' | 'wrap'};
	readonly box: {width?: number; height?: number; marginLeft?: number; borderStyle?: 'round'; overflow?: 'hidden'};
	readonly children: readonly Tree[];
};

const piece = fc.constantFrom(
	'web',
	' ',
	'│',
	'日本',
	'\n',
	'é',
	'e\u0301',
	'👩‍👩‍👧',
	'▶',
	'\u001B[31mred\u001B[39m',
	'a longer text',
	'…',
	'\t',
);

const {tree} = fc.letrec<{tree: Tree}>(tie => ({
	tree: fc.record({
		text: fc.array(piece, {maxLength: 8}).map(pieces => pieces.join('')),
		style: fc.record(
			{
				color: fc.constantFrom('green', '#ff8800'),
				bold: fc.boolean(),
				inverse: fc.boolean(),
				wrap: fc.constantFrom('truncate-end' as const, 'wrap' as const),
			},
			{requiredKeys: []},
		),
		box: fc.record(
			{
				width: fc.integer({min: 1, max: 30}),
				height: fc.integer({min: 1, max: 5}),
				marginLeft: fc.integer({min: -5, max: 5}),
				borderStyle: fc.constant('round' as const),
				overflow: fc.constant('hidden' as const),
			},
			{requiredKeys: []},
		),
		children: fc.oneof({maxDepth: 2}, fc.constant([]), fc.array(tie('tree'), {maxLength: 2})),
	}),
}));

function draw({renderToString, Box, Text, createElement}: Ink, tree: Tree): string {
	const element = ({text, style, box, children}: Tree): ReturnType<typeof createElement> =>
		createElement(
			Box,
			{...box, flexDirection: 'column'},
			createElement(Text, style, text),
			...children.map(child => element(child)),
		);
	return renderToString(element(tree), {columns: 40});
}

test('patched Ink draws what Ink draws: styles, wide characters, clipping, borders', () => {
	let drawn = 0;
	fc.assert(
		fc.property(tree, tree => {
			const frame = draw(original, tree);
			if (frame.includes('\u001B[')) drawn++;
			expect(draw(patched, tree)).toBe(frame);
			// Again, now that everything is in the kept cache.
			expect(draw(patched, tree)).toBe(frame);
		}),
		{numRuns: 300},
	);
	expect(drawn).toBeGreaterThan(100);
}, 60_000);
