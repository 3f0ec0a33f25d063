import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {hasPackages, isBuilt, isNewEnough, setUpOnWindows} from '../../scripts/start.mjs';

/** A checkout as git leaves it: nothing installed, nothing built. */
function checkout(): string {
	const root = mkdtempSync(path.join(tmpdir(), 'drover-start-'));
	onTestFinished(() => rmSync(root, {recursive: true, force: true}));
	for (const directory of ['source/model', 'scripts/patches', 'node_modules']) {
		mkdirSync(path.join(root, directory), {recursive: true});
	}
	for (const file of [
		'package.json',
		'package-lock.json',
		'scripts/build.mjs',
		'source/model/a.ts',
		'scripts/patches/b.mjs',
	]) {
		writeFileSync(path.join(root, file), file);
	}
	return root;
}

type Host = Parameters<typeof setUpOnWindows>[0];

/** Windows with a `run` that does what npm and the build would. */
function windows(root: string, more: Partial<Host> = {}) {
	const ran: string[][] = [];
	const said: string[] = [];
	const host: Host = {
		root,
		node: 'C:\\node.exe',
		version: 'v24.1.0',
		npm: 'C:\\npm-cli.js',
		say: line => void said.push(line),
		async run(program, args) {
			ran.push([program, ...args]);
			if (args.some(word => word.endsWith('build.mjs'))) {
				mkdirSync(path.join(root, 'dist'), {recursive: true});
				writeFileSync(path.join(root, 'dist/drover.js'), 'built');
			}
			return 0;
		},
		...more,
	};
	return {host, ran, said};
}

test('on Windows what is missing is set up, once', async () => {
	const root = checkout();
	const {host, ran, said} = windows(root);
	await setUpOnWindows(host);
	expect(ran.map(([program, first, second]) => [program, path.basename(first!), second])).toEqual([
		['C:\\node.exe', 'C:\\npm-cli.js', 'ci'],
		['C:\\node.exe', 'build.mjs', '--quiet'],
	]);
	expect(ran[0]).toContain('--ignore-scripts');
	expect(said).toEqual(['Installing npm packages ...', 'Building drover ...']);
	const again = windows(root);
	await setUpOnWindows(again.host);
	expect(again.ran).toEqual([]);
});

test('a Node that is too old is told before anything is done', async () => {
	const {host, ran} = windows(checkout(), {version: 'v20.9.0'});
	await expect(setUpOnWindows(host)).rejects.toThrow('Node.js 22.13 or newer is needed, and this is v20.9.0');
	expect(ran).toEqual([]);
	expect(['v22.12.0', 'v22.13.0', 'v24.0.0', 'v20.19.0'].map(isNewEnough)).toEqual([false, true, true, false]);
});

test('what fails ends it with a sentence, and is tried again the next time', async () => {
	const root = checkout();
	await expect(setUpOnWindows(windows(root, {npm: undefined}).host)).rejects.toThrow('run "npm start"');
	await expect(setUpOnWindows(windows(root, {run: async () => 1}).host)).rejects.toThrow('check the network');
	expect(hasPackages(root)).toBe(false);
	await setUpOnWindows(windows(root).host);
	expect(hasPackages(root)).toBe(true);
	writeFileSync(path.join(root, 'package-lock.json'), 'newer');
	expect(hasPackages(root)).toBe(false);
});

test('a source that is younger than the program makes it be built again', async () => {
	const root = checkout();
	await setUpOnWindows(windows(root).host);
	expect(isBuilt(root)).toBe(true);
	const later = new Date(Date.now() + 10_000);
	utimesSync(path.join(root, 'source/model/a.ts'), later, later);
	expect(isBuilt(root)).toBe(false);
});

test('elsewhere the shell’s script does it, with its exit code and its words', () => {
	const script = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url));
	const root = checkout();
	writeFileSync(path.join(root, 'scripts/start.sh'), 'echo "$#: $1|$2"; exit 7\n');
	const copied = path.join(root, 'scripts/start.mjs');
	writeFileSync(copied, `${process.getBuiltinModule('node:fs').readFileSync(script, 'utf8')}`);
	const {status, stdout} = spawnSync(process.execPath, [copied, 'a b', 'c'], {encoding: 'utf8'});
	expect({status, stdout}).toEqual({status: 7, stdout: '2: a b|c\n'});
});
