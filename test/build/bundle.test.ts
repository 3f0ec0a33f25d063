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
const files = ['all.js', 'command.js', 'drover.js'];
const late = ['./program-screen.tsx'];
let home: string;
let directory: string;
let built: Awaited<ReturnType<typeof build>>;

beforeAll(async () => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-build-'));
	directory = path.join(home, 'dist');
	built = await build({entry, directory, late});
	// Alone in its directory: nothing of node_modules can help it.
	mkdirSync(path.join(home, 'alone'));
	writeFileSync(path.join(home, 'alone', 'package.json'), '{"type": "module"}');
	for (const file of files) copyFileSync(path.join(directory, file), path.join(home, 'alone', file));
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

test('a build in which a patch finds no file fails with a sentence and leaves the old program', async () => {
	const read = () => files.map(file => readFileSync(path.join(directory, file), 'utf8'));
	const before = read();
	const [patch] = patches;
	const {filter} = patch!;
	patch!.filter = /no such file/;
	try {
		await expect(build({entry, directory, late})).rejects.toThrow(
			`No file was found any more for the patch ${patch!.name}`,
		);
	} finally {
		patch!.filter = filter;
	}
	expect(read()).toEqual(before);
	expect(readdirSync(directory).sort()).toEqual(files);
});

test('a patch that does not fit any more ends the build with its name', async () => {
	const patch = patches.find(({name}) => name === 'kept-token-cache')!;
	const {apply} = patch;
	patch.apply = () => apply('changed');
	try {
		await expect(build({entry, directory, late})).rejects.toThrow('The patch kept-token-cache does not fit');
	} finally {
		patch.apply = apply;
	}
});

test('a part that was to be left out of commands but is no longer there ends the build', async () => {
	await expect(build({entry, directory, late: ['./gone.ts']})).rejects.toThrow('no longer imports ./gone.ts');
});

test('commands do without what only the dashboard needs, and reach it all the same', async () => {
	const ink = (inputs: readonly string[]) => inputs.some(input => input.includes('node_modules/ink/'));
	expect(ink(built.inputs.all)).toBe(true);
	expect(ink(built.inputs.command)).toBe(false);
	const word = await program('screen', {COLUMNS: '40'});
	expect(word).toContain('drawn');
	expect(word).toBe(await program('--verbose', {COLUMNS: '40'}));
});

test('compiled code is kept, apart for commands and for the rest; without a place for it all works the same', async () => {
	await program('version');
	await program('-v', {COLUMNS: '40'});
	const [version] = readdirSync(path.join(home, 'alone', 'code'));
	expect(readdirSync(path.join(home, 'alone', 'code', version!)).length).toBeGreaterThanOrEqual(2);
	const barren = path.join(home, 'barren');
	mkdirSync(barren);
	for (const file of files) copyFileSync(path.join(directory, file), path.join(barren, file));
	writeFileSync(path.join(barren, 'package.json'), '{"type": "module"}');
	writeFileSync(path.join(barren, 'code'), 'a file in the way');
	const {stdout, stderr} = await run(process.execPath, [path.join(barren, 'drover.js'), 'version']);
	expect([JSON.parse(stdout).build.id, stderr]).toEqual([built.buildId, '']);
});

test('the program knows its version and id, loads nothing it does not need, and is ASCII', async () => {
	const {version} = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
	expect(JSON.parse(await program('version'))).toEqual({
		build: {version, id: built.buildId},
		http: false,
		files: expect.any(Boolean),
	});
	for (const file of files) expect(readFileSync(path.join(directory, file), 'utf8')).toMatch(/^[\u0000-\u007F]*$/);
});

test('the same sources give the same id, others another', async () => {
	const again = await build({entry, late, directory: path.join(home, 'again')});
	expect(again.buildId).toBe(built.buildId);
	const other = await build({
		entry: entry.replace('program.tsx', 'program-network.ts'),
		late: [],
		directory: path.join(home, 'other'),
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
