import {execFileSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {expect, test} from 'vitest';
import {parse} from 'yaml';
import {inspectArchive, isArchive, mayBeArchive} from '../../../source/images/rootfs/inspect.ts';
import {descriptionEntries, metadataText} from '../../../source/images/rootfs/metadata.ts';
import {writeArchive} from '../../../source/images/rootfs/pack.ts';
import {tarHeaders} from '../../../source/images/rootfs/read-tar.ts';
import {type TarEntry, tarArchive} from '../../../source/images/rootfs/tar.ts';
import {temporaryDirectory} from '../work.ts';

const {signal} = new AbortController();
const image = {architecture: 'x86_64', os: 'Test', release: '1', description: 'A "test": {{ no }}'};
const owned = {uid: 0, gid: 0, modified: 1_700_000_000};
const file = (name: string, text: string): TarEntry => ({
	...owned,
	path: name,
	mode: 0o644,
	kind: 'file',
	size: Buffer.byteLength(text),
	content: Buffer.from(text),
});
const long = `rootfs/${'d'.repeat(90)}/${'f'.repeat(90)}`;

const entries: readonly TarEntry[] = [
	...descriptionEntries(image, new Date(owned.modified * 1000)),
	{...owned, path: 'rootfs', mode: 0o755, kind: 'directory'},
	{...file('rootfs/su', 'program'), mode: 0o4755, uid: 3_000_000, gid: 65_534},
	file(long, 'x'.repeat(5000)),
	{...owned, path: 'rootfs/again', mode: 0o4755, kind: 'hardlink', target: 'rootfs/su'},
	{...owned, path: 'rootfs/far', mode: 0o777, kind: 'symlink', target: `/${'t'.repeat(150)}`},
	{...owned, path: 'rootfs/disk', mode: 0o660, kind: 'block', major: 8, minor: 300},
	{...owned, path: 'rootfs/pipe', mode: 0o600, kind: 'pipe'},
	{...file('rootfs/able', ''), attributes: new Map([['security.capability', Buffer.from([1, 0, 0, 2, 10, 0x3d])]])},
	file('rootfs/caf\u00c3\u00a9', 'é'),
];

async function bytesOf(source: readonly TarEntry[]): Promise<Buffer> {
	const pieces: Buffer[] = [];
	for await (const piece of tarArchive(source)) pieces.push(piece);
	return Buffer.concat(pieces);
}

test('GNU tar reads what is written, with owners, links, devices, attributes and long names', async () => {
	const archive = path.join(temporaryDirectory(), 'a.tar.gz');
	await writeArchive(archive, entries, 1, signal);
	const listed = execFileSync(
		'tar',
		['--numeric-owner', '--xattrs-include=*', '--full-time', '--utc', '-tvvf', archive],
		{
			encoding: 'utf8',
			env: {PATH: process.env.PATH, LC_ALL: 'C.UTF-8'},
		},
	);
	const lines = listed.split('\n').map(line => line.replace(/ +/g, ' '));
	for (const expected of [
		'-rwsr-xr-x 3000000/65534 7 2023-11-14 22:13:20 rootfs/su',
		`-rw-r--r-- 0/0 5000 2023-11-14 22:13:20 ${long}`,
		'hrwsr-xr-x 0/0 0 2023-11-14 22:13:20 rootfs/again link to rootfs/su',
		`lrwxrwxrwx 0/0 0 2023-11-14 22:13:20 rootfs/far -> /${'t'.repeat(150)}`,
		'brw-rw---- 0/0 8,300 2023-11-14 22:13:20 rootfs/disk',
		'prw------- 0/0 0 2023-11-14 22:13:20 rootfs/pipe',
		'-rw-r--r--* 0/0 0 2023-11-14 22:13:20 rootfs/able',
		'drwxr-xr-x 0/0 0 2023-11-14 22:13:20 rootfs/',
	]) {
		expect(lines).toContain(expected);
	}
	expect(listed).toMatch(/ rootfs\/caf(?:é|\\303\\251)$/m);
	expect(lines[0]).toContain('metadata.yaml');
});

test('an archive is read back by its headers, ours as those of GNU tar', async () => {
	const read = async (bytes: Buffer) => {
		const found = [];
		const pieces = (async function* () {
			// Pieces that end anywhere.
			for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
		})();
		for await (const header of tarHeaders(pieces)) found.push(`${header.type} ${header.path} ${header.size}`);
		return found;
	};
	expect(await read(await bytesOf(entries))).toEqual([
		expect.stringMatching(/^0 metadata\.yaml \d+$/),
		'5 templates 0',
		...['meta-data', 'user-data', 'vendor-data', 'network-config'].map(name =>
			expect.stringMatching(new RegExp(`^0 templates/${name}\\.tpl \\d+$`)),
		),
		'5 rootfs 0',
		'0 rootfs/su 7',
		`0 ${long} 5000`,
		'1 rootfs/again 0',
		'2 rootfs/far 0',
		'4 rootfs/disk 0',
		'6 rootfs/pipe 0',
		'0 rootfs/able 0',
		'0 rootfs/caf\u00c3\u00a9 2',
	]);
	const directory = temporaryDirectory();
	writeFileSync(path.join(directory, 'n'.repeat(150)), 'abc');
	execFileSync('truncate', ['-s', '300K', path.join(directory, 'sparse')]);
	for (const format of ['gnu', 'posix', 'ustar', 'v7']) {
		const names = format === 'v7' || format === 'ustar' ? ['./sparse'] : ['./sparse', `./${'n'.repeat(150)}`];
		const bytes = execFileSync('tar', ['--format', format, '-C', directory, '-c', ...names]);
		expect((await read(bytes)).map(line => line.slice(2))).toEqual(
			['sparse 307200', `${'n'.repeat(150)} 3`].slice(0, names.length),
		);
	}
	const sparse = execFileSync('tar', ['--format=gnu', '-S', '-C', directory, '-c', 'sparse', 'n'.repeat(150)]);
	expect((await read(sparse)).at(-1)).toBe(`0 ${'n'.repeat(150)} 3`);
});

test('a file that is not as long as it said is a defect', async () => {
	await expect(bytesOf([{...file('a', 'abc'), size: 4} as TarEntry])).rejects.toThrow(RangeError);
});

test('the description is YAML in which nothing gets out of its quotes', () => {
	const text = metadataText({...image, os: 'a"\n  b: c'}, 1_700_000_000);
	expect(parse(text)).toEqual({
		architecture: 'x86_64',
		creation_date: 1_700_000_000,
		properties: {os: 'a"   b: c', release: '1', description: 'A "test": {{ no }}', architecture: 'x86_64'},
		templates: Object.fromEntries(
			['meta-data', 'user-data', 'vendor-data', 'network-config'].map(name => [
				`/var/lib/cloud/seed/nocloud-net/${name}`,
				{
					when: ['create', 'copy', 'rename'],
					template: `${name}.tpl`,
					...(name === 'meta-data' ? {} : {properties: {default: expect.any(String)}}),
				},
			]),
		),
	});
});

test('an archive for containers is known, compressed or not, and its files are summed up', async () => {
	const directory = temporaryDirectory();
	const plain = path.join(directory, 'a.tar');
	writeFileSync(plain, await bytesOf(entries));
	const places = [plain, `${plain}.gz`, `${plain}.xz`];
	writeFileSync(places[1]!, gzipSync(readFileSync(plain)));
	execFileSync('xz', ['-k', '-0', plain]);
	for (const place of places) {
		expect(await isArchive(place, signal)).toBe(true);
		// Files by blocks of 4 KiB: five of the description, three below rootfs of which one has two; two directories.
		expect(await inspectArchive(place, 'x', signal)).toEqual({format: 'rootfs', virtualSize: 11 * 4096});
	}
	const disk = path.join(directory, 'disk');
	writeFileSync(disk, Buffer.alloc(4096, 7));
	execFileSync('gzip', ['-k', disk]);
	expect(await isArchive(disk, signal)).toBe(false);
	expect(await isArchive(`${disk}.gz`, signal)).toBe(false);
});

test('bytes of whatever else are no archive, and no reason to stumble', () => {
	for (const byte of [0x00, 0x7f, 0x80, 0xc3, 0xff]) expect(mayBeArchive(Buffer.alloc(1024, byte))).toBe(false);
	expect(mayBeArchive(Buffer.alloc(10))).toBe(false);
});

test('what LXD would not take is refused in one sentence', async () => {
	const directory = temporaryDirectory();
	const refusal = async (bytes: Buffer) => {
		const place = path.join(directory, 'x');
		writeFileSync(place, bytes);
		const error = await inspectArchive(place, 'x.tar', signal).catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({code: 'image.unusable'});
		return (error as Error).message;
	};
	const whole = await bytesOf(entries);
	expect(await refusal(await bytesOf(entries.slice(1)))).toBe(
		'x.tar is an archive without metadata.yaml: not one for containers.',
	);
	expect(await refusal(await bytesOf(entries.slice(0, 6)))).toBe(
		'x.tar is an archive without rootfs/: not one for containers.',
	);
	expect(await refusal(await bytesOf([...entries, file('rootfs.img', 'x')]))).toBe(
		'x.tar holds the disk of a virtual machine, not a container.',
	);
	expect(await refusal(whole.subarray(0, 9000))).toBe('x.tar is cut short.');
	expect(await refusal(gzipSync(whole).subarray(0, 600))).toBe('x.tar is damaged or cut short.');
	expect(await refusal(Buffer.concat([whole.subarray(0, 1024), Buffer.alloc(2048, 9)]))).toBe(
		'x.tar is not a tar archive or is damaged.',
	);
});
