import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import type {ImageForm} from '../../../source/images/image.ts';
import {descriptionEntries} from '../../../source/images/rootfs/metadata.ts';
import {treeEntries, writeArchive} from '../../../source/images/rootfs/pack.ts';
import type {TarEntry} from '../../../source/images/rootfs/tar.ts';
import {createImageStore} from '../../../source/images/store.ts';
import {sends, serve} from '../server.ts';
import {qcow2Disk, recordedWork, temporaryDirectory} from '../work.ts';
import {diskOf, linuxTree} from './disks.ts';

const times = {answer: 5000, stall: 5000, retries: []};

function setUp() {
	const directory = temporaryDirectory();
	const paths = {cache: path.join(directory, 'cache')};
	const images = path.join(paths.cache, 'images');
	const root = path.join(directory, 'root');
	mkdirSync(root);
	linuxTree(root);
	return {directory, paths, images, root, store: createImageStore({paths, times})};
}

const formats = (images: string) =>
	readdirSync(images)
		.filter(name => /^[\da-f]{64}$/.test(name))
		.flatMap(name => readdirSync(path.join(images, name)))
		.filter(name => name !== 'image.json')
		.sort();
const leftovers = (images: string) =>
	['work', 'claims', 'partial'].flatMap(name =>
		existsSync(path.join(images, name)) ? readdirSync(path.join(images, name)) : [],
	);

async function archiveOf(root: string, file: string): Promise<void> {
	const image = {architecture: 'x86_64', os: 'Test', release: '1', description: 'Test'};
	const entries = async function* (): AsyncGenerator<TarEntry> {
		yield* descriptionEntries(image, new Date(0));
		yield* treeEntries(root, 'rootfs', 0);
	};
	await writeArchive(file, entries(), 6, new AbortController().signal);
}

test('micro is built once for each form', async () => {
	const {paths, images, root} = setUp();
	const built: ImageForm[] = [];
	const store = createImageStore({
		paths,
		async buildMicro(directory, _, form) {
			built.push(form);
			const file = path.join(directory, 'micro');
			if (form === 'disk') qcow2Disk(file);
			else await archiveOf(root, file);
			return file;
		},
	});
	const image = await store.resolve('micro');
	const forms = [undefined, 'rootfs', 'disk', 'rootfs'] as const;
	const found = await Promise.all(forms.map(form => store.fetch(image, recordedWork(), form)));
	expect(found.map(one => one.format)).toEqual(['qcow2', 'rootfs', 'qcow2', 'rootfs']);
	expect(built.sort()).toEqual(['disk', 'rootfs']);
	expect(await store.fetch(image, recordedWork(), 'rootfs')).toEqual(found[1]);
	expect(built).toHaveLength(2);
	expect(formats(images)).toEqual(['disk.qcow2', 'root.tar']);
});

test('a disk is converted once, and both forms are in the cache', async () => {
	const {directory, images, root, store} = setUp();
	const file = path.join(directory, 'disk.img');
	diskOf(root, file);
	const image = await store.resolve(`file://${file}`);
	const work = recordedWork();
	const [container, disk] = await Promise.all([
		store.fetch(image, work, 'rootfs'),
		store.fetch(image, recordedWork(), 'disk'),
	]);
	expect(container).toMatchObject({format: 'rootfs', path: expect.stringMatching(/root\.tar$/)});
	expect(container.virtualSize).toBeGreaterThan(400_000);
	expect(disk.format).toBe('raw');
	expect(work.stages).toContain('converting the image for a container');
	expect(readFileSync(container.path).length).toBeGreaterThan(1000);
	const again = recordedWork();
	expect(await store.fetch(image, again, 'rootfs')).toEqual(container);
	expect(again.stages).toEqual([]);
	expect(formats(images)).toEqual(['disk.raw', 'root.tar']);
	expect(leftovers(images)).toEqual([]);
	writeFileSync(path.join(root, 'etc/new'), 'new');
	diskOf(root, file);
	expect((await store.fetch(image, recordedWork(), 'rootfs')).hash).not.toBe(container.hash);
});

