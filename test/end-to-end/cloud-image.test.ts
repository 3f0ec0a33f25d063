import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {debianImage, whyNoDebian} from '../support/debian-image.ts';
import {MultipassData} from '../support/multipass.ts';
import {type Answer, Program} from '../support/program.ts';

const reason = whyNoDebian();
const why = reason === '' ? '' : ` (no Debian cloud image here: ${reason})`;

const userData = `#cloud-config
users:
  - name: ann
    groups: [sudo]
    shell: /bin/bash
packages: [hello]
write_files:
  - path: /etc/written
    permissions: '0640'
    content: |
      by cloud-init
runcmd:
  - [sh, -c, 'id -un >> /var/tmp/ran-as']
`;

/** A real cloud image on real QEMU: cloud-init as it is, not as a stand-in has it. Each step goes on from the one before. */
describe.skipIf(reason !== '')(`a Debian cloud image${why}`, {timeout: 1_500_000}, () => {
	let drover: Program;
	let launched: Answer;
	let image: string;

	beforeAll(async () => {
		image = debianImage();
		drover = await Program.open({withImage: false});
	}, 1_000_000);
	afterAll(async () => {
		await drover?.close();
	}, 60_000);

	const run = (...command: readonly string[]) => drover.ok('exec', 'deb', '--', ...command);
	/** Whether the guest has reached a mirror of its distribution: what its packages then come to. */
	const isInstalled = async () => (await drover.run('exec', 'deb', '--', 'dpkg', '-s', 'hello')).code === 0;

	test('launch: all stages up to the end of cloud-init are told', async () => {
		const file = path.join(drover.home, 'user-data.yaml');
		writeFileSync(file, userData);
		const sizes = ['--cpus', '2', '--memory', '768M', '--disk', '6G'];
		launched = await drover.run(
			...['launch', `file://${image}`, '--name', 'deb', ...sizes, '--cloud-init', file, '--timeout', '1200'],
		);
		const lines = launched.stdout.split('\n').map(line => line.replace(/ \(usually \d+ s\)$/, ''));
		// Stages that are over in a moment may go by unseen.
		const told = [
			'Creating deb',
			'Retrieving image',
			'Verifying image',
			'Starting deb',
			'Waiting for initialization to complete',
			'Waiting for initialization to complete (modules-config)',
			'Waiting for initialization to complete (modules-final)',
		];
		expect(lines.filter(line => told.includes(line))).toEqual(told);
		if (await isInstalled()) {
			expect(launched).toMatchObject({code: 0, stderr: ''});
			expect(lines.at(-2)).toBe('Launched: deb');
		} else {
			// Without a mirror its packages cannot be had, which cloud-init calls an error, and so do we.
			expect(launched.code).toBe(2);
			expect(launched.stderr).toMatch(/^launch failed: deb was launched and runs, but cloud-init failed in it: /);
		}
		expect(await drover.states()).toEqual({deb: 'Running'});
		expect(await drover.ok('events', 'deb')).toMatch(/initialized, \d|cloud-init failed/);
	});

	test('info: its own words, and the sizes that were asked for', async () => {
		const {info} = JSON.parse(await drover.ok('info', 'deb', '--format', 'json')) as {
			info: Record<
				string,
				{release: string; cpu_count: string; memory: {total: number}; disks: Record<string, {total: string}>}
			>;
		};
		const {release, cpu_count: cpus, memory, disks} = info['deb']!;
		expect([release, cpus]).toEqual(['Debian GNU/Linux 12 (bookworm)', '2']);
		expect(memory.total).toBeGreaterThan(680 * 2 ** 20);
		expect(memory.total).toBeLessThanOrEqual(768 * 2 ** 20);
		const [disk] = Object.values(disks);
		expect(Number(disk!.total)).toBeGreaterThan(5.4 * 2 ** 30);
	});

	test('what the user-data asked for was done', async () => {
		expect(await run('sudo', 'sh', '-c', 'stat -c "%a %U" /etc/written && cat /etc/written')).toBe(
			'640 root\nby cloud-init\n',
		);
		expect(await run('id', '-nG', 'ann')).toBe('ann sudo\n');
		expect(await run('cat', '/var/tmp/ran-as')).toBe('root\n');
		// The user's list did not push out the one that lets drover in.
		expect(await run('id', '-un')).toBe('ubuntu\n');
		expect(await run('hostname')).toBe('deb\n');
		// Arrived whole in what cloud-init merged, whether or not there is a mirror.
		expect(await run('sudo', 'cat', '/var/lib/cloud/instance/cloud-config.txt')).toMatch(/^packages:\n- hello$/m);
		expect(await run('cloud-init', 'status')).toBe(`status: ${(await isInstalled()) ? 'done' : 'error'}\n`);
	});

	describe('as it was used elsewhere: cloud-init has done its work for another instance, and let in another key', () => {
		let importer: Program;
		const inside = async (...command: readonly string[]) =>
			(await importer.ok('exec', 'amber-otter', '--', ...command)).trim();

		beforeAll(async () => {
			await drover.ok('stop', 'deb');
			importer = await Program.open({withImage: false});
			const directory = path.join(importer.home, 'multipass', 'data');
			mkdirSync(directory, {recursive: true});
			importer.more['MULTIPASS_STORAGE'] = path.dirname(directory);
			new MultipassData(directory).add('amber-otter', {
				disk: path.join(instanceDirectory(drover.paths, 'qemu', 'deb'), 'disk.qcow2'),
				record: {mem_size: String(768 * 2 ** 20), disk_space: String(6 * 2 ** 30)},
			});
		}, 300_000);
		afterAll(async () => {
			await importer?.close();
		}, 60_000);

		test('it is imported, and lets drover in at its first start', async () => {
			await importer.ok('import', 'multipass');
			await importer.ok('start', 'amber-otter', '--timeout', '1200');
			expect(await inside('id', '-un')).toBe('ubuntu');
		});

		test('it is a new instance to cloud-init; what its user had asked for is not done once more', async () => {
			const file = path.join(instanceDirectory(importer.paths, 'qemu', 'amber-otter'), 'instance.json');
			const record: InstanceRecord = JSON.parse(readFileSync(file, 'utf8'));
			expect(await inside('cloud-init', 'status', '--wait')).toContain('done');
			expect(await inside('hostname')).toBe('amber-otter');
			expect(await inside('sudo', 'cat', '/var/lib/cloud/data/instance-id')).toBe(record.id);
			expect(await inside('cat', '/var/tmp/ran-as')).toBe('root');
			expect((await inside('sh', '-c', 'cat /sys/class/net/e*/address')).split('\n')).toContain(record.hardware.mac);
			expect(await inside('sudo', 'cat', '/etc/ssh/ssh_host_ed25519_key.pub')).toContain(record.ssh.hostKey);
		});
	});
});
