import {existsSync, readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {createImageStore} from '../../source/images/store.ts';
import type {DroverError} from '../../source/model/errors.ts';
import {type Handler, sends, serve} from './server.ts';
import {rawDisk, recordedWork, temporaryDirectory} from './work.ts';

function setUp(stall = 5000) {
	const directory = temporaryDirectory();
	const paths = {cache: path.join(directory, 'cache')};
	const store = createImageStore({
		paths,
		remotes: [],
		distributions: [],
		times: {answer: 5000, stall, retries: [1, 1]},
	});
	return {directory, images: path.join(paths.cache, 'images'), store};
}

const partial = (images: string) => {
	const directory = path.join(images, 'partial');
	return existsSync(directory) ? readdirSync(directory) : [];
};

/** Sends a part and cuts the connection. */
function cuts(data: Buffer, etag: string, at: number): Handler {
	return (_, response) => {
		response.writeHead(200, {etag, 'content-length': data.length});
		response.write(data.subarray(0, at), () => setTimeout(() => response.destroy(), 20));
	};
}

async function failure(promise: Promise<unknown>): Promise<DroverError> {
	return promise.then(
		() => {
			throw new Error('It succeeded.');
		},
		(error: DroverError) => error,
	);
}

test('an image is downloaded with progress, and again only when the server has another', async () => {
	const {directory, images, store} = setUp();
	const data = rawDisk(path.join(directory, 'a'), 2 * 1024 * 1024);
	const server = await serve(sends(data, '"one"'));
	const image = await store.resolve(`${server.url}/some/disk.img?x=1`);
	expect(image).toMatchObject({provider: 'http', release: 'disk.img'});
	const work = recordedWork();
	const cached = await store.fetch(image, work);
	expect(readFileSync(cached.path).equals(data)).toBe(true);
	expect(work.percents.at(-1)).toBe(100);
	expect(await store.fetch(image, recordedWork())).toEqual(cached);
	expect(server.requests).toEqual(['GET /some/disk.img?x=1', 'HEAD /some/disk.img?x=1']);
	server.handler = sends(rawDisk(path.join(directory, 'b'), 2 * 1024 * 1024, 2), '"two"');
	expect((await store.fetch(image, recordedWork())).hash).not.toBe(cached.hash);
	expect(partial(images)).toEqual([]);
});

test('a server that is away or in trouble: what is in the cache is used, and the log says so', async () => {
	const {directory, store} = setUp();
	const server = await serve(sends(rawDisk(path.join(directory, 'a')), '"one"'));
	const image = await store.resolve(`${server.url}/a.img`);
	const cached = await store.fetch(image, recordedWork());
	server.handler = (_, response) => response.writeHead(503).end();
	const troubled = recordedWork();
	expect(await store.fetch(image, troubled)).toEqual(cached);
	expect(troubled.lines.join()).toMatch(/status 503: using the image that was downloaded at/);
	await server.close();
	const away = recordedWork();
	expect(await store.fetch(image, away)).toEqual(cached);
	expect(away.lines.join()).toMatch(/it refuses the connection: using the image/);
});

test('a download that is cut goes on where it stopped', async () => {
	const {directory, images, store} = setUp();
	const data = rawDisk(path.join(directory, 'a'), 2 * 1024 * 1024);
	const server = await serve((request, response) => {
		(server.requests.length === 1 ? cuts(data, '"one"', 700_000) : sends(data, '"one"'))(request, response);
	});
	const work = recordedWork();
	const cached = await store.fetch(await store.resolve(`${server.url}/a.img`), work);
	expect(readFileSync(cached.path).equals(data)).toBe(true);
	expect(server.requests).toHaveLength(2);
	expect(server.requests[1]).toMatch(/^GET \/a\.img bytes=[1-9]\d+-$/);
	expect(work.lines.join()).toContain('Trying again');
	expect(partial(images)).toEqual([]);
});

test('an interrupted download is taken up again later; what changed meanwhile is fetched anew', async () => {
	const {directory, images, store} = setUp();
	const data = rawDisk(path.join(directory, 'a'), 2 * 1024 * 1024);
	const server = await serve(cuts(data, '"one"', 700_000));
	const image = await store.resolve(`${server.url}/a.img`);
	const error = await failure(store.fetch(image, recordedWork()));
	expect(error).toMatchObject({code: 'image.download', next: expect.stringContaining('try again')});
	expect(server.requests).toHaveLength(3);
	expect(partial(images)).toHaveLength(2);
	const other = rawDisk(path.join(directory, 'b'), 1024 * 1024, 2);
	server.handler = sends(other, '"two"');
	const cached = await store.fetch(image, recordedWork());
	expect(server.requests.at(-1)).toMatch(/bytes=/);
	expect(readFileSync(cached.path).equals(other)).toBe(true);
	expect(partial(images)).toEqual([]);
});

test('a server that ends too early, sends too much, or sends nothing any more', async () => {
	const {directory, store} = setUp(100);
	const data = rawDisk(path.join(directory, 'a'));
	const server = await serve((_, response) => {
		response.writeHead(200, {'content-length': data.length});
		response.write(data.subarray(0, 1000));
	});
	expect((await failure(store.fetch(await store.resolve(`${server.url}/a`), recordedWork()))).message).toMatch(
		/sends nothing any more\.$/,
	);
	server.handler = (_, response) => {
		response.writeHead(200, {'content-length': data.length, connection: 'close'});
		response.write(data.subarray(0, 1000), () => response.socket?.end());
	};
	expect((await failure(store.fetch(await store.resolve(`${server.url}/b`), recordedWork()))).code).toBe(
		'image.download',
	);
});

test('redirects are followed, but not for ever and not just anywhere', async () => {
	const {directory, store} = setUp();
	const data = rawDisk(path.join(directory, 'a'));
	const server = await serve((request, response) => {
		const to = {'/a': '/b?c', '/b?c': '/real', '/loop': '/loop', '/ftp': 'ftp://host/x', '/file': 'file:///etc/passwd'}[
			request.url ?? ''
		];
		if (to === undefined) sends(data, '"one"')(request, response);
		else response.writeHead(302, {location: to}).end();
	});
	const get = async (name: string) => store.fetch(await store.resolve(server.url + name), recordedWork());
	expect(readFileSync((await get('/a')).path).equals(data)).toBe(true);
	expect((await failure(get('/loop'))).message).toMatch(/redirects too often\.$/);
	expect((await failure(get('/ftp'))).message).toMatch(/redirects to ftp:, which is not followed\.$/);
	expect((await failure(get('/file'))).message).toMatch(/redirects to file:, which is not followed\.$/);
});

test.each([
	['/missing', 'image.download', /has no \/missing\.$/],
	['/forbidden', 'image.download', /refuses to send \/forbidden: status 403\.$/],
	['/broken', 'image.download', /answers with status 500\.$/],
	['/page', 'image.unusable', /it is a web page\.$/],
	['/archive', 'image.unusable', /is damaged: it cannot be unpacked\.$/],
	['/huge', 'host.disk-full', /^The image needs [\d.]+GiB of disk space, and .* has [\d.]+[GM]iB left\.$/],
	['/empty', 'image.unusable', /is empty\.$/],
	['/small', 'image.unusable', /it has only 5 bytes\.$/],
])('%s: one sentence, and nothing stays', async (name, code, message) => {
	const {images, store} = setUp();
	const server = await serve((request, response) => {
		const answers: Record<string, () => unknown> = {
			'/missing': () => response.writeHead(404).end(),
			'/forbidden': () => response.writeHead(403).end('<html>'),
			'/broken': () => response.writeHead(500).end(),
			'/page': () => response.end('<!doctype html><html>'.padEnd(100_000)),
			'/archive': () => response.end(Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(100_000)])),
			'/huge': () => response.writeHead(200, {'content-length': '900000000000000'}).write('x'),
			'/empty': () => response.writeHead(200, {'content-length': 0}).end(),
			'/small': () => response.end('small'),
		};
		answers[request.url ?? '']?.();
	});
	const error = await failure(store.fetch(await store.resolve(server.url + name), recordedWork()));
	expect(error).toMatchObject({code, message: expect.stringMatching(message)});
	expect(error.next).toBeTruthy();
	expect(partial(images)).toEqual([]);
	expect(readdirSync(path.join(images, 'work'))).toEqual([]);
});

test('a cancelled download ends at once and leaves nothing', async () => {
	const {directory, images, store} = setUp(60_000);
	const data = rawDisk(path.join(directory, 'a'));
	const server = await serve((_, response) => {
		response.writeHead(200, {etag: '"one"', 'content-length': data.length});
		response.write(data.subarray(0, 100_000));
	});
	const work = recordedWork(self => self.cancel());
	const error = await failure(store.fetch(await store.resolve(`${server.url}/a`), work));
	expect(error.code).toBe('operation.cancelled');
	expect(partial(images)).toEqual([]);
});

test('no server at all', async () => {
	const {store} = setUp();
	const server = await serve((_, response) => response.end());
	await server.close();
	const work = recordedWork();
	const error = await failure(store.fetch(await store.resolve(`${server.url}/a`), work));
	expect(error.message).toMatch(
		/^The image could not be downloaded: 127\.0\.0\.1:\d+ cannot be reached: it refuses the connection\.$/,
	);
	expect(work.lines).toHaveLength(2);
});
