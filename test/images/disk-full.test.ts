import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {gzipSync} from 'node:zlib';
import {expect, onTestFinished, test, vi} from 'vitest';
import {createImageStore} from '../../source/images/store.ts';
import type {DroverError} from '../../source/model/errors.ts';
import {Publisher} from './support/publisher.ts';
import {rawDisk, recordedWork, temporaryDirectory} from './work.ts';

/** Bytes that can be written until the disk is full; as many as one likes unless a test says so. */
const room = vi.hoisted(() => ({left: Number.POSITIVE_INFINITY}));

vi.mock('../../source/images/write.ts', async original => {
	const real = await original<typeof import('../../source/images/write.ts')>();
	const full = () => Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'});
	const writeAll: typeof real.writeAll = async (handle, data, at) => {
		room.left -= data.length;
		if (room.left < 0) throw full();
		return real.writeAll(handle, data, at);
	};
	class Appender extends real.Appender {
		override add(data: Uint8Array): Promise<void> | undefined {
			room.left -= data.length;
			if (room.left < 0) throw full();
			return super.add(data);
		}
	}
	return {writeAll, Appender};
});

async function setUp(cache: string) {
	const directory = temporaryDirectory();
	const publisher = await Publisher.open();
	const disk = rawDisk(path.join(directory, 'disk'), 12 * 1024 * 1024);
	publisher.put('disk.img', disk);
	// A server that does not tell how much it will send.
	publisher.faults.set('/long.img', (_, response) => {
		response.writeHead(200, {etag: '"1"'});
		response.end(disk);
		return true;
	});
	const store = createImageStore({
		paths: {cache},
		remotes: [],
		distributions: [],
		times: {answer: 3000, stall: 3000, retries: []},
	});
	const left = () =>
		['partial', 'work', 'claims'].flatMap(name => {
			const place = path.join(cache, 'images', name);
			return existsSync(place) ? readdirSync(place) : [];
		});
	const stored = () => readdirSync(path.join(cache, 'images')).filter(name => /^[\da-f]{64}$/.test(name));
	return {publisher, store, directory, left, stored, disk};
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
	return promise.then(
		() => {
			throw new Error('It succeeded.');
		},
		(error: DroverError) => error,
	);
}

test.each(['download', 'copy', 'unpacking'])(
	'a disk that becomes full in %s: one sentence, and nothing stays',
	async how => {
		const {publisher, store, directory, left, stored} = await setUp(path.join(temporaryDirectory(), 'cache'));
		const packed = gzipSync(readFileSync(path.join(directory, 'disk')));
		writeFileSync(path.join(directory, 'disk.gz'), packed);
		const sources: Readonly<Record<string, string>> = {
			download: `${publisher.origin}disk.img`,
			copy: `file://${directory}/disk`,
			unpacking: `file://${directory}/disk.gz`,
		};
		const image = await store.resolve(sources[how]!);
		room.left = how === 'unpacking' ? packed.length + 2_000_000 : 3_000_000;
		onTestFinished(() => {
			room.left = Number.POSITIVE_INFINITY;
		});
		expect(await failure(store.fetch(image, recordedWork()))).toMatchObject({
			code: 'host.disk-full',
			message: expect.stringMatching(/^There is no space left to write /),
			next: 'Free some disk space and try again.',
		});
		expect(left()).toEqual([]);
		expect(stored()).toEqual([]);
		room.left = Number.POSITIVE_INFINITY;
		await store.fetch(image, recordedWork());
		expect(stored()).toHaveLength(1);
	},
);

/** A file system of a few megabytes, where that can be made. */
function smallFileSystem(): string | undefined {
	const place = path.join(temporaryDirectory(), 'small');
	mkdirSync(place);
	try {
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', place], {stdio: 'ignore'});
	} catch {
		return undefined;
	}
	onTestFinished(() => {
		execFileSync('umount', [place], {stdio: 'ignore'});
	});
	return place;
}

test.skipIf(process.getuid?.() !== 0)('a file system that really is full (mounted by root only)', async context => {
	const place = smallFileSystem();
	if (place === undefined) return context.skip('no file system can be mounted here');
	const {publisher, store, left, stored} = await setUp(path.join(place, 'cache'));
	// What is known to be too much is not begun.
	expect(
		(await failure(store.fetch(await store.resolve(`${publisher.origin}disk.img`), recordedWork()))).message,
	).toMatch(/^The image needs 76\.0MiB of disk space, and .* has [\d.]+MiB left\.$/);
	expect(publisher.asked('disk.img')).toBe(1);
	expect(await failure(store.fetch(await store.resolve(`${publisher.origin}long.img`), recordedWork()))).toMatchObject({
		code: 'host.disk-full',
		message: expect.stringMatching(/^There is no space left to write /),
	});
	expect(left()).toEqual([]);
	expect(stored()).toEqual([]);
});
