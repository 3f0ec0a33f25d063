import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {expect, test} from 'vitest';
import {parse} from 'yaml';
import {convertDisk} from '../../../source/images/rootfs/convert.ts';
import {qemuImg, recordedWork, temporaryDirectory} from '../work.ts';
import {type DiskOptions, diskOf, environment, linuxTree, patch, replaceIn, superblock} from './disks.ts';

async function convert(disk: string, format: 'raw' | 'qcow2' = 'raw') {
	const directory = `${disk}.work`;
	rmSync(directory, {recursive: true, force: true});
	mkdirSync(directory);
	const work = recordedWork();
	const archive = await convertDisk({path: disk, format, hash: 'sha256:0', virtualSize: 0}, 'x.img', directory, work);
	return {archive, work};
}

function listed(archive: string): Map<string, string> {
	const text = execFileSync('tar', ['--numeric-owner', '-tvf', archive], {encoding: 'utf8', env: environment});
	return new Map(
		text
			.trim()
			.split('\n')
			.map(line => /^(\S+) +(\S+) +(\S+) \S+ \S+ (?:rootfs\/)?(.*?)\/?(?: (?:->|link to) .*)?$/.exec(line)!)
			.map(([, mode, owner, size, name]) => [name!, `${mode} ${owner} ${size}`]),
	);
}

function setUp(options: DiskOptions = {}) {
	const directory = temporaryDirectory();
	const root = path.join(directory, 'root');
	mkdirSync(root);
	linuxTree(root);
	const disk = path.join(directory, 'disk.raw');
	diskOf(root, disk, options);
	return {directory, root, disk};
}

test.each<[string, DiskOptions]>([
	['ext4', {}],
	['ext4 with small blocks and GPT', {blockSize: 1024, table: 'gpt'}],
	['ext3', {type: 'ext3', blockSize: 2048}],
	['ext2 with small blocks, without partitions', {type: 'ext2', blockSize: 1024, table: 'none'}],
])('%s: a container gets every file as it was, but nothing of a kernel or of disks', async (_, options) => {
	const {directory, root, disk} = setUp(options);
	const {archive, work} = await convert(disk);
	const out = path.join(directory, 'out');
	mkdirSync(out);
	execFileSync('tar', ['-xf', archive, '-C', out], {env: environment});
	for (const name of ['boot/vmlinuz', 'dev/null']) rmSync(path.join(root, name));
	writeFileSync(path.join(root, 'etc/fstab'), '');
	mkdirSync(path.join(root, 'var/lib/cloud/seed/nocloud-net'), {recursive: true});
	execFileSync('diff', ['-r', '--no-dereference', root, path.join(out, 'rootfs')], {stdio: 'pipe'});
	expect(listed(archive).get('usr/bin/tool')).toMatch(/^h/);
	expect(listed(archive).get('usr/bin/other-name')).toMatch(/^-.* 3000$/);
	expect(listed(archive).get('var/lib/cloud/seed')).toBe('drwx------ 0/0 0');
	expect(parse(readFileSync(path.join(out, 'metadata.yaml'), 'utf8'))).toMatchObject({
		properties: {os: 'Test "Linux"', release: '7', description: 'Test 7'},
	});
	expect(work.stages[0]).toBe('converting the image for a container');
	expect([...work.percents].sort((a, b) => a - b)).toEqual(work.percents);
});

