import {execFile} from 'node:child_process';
import {copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {build} from '../../scripts/build.mjs';
import {patches} from '../../scripts/patches/patches.mjs';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('program.tsx', import.meta.url));
let home: string;
let bundle: string;
let built: Awaited<ReturnType<typeof build>>;

beforeAll(async () => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-build-'));
	bundle = path.join(home, 'dist', 'drover.js');
	built = await build({entry, out: bundle});
	// Alone in its directory: nothing of node_modules can help it.
	mkdirSync(path.join(home, 'alone'));
	writeFileSync(path.join(home, 'alone', 'package.json'), '{"type": "module"}');
	copyFileSync(bundle, path.join(home, 'alone', 'drover.js'));
});

afterAll(() => rmSync(home, {recursive: true, force: true}));

async function program(argument: string, environment: NodeJS.ProcessEnv = {}) {
	const {stdout, stderr} = await run(process.execPath, [path.join(home, 'alone', 'drover.js'), argument], {
		env: {...process.env, ...environment},
	});
	expect(stderr).toBe('');
	return stdout;
}

test('every patch has found its file', () => {
	expect([...built.applied].sort()).toEqual(patches.map(({name}) => name).sort());
});

test.each(patches)('$name refuses a file that does not look as expected', ({apply}) => {
	expect(() => apply('export default 1;')).toThrow(/^expected /);
});

test('a build in which a patch finds no file fails with a sentence and leaves the old file', async () => {
	const before = readFileSync(bundle);
	const [patch] = patches;
	const {filter} = patch!;
	patch!.filter = /no such file/;
	try {
		await expect(build({entry, out: bundle})).rejects.toThrow(
			`No file was found any more for the patch ${patch!.name}`,
		);
	} finally {
		patch!.filter = filter;
	}
	expect(readFileSync(bundle).equals(before)).toBe(true);
	expect(readdirSync(path.dirname(bundle))).toEqual(['drover.js']);
});

test('a patch that does not fit any more ends the build with its name', async () => {
	const patch = patches.find(({name}) => name === 'kept-token-cache')!;
	const {apply} = patch;
	patch.apply = () => apply('changed');
	try {
		await expect(build({entry, out: bundle})).rejects.toThrow('The patch kept-token-cache does not fit');
	} finally {
		patch.apply = apply;
	}
});

test('the bundle knows its version and id, loads nothing it does not need, and is ASCII', async () => {
	const {version} = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
	expect(JSON.parse(await program('version'))).toEqual({
		build: {version, id: built.buildId},
		http: false,
		files: expect.any(Boolean),
	});
	expect(readFileSync(bundle, 'utf8')).toMatch(/^[\u0000-\u007F]*$/);
});

test('the same sources give the same id, others another', async () => {
	const again = await build({entry, out: path.join(home, 'again.js')});
	expect(again.buildId).toBe(built.buildId);
	const other = await build({
		entry: entry.replace('program.tsx', 'program-network.ts'),
		out: path.join(home, 'other.js'),
	});
	expect(other.buildId).not.toBe(built.buildId);
});

test('Node’s modules are loaded when they are reached, and are whole', async () => {
	expect(JSON.parse(await program('network'))).toEqual({before: false, after: true, answer: 'pong'});
});

test('Ink draws from the bundle, also where others develop', async () => {
	for (const environment of [{}, {DEV: 'true'}, {NODE_ENV: 'development'}]) {
		const screen = await program('screen', {COLUMNS: '40', ...environment});
		expect(screen).toContain('│ drawn ✓ 日本 👩‍👩‍👧');
		// The border's corners stand below each other only if all widths were counted right.
		const widths = screen
			.trimEnd()
			.split('\n')
			.map(line => line.length);
		expect(widths[0]).toBe(widths[2]);
	}
});
