import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {createImageStore, type ImageStoreOptions} from '../../source/images/store.ts';
import type {DroverError} from '../../source/model/errors.ts';
import {makeAuthority} from '../support/certificates.ts';
import {authority, Publisher} from './support/publisher.ts';
import {diskPath, publishStream, type TreeProduct} from './support/stream-tree.ts';
import {rawDisk, recordedWork, temporaryDirectory} from './work.ts';

const quick = {answer: 5000, stall: 2000, retries: [1, 1]};

/** A store whose only catalogue is what the test publishes. */
async function setUp(options: Partial<ImageStoreOptions> = {}, size = 1024 * 1024) {
	const directory = temporaryDirectory();
	const publisher = await Publisher.open();
	const disk = rawDisk(path.join(directory, 'disk'), size);
	const noble = nobleWith(disk);
	const remote = publishStream(publisher, [noble]);
	const make = () =>
		createImageStore({
			paths: {cache: path.join(directory, 'cache')},
			architecture: 'x64',
			remotes: [remote],
			distributions: [],
			times: quick,
			...options,
		});
	const images = path.join(directory, 'cache', 'images');
	return {
		directory,
		publisher,
		disk,
		noble,
		remote,
		make,
		store: make(),
		images,
		file: `releases/${diskPath(noble, '20260101')}`,
	};
}

const left = (images: string) =>
	['partial', 'work', 'claims'].flatMap(name =>
		existsSync(path.join(images, name)) ? readdirSync(path.join(images, name)) : [],
	);
const stored = (images: string) => readdirSync(images).filter(name => /^[\da-f]{64}$/.test(name));

async function failure(promise: Promise<unknown>): Promise<DroverError> {
	return promise.then(
		() => {
			throw new Error('It succeeded.');
		},
		(error: DroverError) => error,
	);
}

test('an image is found by its name, downloaded, compared and kept', async () => {
	const {store, disk, images, publisher, file} = await setUp();
	const image = await store.resolve('noble');
	expect(image).toMatchObject({provider: 'catalogue', os: 'Ubuntu', release: '24.04 LTS', user: 'ubuntu'});
	expect(publisher.asked(file)).toBe(0);
	const work = recordedWork();
	const cached = await store.fetch(image, work);
	const hash = createHash('sha256').update(disk).digest('hex');
	expect(cached).toMatchObject({format: 'raw', hash: `sha256:${hash}`, virtualSize: disk.length});
	expect(readFileSync(cached.path).equals(disk)).toBe(true);
	expect(work.percents.at(-1)).toBe(100);
	for (const name of ['24.04', 'default', 'ubuntu', 'release:lts', hash.slice(0, 8), hash]) {
		expect(await store.fetch(await store.resolve(name), recordedWork())).toEqual(cached);
	}
	expect(publisher.asked(file)).toBe(1);
	expect((await store.find({query: ''})).images).toMatchObject([
		{name: 'micro', cached: false},
		{name: '24.04', remote: 'release', aliases: ['lts', 'noble', 'ubuntu'], version: '20260101', cached: true},
	]);
	expect(left(images)).toEqual([]);
});

test('a connection that is cut ten times: it is complete and compared in the end', async () => {
	const {store, disk, publisher, file, images} = await setUp({}, 4 * 1024 * 1024);
	publisher.cut(file, 300_000, 10);
	const work = recordedWork();
	const cached = await store.fetch(await store.resolve('noble'), work);
	expect(readFileSync(cached.path).equals(disk)).toBe(true);
	const requests = publisher.requests.filter(line => line.includes(file));
	expect(requests).toHaveLength(11);
	// Each goes on where the one before has ended.
	const starts = requests.map(line => Number(/bytes=(\d+)-/.exec(line)?.[1] ?? 0));
	expect(starts.slice(1).every((start, at) => start > starts[at]!)).toBe(true);
	expect(work.lines.filter(line => line.includes('Trying again'))).toHaveLength(10);
	expect(left(images)).toEqual([]);
});

