import {execFile} from 'node:child_process';
import {
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
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
	const patch = patches.find(({name}) => name === 'fast-string-width');
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

/** A copy of the program with no compiled code, and what it keeps of it. */
function copy(name: string) {
	const place = path.join(home, name);
	mkdirSync(place);
	writeFileSync(path.join(place, 'package.json'), '{"type": "module"}');
	for (const file of files) copyFileSync(path.join(directory, file), path.join(place, file));
	return {
		place,
		code: path.join(place, 'code'),
		kept: () => readdirSync(path.join(place, 'code')).sort(),
		run: (...words: string[]) => run(process.execPath, [path.join(place, 'drover.js'), ...words]),
	};
}

test('compiled code is kept for each use, used, and only its owner can read it', async () => {
	const {run, kept, code} = copy('kept');
	await run('version');
	await run('network');
	await run('-v');
	expect(kept().map(name => name.split('-')[0])).toEqual(['dashboard', 'network', 'version']);
	expect(kept().every(name => name.endsWith(built.buildId))).toBe(true);
	expect(statSync(code).mode & 0o777).toBe(0o700);
	const before = kept().map(name => [
		name,
		statSync(path.join(code, name)).mtimeMs,
		statSync(path.join(code, name)).mode & 0o777,
	]);
	const {stdout} = await run('network');
	expect(JSON.parse(stdout)).toMatchObject({answer: 'pong'});
	// Had it not been accepted, it would have been written anew.
	expect(kept().map(name => [name, statSync(path.join(code, name)).mtimeMs, 0o600])).toEqual(before);
});

test('compiled code that is damaged, or cannot be kept, does no harm', async () => {
	const damaged = copy('damaged');
	await damaged.run('network');
	const [name] = damaged.kept();
	const whole = readFileSync(path.join(damaged.code, name!));
	for (const damage of [
		Buffer.from('nonsense'),
		Buffer.alloc(0),
		whole.subarray(0, whole.length / 2),
		Buffer.alloc(whole.length),
	]) {
		writeFileSync(path.join(damaged.code, name!), damage);
		const {stdout, stderr} = await damaged.run('network');
		expect([JSON.parse(stdout).answer, stderr]).toEqual(['pong', '']);
		expect(damaged.kept()).toEqual([name]);
	}
	const barren = copy('barren');
	writeFileSync(barren.code, 'a file in the way');
	const {stdout, stderr} = await barren.run('version');
	expect([JSON.parse(stdout).build.id, stderr]).toEqual([built.buildId, '']);
});

test('in the middle of an upgrade no code of one build is used for another', async () => {
	const {place, run, code} = copy('upgrade');
	await run('version');
	const program = path.join(place, 'command.js');
	const text = readFileSync(program, 'utf8');
	// Of the same length, which is all that V8 would look at.
	writeFileSync(program, text.replaceAll(built.buildId, 'another-build-id').replace('"pong"', '"ping"'));
	const before = readdirSync(code);
	expect(JSON.parse((await run('version')).stdout).build.id).toBe('another-build-id');
	await run('network');
	expect(readdirSync(code)).toEqual(before);
});

test('a command that fails keeps nothing', async () => {
	const {run, place} = copy('failing');
	await expect(run('fail')).rejects.toMatchObject({code: 3});
	expect(readdirSync(place)).not.toContain('code');
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
		entry: entry.replace('program.tsx', 'program-other.ts'),
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
