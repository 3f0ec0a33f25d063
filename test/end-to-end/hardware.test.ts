import {execFileSync} from 'node:child_process';
import {connect, createServer} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {connect as connectDaemon} from '../../source/protocol/connect.ts';
import {until} from '../support/engine.ts';
import {Program} from '../support/program.ts';

/** What the guest's SSH server says on a port of the host; empty when nobody does. */
function greeting(port: number): Promise<string> {
	return new Promise(resolve => {
		const socket = connect({host: '127.0.0.1', port, timeout: 2000});
		const end = (text: string) => {
			socket.destroy();
			resolve(text);
		};
		socket.once('data', data => end(data.toString('latin1')));
		for (const event of ['error', 'timeout', 'close']) socket.once(event, () => end(''));
	});
}

function freePort(): Promise<number> {
	return new Promise(resolve => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const {port} = server.address() as {port: number};
			server.close(() => resolve(port));
		});
	});
}

/** One guest of real QEMU, with the built program and its daemon. */
describe('hardware, ports, figures and aliases', {timeout: 240_000}, () => {
	let drover: Program;
	let port: number;

	beforeAll(async () => {
		drover = await Program.open();
		port = await freePort();
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '192M', '--disk', '512M');
	}, 240_000);
	afterAll(() => drover?.close(), 60_000);

	test('an alias runs by itself', async () => {
		expect((await drover.run('alias', 'web:uname', 'kernel')).stderr).toContain('/data/bin');
		expect(await drover.ok('kernel', '-s')).toBe('Linux\n');
		const script = path.join(drover.paths.data, 'bin', 'kernel');
		const {PATH} = process.env;
		expect(execFileSync(script, ['-n'], {encoding: 'utf8', env: {PATH}})).toBe('web\n');
	});

	test('a port leads into it, also after its daemon was killed and it was started again', async () => {
		await drover.ok('forward', 'web', `${port}:22`);
		expect(await greeting(port)).toMatch(/^SSH-/);
		expect(await drover.ok('info', 'web')).toContain(`Forwards:       127.0.0.1:${port} -> 22/tcp`);
		process.kill((await drover.daemonPid())!, 'SIGKILL');
		expect(await greeting(port)).toMatch(/^SSH-/);
		await drover.ok('restart', 'web');
		expect(await greeting(port)).toMatch(/^SSH-/);
		await drover.ok('suspend', 'web');
		expect(await greeting(port)).toBe('');
		await drover.ok('start', 'web');
		await until(
			() => greeting(port),
			text => text.startsWith('SSH-'),
		);
		const taken = await drover.run('forward', 'web', `127.0.0.1:${port}:23`);
		expect(taken).toMatchObject({code: 2, stderr: expect.stringContaining('leads into "web" already')});
	});

	test('what it uses is told', async () => {
		const {engine} = await connectDaemon(drover.paths, {start: false});
		try {
			const {web} = await engine.metrics({names: ['web']});
			expect(web).toMatchObject({memoryUsed: expect.any(Number), diskWritten: expect.any(Number)});
			expect(web!.memoryUsed).toBeLessThan(192 * 2 ** 20);
		} finally {
			await engine.close();
		}
	});

	test('it gets more of everything while it is stopped', async () => {
		expect(await drover.run('set', 'local.web.cpus=2')).toMatchObject({code: 2});
		await drover.ok('stop', 'web');
		await drover.ok('set', 'local.web.cpus=2');
		await drover.ok('set', 'local.web.memory=256M');
		await drover.ok('set', 'local.web.disk=1G');
		expect(await drover.run('set', 'local.web.disk=512M')).toMatchObject({code: 2});
		await drover.ok('start', 'web');
		expect(await drover.ok('exec', 'web', '--', 'nproc')).toBe('2\n');
		expect(await drover.ok('get', 'local.web.disk')).toBe('1.0GiB\n');
		expect(await greeting(port)).toMatch(/^SSH-/);
	});

	test('its aliases and its port go with it', async () => {
		await drover.ok('delete', '--purge', 'web');
		expect(await drover.ok('aliases')).toBe('No aliases defined.\n');
		expect(await greeting(port)).toBe('');
		expect((await drover.run('kernel')).code).toBe(1);
	});
});