test('one that is cut and brings nothing any more is given up, and goes on later', async () => {
	const {make, disk, publisher, file, images} = await setUp();
	publisher.cut(file, 300_000, 1);
	const first = make();
	const image = await first.resolve('noble');
	const {faults} = publisher;
	const once = faults.get(`/${file}`)!;
	let count = 0;
	faults.set(`/${file}`, (request, response) => {
		if (count++ === 0) return once(request, response);
		response.destroy();
		return true;
	});
	expect(await failure(first.fetch(image, recordedWork()))).toMatchObject({
		code: 'image.download',
		next: 'Check the network and try again; what was downloaded is kept for that.',
	});
	expect(readdirSync(path.join(images, 'partial'))).toHaveLength(2);
	faults.clear();
	const second = make();
	expect(readFileSync((await second.fetch(await second.resolve('noble'), recordedWork())).path).equals(disk)).toBe(
		true,
	);
	expect(publisher.requests.at(-1)).toMatch(/bytes=[1-9]\d+-$/);
	expect(left(images)).toEqual([]);
});

test('ten who want it at once, by different names: one download', async () => {
	const {store, publisher, file, images} = await setUp();
	const names = ['noble', '24.04', 'lts', 'default', 'release:noble', 'ubuntu', 'n', 'noble', 'release:24.04', 'lts'];
	const works = names.map(() => recordedWork());
	const found = await Promise.all(names.map(async (name, at) => store.fetch(await store.resolve(name), works[at]!)));
	expect(new Set(found.map(({path: file}) => file)).size).toBe(1);
	expect(publisher.asked(file)).toBe(1);
	expect(publisher.asked('releases/streams/v1/index.json')).toBe(1);
	expect(works.every(work => work.percents.at(-1) === 100)).toBe(true);
	expect(left(images)).toEqual([]);
});

