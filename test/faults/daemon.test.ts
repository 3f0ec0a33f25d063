import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, rmSync} from 'node:fs';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {instanceDirectory, scopeDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {Program} from '../support/program.ts';

describe('kill -9 of the daemon', () => {
	let drover: Program;

	beforeAll(async () => {
		drover = await Program.open();
	});
	afterAll(async () => {
		await drover.close();
	});

	/** Begins a command without waiting for its end. */
	function begin(...args: string[]) {
		const child = spawn(process.execPath, [drover.file, ...args], {env: drover.env, stdio: 'ignore'});
		return once(child, 'exit');
	}

	async function killDaemon() {
		const pid = await drover.daemonPid();
		expect(pid).toBeTypeOf('number');
		process.kill(pid!, 'SIGKILL');
		return pid!;
	}

	test('with instances running and a launch half way: the same boots, the launch is finished, nothing is left over', async () => {
		await drover.ok('launch', 'micro', '--name', 'web');
		await drover.ok('launch', 'micro', '--name', 'db');
		const before = await Promise.all([drover.bootId('web'), drover.bootId('db')]);
		const ended = begin('launch', 'micro', '--name', 'new');
		await until(
			() => drover.states(),
			states => states['new'] === 'Starting',
		);
		const killed = await killDaemon();
		await ended;
		expect(Object.keys(await drover.states()).sort()).toEqual(['db', 'new', 'web']);
		expect(await drover.daemonPid()).not.toBe(killed);
		await until(
			() => drover.states(),
			states => states['new'] === 'Running',
			60_000,
		);
		expect(await drover.states()).toEqual({db: 'Running', new: 'Running', web: 'Running'});
		expect(await Promise.all([drover.bootId('web'), drover.bootId('db')])).toEqual(before);
		expect(await drover.bootId('new')).toMatch(/^[\da-f-]{36}$/);
		expect(drover.machines()).toHaveLength(3);
		expect(readdirSync(scopeDirectory(drover.paths, 'qemu')).sort()).toEqual(['db', 'new', 'web']);
	});

	test('in the middle of suspending several: each ends suspended, and comes back with the same boot', async () => {
		const names = ['db', 'new', 'web'];
		const before = await Promise.all(names.map(name => drover.bootId(name)));
		const ended = begin('suspend', ...names);
		await until(
			() => drover.states(),
			states => Object.values(states).some(state => state === 'Suspending' || state === 'Suspended'),
		);
		await killDaemon();
		await ended;
		await until(
			() => drover.states(),
			states => Object.values(states).every(state => state === 'Suspended'),
			30_000,
		);
		expect(drover.machines()).toEqual([]);
		await drover.ok('start', ...names);
		expect(await Promise.all(names.map(name => drover.bootId(name)))).toEqual(before);
	});

	test('a record lost while its machine runs: shown as Broken, ended only when it is told to', async () => {
		await drover.ok('delete', '--purge', 'new');
		const directory = instanceDirectory(drover.paths, 'qemu', 'db');
		const before = drover.machines().length;
		await killDaemon();
		rmSync(directory, {recursive: true});
		expect(await drover.states()).toEqual({db: 'Broken', web: 'Running'});
		expect((await drover.run('stop', 'db')).code).toBe(2);
		expect(drover.machines()).toHaveLength(before);
		expect(await drover.ok('forget', 'db')).toContain('Ended: db');
		expect(drover.machines()).toHaveLength(before - 1);
		expect(await drover.states()).toEqual({web: 'Running'});
	});

	test('in the middle of resuming: the same boot', async () => {
		const before = await drover.bootId('web');
		await drover.ok('suspend', 'web');
		const ended = begin('start', 'web');
		await until(
			() => drover.states(),
			states => states['web'] !== 'Suspended',
		);
		await killDaemon();
		await ended;
		await until(
			() => drover.states(),
			states => states['web'] === 'Running',
			60_000,
		);
		expect(await drover.bootId('web')).toBe(before);
	});
});
