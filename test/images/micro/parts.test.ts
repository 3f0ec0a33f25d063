import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {expect, test} from 'vitest';
import {cpioArchive} from '../../../source/images/micro/cpio.ts';
import {neededLibraries} from '../../../source/images/micro/elf.ts';
import {containerFiles, machineFiles} from '../../../source/images/micro/guest/files.ts';
import {checkHost} from '../../../source/images/micro/host.ts';
import {indexModules, installModules, loadOrder} from '../../../source/images/micro/modules.ts';
import {parseDependencies, withLibraries} from '../../../source/images/micro/packages.ts';
import {masterBootRecord} from '../../../source/images/micro/partitions.ts';
import {temporaryDirectory} from '../work.ts';

test('the libraries of a program are those its loader would look for', () => {
	const libraries = neededLibraries(readFileSync(process.execPath));
	expect(libraries).toContain('libc.so.6');
	expect(libraries.every(name => /^[\w.+-]+\.so(\.\d+)*$/.test(name))).toBe(true);
	expect(neededLibraries(Buffer.from('#!/bin/sh\n'.padEnd(100)))).toEqual([]);
});

test('packages are followed to their libraries and no further', () => {
	const graph = parseDependencies(
		[
			'agent',
			'  Depends: libglib2.0-0',
			' |Depends: tools',
			'  PreDepends: init-helpers',
			'  Depends: <virtual>',
			'    provider',
			'libglib2.0-0',
			'  Depends: libc6',
			'  Depends: libperl5',
			'libc6',
			'  Depends: libgcc-s1',
			'  Depends: gcc-base',
			'libgcc-s1',
			'tools',
			'  Depends: libx',
		].join('\n'),
	);
	expect(graph.get('agent')).toEqual(['libglib2.0-0', 'tools', 'init-helpers']);
	expect(withLibraries(['agent'], graph)).toEqual(['agent', 'libglib2.0-0', 'libc6', 'libgcc-s1']);
});

test('modules are loaded after everything they need, also by two ways', () => {
	const direct = new Map([
		['net', ['failover', 'virtio']],
		['failover', ['virtio']],
		['virtio', ['ring']],
		['ring', []],
	]);
	// modprobe loads from the end.
	const order = loadOrder('net', direct);
	expect(order).toEqual(['failover', 'virtio', 'ring']);
});

test('installed modules bring along what they depend on, with the list modprobe reads', async () => {
	const directory = temporaryDirectory();
	const from = path.join(directory, 'from');
	mkdirSync(path.join(from, 'kernel'), {recursive: true});
	const module = (name: string, depends: string) =>
		writeFileSync(path.join(from, 'kernel', `${name}.ko`), `\x7fELF..\0license=GPL\0depends=${depends}\0name=x\0`);
	module('virtio-net', 'virtio,net_failover');
	module('virtio', '');
	module('net_failover', 'virtio');
	module('unwanted', '');
	const to = path.join(directory, 'to');
	await installModules(from, await indexModules(from), ['virtio_net', 'not_here'], to);
	expect(readFileSync(path.join(to, 'modules.dep'), 'utf8').trim().split('\n').sort()).toEqual([
		'kernel/net_failover.ko: kernel/virtio.ko',
		'kernel/virtio-net.ko: kernel/net_failover.ko kernel/virtio.ko',
		'kernel/virtio.ko:',
	]);
});

test('the archive for the kernel has what was put in, owned by root', () => {
	const archive = cpioArchive([
		{path: 'bin', kind: 'directory', mode: 0o755},
		{path: 'bin/tool', kind: 'file', mode: 0o755, data: Buffer.from('content\n')},
		{path: 'bin/link', kind: 'link', target: 'tool'},
		{path: 'console', kind: 'device', mode: 0o600, major: 5, minor: 1},
	]);
	expect(archive.length % 4).toBe(0);
	// Read back field by field, as the kernel does.
	const found: unknown[] = [];
	for (let at = 0; ; ) {
		expect(archive.toString('latin1', at, at + 6)).toBe('070701');
		const field = (index: number) =>
			Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
		const nameEnd = at + 110 + field(11);
		const name = archive.toString('utf8', at + 110, nameEnd - 1);
		const data = Math.ceil(nameEnd / 4) * 4;
		if (name === 'TRAILER!!!') break;
		expect([field(2), field(3)]).toEqual([0, 0]);
		found.push([name, field(1).toString(8), archive.toString('utf8', data, data + field(6)), field(9), field(10)]);
		at = Math.ceil((data + field(6)) / 4) * 4;
	}
	expect(found).toEqual([
		['bin', '40755', '', 0, 0],
		['bin/tool', '100755', 'content\n', 0, 0],
		['bin/link', '120777', 'tool', 0, 0],
		['console', '20600', '', 5, 1],
	]);
});

test('the boot record has its partitions where firmware and kernel look for them', () => {
	const record = masterBootRecord(Buffer.alloc(600, 0x90), [
		{type: 0x0e, start: 2048, sectors: 49_152, active: true},
		{type: 0x83, start: 51_200, sectors: 276_480, active: false},
	]);
	expect(record.length).toBe(512);
	expect(record[439]).toBe(0x90);
	expect(record[440]).toBe(0);
	expect([record[446], record[450], record.readUInt32LE(454), record.readUInt32LE(458)]).toEqual([
		0x80, 0x0e, 2048, 49_152,
	]);
	// The guest patches the size at 474 when the disk has grown.
	expect([record[462], record[466], record.readUInt32LE(470), record.readUInt32LE(474)]).toEqual([
		0, 0x83, 51_200, 276_480,
	]);
	expect(record.readUInt16BE(510)).toBe(0x55aa);
});

test.each(
	[...machineFiles('6.1.0'), ...containerFiles()]
		.filter(file => file.text.startsWith('#!'))
		.map(file => [file.path, file.text]),
)('the guest’s %s is a script a shell understands', (_, text) => {
	execFileSync('sh', ['-n'], {input: text, stdio: ['pipe', 'ignore', 'pipe']});
});

test.each([
	[{platform: 'darwin', architecture: 'x64', path: '/usr/bin'}, 'The micro image can only be built on Linux.'],
	[
		{platform: 'linux', architecture: 'arm64', path: '/usr/bin'},
		'The micro image exists for amd64 only, and this machine is arm64.',
	],
	[
		{platform: 'linux', architecture: 'x64', path: '/nowhere'},
		'The micro image is built from Debian packages with apt-get, which this machine does not have.',
	],
] as const)('a host on which it cannot be built is told in one sentence', async (host, message) => {
	await expect(checkHost('disk', host)).rejects.toMatchObject({
		code: 'image.unusable',
		message,
		next: expect.stringContaining('file:///'),
	});
});

test('a missing program is named with its package', async () => {
	const directory = temporaryDirectory();
	for (const name of ['apt-get', 'apt-cache', 'dpkg-deb', 'qemu-img']) {
		writeFileSync(path.join(directory, name), '', {mode: 0o755});
	}
	await expect(checkHost('disk', {platform: 'linux', architecture: 'x64', path: directory})).rejects.toMatchObject({
		message: 'The micro image cannot be built: mke2fs and debugfs are missing.',
		next: 'Install it: sudo apt-get install e2fsprogs',
	});
});
