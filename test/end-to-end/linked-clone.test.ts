import {execFileSync, spawnSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory, layerIn, layersDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {findOnPath} from '../support/find-program.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {Program} from '../support/program.ts';

const libvirt = await ownLibvirt();
const mebibyte = 2 ** 20;

/** Real guests that share a disk, side by side. Each step goes on from the one before. */
describe('a linked clone on real QEMU', {timeout: 300_000}, () => {
	let drover: Program;

	beforeAll(async () => {
		drover = await Program.open();
		if (typeof libvirt !== 'string') drover.more['LIBVIRT_DEFAULT_URI'] = libvirt.uri;
		await drover.ok('launch', 'micro', '-n', 'web', '-m', '128M', '-d', '512M');
	});
	afterAll(async () => {
		await drover.close();
		if (typeof libvirt !== 'string') await libvirt.close();
	});

	const sh = (name: string, script: string) => drover.ok('exec', name, '--', 'sh', '-c', script);
	const file = (name: string, inside: string) => path.join(instanceDirectory(drover.paths, 'qemu', name), inside);
	const disk = (name: string) => file(name, 'disk.qcow2');
	const record = (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8'));
	const layers = () => {
		const place = layersDirectory(drover.paths, 'qemu');
		return existsSync(place) ? readdirSync(place) : [];
	};
	const image = (...args: string[]) => execFileSync('qemu-img', args, {encoding: 'utf8'});
	const base = (name: string): string =>
		JSON.parse(image('info', '-U', '--output=json', disk(name)))['full-backing-filename'];
	const checkAll = (...names: string[]) => {
		for (const name of names) expect(image('check', disk(name))).toContain('No errors');
	};
	/** All that a machine is known by. */
	const identity = async (name: string) => ({
		hostname: (await sh(name, 'hostname')).trim(),
		mac: (await sh(name, 'cat /sys/class/net/e*/address')).trim(),
		machineId: (await sh(name, 'cat /etc/machine-id')).trim(),
		instanceId: (await sh(name, 'cat /var/lib/cloud/data/instance-id')).trim(),
		hostKey: record(name).ssh.hostKey,
	});

	test('is made at once, takes no space, and is told of', async () => {
		await sh(
			'web',
			'echo 0123456789abcdef0123456789abcdef > /etc/machine-id; echo shared > /root/note; dd if=/dev/urandom of=/root/bulk bs=1M count=40 2>/dev/null; sync',
		);
		await drover.ok('stop', 'web');
		await drover.ok('snapshot', 'web', '-n', 'a');
		expect(await drover.run('clone', 'web', '--linked')).toMatchObject({
			code: 2,
			stderr: expect.stringMatching(/its snapshots are inside the disk that would be shared[\s\S]*without --linked/),
		});
		await drover.ok('delete', '--purge', 'web.a');
		expect(await drover.ok('clone', 'web', '--linked', '-n', 'two')).toBe('Cloned from web to two.\n');
		expect(layers()).toHaveLength(1);
		expect(layerIn(base('two'))).toBe(layers()[0]);
		expect(statSync(base('two')).blocks * 512).toBeGreaterThan(40 * mebibyte);
		for (const name of ['web', 'two']) expect(statSync(disk(name)).blocks * 512).toBeLessThan(mebibyte);
		expect(await drover.ok('info', 'two')).toMatch(/Linked: +its disk lies over a layer shared with web\n/);
		const {info} = JSON.parse(await drover.ok('info', 'web', '--format', 'json'));
		expect(info.web.linked).toEqual({layers: 1, with: ['two']});
		checkAll('web', 'two');
	});

	test('runs beside the other with an identity of its own, and neither sees what the other writes', async () => {
		await drover.ok('start', 'web', 'two');
		const [one, other] = [await identity('web'), await identity('two')];
		expect([one.hostname, other.hostname]).toEqual(['web', 'two']);
		expect(other.machineId).toMatch(/^[\da-f]{32}$/);
		for (const key of Object.keys(one) as Array<keyof typeof one>) expect(other[key], key).not.toBe(one[key]);
		await sh('web', 'echo one > /root/note; sync');
		await sh('two', 'cat /root/note > /root/before; echo other > /root/note; sync');
		expect(await sh('two', 'cat /root/before /root/note')).toBe('shared\nother\n');
		expect(await sh('web', 'cat /root/note')).toBe('one\n');
	});

	test('is suspended, grown and snapshotted like any other', async () => {
		const bootId = await drover.bootId('two');
		await drover.ok('suspend', 'two');
		await drover.ok('start', 'two');
		expect(await drover.bootId('two')).toBe(bootId);
		await drover.ok('stop', 'two');
		await drover.ok('set', 'local.two.disk=1G');
		await drover.ok('snapshot', 'two', '-n', 'a');
		await drover.ok('start', 'two');
		expect(Number(await sh('two', 'cat /sys/class/block/vda/size')) * 512).toBe(2 ** 30);
		await sh('two', 'echo later > /root/note; sync');
		await drover.ok('stop', 'two');
		await drover.ok('restore', '--destructive', 'two.a');
		await drover.ok('delete', '--purge', 'two.a');
		checkAll('two');
		await drover.ok('start', 'two');
		expect(await sh('two', 'cat /root/note')).toBe('other\n');
	});

	test('is linked and cloned in full itself, and boots when the first is purged', async () => {
		await drover.ok('stop', 'two');
		await drover.ok('clone', 'two', '--linked', '-n', 'three');
		await drover.ok('clone', 'three', '-n', 'whole');
		expect(base('whole')).toContain(drover.paths.cache);
		expect(image('compare', disk('three'), disk('whole'))).toContain('identical');
		await drover.ok('delete', '--purge', 'web');
		expect(layers()).toHaveLength(2);
		await drover.ok('start', 'two', 'three', 'whole');
		for (const name of ['two', 'three', 'whole']) {
			expect(await sh(name, 'hostname; cat /root/note; ls -s /root/bulk | wc -l')).toBe(`${name}\nother\n1\n`);
		}
		await drover.ok('delete', '--purge', 'two');
		await drover.ok('stop', 'three');
		await drover.ok('start', 'three');
		expect(await sh('three', 'cat /root/note')).toBe('other\n');
	});

	test.skipIf(typeof libvirt === 'string')('is handed over to libvirt and back while it runs', async () => {
		const bootId = await drover.bootId('three');
		await drover.ok('delete', '--purge', 'whole');
		await drover.ok('switch', 'libvirt');
		expect(await drover.bootId('three')).toBe(bootId);
		await sh('three', 'echo under libvirt > /root/note; sync');
		await drover.ok('stop', 'three');
		expect(await drover.ok('clone', 'three', '--linked', '-n', 'four')).toBe('Cloned from three to four.\n');
		await drover.ok('start', 'four');
		expect(await sh('four', 'hostname; cat /root/note')).toBe('four\nunder libvirt\n');
		await drover.ok('start', 'three');
		await drover.ok('switch', 'qemu');
		expect(await sh('four', 'hostname; cat /root/note')).toBe('four\nunder libvirt\n');
		await drover.ok('stop', 'three', 'four');
		checkAll('three', 'four');
	});

	test('takes what it shares with it when it is the last', async () => {
		await drover.ok('delete', '--purge', ...Object.keys(await drover.states()));
		expect(layers()).toEqual([]);
	});
});

describe('kill -9 of the daemon before and after each qemu-img of a linked clone', {timeout: 400_000}, () => {
	const real = findOnPath('qemu-img')!;
	let drover: Program;
	let tools: string;

	beforeAll(async () => {
		drover = await Program.open();
		tools = path.join(drover.home, 'tools');
		mkdirSync(tools);
		const script = path.join(tools, 'qemu-img');
		// Its parent is the daemon. The number and the moment are in a file that is used up once.
		writeFileSync(
			script,
			`#!/bin/sh
at=$(dirname "$0")
echo "$@" >> "$at/log"
read -r number moment 2>/dev/null < "$at/kill" || number=0
[ "$(wc -l < "$at/log")" -eq "$number" ] || exec ${real} "$@"
rm "$at/kill"
[ "$moment" = before ] || ${real} "$@"
kill -9 $PPID
`,
		);
		chmodSync(script, 0o755);
		drover.more['PATH'] = `${tools}${path.delimiter}${process.env['PATH']}`;
		await drover.ok('launch', 'micro', '-n', 'web', '-m', '128M', '-d', '512M');
		await drover.ok('stop', 'web');
	});
	afterAll(() => drover.close());

	const disk = (name: string) => path.join(instanceDirectory(drover.paths, 'qemu', name), 'disk.qcow2');
	const layers = () => readdirSync(layersDirectory(drover.paths, 'qemu'));
	const image = (...args: string[]) => execFileSync(real, args, {encoding: 'utf8'});
	const io = (command: string, name: string) =>
		spawnSync('qemu-io', ['-c', command, disk(name)], {encoding: 'utf8'}).stdout;

	test('the next daemon brings it to its end, and nobody’s disk is hurt', async () => {
		const log = path.join(tools, 'log');
		rmSync(log);
		await drover.ok('clone', 'web', '--linked', '-n', 'two');
		const calls = readFileSync(log, 'utf8').trim().split('\n');
		expect(calls.map(call => call.split(' ')[0])).toEqual(['info', 'create', 'info', 'create']);
		await drover.ok('delete', '--purge', 'two');
		// As many as there may be layers; after the first call nothing has been done yet.
		const moments = [
			[1, 'before'],
			...[2, 3, 4].flatMap(number => [[number, 'before'] as const, [number, 'after'] as const]),
		];
		for (const [kills, moment] of moments.entries()) {
			const mark = `-P ${kills + 1} 400M 1M`;
			expect(io(`write ${mark}`, 'web')).toContain('wrote');
			const before = await drover.daemonPid();
			rmSync(log);
			writeFileSync(path.join(tools, 'kill'), `${moment.join(' ')}\n`);
			await drover.run('clone', 'web', '--linked', '-n', 'two');
			expect([moment, existsSync(path.join(tools, 'kill'))]).toEqual([moment, false]);
			await until(
				() => drover.run('operations', '--format', 'json'),
				({code, stdout}) => code === 0 && !/"state": *"(?:running|queued)"/.test(stdout),
				30_000,
			);
			expect(await drover.daemonPid()).not.toBe(before);
			expect(await drover.states()).toEqual({two: 'Stopped', web: 'Stopped'});
			for (const name of ['web', 'two']) {
				expect([moment, io(`read ${mark}`, name)]).toEqual([moment, expect.not.stringContaining('failed')]);
				expect(image('check', disk(name))).toContain('No errors');
			}
			expect(image('compare', disk('web'), disk('two'))).toContain('identical');
			if (kills < moments.length - 1) await drover.ok('delete', '--purge', 'two');
			expect(layers()).toHaveLength(kills + 2);
		}
		await drover.ok('start', 'web', 'two');
		for (const name of ['web', 'two']) expect(await drover.ok('exec', name, '--', 'hostname')).toBe(`${name}\n`);
	});
});
