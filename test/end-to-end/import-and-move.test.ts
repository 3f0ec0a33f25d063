import {execFileSync, spawn} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync} from 'node:fs';
import {get} from 'node:http';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {ownLxd} from '../support/lxd.ts';
import {MultipassData} from '../support/multipass.ts';
import {Program} from '../support/program.ts';

const lxd = await ownLxd();
const why = typeof lxd === 'string' ? ` (${lxd})` : '';

/** A guest that has been used elsewhere, as a Multipass keeps one. Each step goes on from the one before. */
describe('what was made elsewhere', {timeout: 240_000}, () => {
	let drover: Program;
	let data: MultipassData;
	let before: string;

	beforeAll(async () => {
		const theirs = await Program.open();
		drover = await Program.open({withImage: false});
		if (typeof lxd !== 'string') Object.assign(drover.more, lxd.environment);
		const directory = path.join(drover.home, 'multipass', 'data');
		mkdirSync(directory, {recursive: true});
		drover.more['MULTIPASS_STORAGE'] = path.dirname(directory);
		data = new MultipassData(directory);
		try {
			await theirs.ok('launch', 'micro', '-n', 'old', '-m', '128M', '-d', '512M');
			await theirs.ok('exec', 'old', '--', 'sh', '-c', 'sudo sh -c "echo kept > /root/note"; sync');
			await theirs.ok('stop', 'old');
			const disk = path.join(instanceDirectory(theirs.paths, 'qemu', 'old'), 'disk.qcow2');
			const record = {mem_size: '134217728', disk_space: '536870912'};
			data.add('amber-otter', {disk, tags: ['@s1'], snapshots: 1, record});
			data.add('cut-short', {disk, record});
			data.add('busy', {state: 4, record});
		} finally {
			await theirs.close();
		}
		before = data.fingerprint();
	});
	afterAll(async () => {
		await drover?.close();
		if (typeof lxd !== 'string') await lxd.close();
	}, 120_000);

	const file = (name: string, inside: string) => path.join(instanceDirectory(drover.paths, 'qemu', name), inside);
	const record = (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8'));

	test('is shown before, and left out with its reason', async () => {
		const {code, stdout} = await drover.run('import', 'multipass', '--dry-run');
		expect(code).toBe(2);
		expect(stdout).toContain(`From ${data.directory} into QEMU; nothing has been changed yet.`);
		expect(stdout).toMatch(/^amber-otter +Stopped +import +\d+M +2 CPU, 128M memory, 512M disk$/m);
		expect(stdout).toMatch(/^busy +Running +skip +Multipass has it as Running$/m);
		expect(await drover.states()).toEqual({});
		expect(await drover.run('import', 'virtualbox')).toMatchObject({
			code: 1,
			stderr: 'import failed: Nothing can be imported from "virtualbox".\nIt is: drover import multipass\n',
		});
	});

	// Connections are refused unless the guest shows the host key that drover has given it.
	test('comes with its disk, boots, and lets drover in', async () => {
		const {code, stdout} = await drover.run('import', 'multipass', 'amber-otter');
		expect(stdout).toBe(
			'amber-otter: imported\n  Its snapshot stays with Multipass: what is brought is the disk as it is now.\n1 imported. The originals stay as they are; "drover start NAME" boots what was imported.\n',
		);
		expect(code).toBe(0);
		const information = JSON.parse(
			execFileSync('qemu-img', ['info', '--output=json', file('amber-otter', 'disk.qcow2')], {encoding: 'utf8'}),
		);
		expect(information).toMatchObject({'virtual-size': 512 * 2 ** 20});
		expect(information['backing-filename']).toBeUndefined();
		expect(information.snapshots).toBeUndefined();
		await drover.ok('start', 'amber-otter');
		const sh = (script: string) => drover.ok('exec', 'amber-otter', '--', 'sh', '-c', script);
		expect(await sh('sudo cat /root/note')).toBe('kept\n');
		expect((await sh('hostname')).trim()).toBe('amber-otter');
		expect((await sh('cat /sys/class/net/e*/address')).split('\n')).toContain('52:54:00:1a:2b:01');
		expect(data.fingerprint()).toBe(before);
		await drover.ok('stop', 'amber-otter');
	});

	test('and nothing is half done by a kill -9: the next import ends it', async () => {
		const importing = spawn(process.execPath, [drover.file, 'import', 'multipass', 'cut-short'], {
			env: drover.env,
			stdio: 'ignore',
		});
		const gone = new Promise(resolve => importing.once('exit', resolve));
		await until(() => existsSync(file('cut-short', 'incoming')), Boolean, 30_000);
		process.kill((await drover.daemonPid())!, 'SIGKILL');
		await gone;
		// The next daemon begins it again by itself.
		expect(await drover.states()).toMatchObject({'cut-short': 'Stopped'});
		await until(
			() => existsSync(file('cut-short', 'instance.json')) && record('cut-short').phase,
			phase => phase === 'ready',
			60_000,
		);
		expect(existsSync(file('cut-short', 'incoming'))).toBe(false);
		const {code, stdout} = await drover.run('import', 'multipass');
		expect(code).toBe(2);
		expect(stdout).toContain('amber-otter: it is here already as "amber-otter"\n');
		expect(stdout).toContain('cut-short: it is here already as "cut-short"\n');
		expect(stdout).toContain('busy: skipped: Multipass has it as Running\n');
		execFileSync('qemu-img', ['check', file('cut-short', 'disk.qcow2')]);
		await drover.ok('start', 'cut-short');
		expect(await drover.ok('exec', 'cut-short', '--', 'sudo', 'cat', '/root/note')).toBe('kept\n');
		await drover.ok('delete', '--purge', 'cut-short');
		expect(data.fingerprint()).toBe(before);
	});

	test('between drivers that share their instances there is nothing to move', async () => {
		expect(await drover.run('move', 'amber-otter', '--to', 'libvirt')).toMatchObject({
			code: 1,
			stderr: expect.stringContaining(
				'QEMU and libvirt share their instances, so there is nothing to move: drover switch libvirt runs them under libvirt.',
			),
		});
		expect(await drover.run('move', 'amber-otter', '--to', 'hyperv')).toMatchObject({code: 2});
	});

	describe.skipIf(why !== '')(`moves to LXD${why}`, () => {
		const imagesOnServer = async () => {
			const socketPath = path.join((lxd as Exclude<typeof lxd, string>).environment['LXD_DIR']!, 'unix.socket');
			const text = await new Promise<string>((resolve, reject) => {
				get({socketPath, path: '/1.0/images?project=drover'}, response => {
					let body = '';
					response.on('data', chunk => (body += String(chunk)));
					response.on('end', () => resolve(body));
				}).on('error', reject);
			});
			return (JSON.parse(text) as {metadata: unknown}).metadata;
		};

		test('as a container that is by consent only, and after a question', async () => {
			const refused = await drover.run('move', 'amber-otter', '--to', 'lxd', '--yes');
			expect(refused.code).toBe(2);
			expect(refused.stderr).toContain('drover set local.lxd.type=container');
			await drover.ok('set', 'local.lxd.type=container');
			const asked = await drover.run('move', 'amber-otter', '--to', 'lxd');
			expect(asked.code).toBe(1);
			expect(asked.stderr).toContain('It becomes a container');
			expect(await drover.ok('move', 'amber-otter', '--to', 'lxd', '--yes')).toContain('moved to LXD');
			expect(await drover.states()).toEqual({'amber-otter': 'Stopped'});
			expect(record('amber-otter')).toMatchObject({moved: {to: 'lxd'}});
		});

		test('where it runs with what it had, and from where it cannot go back', async () => {
			await drover.ok('switch', 'lxd');
			expect(await drover.states()).toEqual({'amber-otter': 'Stopped'});
			await drover.ok('start', 'amber-otter');
			expect(await drover.ok('exec', 'amber-otter', '--', 'sudo', 'cat', '/root/note')).toBe('kept\n');
			await drover.ok('stop', 'amber-otter');
			const back = await drover.run('move', 'amber-otter', '--to', 'qemu');
			expect(back.code).toBe(2);
			expect(back.stderr).toContain('a container has no disk that a machine could boot from');
			// It was made from an image of its own, which is of no use any more.
			expect(await imagesOnServer()).toEqual([]);
			await drover.ok('switch', 'qemu');
			await drover.ok('delete', '--purge', 'amber-otter');
			await drover.ok('switch', 'lxd');
			await drover.ok('start', 'amber-otter');
			expect(await drover.ok('exec', 'amber-otter', '--', 'sudo', 'cat', '/root/note')).toBe('kept\n');
		});
	});
});
