import {execFileSync} from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {instanceDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {Program} from '../support/program.ts';

const libvirt = await ownLibvirt();

/** Snapshots of a real guest, through the built program: what is in its files proves where it is. Each step goes on. */
describe('snapshots on real QEMU', {timeout: 240_000}, () => {
	let drover: Program;

	beforeAll(async () => {
		drover = await Program.open();
		if (typeof libvirt !== 'string') drover.more['LIBVIRT_DEFAULT_URI'] = libvirt.uri;
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '128M', '--disk', '512M');
	});
	afterAll(async () => {
		await drover.close();
		if (typeof libvirt !== 'string') await libvirt.close();
	});

	const write = (text: string) => drover.ok('exec', 'web', '--', 'sh', '-c', `echo ${text} > /root/note && sync`);
	const read = async () => (await drover.ok('exec', 'web', '--', 'cat', '/root/note')).trim();
	/** What is in the file after a start from where it is now. */
	const started = async () => {
		await drover.ok('start', 'web');
		return read();
	};
	const disk = () => path.join(instanceDirectory(drover.paths, 'qemu', 'web'), 'disk.qcow2');
	const tags = () => {
		const {snapshots = []} = JSON.parse(
			execFileSync('qemu-img', ['info', '-U', '--output=json', disk()], {encoding: 'utf8'}),
		) as {snapshots?: Array<{name: string}>};
		return snapshots.map(({name}) => name);
	};
	const tree = async () => {
		const {info} = JSON.parse(await drover.ok('list', '--snapshots', '--format', 'json')) as {
			info: {web?: Record<string, {parent: string; comment: string}>};
		};
		return Object.fromEntries(Object.entries(info.web ?? {}).map(([name, {parent}]) => [name, parent]));
	};

	test('two branches from one snapshot, each with what was written on it', async () => {
		await write('base');
		await drover.ok('stop', 'web');
		expect(await drover.ok('snapshot', 'web', '-n', 'base', '-c', 'where both begin')).toBe(
			'Snapshot taken: web.base\n',
		);
		await drover.ok('start', 'web');
		await write('left');
		await drover.ok('stop', 'web');
		await drover.ok('snapshot', 'web', '-n', 'left');
		expect(await drover.ok('restore', 'web.base', '--destructive')).toBe('Snapshot restored: web.base\n');
		expect(await started()).toBe('base');
		await write('right');
		await drover.ok('stop', 'web');
		expect(await drover.ok('snapshot', 'web')).toBe('Snapshot taken: web.snapshot3\n');
		expect(await tree()).toEqual({base: '', left: 'base', snapshot3: 'base'});
		await drover.ok('restore', '-d', 'web.left');
		expect(await started()).toBe('left');
		await drover.ok('stop', 'web');
		await drover.ok('restore', '-d', 'web.snapshot3');
		expect(await started()).toBe('right');
		execFileSync('qemu-img', ['info', '-U', disk()]);
	});

	test('while it runs: refused is to restore, taken is its disk', async () => {
		expect(await drover.run('restore', '-d', 'web.base')).toMatchObject({
			code: 2,
			stderr: expect.stringContaining('only while it is stopped'),
		});
		await write('hot');
		expect(await drover.ok('snapshot', 'web', '-n', 'hot')).toContain('taken while it runs');
		await write('later');
		expect(await read()).toBe('later');
		await drover.ok('stop', '--force', 'web');
		await drover.ok('restore', '-d', 'web.hot');
		expect(await started()).toBe('hot');
	});

	test('suspended: nothing touches the disk, and the memory comes back', async () => {
		const bootId = await drover.bootId('web');
		await drover.ok('suspend', 'web');
		for (const argv of [
			['snapshot', 'web'],
			['restore', '-d', 'web.base'],
			['delete', '-p', 'web.hot'],
			['clone', 'web'],
		]) {
			expect(await drover.run(...argv)).toMatchObject({code: 2, stderr: expect.stringContaining('suspended')});
		}
		await drover.ok('start', 'web');
		expect(await drover.bootId('web')).toBe(bootId);
	});

	test('the size of the disk, memory and processors come back, too', async () => {
		await drover.ok('stop', 'web');
		await drover.ok('set', 'local.web.disk=1G');
		await drover.ok('set', 'local.web.cpus=2');
		await drover.ok('snapshot', 'web', '-n', 'large');
		await drover.ok('restore', '-d', 'web.base');
		expect([await drover.ok('get', 'local.web.disk'), await drover.ok('get', 'local.web.cpus')]).toEqual([
			'512.0MiB\n',
			'1\n',
		]);
		expect(await started()).toBe('base');
		await drover.ok('stop', 'web');
		await drover.ok('restore', '-d', 'web.large');
		expect(await drover.ok('get', 'local.web.disk')).toBe('1.0GiB\n');
		await drover.ok('start', 'web');
		const size = await drover.ok('exec', 'web', '--', 'sh', '-c', 'cat /sys/block/vda/size; nproc');
		expect(size).toBe(`${2 ** 30 / 512}\n2\n`);
	});

	test('deleting one in the middle keeps what came from it; names and comments are kept apart from the disk', async () => {
		await drover.ok('set', 'local.web.snapshot3.name=right');
		await drover.ok('set', 'local.web.right.comment=the other way');
		expect(await drover.ok('get', 'local.web.right.comment')).toBe('the other way\n');
		// It runs: QEMU itself deletes.
		await drover.ok('delete', '--purge', 'web.base', 'web.hot');
		expect(await tree()).toEqual({left: '', right: '', large: 'right'});
		expect(tags()).toHaveLength(3);
		await drover.ok('stop', 'web');
		await drover.ok('restore', '-d', 'web.right');
		expect(await started()).toBe('right');
		await drover.ok('stop', 'web');
		await drover.ok('delete', '--purge', 'web.large');
		expect(tags()).toHaveLength(2);
		expect(execFileSync('qemu-img', ['check', disk()], {encoding: 'utf8'})).toContain('No errors were found');
	});

	test('kill -9 of the daemon while one is taken: the next one has it whole', async () => {
		const taking = drover.run('snapshot', 'web', '-n', 'last');
		const pid = await drover.daemonPid();
		process.kill(pid!, 'SIGKILL');
		await taking;
		await until(
			async () => JSON.parse(await drover.ok('operations', '--format', 'json')) as unknown[],
			operations => JSON.stringify(operations).includes('running') === false,
			20_000,
		);
		const names = Object.keys(await tree());
		expect(tags()).toHaveLength(names.length);
		for (const name of names) await drover.ok('restore', '-d', `web.${name}`);
		expect(await drover.ok('info', 'web')).toMatch(new RegExp(`Snapshots: +${names.length}\n`));
	});

	test.skipIf(typeof libvirt === 'string')('under libvirt they are out of reach and stay', async () => {
		await drover.ok('restore', '-d', 'web.left');
		const before = await tree();
		expect(await started()).toBe('left');
		const bootId = await drover.bootId('web');
		await drover.ok('switch', 'libvirt');
		expect(await drover.bootId('web')).toBe(bootId);
		for (const argv of [
			['snapshot', 'web'],
			['restore', '-d', 'web.left'],
			['list', '--snapshots'],
		]) {
			expect(await drover.run(...argv)).toMatchObject({
				code: 2,
				stderr: expect.stringContaining('Snapshots are not supported by libvirt; supported by QEMU, Hyper-V.'),
			});
		}
		expect(await drover.ok('info', 'web', '--format', 'json')).not.toContain('snapshot_count');
		await write('under-libvirt');
		await drover.ok('suspend', 'web');
		expect(tags()).toHaveLength(Object.keys(before).length);
		await drover.ok('switch', 'qemu');
		await drover.ok('start', 'web');
		expect([await drover.bootId('web'), await read()]).toEqual([bootId, 'under-libvirt']);
		await drover.ok('stop', 'web');
		expect(await tree()).toEqual(before);
		await drover.ok('restore', '-d', 'web.right');
		expect(await started()).toBe('right');
	});

	test('purged with its instance', async () => {
		await drover.ok('delete', '--purge', 'web');
		expect(await drover.ok('list', '--snapshots')).toBe('No snapshots found.\n');
	});
});
