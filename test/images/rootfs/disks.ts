import {execFileSync} from 'node:child_process';
import {closeSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync, writeSync} from 'node:fs';
import path from 'node:path';
import {masterBootRecord} from '../../../source/images/micro/partitions.ts';

const partitionStart = 1024 * 1024;
export const environment = {PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C.UTF-8'};

/** A small root file system: a directory with what is told apart by a conversion. */
export function linuxTree(root: string): void {
	const put = (name: string, content: string | Buffer) => {
		mkdirSync(path.dirname(path.join(root, name)), {recursive: true});
		writeFileSync(path.join(root, name), content);
	};
	put('usr/lib/os-release', 'NAME="Test \\"Linux\\""\nVERSION_ID=7\nPRETTY_NAME=\'Test 7\'\nID=test\n');
	put('etc/fstab', 'LABEL=disk / ext4 defaults 0 1\n');
	put('etc/empty', '');
	put('usr/bin/tool', '#!/bin/sh\n'.padEnd(3000));
	put('boot/vmlinuz', 'kernel');
	put('dev/null', '');
	put('var/lib/x', 'x');
	// More names than one block holds, more data than the first blocks of ext2 lead to.
	for (let index = 0; index < 200; index++) put(`many/${'n'.repeat(40)}${index}`, String(index));
	put('big', Buffer.from(Array.from({length: 400_000}, (_, index) => (index * 7 + (index >> 9)) & 0xff)));
	// Every other block is a hole: more extents than the index node itself holds.
	const handle = openSync(path.join(root, 'holes'), 'w');
	for (let at = 0; at < 40; at++) writeSync(handle, `piece ${at}`, at * 16_384);
	closeSync(handle);
	symlinkSync('/usr/bin/tool', path.join(root, 'short'));
	symlinkSync(`/${'far/'.repeat(40)}`, path.join(root, 'long'));
	execFileSync('ln', [path.join(root, 'usr/bin/tool'), path.join(root, 'usr/bin/other-name')]);
}

export type DiskOptions = {
	readonly type?: string;
	readonly blockSize?: number;
	readonly table?: 'mbr' | 'gpt' | 'none';
	/** Commands for debugfs. */
	readonly commands?: readonly string[];
};

/** A raw disk with the tree of a directory on its only partition. */
export function diskOf(root: string, file: string, options: DiskOptions = {}): void {
	const size = 12 * 1024 * 1024;
	const start = options.table === 'none' ? 0 : partitionStart;
	rmSync(file, {force: true});
	execFileSync('truncate', ['-s', String(start + size + partitionStart), file]);
	const block = options.blockSize ?? 4096;
	const kind = ['-q', '-F', '-t', options.type ?? 'ext4', '-b', String(block), '-d', root];
	execFileSync('mke2fs', [...kind, '-E', `offset=${start},root_owner=0:0`, file, String(size / block)], {
		env: environment,
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	if (options.commands !== undefined) {
		const input = `${options.commands.join('\n')}\n`;
		execFileSync('debugfs', ['-w', '-f', '-', `${file}?offset=${start}`], {env: environment, input, stdio: 'pipe'});
	}
	if (options.table === 'none') return;
	patch(file, 0, tableOf(options.table ?? 'mbr', start / 512, size / 512));
}

function tableOf(table: 'mbr' | 'gpt', start: number, sectors: number): Buffer {
	if (table === 'mbr') return masterBootRecord(Buffer.alloc(0), [{type: 0x83, start, sectors, active: false}]);
	const protective = masterBootRecord(Buffer.alloc(0), [{type: 0xee, start: 1, sectors: 0xffff, active: false}]);
	const header = Buffer.alloc(512);
	header.write('EFI PART', 0, 'latin1');
	header.writeBigUInt64LE(2n, 0x48);
	header.writeUInt32LE(4, 0x50);
	header.writeUInt32LE(128, 0x54);
	const entries = Buffer.alloc(512);
	// The first entry is unused, as after a deletion.
	entries.fill(0xaf, 128, 144);
	entries.writeBigUInt64LE(BigInt(start), 128 + 0x20);
	entries.writeBigUInt64LE(BigInt(start + sectors - 1), 128 + 0x28);
	return Buffer.concat([protective, header, entries]);
}

/** Overwrites bytes in a file. */
export function patch(file: string, at: number, bytes: Buffer): void {
	const handle = openSync(file, 'r+');
	writeSync(handle, bytes, 0, bytes.length, at);
	closeSync(handle);
}

/** Replaces each occurrence of a text, by one of the same length. */
export function replaceIn(file: string, from: string, to: string): void {
	const data = readFileSync(file);
	for (let at = data.indexOf(from); at >= 0; at = data.indexOf(from, at + 1)) data.write(to, at, 'latin1');
	writeFileSync(file, data);
}

export const superblock = partitionStart + 1024;
