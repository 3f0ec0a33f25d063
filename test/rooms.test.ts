import {existsSync, readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';

const root = path.join(import.meta.dirname, '..');
const source = path.join(root, 'source');

/** The rooms from the top down, as CONTRIBUTING.md has them. */
const rooms = [...readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8').matchAll(/^(cli\.tsx|[a-z]+\/) {2,}/gm)].map(
	match => match[1]!.replace('/', ''),
);

const files = readdirSync(source, {recursive: true, encoding: 'utf8'})
	.filter(file => /\.tsx?$/.test(file))
	.map(file => file.split(path.sep).join('/'));

/** The room of a file below `source/`. */
function roomOf(file: string): string {
	return file.split('/')[0]!;
}

/** Which files of ours a text imports: also for types only, also late. */
function importsIn(text: string, from: string): string[] {
	const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
	const statements = /(?:^|[;}\s])(?:import|export)\s+(?:[^'"`;]*?\sfrom\s+)?(['"])(\.[^'"]*)\1/gm;
	const calls = /\bimport\(\s*(['"])(\.[^'"]*)\1/g;
	return [...code.matchAll(statements), ...code.matchAll(calls)].map(match =>
		path.posix.normalize(path.posix.join(path.posix.dirname(from), match[2]!)),
	);
}

const graph = new Map(files.map(file => [file, importsIn(readFileSync(path.join(source, file), 'utf8'), file)]));

/** The first import of a room that is above the importer's, as a sentence. */
function climbs(imports: ReadonlyMap<string, readonly string[]>): string[] {
	return [...imports].flatMap(([file, targets]) =>
		targets
			.filter(target => rooms.indexOf(roomOf(target)) < rooms.indexOf(roomOf(file)))
			.map(target => `${file} imports ${target}`),
	);
}

/** Rings of imports, each as the files on the way round. */
function rings(imports: ReadonlyMap<string, readonly string[]>): string[] {
	const found: string[] = [];
	const done = new Set<string>();
	const visit = (file: string, way: readonly string[]) => {
		const at = way.indexOf(file);
		if (at !== -1) {
			found.push([...way.slice(at), file].join(' > '));
			return;
		}
		if (done.has(file)) return;
		for (const target of imports.get(file) ?? []) visit(target, [...way, file]);
		done.add(file);
	};
	for (const file of imports.keys()) visit(file, []);
	return found;
}

describe('the checker itself', () => {
	test('sees every way to import', () => {
		const text = `import a, {b} from './a.ts';
import './b.ts';
import type {
	C,
} from "../model/c.ts";
export {d} from './d.ts';
export * from './e.ts';
const f = await import('../state/f.ts');
// import './not-1.ts';
/* import './not-2.ts'; */
import path from 'node:path';
`;
		expect(importsIn(text, 'engine/x.ts').sort()).toEqual(
			['engine/a.ts', 'engine/b.ts', 'model/c.ts', 'engine/d.ts', 'engine/e.ts', 'state/f.ts'].sort(),
		);
	});

	test('sees a climb and a ring', () => {
		expect(climbs(new Map([['model/a.ts', ['engine/b.ts']]]))).toEqual(['model/a.ts imports engine/b.ts']);
		expect(climbs(new Map([['engine/a.ts', ['engine/b.ts', 'model/c.ts']]]))).toEqual([]);
		const ring = new Map([
			['x.ts', ['a.ts']],
			['a.ts', ['b.ts']],
			['b.ts', ['c.ts']],
			['c.ts', ['a.ts']],
		]);
		expect(rings(ring)).toEqual(['a.ts > b.ts > c.ts > a.ts']);
	});
});

describe('the house', () => {
	test('has its rooms written down, and no others', () => {
		expect(rooms).toHaveLength(12);
		expect(files.length).toBeGreaterThan(15);
		for (const file of files) expect(rooms, `the room of ${file}`).toContain(roomOf(file));
	});

	test('every import leads to a file', () => {
		const missing = [...graph].flatMap(([file, targets]) =>
			targets.filter(target => !existsSync(path.join(source, target))).map(target => `${file} imports ${target}`),
		);
		expect(missing).toEqual([]);
	});

	test('a room imports only from rooms below it', () => {
		expect(climbs(graph)).toEqual([]);
	});

	test('no file imports itself by way of others', () => {
		expect(rings(graph)).toEqual([]);
	});
});
