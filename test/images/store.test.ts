import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {expect, test} from 'vitest';
import {keyName} from '../../source/images/cache.ts';
import type {ImageWork} from '../../source/images/image.ts';
import {createImageStore} from '../../source/images/store.ts';
import {DroverError} from '../../source/model/errors.ts';
import {qcow2Disk, rawDisk, recordedWork, temporaryDirectory} from './work.ts';

function setUp(buildMicro?: (directory: string, work: ImageWork) => Promise<string>) {
	const directory = temporaryDirectory();
	const cache = path.join(directory, 'cache');
	const store = createImageStore({
		paths: {cache},
		remotes: [],
		distributions: [],
		...(buildMicro === undefined ? {} : {buildMicro}),
	});
	return {directory, images: path.join(cache, 'images'), store};
}

const stored = (images: string) => readdirSync(images).filter(name => /^[\da-f]{64}$/.test(name));
const leftovers = (images: string) =>
	['work', 'claims', 'partial'].flatMap(name =>
		existsSync(path.join(images, name)) ? readdirSync(path.join(images, name)) : [],
	);

test('a file enters the cache by its content, read-only, and is not copied again while it is the same', async () => {
	const {directory, images, store} = setUp();
	const file = path.join(directory, 'my disk 100%.raw');
	const data = rawDisk(file, 3 * 1024 * 1024 + 512);
	const image = await store.resolve(`file://${encodeURI(file)}`);
	expect(image).toMatchObject({provider: 'file', release: 'my disk 100%.raw'});
	const first = recordedWork();
	const cached = await store.fetch(image, first);
	const hash = createHash('sha256').update(data).digest('hex');
	expect(cached).toEqual({
		path: path.join(images, hash, 'disk.raw'),
		format: 'raw',
		hash: `sha256:${hash}`,
		virtualSize: data.length,
	});
	expect(readFileSync(cached.path).equals(data)).toBe(true);
	expect(statSync(cached.path).mode & 0o777).toBe(0o444);
	// The hole stays a hole.
	expect(statSync(cached.path).blocks * 512).toBeLessThan(data.length * 0.75);
	expect(first.percents.at(-1)).toBe(100);
	expect([...first.percents].sort((a, b) => a - b)).toEqual(first.percents);
	const second = recordedWork();
	expect(await store.fetch(image, second)).toEqual(cached);
	expect(second.stages).toEqual([]);
	rawDisk(file, 1024 * 1024, 2);
	expect((await store.fetch(image, recordedWork())).hash).not.toBe(cached.hash);
	expect(stored(images)).toHaveLength(2);
	expect(leftovers(images)).toEqual([]);
});

test('the same content from two files is stored once, and qcow2 is known by what it is', async () => {
	const {directory, images, store} = setUp();
	for (const name of ['a.img', 'b.img']) qcow2Disk(path.join(directory, name));
	symlinkSync(path.join(directory, 'a.img'), path.join(directory, 'link'));
	const found = [];
	for (const name of ['a.img', 'b.img', 'link']) {
		found.push(await store.fetch(await store.resolve(`file://${directory}/${name}`), recordedWork()));
	}
	expect(new Set(found.map(image => image.path)).size).toBe(1);
	expect(found[0]).toMatchObject({format: 'qcow2', virtualSize: 1024 * 1024});
	expect(stored(images)).toHaveLength(1);
});