test('for a container it is downloaded once, and converted from the disk that is kept', async () => {
	const {store, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	for (let round = 0; round < 2; round++) {
		// There is no system on this one, which is found out after the download only.
		expect(await failure(store.fetch(image, recordedWork(), 'rootfs'))).toMatchObject({
			code: 'image.unusable',
			message: expect.stringMatching(/^24\.04 cannot be used for a container: /),
		});
	}
	expect((await store.fetch(image, recordedWork())).format).toBe('raw');
	expect(publisher.asked(file)).toBe(1);
	expect(left(images)).toEqual([]);
});

test('other bytes than the catalogue lists are refused and thrown away', async () => {
	const {store, directory, disk, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	publisher.put(file, rawDisk(path.join(directory, 'other'), disk.length, 2));
	const error = await failure(store.fetch(image, recordedWork()));
	expect(error).toMatchObject({code: 'image.untrusted', message: expect.stringMatching(/its hash is another one/)});
	expect(error.detail).toMatch(/^wanted [\da-f]{64}, got [\da-f]{64}$/);
	expect(stored(images)).toEqual([]);
	expect(left(images)).toEqual([]);
});

test('another size than the catalogue lists is refused before it is downloaded', async () => {
	const {store, directory, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	publisher.put(file, rawDisk(path.join(directory, 'other'), 2 * 1024 * 1024));
	expect((await failure(store.fetch(image, recordedWork()))).message).toMatch(
		/it has 2097152 bytes instead of 1048576\.$/,
	);
	expect(left(images)).toEqual([]);
});

test('a file that is replaced in the middle is fetched anew; when that is not the listed one, it is refused', async () => {
	const {store, directory, disk, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	const other = rawDisk(path.join(directory, 'other'), disk.length, 2);
	publisher.cut(file, 300_000, 1);
	const cut = publisher.faults.get(`/${file}`)!;
	publisher.faults.set(`/${file}`, (request, response) => {
		const isCut = cut(request, response);
		if (isCut) publisher.put(file, other);
		return isCut;
	});
	expect((await failure(store.fetch(image, recordedWork()))).code).toBe('image.untrusted');
	expect(stored(images)).toEqual([]);
	// The same once more, and this time the catalogue follows.
	publisher.put(file, disk);
	publisher.cut(file, 300_000, 1);
	const again = publisher.faults.get(`/${file}`)!;
	publisher.faults.set(`/${file}`, (request, response) => {
		const isCut = again(request, response);
		if (isCut) publishStream(publisher, [nobleWith(other)]);
		return isCut;
	});
	const work = recordedWork();
	const cached = await store.fetch(image, work);
	expect(readFileSync(cached.path).equals(other)).toBe(true);
	expect(work.lines.join()).toContain('Its publisher has replaced this image meanwhile');
	expect(left(images)).toEqual([]);
});

function nobleWith(disk: Buffer): TreeProduct {
	return {title: '24.04 LTS', codename: 'noble', aliases: '24.04,default,lts,n,noble', versions: {'20260101': {disk}}};
}

test('parts of two different files do not fit together: it is fetched anew', async () => {
	const {store, directory, disk, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	// A server that says nothing of its files, so that the change is seen by the hash only.
	publisher.put(file, rawDisk(path.join(directory, 'other'), disk.length, 2), {});
	publisher.cut(file, 300_000, 1);
	const cut = publisher.faults.get(`/${file}`)!;
	publisher.faults.set(`/${file}`, (request, response) => {
		const isCut = cut(request, response);
		if (isCut) publisher.put(file, disk, {});
		return isCut;
	});
	const work = recordedWork();
	expect(readFileSync((await store.fetch(image, work)).path).equals(disk)).toBe(true);
	expect(work.lines.join()).toContain('do not fit together');
	expect(publisher.asked(file)).toBe(3);
	expect(left(images)).toEqual([]);
});

test('a slow server is waited for while it sends, and given up when it does not', async () => {
	const {store, disk, publisher, file} = await setUp({times: {answer: 5000, stall: 1500, retries: []}});
	const image = await store.resolve('noble');
	publisher.faults.set(`/${file}`, (_, response) => {
		response.writeHead(200, {'content-length': disk.length});
		let at = 0;
		const timer = setInterval(() => {
			response.write(disk.subarray(at, at + 75_000));
			at += 75_000;
			if (at >= disk.length) {
				clearInterval(timer);
				response.end();
			}
		}, 120);
		return true;
	});
	expect(readFileSync((await store.fetch(image, recordedWork())).path).equals(disk)).toBe(true);
});

test('a server that stops in the middle is given up', async () => {
	const {store, disk, publisher, file} = await setUp({times: {answer: 5000, stall: 150, retries: [1]}});
	const image = await store.resolve('noble');
	publisher.faults.set(`/${file}`, (_, response) => {
		response.writeHead(200, {'content-length': disk.length});
		response.write(disk.subarray(0, 1000));
		return true;
	});
	expect((await failure(store.fetch(image, recordedWork()))).message).toMatch(/sends nothing any more\.$/);
});

test('a file that has gone: one sentence', async () => {
	const {store, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	publisher.files.delete(`/${file}`);
	expect(await failure(store.fetch(image, recordedWork()))).toMatchObject({
		code: 'image.download',
		message: expect.stringMatching(/^127\.0\.0\.1:\d+ has no \/releases\/server\/noble\/20260101\/disk\.img\.$/),
	});
	expect(left(images)).toEqual([]);
});

test('redirects lead to https only', async () => {
	const {store, disk, publisher, file, images} = await setUp();
	const image = await store.resolve('noble');
	const mirror = await Publisher.open();
	mirror.put('elsewhere.img', disk);
	const to = (location: string) =>
		publisher.faults.set(`/${file}`, (_, response) => {
			response.writeHead(302, {location}).end();
			return true;
		});
	to(`${mirror.origin.replace('https:', 'http:')}elsewhere.img`);
	expect((await failure(store.fetch(image, recordedWork()))).message).toMatch(
		/redirects from https to http, which would not be safe\.$/,
	);
	expect(left(images)).toEqual([]);
	to(`${mirror.origin}elsewhere.img`);
	expect(readFileSync((await store.fetch(image, recordedWork())).path).equals(disk)).toBe(true);
});

test.each([
	['expired', () => authority().issue({to: new Date(Date.now() - 1000)}), 'has expired', /clock/],
	['not valid yet', () => authority().issue({from: new Date(Date.now() + 1e8)}), 'is not valid yet', /clock/],
	[
		'of an unknown authority',
		() => makeAuthority().issue(),
		'is signed by an authority this machine does not know',
		/NODE_EXTRA_CA_CERTS/,
	],
] as const)(
	'a certificate that is %s: nothing is taken, and it is not tried again',
	async (_, issue, problem, next) => {
		authority();
		const publisher = await Publisher.open(issue());
		const directory = temporaryDirectory();
		const remote = publishStream(publisher, []);
		const store = createImageStore({
			paths: {cache: path.join(directory, 'cache')},
			remotes: [remote],
			distributions: [],
			times: quick,
		});
		const error = await failure(store.resolve('noble'));
		expect(error).toMatchObject({code: 'image.untrusted', message: expect.stringContaining(problem)});
		const image = await store.resolve(`${publisher.origin}some.img`);
		const direct = await failure(store.fetch(image, recordedWork()));
		expect(direct).toMatchObject({
			code: 'image.untrusted',
			message: expect.stringMatching(new RegExp(`cannot be trusted: its certificate ${problem}\\.$`)),
			next: expect.stringMatching(next),
		});
		expect(publisher.requests).toEqual([]);
	},
);
