import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {debianImage, whyNoDebian} from '../support/debian-image.ts';
import {MultipassData} from '../support/multipass.ts';
import {Program} from '../support/program.ts';

const reason = whyNoDebian();
const why = reason === '' ? '' : ` (no Debian cloud image here: ${reason})`;

const userData = `#cloud-config
runcmd:
  - [sh, -c, 'echo once >> /var/tmp/ran']
`;

/** With cloud-init as it is: it has done its work for another instance id, and let in another key. */
describe.skipIf(reason !== '')(`a cloud image that was used elsewhere${why}`, {timeout: 1_500_000}, () => {
	let drover: Program;

	beforeAll(async () => {
		const image = debianImage();
		drover = await Program.open({withImage: false});
		const theirs = await Program.open({withImage: false});
		const directory = path.join(drover.home, 'multipass', 'data');
		mkdirSync(directory, {recursive: true});
		drover.more['MULTIPASS_STORAGE'] = path.dirname(directory);
		try {
			const file = path.join(theirs.home, 'user-data.yaml');
			writeFileSync(file, userData);
			const sizes = ['--cpus', '2', '--memory', '768M', '--disk', '6G'];
			await theirs.ok('launch', `file://${image}`, '-n', 'old', ...sizes, '--cloud-init', file, '--timeout', '1200');
			await theirs.ok('stop', 'old');
			const disk = path.join(instanceDirectory(theirs.paths, 'qemu', 'old'), 'disk.qcow2');
			new MultipassData(directory).add('amber-otter', {
				disk,
				record: {mem_size: String(768 * 2 ** 20), disk_space: String(6 * 2 ** 30)},
			});
		} finally {
			await theirs.close();
		}
	}, 1_500_000);
	afterAll(async () => {
		await drover?.close();
	}, 60_000);

	const run = async (...command: readonly string[]) =>
		(await drover.ok('exec', 'amber-otter', '--', ...command)).trim();

	test('is imported, and lets drover in at its first start', async () => {
		await drover.ok('import', 'multipass');
		await drover.ok('start', 'amber-otter', '--timeout', '1200');
		expect(await run('id', '-un')).toBe('ubuntu');
		expect(await run('hostname')).toBe('amber-otter');
	});

	test('is a new instance to cloud-init; what its user had asked for is not done once more', async () => {
		const record: InstanceRecord = JSON.parse(
			readFileSync(path.join(instanceDirectory(drover.paths, 'qemu', 'amber-otter'), 'instance.json'), 'utf8'),
		);
		expect(await run('cloud-init', 'status', '--wait')).toContain('done');
		expect(await run('sudo', 'cat', '/var/lib/cloud/data/instance-id')).toBe(record.id);
		expect(await run('cat', '/var/tmp/ran')).toBe('once');
		expect((await run('sh', '-c', 'cat /sys/class/net/e*/address')).split('\n')).toContain(record.hardware.mac);
		expect(await run('sudo', 'cat', '/etc/ssh/ssh_host_ed25519_key.pub')).toContain(record.ssh.hostKey);
	});
});