test.each([
	['nix', 'image.unknown', /^There is no image "nix"\.$/],
	['ftp://host/a.img', 'image.unknown', /an image’s address begins with file:\/\/\/, https:\/\/ or http:\/\/\.$/],
	['a\u001b[31mb', 'image.unknown', /^There is no image "ab"\.$/],
	['nowhere:24.04', 'image.unknown', /^There is no catalogue "nowhere"; there are /],
	['file://tmp/a.img', 'image.unusable', /was a slash forgotten\?$/],
	['file://', 'image.unusable', /was a slash forgotten\?$/],
	['file:///nowhere/a.img', 'image.unusable', /^There is no file \/nowhere\/a\.img\.$/],
	['file:///tmp', 'image.unusable', /^\/tmp is a directory\.$/],
	['file:///dev/null', 'image.unusable', /is not a regular file\.$/],
	['file:///a%00b', 'image.unusable', /There is no file|is not the address/],
	['file:///etc/passwd', 'image.unusable', /is neither qcow2 nor a disk with a boot sector\.$/],
	['https://', 'image.unusable', /is not a valid address\.$/],
	['https://me:secret@host/a.img', 'image.unusable', /must not hold a user name or password\.$/],
])('%j is refused before anything is done', async (query, code, message) => {
	const {images, store} = setUp();
	const error = await store.resolve(query).catch((thrown: unknown) => thrown);
	expect(error).toBeInstanceOf(DroverError);
	expect(error).toMatchObject({code, message: expect.stringMatching(message)});
	expect((error as DroverError).next).toBeTruthy();
	expect(existsSync(images)).toBe(false);
});

test('find lists what can be launched by name and says what is cached', async () => {
	const {store} = setUp(async directory => {
		qcow2Disk(path.join(directory, 'micro.qcow2'));
		return path.join(directory, 'micro.qcow2');
	});
	const find = async (query: string) => (await store.find({query})).images;
	expect(await find('')).toMatchObject([{name: 'micro', release: 'Micro 1', cached: false}]);
	await store.fetch(await store.resolve('micro'), recordedWork());
	expect(await find('Mic')).toMatchObject([{name: 'micro', cached: true}]);
	expect(await find('xyz')).toEqual([]);
});

/** A build that waits until it is let go, and counts how often it was begun. */
function slowBuild() {
	const state = {begun: 0, directory: '', release: () => {}};
	const released = new Promise<void>(resolve => {
		state.release = resolve;
	});
	const build = async (directory: string, work: ImageWork) => {
		state.begun++;
		state.directory = directory;
		work.progress('building', 10);
		const aborted = new Promise<void>((_, reject) =>
			work.signal.addEventListener('abort', () => reject(new DroverError('operation.cancelled', 'Cancelled.'))),
		);
		await Promise.race([released, aborted]);
		qcow2Disk(path.join(directory, 'micro.qcow2'));
		return path.join(directory, 'micro.qcow2');
	};
	return {state, build};
}

test('who asks at the same time shares the work; one who cancels leaves alone', async () => {
	const {state, build} = slowBuild();
	const {store, images} = setUp(build);
	const image = await store.resolve('micro');
	const works = [recordedWork(), recordedWork(), recordedWork()];
	const results = works.map(work => store.fetch(image, work).catch((error: DroverError) => error.code));
	await expect.poll(() => state.begun).toBe(1);
	const late = recordedWork();
	const lateResult = store.fetch(image, late);
	works[1]!.cancel();
	expect(await results[1]).toBe('operation.cancelled');
	await expect.poll(() => late.stages).toContain('building');
	state.release();
	const [first, , third] = await Promise.all(results);
	expect(first).toEqual(third);
	expect(await lateResult).toEqual(first);
	expect(state.begun).toBe(1);
	expect(works[0]!.stages).toContain('building');
	expect(leftovers(images)).toEqual([]);
});

test('when all cancel the work is given up and leaves nothing; the next one begins anew', async () => {
	const {state, build} = slowBuild();
	const {store, images} = setUp(build);
	const image = await store.resolve('micro');
	const works = [recordedWork(), recordedWork()];
	const results = works.map(work => store.fetch(image, work).catch((error: DroverError) => error.code));
	await expect.poll(() => state.begun).toBe(1);
	for (const work of works) work.cancel();
	const again = store.fetch(image, recordedWork());
	expect(await Promise.all(results)).toEqual(['operation.cancelled', 'operation.cancelled']);
	await expect.poll(() => state.begun).toBe(2);
	state.release();
	expect((await again).format).toBe('qcow2');
	expect(leftovers(images)).toEqual([]);
});

