import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import facts from '../../package.json' with {type: 'json'};
import {connect} from '../../source/protocol/connect.ts';
import {locate} from '../../source/state/paths.ts';

const program = path.join(import.meta.dirname, '../../dist/drover.js');

/** The built program, in processes of its own. */
describe.skipIf(!existsSync(program))('the built program', () => {
	let home: string;
	beforeAll(() => {
		home = mkdtempSync(path.join(tmpdir(), 'drover-cli-'));
	});
	afterAll(async () => {
		const found = await connect(locate({DROVER_HOME: home}), {start: false}).catch(() => undefined);
		if (found !== undefined) process.kill((await found.engine.overview()).daemon.pid, 'SIGKILL');
		await found?.engine.close();
		rmSync(home, {recursive: true, force: true});
	});

	const run = (argv: readonly string[], env: NodeJS.ProcessEnv = {DROVER_HOME: home}) => {
		const {status, stdout, stderr} = spawnSync(process.execPath, [program, ...argv], {
			env: {PATH: process.env['PATH'], HOME: home, DROVER_IDLE: '5', ...env},
			encoding: 'utf8',
			input: '',
		});
		return {code: status, out: stdout, err: stderr};
	};

	test('what needs no daemon starts none', () => {
		expect(run([])).toMatchObject({code: 2, out: expect.stringMatching(/^Usage: drover/), err: ''});
		expect(run(['help'])).toMatchObject({code: 0, err: ''});
		expect(run(['version'])).toEqual({code: 0, out: `drover   ${facts.version}\n`, err: ''});
		expect(run(['list', '--format', 'xml'])).toMatchObject({code: 1, out: ''});
		expect(run(['fly'])).toMatchObject({code: 1, err: ''});
		expect(run(['authenticate'])).toMatchObject({code: 2, out: ''});
		expect(run(['mount'])).toMatchObject({code: 1, out: ''});
		expect(run(['help', 'keys'])).toMatchObject({code: 0, err: ''});
		expect(readdirSync(home)).not.toContain('run');
		expect(readdirSync(home)).not.toContain('data');
	});

	test('a home that is no absolute path', () => {
		expect(run(['list'], {DROVER_HOME: 'here'})).toMatchObject({
			code: 1,
			out: '',
			err: expect.stringMatching(/^drover failed: DROVER_HOME must be an absolute path/),
		});
	});

	test('with the daemon it starts itself', () => {
		expect(run(['list'])).toEqual({code: 0, out: 'No instances found.\n', err: ''});
		expect(run(['list', '--format', 'json'])).toEqual({code: 0, out: '{\n    "list": []\n}\n', err: ''});
		expect(run(['version']).out).toMatch(/^drover {3}\S+\ndroverd {2}\S+\n$/);
		expect(run(['info', 'nobody'])).toMatchObject({code: 2, out: ''});
		expect(run(['launch', '--name', '-bad-'])).toMatchObject({code: 2, out: ''});
		expect(run(['set', 'client.primary-name=main'])).toEqual({code: 0, out: '', err: ''});
		expect(run(['get', 'client.primary-name'])).toEqual({code: 0, out: 'main\n', err: ''});
		expect(run(['get', 'client.nothing'])).toMatchObject({code: 1, out: ''});
		expect(run(['set', 'local.driver=none'])).toMatchObject({code: 2, out: ''});
		const {drivers} = JSON.parse(run(['drivers', '--format', 'json']).out);
		expect(drivers.map((driver: {name: string}) => driver.name).sort()).toEqual([
			'hyperv',
			'libvirt',
			'lxd',
			'qemu',
			'virtualbox',
		]);
	});

	test('a reader that stops reading ends it, without a word', async () => {
		const child = spawn(process.execPath, [program, 'help'], {
			env: {PATH: process.env['PATH'], HOME: home, DROVER_HOME: home},
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		child.stdout.destroy();
		let err = '';
		child.stderr.on('data', chunk => {
			err += String(chunk);
		});
		const code = await new Promise(resolve => {
			child.once('close', resolve);
		});
		expect([code, err]).toEqual([141, '']);
	});
});
