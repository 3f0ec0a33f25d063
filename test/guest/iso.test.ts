import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {afterEach, describe, expect, test} from 'vitest';
import {nocloudIso} from '../../source/guest/iso.ts';

const sector = 2048;

/** A reader of its own, written from the standard and not from the writer: names and contents of one tree's root. */
function readBack(image: Buffer, type: 1 | 2): {label: string; sectors: number; files: Record<string, string>} {
	let at = 16 * sector;
	while (image[at] !== type) {
		expect(image.toString('latin1', at + 1, at + 6)).toBe('CD001');
		expect(image[at], 'the terminator came before the volume descriptor').not.toBe(255);
		at += sector;
	}
	const wide = type === 2;
	const decode = (bytes: Buffer) => (wide ? Buffer.from(bytes).swap16().toString('utf16le') : bytes.toString('latin1'));
	const root = at + 156;
	const start = image.readUInt32LE(root + 2);
	expect(image.readUInt32BE(root + 6)).toBe(start);
	const length = image.readUInt32LE(root + 10);
	const files: Record<string, string> = {};
	for (let offset = start * sector; offset < start * sector + length && image[offset] !== 0; ) {
		const size = image[offset]!;
		const identifier = image.subarray(offset + 33, offset + 33 + image[offset + 32]!);
		if ((image[offset + 25]! & 2) === 0) {
			const from = image.readUInt32LE(offset + 2) * sector;
			files[decode(identifier)] = image.toString('utf8', from, from + image.readUInt32LE(offset + 10));
		}
		offset += size;
	}
	return {
		label: decode(image.subarray(at + 40, at + 72)).trimEnd(),
		sectors: image.readUInt32LE(at + 80),
		files,
	};
}

const seed = {
	'meta-data': 'instance-id: i-1\nlocal-hostname: web\n',
	'network-config': 'version: 2\n',
	'user-data': '#cloud-config\nhostname: web\n',
	'vendor-data': '',
};

const directories: string[] = [];
afterEach(() => {
	for (const directory of directories.splice(0)) rmSync(directory, {recursive: true});
});

describe('nocloudIso', () => {
	test('is the same image for the same files, whatever their order', () => {
		const reversed = Object.fromEntries(Object.entries(seed).reverse());
		expect(nocloudIso(reversed).equals(nocloudIso(seed))).toBe(true);
		expect(createHash('sha256').update(nocloudIso(seed)).digest('hex')).toBe(
			'8cc4351b93cf2f3528446036c8ba8a0be16d4a74c92ec9b86efc5e4f279f2006',
		);
	});

	test('is large enough for busybox to look at, and in whole sectors', () => {
		expect(nocloudIso({}).length).toBe(368 * 1024);
		expect(nocloudIso({'user-data': 'x'.repeat(400_000)}).length % sector).toBe(0);
	});

	test('reads back through Joliet with the names and label that cloud-init looks for', () => {
		const image = nocloudIso(seed);
		expect(readBack(image, 2)).toEqual({label: 'cidata', sectors: image.length / sector, files: seed});
	});

	test('reads back without Joliet, under distinct short names', () => {
		const {label, files} = readBack(nocloudIso(seed), 1);
		expect(label).toBe('cidata');
		expect(Object.keys(files)).toHaveLength(4);
		for (const name of Object.keys(files)) expect(name).toMatch(/^[A-Z0-9_]{1,8}\.;1$/);
		expect(new Set(Object.values(files))).toEqual(new Set(Object.values(seed)));
	});

	test('reads back whatever was put in', () => {
		const name = fc.stringMatching(/^[a-z][a-z.-]{0,20}$/);
		fc.assert(
			fc.property(fc.dictionary(name, fc.string({unit: 'grapheme', maxLength: 5000}), {maxKeys: 12}), files => {
				expect(readBack(nocloudIso(files), 2).files).toEqual({...files});
			}),
			{numRuns: 50},
		);
	});

	test('refuses what its directory cannot hold', () => {
		const many = Object.fromEntries(Array.from({length: 60}, (_, index) => [`file-${index}`, '']));
		expect(() => nocloudIso(many)).toThrow(RangeError);
		expect(() => nocloudIso({['x'.repeat(65)]: ''})).toThrow(RangeError);
	});

	test.runIf(existsSync('/usr/sbin/blkid') || existsSync('/sbin/blkid'))('blkid finds the label', () => {
		const directory = mkdtempSync(path.join(tmpdir(), 'drover-iso-'));
		directories.push(directory);
		const file = path.join(directory, 'seed.iso');
		writeFileSync(file, nocloudIso(seed));
		const binary = existsSync('/usr/sbin/blkid') ? '/usr/sbin/blkid' : '/sbin/blkid';
		const {stdout} = spawnSync(binary, ['-p', '-o', 'export', file], {encoding: 'utf8'});
		expect(stdout).toMatch(/^LABEL=cidata$/m);
		expect(stdout).toMatch(/^TYPE=iso9660$/m);
	});
});
