import {execFileSync, spawnSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {existsSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import {expect, onTestFinished, test, vi} from 'vitest';
import {createImageStore} from '../../source/images/store.ts';
import type {DroverError} from '../../source/model/errors.ts';
import {Publisher} from './support/publisher.ts';
import {qcow2Disk, rawDisk, recordedWork, temporaryDirectory} from './work.ts';

/** Where programs are looked for instead of where they are. */
const programs = vi.hoisted(() => ({path: undefined as string | undefined}));

vi.mock('../../source/images/run.ts', async original => {
	const real = await original<typeof import('../../source/images/run.ts')>();
	return {...real, searchPath: () => programs.path ?? real.searchPath()};
});

const has = (program: string) => spawnSync(program, ['--version'], {stdio: 'ignore'}).status === 0;

const packers: Readonly<Record<string, {pack: (data: Buffer) => Buffer; isThere: boolean}>> = {
	gz: {pack: data => zlib.gzipSync(data), isThere: true},
	zst: {
		// As the program zstd does, which without it could not tell that bytes were changed.
		pack: data => zlib.zstdCompressSync(data, {params: {[zlib.constants.ZSTD_c_checksumFlag]: 1}}),
		isThere: 'zstdCompressSync' in zlib,
	},
	xz: {pack: data => execFileSync('xz', ['-c', '-1'], {input: data, maxBuffer: 2 ** 26}), isThere: has('xz')},
	bz2: {pack: data => execFileSync('bzip2', ['-c', '-1'], {input: data, maxBuffer: 2 ** 26}), isThere: has('bzip2')},
};

function setUp() {
	const directory = temporaryDirectory();
	const cache = path.join(directory, 'cache');
	const make = () =>
		createImageStore({
			paths: {cache},
			remotes: [],
			distributions: [],
			times: {answer: 2000, stall: 2000, retries: []},
		});
	const images = path.join(cache, 'images');
	const left = () =>
		['work', 'partial', 'claims'].flatMap(name =>
			existsSync(path.join(images, name)) ? readdirSync(path.join(images, name)) : [],
		);
	return {directory, images, left, store: make()};
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
	return promise.then(
		() => {
			throw new Error('It succeeded.');
		},
		(error: DroverError) => error,
	);
}

for (const [kind, {pack, isThere}] of Object.entries(packers)) {
	test.skipIf(!isThere)(`a disk packed as .${kind} is unpacked, from a file and from an address`, async () => {
		const {directory, store, left} = setUp();
		const data = rawDisk(path.join(directory, 'disk'), 5 * 1024 * 1024 + 512);
		const file = path.join(directory, `disk.img.${kind}`);
		writeFileSync(file, pack(data));
		const work = recordedWork();
		const cached = await store.fetch(await store.resolve(`file://${file}`), work);
		expect(readFileSync(cached.path).equals(data)).toBe(true);
		// The hole is a hole again.
		expect(statSync(cached.path).blocks * 512).toBeLessThan(data.length * 0.75);
		expect(work.stages).toContain('unpacking the image');
		const publisher = await Publisher.open();
		publisher.put(`disk.img.${kind}`, readFileSync(file));
		const image = await store.resolve(`${publisher.origin}disk.img.${kind}`);
		expect((await store.fetch(image, recordedWork())).path).toBe(cached.path);
		// The packed file is known again.
		expect((await store.fetch(image, recordedWork())).path).toBe(cached.path);
		expect(publisher.asked(`disk.img.${kind}`)).toBe(1);
		expect(left()).toEqual([]);
	});

	test.skipIf(!isThere)(`a damaged .${kind} is told and leaves nothing`, async () => {
		const {directory, store, left, images} = setUp();
		const packed = pack(rawDisk(path.join(directory, 'disk'), 3 * 1024 * 1024));
		for (const [name, content] of [
			['cut', packed.subarray(0, packed.length - 2000)],
			['changed', Buffer.concat([packed.subarray(0, 2000), Buffer.alloc(400, 7), packed.subarray(2400)])],
		] as const) {
			const file = path.join(directory, `${name}.${kind}`);
			writeFileSync(file, content);
			expect(await failure(store.fetch(await store.resolve(`file://${file}`), recordedWork()))).toMatchObject({
				code: 'image.unusable',
				message: `${file} is damaged: it cannot be unpacked.`,
				next: 'Use another copy of it.',
			});
		}
		expect(left()).toEqual([]);
		expect(readdirSync(images).filter(name => /^[\da-f]{64}$/.test(name))).toEqual([]);
	});
}

test('what is in it is looked at like any other image', async () => {
	const {directory, store} = setUp();
	const disk = path.join(directory, 'disk.qcow2');
	qcow2Disk(disk);
	const file = path.join(directory, 'disk.qcow2.gz');
	writeFileSync(file, zlib.gzipSync(readFileSync(disk)));
	expect(await store.fetch(await store.resolve(`file://${file}`), recordedWork())).toMatchObject({format: 'qcow2'});
	writeFileSync(file, zlib.gzipSync(zlib.gzipSync(randomBytes(2000))));
	expect((await failure(store.fetch(await store.resolve(`file://${file}`), recordedWork()))).message).toMatch(
		/cannot be used: it is compressed with gzip\.$/,
	);
	writeFileSync(file, zlib.gzipSync(Buffer.from('<!DOCTYPE html>'.padEnd(2000))));
	expect((await failure(store.fetch(await store.resolve(`file://${file}`), recordedWork()))).code).toBe(
		'image.unusable',
	);
});

test('unpacking is given up when it is cancelled', async () => {
	const {directory, store, left} = setUp();
	const file = path.join(directory, 'disk.gz');
	writeFileSync(file, zlib.gzipSync(rawDisk(path.join(directory, 'disk'), 32 * 1024 * 1024)));
	const work = recordedWork(self => {
		if (self.stages.at(-1) === 'unpacking the image') self.cancel();
	});
	expect((await failure(store.fetch(await store.resolve(`file://${file}`), work))).code).toBe('operation.cancelled');
	expect(left()).toEqual([]);
});

test('a program that is missing is named with its package', async () => {
	const {directory, store} = setUp();
	const file = path.join(directory, 'disk.xz');
	writeFileSync(file, Buffer.concat([Buffer.from('\xfd7zXZ\0', 'latin1'), Buffer.alloc(1000)]));
	programs.path = temporaryDirectory();
	onTestFinished(() => {
		programs.path = undefined;
	});
	expect(await failure(store.fetch(await store.resolve(`file://${file}`), recordedWork()))).toMatchObject({
		code: 'image.unusable',
		message: 'The image is packed with xz, which this machine does not have.',
		next: 'Install it: sudo apt-get install xz-utils',
	});
});
