import {execFileSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {Program} from '../support/program.ts';

const libvirt = await ownLibvirt();

/** A real guest and its clone, side by side. Each step goes on from the one before. */
describe('a clone on real QEMU', {timeout: 240_000}, () => {
	let drover: Program;

	beforeAll(async () => {
		drover = await Program.open();
		if (typeof libvirt !== 'string') drover.more['LIBVIRT_DEFAULT_URI'] = libvirt.uri;
		const config = path.join(drover.home, 'cloud-init.yaml');
		writeFileSync(config, '#cloud-config\nruncmd:\n- [sh, -c, "hostname >> /root/ran"]\n');
		await drover.ok('launch', 'micro', '-n', 'web', '-m', '128M', '-d', '512M', '--cloud-init', config);
	});
	afterAll(async () => {
		await drover.close();
		if (typeof libvirt !== 'string') await libvirt.close();
	});

	const sh = (name: string, script: string) => drover.ok('exec', name, '--', 'sh', '-c', script);
	const file = (name: string, inside: string) => path.join(instanceDirectory(drover.paths, 'qemu', name), inside);
	const record = (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8'));
	/** All that a machine is known by. */
	const identity = async (name: string) => ({
		hostname: (await sh(name, 'hostname')).trim(),
		mac: (await sh(name, 'cat /sys/class/net/eth0/address')).trim(),
		machineId: (await sh(name, 'cat /etc/machine-id')).trim(),
		instanceId: (await sh(name, 'cat /var/lib/cloud/data/instance-id')).trim(),
		// Connections are refused unless the guest shows the key that the record has.
		hostKey: record(name).ssh.hostKey,
	});

	test('has what the other had written, and snapshots are not copied', async () => {
		// As an image with systemd has it.
		await sh('web', 'echo 0123456789abcdef0123456789abcdef > /etc/machine-id; echo shared > /root/note; sync');
		expect(await drover.run('clone', 'web')).toMatchObject({
			code: 2,
			stderr: 'clone failed: instance "web" cannot be cloned: only while it is stopped\nStop it first.\n',
		});
		await drover.ok('stop', 'web');
		await drover.ok('snapshot', 'web');
		expect(await drover.ok('clone', 'web')).toBe('Cloned from web to web-clone1.\n');
		expect(await drover.states()).toEqual({web: 'Stopped', 'web-clone1': 'Stopped'});
		const disks = [file('web', 'disk.qcow2'), file('web-clone1', 'disk.qcow2')] as const;
		expect(execFileSync('qemu-img', ['compare', ...disks], {encoding: 'utf8'})).toContain('identical');
		const information = JSON.parse(execFileSync('qemu-img', ['info', '--output=json', disks[1]], {encoding: 'utf8'}));
		expect(information.snapshots).toBeUndefined();
		expect(information['backing-filename']).toContain(drover.paths.cache);
	});

	test('runs beside it with another name, address, key and id', async () => {
		await drover.ok('start', 'web', 'web-clone1');
		await until(
			() => sh('web-clone1', 'cat /root/ran'),
			ran => ran.includes('web-clone1'),
			30_000,
		);
		const [one, other] = [await identity('web'), await identity('web-clone1')];
		expect([one.hostname, other.hostname]).toEqual(['web', 'web-clone1']);
		expect(one.machineId).toBe('0123456789abcdef0123456789abcdef');
		expect(other.machineId).toMatch(/^[\da-f]{32}$/);
		for (const key of Object.keys(one) as Array<keyof typeof one>) expect(other[key], key).not.toBe(one[key]);
		expect([one.mac, other.mac]).toEqual([record('web').hardware.mac, record('web-clone1').hardware.mac]);
		// What cloud-init was told is done once in each.
		expect(await sh('web-clone1', 'cat /root/ran')).toBe('web\nweb-clone1\n');
		expect(await sh('web', 'cat /root/ran')).toBe('web\n');
	});

	test('shares nothing with it from then on', async () => {
		await sh('web', 'echo one > /root/note; sync');
		expect(await sh('web-clone1', 'cat /root/note')).toBe('shared\n');
		await sh('web-clone1', 'echo other > /root/note; sync');
		const {machineId} = await identity('web-clone1');
		await drover.ok('delete', '--purge', 'web');
		await drover.ok('stop', 'web-clone1');
		await drover.ok('start', 'web-clone1');
		expect(await sh('web-clone1', 'cat /root/note')).toBe('other\n');
		// It is made anew once.
		expect((await identity('web-clone1')).machineId).toBe(machineId);
	});

	test.skipIf(typeof libvirt === 'string')('is made under libvirt as well', async () => {
		await drover.ok('stop', 'web-clone1');
		await drover.ok('switch', 'libvirt');
		expect(await drover.ok('clone', 'web-clone1', '-n', 'second')).toBe('Cloned from web-clone1 to second.\n');
		await drover.ok('start', 'second');
		expect(await sh('second', 'hostname; cat /root/note')).toBe('second\nother\n');
	});
});