test('an archive for containers is taken as it is, and no disk', async () => {
	const {directory, images, root, store} = setUp();
	const file = path.join(directory, 'container.tar.gz');
	await archiveOf(root, file);
	execFileSync('sh', ['-c', 'zcat "$1" | xz -0 > "$2"', 'sh', file, `${file}.xz`]);
	for (const place of [file, `${file}.xz`]) {
		const image = await store.resolve(`file://${place}`);
		const cached = await store.fetch(image, recordedWork(), 'rootfs');
		expect(cached.format).toBe('rootfs');
		expect(readFileSync(cached.path).equals(readFileSync(place))).toBe(true);
		await expect(store.fetch(image, recordedWork())).rejects.toMatchObject({
			code: 'image.unusable',
			message: `${place} cannot be used for a virtual machine: it is a tar archive, as containers have it.`,
			next: 'Launch it with a driver of containers, or use a disk image: qcow2 or raw.',
		});
	}
	const other = path.join(directory, 'other.tar');
	execFileSync('tar', ['-C', root, '-cf', other, '.']);
	await expect(store.fetch(await store.resolve(`file://${other}`), recordedWork(), 'rootfs')).rejects.toMatchObject({
		message: `${other} is an archive without metadata.yaml: not one for containers.`,
	});
	const packed = path.join(directory, 'disk.img.gz');
	writeFileSync(`${packed}.raw`, randomBytes(4096));
	execFileSync('sh', ['-c', 'gzip -c "$1" > "$2"', 'sh', `${packed}.raw`, packed]);
	// Packed disks are unpacked; this is none.
	for (const form of ['disk', 'rootfs'] as const) {
		await expect(store.fetch(await store.resolve(`file://${packed}`), recordedWork(), form)).rejects.toMatchObject({
			message: `${packed} cannot be used: it is neither qcow2 nor a disk with a boot sector.`,
		});
	}
	expect(formats(images)).toEqual(['root.tar', 'root.tar']);
	expect(leftovers(images)).toEqual([]);
});

test('a disk on a server is downloaded once for both forms, whichever comes first', async () => {
	for (const order of [
		['rootfs', 'disk'],
		['disk', 'rootfs'],
	] as const) {
		const {directory, images, root, store} = setUp();
		const file = path.join(directory, 'disk.img');
		diskOf(root, file);
		const server = await serve(sends(readFileSync(file), '"one"'));
		const image = await store.resolve(`${server.url}/disk.img`);
		const found = await Promise.all(order.map(form => store.fetch(image, recordedWork(), form)));
		expect(found.map(one => one.format).sort()).toEqual(['raw', 'rootfs']);
		expect(server.requests.filter(line => line.startsWith('GET'))).toHaveLength(1);
		const container = found.find(one => one.format === 'rootfs');
		expect(await store.fetch(image, recordedWork(), 'rootfs')).toEqual(container);
		expect(server.requests.filter(line => line.startsWith('GET'))).toHaveLength(1);
		expect(formats(images)).toEqual(['disk.raw', 'root.tar']);
		expect(leftovers(images)).toEqual([]);
		await server.close();
		// Without the server what we have is used.
		expect(await store.fetch(image, recordedWork(), 'rootfs')).toEqual(container);
	}
});

test('an archive on a server is taken as it is, and refused early as a disk', async () => {
	const {directory, root, store} = setUp();
	const file = path.join(directory, 'a.tar.gz');
	await archiveOf(root, file);
	const data = readFileSync(file);
	const server = await serve(sends(data, '"one"'));
	const image = await store.resolve(`${server.url}/a.tar.gz`);
	const cached = await store.fetch(image, recordedWork(), 'rootfs');
	expect(readFileSync(cached.path).equals(data)).toBe(true);
	expect(await store.fetch(image, recordedWork(), 'rootfs')).toEqual(cached);
	expect(server.requests.map(line => line.split(' ')[0])).toEqual(['GET', 'HEAD']);
	await expect(store.fetch(image, recordedWork())).rejects.toMatchObject({
		message: expect.stringMatching(/a\.tar\.gz cannot be used for a virtual machine: it is a tar archive/),
	});
});

test('a conversion that is cancelled leaves nothing but the disk', async () => {
	const {directory, images, root, store} = setUp();
	const file = path.join(directory, 'disk.img');
	diskOf(root, file);
	const work = recordedWork(self => {
		if (self.stages.at(-1)?.startsWith('converting')) self.cancel();
	});
	const image = await store.resolve(`file://${file}`);
	await expect(store.fetch(image, work, 'rootfs')).rejects.toMatchObject({code: 'operation.cancelled'});
	expect(formats(images)).toEqual(['disk.raw']);
	expect(leftovers(images)).toEqual([]);
});
