import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {fileServerArguments, findFileServer, kindOf} from '../../../source/drivers/qemu/mounts/file-server.ts';
import {
	checkNative,
	isMountId,
	mountId,
	sharedDirectories,
	sharedDirectoryArguments,
} from '../../../source/drivers/qemu/mounts/native-mount.ts';
import {readAnswer} from '../../../source/guest/mount/prepare.ts';
import {isLasting, UnknownKind} from '../../../source/guest/mount/refusals.ts';
import type {InstanceRecord} from '../../../source/model/instance.ts';
import type {Mount} from '../../../source/model/mount.ts';

const mountOf = (source: string, more: Partial<Mount> = {}): Mount => ({
	source,
	target: '/a',
	type: 'native',
	uidMap: [{host: 1000, guest: -1}],
	gidMap: [{host: 1000, guest: -1}],
	...more,
});
const web = (...mounts: Mount[]) => ({name: 'web', mounts}) as unknown as InstanceRecord;

test('a device has a name of ours, the same for the same target', () => {
	const id = mountId({target: '/home/ubuntu/src'});
	expect(id).toMatch(/^mnt-[\da-f]{8}$/);
	expect(mountId({target: '/home/ubuntu/src'})).toBe(id);
	expect(mountId({target: '/home/ubuntu/other'})).not.toBe(id);
	expect([isMountId(id), isMountId('balloon0')]).toEqual([true, false]);
});

test('a machine is started with the directories there are; one that is away does not keep it from starting', async () => {
	const source = mkdtempSync(path.join(tmpdir(), 'drover-native,'));
	onTestFinished(() => rmSync(source, {recursive: true}));
	const found = await sharedDirectories(web(mountOf(source), mountOf('/no/such'), mountOf(source, {type: 'classic'})));
	expect(found).toEqual([{id: mountId({target: '/a'}), path: source}]);
	const [, words] = sharedDirectoryArguments(found, false);
	expect(words).toBe(`local,id=${found[0]!.id},path=${source.replace(',', ',,')},security_model=none`);
	expect(sharedDirectoryArguments(found, true)[1]).toMatch(/security_model=passthrough$/);
});

test('a native mount is made at rest, with one mapping that changes nothing', () => {
	const refusal = (mount: Mount, power: Parameters<typeof checkNative>[2] = 'off') => {
		try {
			checkNative(web(), mount, power);
			return undefined;
		} catch (error) {
			return (error as {code: string}).code;
		}
	};
	const map = (host: number, guest: number) => ({host, guest});
	expect(refusal(mountOf('/s'))).toBeUndefined();
	expect(refusal(mountOf('/s', {uidMap: [map(5, 5)]}))).toBeUndefined();
	for (const power of ['running', 'suspended', 'paused'] as const) {
		expect(refusal(mountOf('/s'), power)).toBe('instance.state');
	}
	expect(refusal(mountOf('/s', {uidMap: [map(5, 6)]}))).toBe('driver.incapable');
	expect(refusal(mountOf('/s', {gidMap: [map(5, 5), map(6, 6)]}))).toBe('driver.incapable');
});

test('both kinds of virtiofsd are told apart, locked up, and given no way to make devices', async () => {
	expect(kindOf('virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright')).toBe('c');
	expect(kindOf('virtiofsd 1.10.1')).toBe('rust');
	expect(kindOf('something else 1.0')).toBeUndefined();
	const place = {source: '/a,b\\c', socket: '/run/s', sandbox: 'chroot'};
	expect(fileServerArguments({kind: 'c'}, place)).toEqual(
		expect.arrayContaining(['source=/a\\,b\\\\c', 'sandbox=chroot', 'modcaps=-mknod:-setfcap']),
	);
	expect(fileServerArguments({kind: 'rust'}, place)).toEqual(
		expect.arrayContaining(['--shared-dir=/a,b\\c', '--sandbox=chroot', '--modcaps=-mknod:-setfcap']),
	);
	expect(await findFileServer(false)).toMatch(/needs root/);
});

test('what a guest says of itself is believed where it is numbers, and else is a reason', () => {
	const told = (lines: readonly string[], more = {}) => ({lines, exitCode: 0, complaint: '', ...more});
	expect(readAnswer('web', told(['ids 1000 100', 'installing', 'ready']))).toEqual({uid: 1000, gid: 100});
	const refusal = (...lines: string[]) => {
		try {
			readAnswer('web', told(lines));
		} catch (error) {
			return error;
		}
		return undefined;
	};
	expect(refusal('ids 1000 100', 'no-sshfs E: \u001B[31mUnable to fetch.')).toMatchObject({
		code: 'guest.failed',
		message: 'sshfs is not installed in web, and could not be installed: E: Unable to fetch.',
	});
	expect(isLasting(refusal('ids 1 1', 'no-fuse'))).toBe(true);
	expect(refusal('no-kind 9p')).toBeInstanceOf(UnknownKind);
	expect(isLasting(refusal('no-kind 9p'))).toBe(false);
	expect(refusal('ids -1 0', 'ready')).toMatchObject({code: 'guest.failed'});
	expect(refusal('constructor')).toMatchObject({message: 'web could not be made ready for a mount.'});
	expect(() => readAnswer('web', told([], {exitCode: 255, complaint: 'kex_exchange: closed'}))).toThrow(/kex_exchange/);
});
