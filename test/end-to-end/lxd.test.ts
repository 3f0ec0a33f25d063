import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {until} from '../support/engine.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {ownLxd} from '../support/lxd.ts';
import {Program} from '../support/program.ts';
import {Terminal} from '../tui/support/terminal.ts';

const lxd = await ownLxd();
const libvirt = typeof lxd === 'string' ? lxd : await ownLibvirt();
const why = typeof lxd === 'string' ? ` (${lxd})` : '';

/** Containers through the built program, and round all three drivers of Linux. */
describe.skipIf(why !== '')(`LXD through the program${why}`, {timeout: 240_000}, () => {
	const own = lxd as Exclude<typeof lxd, string>;
	let drover: Program;
	let boot: string;

	beforeAll(async () => {
		drover = await Program.open();
		Object.assign(drover.more, own.environment);
		if (typeof libvirt !== 'string') drover.more['LIBVIRT_DEFAULT_URI'] = libvirt.uri;
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '128M');
		await drover.ok('launch', 'micro', '--name', 'resting', '--memory', '128M');
		await drover.ok('stop', 'resting');
		boot = await drover.bootId('web');
	});
	afterAll(async () => {
		await drover?.close();
		if (typeof libvirt !== 'string') await libvirt.close();
		await own.close();
	}, 120_000);

	test('the plan of a switch to it says what will be; its scope is empty at first', async () => {
		const plan = JSON.parse(await drover.ok('switch', 'lxd', '--dry-run', '--format', 'json'));
		expect(plan).toMatchObject({from: 'qemu', to: 'lxd', isShared: false, problems: [], losesMemory: []});
		await drover.ok('switch', 'lxd');
		expect(await drover.states()).toEqual({});
		expect(drover.machines()).toEqual([]);
	});

	test('a container is made by consent only, and the reason is the server’s own', async () => {
		const {code, stderr} = await drover.run('launch', 'micro', '--name', 'web');
		expect(code).toBe(2);
		expect(stderr).toMatch(/cannot run virtual machines: .*vhost_vsock/);
		expect(stderr).toContain('drover set local.lxd.type=container');
		expect(await drover.states()).toEqual({});
		await drover.ok('set', 'local.lxd.type=container');
	});

	test('the same name again: launch, list, info, exec with its code, stop, start, restart', async () => {
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '256M');
		const {list} = JSON.parse(await drover.ok('list', '--format', 'json'));
		expect(list).toMatchObject([{name: 'web', state: 'Running', ipv4: [expect.stringMatching(/^10\./)]}]);
		expect((await drover.ok('exec', 'web', '--', 'hostname')).trim()).toBe('web');
		expect((await drover.run('exec', 'web', '--', 'sh', '-c', 'exit 7')).code).toBe(7);
		const info = JSON.parse(await drover.ok('info', 'web', '--format', 'json')).info.web;
		expect(info).toMatchObject({state: 'Running', cpu_count: '1', memory: {total: 256 * 2 ** 20}});
		const first = await upSince();
		await drover.ok('stop', 'web');
		expect(await drover.states()).toEqual({web: 'Stopped'});
		await drover.ok('start', 'web');
		await drover.ok('restart', 'web');
		expect(await upSince()).not.toBe(first);
	});

	/** Changes with each boot of the container: when its first process began. */
	const upSince = async () =>
		(await drover.ok('exec', 'web', '--', 'cut', '-d', ' ', '-f', '22', '/proc/1/stat')).trim();

	test('a terminal in it', async () => {
		const terminal = new Terminal(process.execPath, [drover.file, 'shell', 'web'], {env: drover.env});
		await terminal.waitFor('web');
		terminal.type('tty; echo $((40+2))\r');
		await terminal.waitFor('42');
		terminal.type('exit\r');
		terminal[Symbol.dispose]();
	});

	test('what it cannot do is said, with who can', async () => {
		const {code, stderr} = await drover.run('suspend', 'web');
		expect(code).toBe(2);
		expect(stderr).toMatch(/not supported by LXD; supported by QEMU, libvirt, VirtualBox/);
		expect(await drover.ok('drivers')).toMatch(/LXD 5\.\d/i);
	});

	test('a directory is mounted while it runs, and unmounted', async () => {
		const share = path.join(drover.home, 'share');
		mkdirSync(share);
		writeFileSync(path.join(share, 'note'), 'from the host\n');
		await drover.ok('mount', share, 'web:/mnt/share', '--type', 'native');
		expect(await drover.ok('exec', 'web', '--', 'cat', '/mnt/share/note')).toBe('from the host\n');
		expect(await drover.ok('info', 'web')).toContain('/mnt/share');
		await drover.ok('umount', 'web:/mnt/share');
		expect((await drover.run('exec', 'web', '--', 'cat', '/mnt/share/note')).code).not.toBe(0);
	});

	test('files are copied both ways', async () => {
		const file = path.join(drover.home, 'payload');
		writeFileSync(file, Buffer.alloc(300_000, 'drover\n'));
		await drover.ok('transfer', file, 'web:copy of data');
		await drover.ok('transfer', 'web:copy of data', `${file}.back`);
		expect(readFileSync(`${file}.back`).equals(readFileSync(file))).toBe(true);
	});

	test('processors and memory are changed while it runs', async () => {
		await drover.ok('set', 'local.web.memory=300M');
		expect((await drover.ok('get', 'local.web.memory')).trim()).toBe('300.0MiB');
		expect((await drover.run('set', 'local.web.disk=512M')).code).toBe(2);
	});

	test('kill -9 of the daemon: the container goes on and is found again', async () => {
		const began = await upSince();
		process.kill((await drover.daemonPid())!, 'SIGKILL');
		expect(await drover.states()).toEqual({web: 'Running'});
		expect(await upSince()).toBe(began);
	});

	test('LXD stopped: every row says so, and comes back by itself', async () => {
		await own.kill();
		await until(
			() => drover.states(),
			states => states['web'] === 'Unknown',
			15_000,
		);
		expect(await drover.ok('info', 'web')).toMatch(/daemon is down/);
		expect((await drover.run('doctor')).stdout).toMatch(/daemon is down/);
		const plan = JSON.parse(await drover.ok('switch', 'qemu', '--dry-run', '--format', 'json'));
		expect(plan).toMatchObject({
			problems: [],
			park: [{name: 'web', method: 'leave', note: expect.stringMatching(/daemon is down/)}],
		});
		expect((await drover.run('stop', 'web')).code).toBe(2);
		await own.start();
		await until(
			() => drover.states(),
			states => states['web'] === 'Running',
			20_000,
		);
	});

	test.skipIf(typeof libvirt === 'string')(
		'on to libvirt: the container is stopped, said beforehand; what ran there goes on',
		async () => {
			const plan = JSON.parse(await drover.ok('switch', 'libvirt', '--dry-run', '--format', 'json'));
			expect(plan.losesMemory).toEqual(['web']);
			expect(plan.warnings.join(' ')).toMatch(/LXD cannot suspend/);
			await drover.ok('switch', 'libvirt', '--yes');
			expect(await drover.states()).toEqual({resting: 'Stopped', web: 'Running'});
			expect(await drover.bootId('web')).toBe(boot);
		},
	);

	test('back to QEMU, and once more to LXD: the states are right, the scopes apart', async () => {
		await drover.ok('switch', 'qemu');
		expect(await drover.states()).toEqual({resting: 'Stopped', web: 'Running'});
		expect(await drover.bootId('web')).toBe(boot);
		await drover.ok('switch', 'lxd');
		expect(await drover.states()).toEqual({web: 'Running'});
		expect((await drover.ok('exec', 'web', '--', 'hostname')).trim()).toBe('web');
		await drover.ok('delete', 'web');
		expect(await drover.states()).toEqual({web: 'Deleted'});
		await drover.ok('recover', 'web');
		await drover.ok('delete', '--purge', 'web');
		await drover.ok('switch', 'qemu', '--yes');
		expect(await drover.states()).toEqual({resting: 'Stopped', web: 'Running'});
	});
});
