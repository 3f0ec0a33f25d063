import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {expect, onTestFinished, test} from 'vitest';
import {authority, Publisher} from './support/publisher.ts';
import {diskPath, publishStream, type TreeProduct} from './support/stream-tree.ts';
import {rawDisk, temporaryDirectory} from './work.ts';

const script = fileURLToPath(new URL('support/fetch-child.ts', import.meta.url));

async function setUp() {
	const directory = temporaryDirectory();
	const cache = path.join(directory, 'cache');
	const certificate = path.join(directory, 'authority.pem');
	writeFileSync(certificate, authority().certificate);
	const publisher = await Publisher.open();
	const disk = rawDisk(path.join(directory, 'disk'), 8 * 1024 * 1024);
	const noble: TreeProduct = {title: '24.04 LTS', codename: 'noble', aliases: 'noble', versions: {'1': {disk}}};
	publishStream(publisher, [noble]);
	const begin = () => {
		const child = spawn(process.execPath, [script, cache, publisher.origin, 'noble'], {
			env: {PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: certificate},
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		onTestFinished(() => void child.kill('SIGKILL'));
		return child;
	};
	return {cache, publisher, disk, begin, file: `releases/${diskPath(noble, '1')}`, images: path.join(cache, 'images')};
}

async function output(child: ChildProcess): Promise<string> {
	let text = '';
	child.stdout!.setEncoding('utf8').on('data', (piece: string) => {
		text += piece;
	});
	await once(child, 'close');
	return text;
}

/** Bytes of the one partial download. */
function partialSize(images: string): number {
	const directory = path.join(images, 'partial');
	const name = existsSync(directory) ? readdirSync(directory).find(file => file.endsWith('.part')) : undefined;
	return name === undefined ? 0 : statSync(path.join(directory, name)).size;
}

test('a process that is killed in the middle: the next one goes on where it was', async () => {
	const {publisher, disk, begin, file, images} = await setUp();
	publisher.faults.set(`/${file}`, (_, response) => {
		const {etag} = publisher.files.get(`/${file}`)!;
		response.writeHead(200, {'content-length': disk.length, etag});
		// The rest never comes.
		response.write(disk.subarray(0, 3_000_000));
		return true;
	});
	const first = begin();
	await expect.poll(() => partialSize(images), {timeout: 10_000}).toBeGreaterThan(1_000_000);
	first.kill('SIGKILL');
	await once(first, 'exit');
	const size = partialSize(images);
	publisher.faults.clear();
	const text = await output(begin());
	expect(text).toContain('Continuing the download at ');
	expect(readFileSync(text.trim().split('\n').at(-1)!).equals(disk)).toBe(true);
	expect(publisher.requests.at(-1)).toBe(`GET /${file} bytes=${size}-`);
	expect(readdirSync(path.join(images, 'partial'))).toEqual([]);
	expect(readdirSync(path.join(images, 'work'))).toEqual([]);
});

test('killed again and again, at whatever moment: it is complete in the end, and never half there', async () => {
	const {publisher, disk, begin, file, images} = await setUp();
	publisher.faults.set(`/${file}`, (request, response) => {
		const {etag, body} = publisher.files.get(`/${file}`)!;
		const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
		response.writeHead(from > 0 ? 206 : 200, {
			etag,
			'content-length': body.length - from,
			...(from > 0 ? {'content-range': `bytes ${from}-${body.length - 1}/${body.length}`} : {}),
		});
		let at = from;
		const timer = setInterval(() => {
			response.write(body.subarray(at, at + 400_000));
			at += 400_000;
			if (at < body.length && !response.destroyed) return;
			clearInterval(timer);
			response.end();
		}, 20);
		return true;
	});
	let text = '';
	for (let round = 0; text === '' && round < 20; round++) {
		const child = begin();
		const done = output(child);
		const timer = setTimeout(() => child.kill('SIGKILL'), 250 + 60 * round);
		const said = await done;
		clearTimeout(timer);
		if (child.exitCode === 0) text = said;
		const whole = existsSync(images) ? readdirSync(images).filter(name => /^[\da-f]{64}$/.test(name)) : [];
		for (const name of whole) expect(readFileSync(path.join(images, name, 'disk.raw')).equals(disk)).toBe(true);
	}
	expect(readFileSync(text.trim().split('\n').at(-1)!).equals(disk)).toBe(true);
});

test('what one process downloads, another waits for', async () => {
	const {publisher, begin, file, images, cache} = await setUp();
	mkdirSync(cache, {recursive: true});
	const texts = await Promise.all([output(begin()), output(begin()), output(begin())]);
	expect(new Set(texts.map(text => text.trim().split('\n').at(-1))).size).toBe(1);
	expect(publisher.asked(file)).toBe(1);
	expect(readdirSync(path.join(images, 'claims'))).toEqual([]);
});