test('a cancelled copy of a file leaves nothing', async () => {
	const {directory, images, store} = setUp();
	const file = path.join(directory, 'a.raw');
	rawDisk(file, 16 * 1024 * 1024);
	const work = recordedWork(self => self.cancel());
	const image = await store.resolve(`file://${file}`);
	await expect(store.fetch(image, work)).rejects.toMatchObject({code: 'operation.cancelled'});
	expect(stored(images)).toEqual([]);
	expect(leftovers(images)).toEqual([]);
});

test('what a dead process left is removed, what a living one works on stays', async () => {
	const {directory, images, store} = setUp();
	const dead = spawnSync(process.execPath, ['-e', '']).pid;
	const file = path.join(directory, 'a.raw');
	rawDisk(file);
	const image = await store.resolve(`file://${file}`);
	mkdirSync(path.join(images, 'work', `${dead}-123-abcd`), {recursive: true});
	writeFileSync(path.join(images, 'work', `${dead}-123-abcd`, 'half'), 'x');
	// The number of a living process, but that of another time.
	mkdirSync(path.join(images, 'work', `${process.pid}-1-abcd`));
	const started = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ')[19];
	mkdirSync(path.join(images, 'work', `${process.pid}-${started}-abcd`));
	mkdirSync(path.join(images, 'claims'));
	writeFileSync(path.join(images, 'claims', keyName(`file:${file}`)), `${dead}-123`);
	await store.fetch(image, recordedWork());
	expect(leftovers(images)).toEqual([`${process.pid}-${started}-abcd`]);
});

test('another process that fetches the same is waited for, and its result is used', async () => {
	const {state, build} = slowBuild();
	const {store, images, directory} = setUp(build);
	const other = createImageStore({
		paths: {cache: path.join(directory, 'cache')},
		buildMicro: () => Promise.reject(new Error('it was built twice')),
	});
	const image = await store.resolve('micro');
	const first = store.fetch(image, recordedWork());
	await expect.poll(() => state.begun).toBe(1);
	const waiting = recordedWork();
	const second = other.fetch(image, waiting);
	await expect.poll(() => waiting.stages).toContain('waiting for another drover that fetches it');
	state.release();
	expect(await second).toEqual(await first);
	expect(leftovers(images)).toEqual([]);
});

test('an image that was damaged in the cache is fetched again; one that was only touched is kept', async () => {
	const {directory, store} = setUp();
	const file = path.join(directory, 'a.raw');
	const data = rawDisk(file);
	const image = await store.resolve(`file://${file}`);
	const cached = await store.fetch(image, recordedWork());
	utimesSync(cached.path, new Date(), new Date(0));
	const touched = recordedWork();
	await store.fetch(image, touched);
	expect(touched.stages).toEqual([]);
	chmodSync(cached.path, 0o644);
	writeFileSync(cached.path, Buffer.concat([data.subarray(0, 600), Buffer.alloc(data.length - 600, 7)]));
	expect(await store.fetch(image, recordedWork())).toEqual(cached);
	expect(readFileSync(cached.path).equals(data)).toBe(true);
	rmSync(cached.path, {force: true});
	expect(await store.fetch(image, recordedWork())).toEqual(cached);
	writeFileSync(
		path.join(path.dirname(cached.path), '..', 'index', `${keyName(`file:${file}`)}.json`),
		'{"hash":"../..","at":""}',
	);
	expect(await store.fetch(image, recordedWork())).toEqual(cached);
});

test('a build that fails keeps its error and leaves nothing', async () => {
	const {store, images} = setUp(async directory => {
		writeFileSync(path.join(directory, 'half'), 'x');
		throw new DroverError('image.download', 'The network is away.');
	});
	await expect(store.fetch(await store.resolve('micro'), recordedWork())).rejects.toMatchObject({
		code: 'image.download',
	});
	expect(leftovers(images)).toEqual([]);
});
