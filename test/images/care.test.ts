import {existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {reasonToKeep} from '../../source/images/care.ts';
import type {ImageUse, PruneOptions} from '../../source/images/image.ts';
import {createImageStore} from '../../source/images/store.ts';
import {Publisher} from './support/publisher.ts';
import {qcow2Disk, rawDisk, recordedWork, temporaryDirectory} from './work.ts';

const day = 24 * 3600 * 1000;
const nothing: ImageUse = {counts: new Map(), unclear: []};

async function setUp() {
	const directory = temporaryDirectory();
	const images = path.join(directory, 'cache', 'images');
	const clock = {now: Date.now()};
	const store = createImageStore({
		paths: {cache: path.join(directory, 'cache')},
		remotes: [],
		distributions: [],
		times: {answer: 2000, stall: 2000, retries: []},
		now: () => clock.now,
		async buildMicro(work) {
			qcow2Disk(path.join(work, 'micro.qcow2'));
			return path.join(work, 'micro.qcow2');
		},
	});
	const publisher = await Publisher.open();
	const fetch = async (query: string) => store.fetch(await store.resolve(query), recordedWork());
	publisher.put('net.img', rawDisk(path.join(directory, 'net'), 2 * 1024 * 1024, 2));
	rawDisk(path.join(directory, 'own.raw'), 1024 * 1024, 3);
	const three = {
		micro: await fetch('micro'),
		net: await fetch(`${publisher.origin}net.img`),
		own: await fetch(`file://${directory}/own.raw`),
	};
	const age = (hash: string, days: number) => {
		const at = (clock.now - days * day) / 1000;
		utimesSync(path.join(images, 'used', hash.slice(7)), at, at);
	};
	const prune = (options: Partial<PruneOptions> = {}) => store.prune({use: async () => nothing, ...options});
	const stored = () => readdirSync(images).filter(name => /^[\da-f]{64}$/.test(name));
	return {directory, images, store, fetch, publisher, clock, age, prune, stored, ...three};
}

test('what is in the cache: name, hash, size, last use and where it came from', async () => {
	const {store, publisher, micro, net, own, directory, images} = await setUp();
	const {images: list, size, directory: where} = await store.list();
	expect(where).toBe(images);
	expect(list.map(({name, source, format}) => [name, source, format]).sort()).toEqual([
		['micro', 'built here', 'qcow2'],
		['net.img', `${publisher.origin}net.img`, 'raw'],
		['own.raw', `${directory}/own.raw`, 'raw'],
	]);
	expect(new Set(list.map(({hash}) => hash))).toEqual(new Set([micro.hash, net.hash, own.hash]));
	for (const image of list) {
		expect(Date.now() - Date.parse(image.usedAt)).toBeLessThan(60_000);
		expect(image.size).toBeGreaterThan(10_000);
	}
	expect(size).toBeGreaterThanOrEqual(list.reduce((sum, image) => sum + image.size, 0));
});

test('after 14 days without use an image goes, but for those of files of this machine', async () => {
	const {prune, age, micro, net, own, stored, store, images, fetch, publisher} = await setUp();
	for (const {hash} of [micro, net, own]) age(hash, 13.9);
	expect(await prune()).toMatchObject({removed: [], freed: 0});
	for (const {hash} of [micro, net, own]) age(hash, 14.1);
	// Used again it is young.
	await fetch('micro');
	const report = await prune();
	expect(report?.removed.map(({hash}) => hash)).toEqual([net.hash]);
	expect(report?.freed).toBeGreaterThan(1_000_000);
	expect(new Set(report?.kept.map(({image, reason}) => `${image.name}: ${reason}`))).toEqual(
		new Set(['micro: it was used 0 minutes ago', 'own.raw: it was made from a file of this machine']),
	);
	expect(stored()).toHaveLength(2);
	expect(readdirSync(path.join(images, 'index'))).toHaveLength(2);
	expect(readdirSync(path.join(images, 'work'))).toEqual([]);
	// It is fetched again when it is wanted.
	expect((await fetch(`${publisher.origin}net.img`)).hash).toBe(net.hash);
	expect((await store.list()).images).toHaveLength(3);
});

test('with all, everything goes but what is needed', async () => {
	const {prune, net, own, micro, stored, images} = await setUp();
	mkdirSync(path.join(images, 'partial'), {recursive: true});
	writeFileSync(path.join(images, 'partial', `${'a'.repeat(64)}.part`), 'half');
	const use: ImageUse = {counts: new Map([[net.hash, 2]]), unclear: []};
	const report = await prune({all: true, use: async () => use});
	expect(new Set(report?.removed.map(({hash}) => hash))).toEqual(new Set([micro.hash, own.hash]));
	expect(report?.kept).toEqual([
		{image: expect.objectContaining({hash: net.hash}), reason: '2 instances have their disks on it'},
	]);
	expect(stored()).toEqual([net.hash.slice(7)]);
	expect(readdirSync(path.join(images, 'partial'))).toEqual([]);
	expect(existsSync(net.path)).toBe(true);
});

test('nothing goes while it cannot be told what an instance needs, nor what a launch under way uses', async () => {
	const {prune, stored, age, net} = await setUp();
	const unclear: ImageUse = {counts: new Map(), unclear: ['web']};
	expect((await prune({all: true, use: async () => unclear}))?.kept.map(({reason}) => reason)).toEqual(
		Array.from({length: 3}, () => 'it cannot be told whether web has its disk on it'),
	);
	age(net.hash, 1);
	expect((await prune({all: true, usedSince: Date.now() - 3_600_000}))?.removed.map(({hash}) => hash)).toEqual([
		net.hash,
	]);
	expect(stored()).toHaveLength(2);
});

test('by itself it looks every six hours at most', async () => {
	const {prune, clock} = await setUp();
	let asked = 0;
	const use = async () => {
		asked++;
		return nothing;
	};
	expect(await prune({ifDue: true, use})).toBeDefined();
	clock.now += 5.9 * 3600 * 1000;
	expect(await prune({ifDue: true, use})).toBeUndefined();
	clock.now += 0.2 * 3600 * 1000;
	expect(await prune({ifDue: true, use})).toBeDefined();
	clock.now -= 100 * day;
	expect(await prune({ifDue: true, use})).toBeDefined();
	expect(asked).toBe(3);
});

test('an image of which no use is known counts as used when it is seen first', async () => {
	const {prune, images, net, clock, stored} = await setUp();
	rmSync(path.join(images, 'used'), {recursive: true});
	expect(await prune()).toMatchObject({removed: []});
	expect(statSync(path.join(images, 'used', net.hash.slice(7))).mtimeMs).toBeGreaterThan(clock.now - 60_000);
	expect(stored()).toHaveLength(3);
});

test('pruned and fetched at the same time, an image is there in the end', async () => {
	const {fetch, publisher, prune, age, net} = await setUp();
	for (let round = 0; round < 30; round++) {
		await fetch(`${publisher.origin}net.img`);
		age(net.hash, 20);
		const [found] = await Promise.all([fetch(`${publisher.origin}net.img`), prune(), prune({all: round % 2 === 0})]);
		// With all it may go again as soon as it is there; by age it must not.
		if (round % 2 === 1) expect(existsSync(found.path)).toBe(true);
	}
});

test('an image that an instance has its disk on is never removed', () => {
	fc.assert(
		fc.property(
			fc.record({usedAt: fc.nat(), isOwn: fc.boolean(), instances: fc.integer({min: 1, max: 9})}),
			fc.record({now: fc.nat(), all: fc.boolean(), usedSince: fc.option(fc.nat(), {nil: undefined})}),
			(image, rules) => {
				expect(reasonToKeep(image, {...rules, use: {unclear: []}})).toMatch(/on it$/);
			},
		),
	);
});
