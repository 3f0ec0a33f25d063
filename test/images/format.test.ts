import {readFileSync, truncateSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {inspectImage, qcow2Header} from '../../source/images/format.ts';
import {qcow2Disk, qemuImg, rawDisk, temporaryDirectory} from './work.ts';

const {signal} = new AbortController();

async function refusal(file: string): Promise<string> {
	try {
		await inspectImage(file, 'x.img', signal);
	} catch (error) {
		expect(error).toMatchObject({code: 'image.unusable'});
		return (error as Error).message;
	}
	throw new Error('It was accepted.');
}

test('qcow2 and raw disks are told apart, with their virtual sizes', async () => {
	const directory = temporaryDirectory();
	const raw = path.join(directory, 'a.raw');
	rawDisk(raw, 1024 * 1024 + 100);
	// A cut last sector is filled up by the hypervisor.
	expect(await inspectImage(raw, 'x', signal)).toEqual({format: 'raw', virtualSize: 1024 * 1024 + 512});
	const qcow2 = path.join(directory, 'a.qcow2');
	qcow2Disk(qcow2);
	expect(await inspectImage(qcow2, 'x', signal)).toEqual({format: 'qcow2', virtualSize: 1024 * 1024});
	const old = path.join(directory, 'old.qcow2');
	qemuImg('create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', old, '8M');
	expect(await inspectImage(old, 'x', signal)).toEqual({format: 'qcow2', virtualSize: 8 * 1024 * 1024});
});

test('a qcow2 that refers to other files is refused without opening them', async () => {
	const directory = temporaryDirectory();
	const base = path.join(directory, 'base.qcow2');
	qcow2Disk(base);
	const overlay = path.join(directory, 'overlay.qcow2');
	qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', overlay);
	expect(await refusal(overlay)).toBe(
		'x.img cannot be used: it is based on another file, which it could use to read files of this host.',
	);
	const split = path.join(directory, 'split.qcow2');
	qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${directory}/data.raw`, split, '1M');
	expect(await refusal(split)).toBe(
		'x.img cannot be used: it keeps its data in another file, which it could use to read files of this host.',
	);
});

test('damaged, cut, empty, encrypted and strange qcow2 files are refused', async () => {
	const directory = temporaryDirectory();
	const file = path.join(directory, 'a.qcow2');
	qcow2Disk(file);
	const whole = readFileSync(file);
	const changed = (change: (data: Buffer) => void) => {
		const data = Buffer.from(whole);
		change(data);
		writeFileSync(file, data);
		return refusal(file);
	};
	truncateSync(file, whole.length - 65_536);
	expect(await refusal(file)).toMatch(/is (damaged or )?cut short/);
	truncateSync(file, 80);
	expect(await refusal(file)).toBe('x.img is not a disk image: it has only 80 bytes.');
	truncateSync(file, 0);
	expect(await refusal(file)).toBe('x.img is empty.');
	expect(await changed(data => data.writeUInt32BE(9, 4))).toBe(
		'x.img cannot be used: it is qcow2 of the unknown version 9.',
	);
	expect(await changed(data => data.writeBigUInt64BE(2n ** 60n, 24))).toMatch(/claims to be a disk of \d+ bytes/);
	expect(await changed(data => data.writeBigUInt64BE(2n, 72))).toBe('x.img is damaged: it is marked as corrupt.');
	// An unknown feature that must be understood: QEMU's own refusal, without the path.
	expect(await changed(data => data.writeBigUInt64BE(1n << 40n, 72))).toMatch(
		/^x\.img cannot be read: (?!.*drover-images)/,
	);
	// The first level table points beyond the end.
	expect(await changed(data => data.writeBigUInt64BE(1n << 40n, Number(data.readBigUInt64BE(40))))).toBe(
		'x.img is damaged or cut short.',
	);
	// How it is encrypted, from the header: LUKS.
	expect(await changed(data => data.writeUInt32BE(2, 32))).toBe('x.img cannot be used: it is encrypted.');
});

test.each([
	['vmdk', 'a VMDK image'],
	['vdi', 'a VDI image'],
	['vhdx', 'a VHDX image'],
	['vpc', 'a VHD image'],
	['qed', 'a QED image'],
])('%s is named and refused', async (format, name) => {
	const file = path.join(temporaryDirectory(), `a.${format}`);
	qemuImg('create', '-q', '-f', format, file, '4M');
	expect(await refusal(file)).toBe(`x.img cannot be used: it is ${name}.`);
});

test.each([
	[
		Buffer.concat([Buffer.from('# Disk DescriptorFile\nRW 1 FLAT "/etc/passwd" 0\n'), Buffer.alloc(600)]),
		'a VMDK description',
	],
	[Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), Buffer.alloc(600)]), 'compressed with gzip'],
	[Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(600)]), 'compressed with xz'],
	[Buffer.concat([Buffer.from('\n<!DOCTYPE html><title>404</title>'), Buffer.alloc(600, 32)]), 'a web page'],
	[Buffer.alloc(1024), 'neither qcow2 nor a disk with a boot sector'],
	[
		Buffer.from('json:{"driver":"raw","file":{"filename":"/etc/shadow"}}'.padEnd(600)),
		'neither qcow2 nor a disk with a boot sector',
	],
	[
		Buffer.concat([Buffer.alloc(0x8001), Buffer.from('CD001'), Buffer.alloc(600)]),
		'an installation medium (ISO), not a disk',
	],
])('other files are named and refused (%#)', async (content, name) => {
	const file = path.join(temporaryDirectory(), 'a');
	writeFileSync(file, content);
	expect(await refusal(file)).toBe(`x.img cannot be used: it is ${name}.`);
});

test('a header that is cut is not read beyond its end', () => {
	expect(qcow2Header(Buffer.from([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]))).toBeUndefined();
});