test('owners, rights, devices, times and capabilities are kept', async () => {
	const {disk} = setUp({
		commands: [
			'sif /usr/bin/tool mode 0104755',
			'sif /big uid 100000',
			'sif /big gid 65540',
			'sif /short uid 33',
			'sif /holes mtime 20200102030405',
			'mknod dev2 b 8 17',
			'mknod pipe p',
			'ea_set /etc/empty security.capability \\001\\000\\000\\002\\000\\004\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000',
			'ea_set /etc/empty user.note hello',
			'ea_set /etc/empty trusted.x no',
		],
	});
	const {archive} = await convert(disk);
	const files = listed(archive);
	const owner = `${process.getuid?.()}/${process.getgid?.()}`;
	expect(files.get('usr/bin/other-name')).toBe(`-rwsr-xr-x ${owner} 3000`);
	expect(files.get('big')).toBe('-rw-r--r-- 100000/65540 400000');
	expect(files.get('short')).toBe(`lrwxrwxrwx 33/${process.getgid?.()} 0`);
	expect(files.get('dev2')).toMatch(/^b\S+ 0\/0 8,17$/);
	expect(files.get('pipe')).toMatch(/^p/);
	const times = execFileSync('tar', ['--utc', '-tvf', archive, 'rootfs/holes'], {encoding: 'utf8', env: environment});
	expect(times).toContain('2020-01-02 03:04');
	const bytes = execFileSync('zcat', [archive], {maxBuffer: 64 * 1024 * 1024}).toString('latin1');
	expect(bytes).toContain('SCHILY.xattr.security.capability=\x01\0\0\x02\0\x04\0');
	expect(bytes).toContain('SCHILY.xattr.user.note=hello\n');
	expect(bytes).not.toContain('trusted.x');
});

test('a qcow2 image is unpacked first', async () => {
	const {disk} = setUp();
	qemuImg('convert', '-c', '-f', 'raw', '-O', 'qcow2', disk, `${disk}.qcow2`);
	const {archive} = await convert(`${disk}.qcow2`, 'qcow2');
	expect(listed(archive)).toEqual(listed((await convert(disk)).archive));
});

test('what cannot be read is refused in one sentence that says what to do', async () => {
	const {disk} = setUp();
	const whole = readFileSync(disk);
	const refusal = async (change: () => void) => {
		writeFileSync(disk, whole);
		change();
		const error = await convert(disk).catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({code: 'image.unusable', next: expect.stringMatching(/driver of virtual machines/)});
		return (error as Error).message;
	};
	const place = superblock - 1024;
	const other = (at: number, bytes: string) => () => {
		patch(disk, superblock, Buffer.alloc(1024));
		patch(disk, place + at, Buffer.from(bytes, 'latin1'));
	};
	const only = 'and only ext2, ext3 and ext4 can be read.';
	expect(await refusal(other(0, 'XFSB'))).toBe(`x.img cannot be used for a container: its system is on XFS, ${only}`);
	expect(await refusal(other(0x10040, '_BHRfS_M'))).toMatch(/its system is on Btrfs, and only/);
	expect(await refusal(other(0x200, 'LABELONE'))).toMatch(/its system is on LVM, and only/);
	const nothing = 'x.img cannot be used for a container: no Linux system on ext2, ext3 or ext4 was found on it.';
	expect(await refusal(other(0, 'what?'))).toBe(nothing);
	expect(await refusal(() => replaceIn(disk, 'os-release', 'no-release'))).toBe(nothing);
	const feature = (value: number) => () => {
		const found = whole.readUInt32LE(superblock + 0x60);
		const field = Buffer.alloc(4);
		field.writeUInt32LE((found | value) >>> 0);
		patch(disk, superblock + 0x60, field);
	};
	const broken = (why: string) => `x.img cannot be used for a container: its root file system ${why}.`;
	expect(await refusal(feature(4))).toBe(broken('was not closed cleanly'));
	expect(await refusal(feature(0x8000))).toBe(broken('has features that are not known (8000)'));
	// A name that would lead out of the directory.
	expect(await refusal(() => replaceIn(disk, 'other-name', '../../name'))).toBe(broken('is damaged'));
	// Shorter than it says.
	expect(await refusal(() => writeFileSync(disk, whole.subarray(0, 3 * 1024 * 1024)))).toMatch(
		/is damaged or cut short/,
	);
});

test('no damage makes it crash, hang or write anything but an archive', async () => {
	const {disk, directory} = setUp({blockSize: 1024});
	const whole = readFileSync(disk);
	let state = 12_345;
	const random = (below: number) => {
		state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
		return state % below;
	};
	for (let round = 0; round < 25; round++) {
		const data = Buffer.from(whole);
		// The tables are at the beginning.
		for (let count = 0; count < 400; count++) data[superblock + random(400_000)] = random(256);
		writeFileSync(disk, data);
		const result = await convert(disk).catch((error: unknown) => error);
		if (result instanceof Error) expect(result).toMatchObject({code: 'image.unusable'});
	}
	expect(existsSync(path.join(directory, '..', 'name'))).toBe(false);
});
