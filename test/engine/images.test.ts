import {execFileSync} from 'node:child_process';
import {mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import {imageUse} from '../../source/engine/launching/image-use.ts';
import {createImageStore} from '../../source/images/store.ts';
import {isEnded} from '../../source/model/operation.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';

const hashOf = (letter: string) => letter.repeat(64);

/** A disk laid over an image of the cache, as drivers make it. */
function overlay(directory: string, cache: string, letter: string): void {
	const image = path.join(cache, 'images', hashOf(letter), 'disk.raw');
	mkdirSync(path.dirname(image), {recursive: true});
	mkdirSync(directory, {recursive: true});
	writeFileSync(image, Buffer.alloc(65_536));
	execFileSync('qemu-img', [
		'create',
		'-q',
		'-f',
		'qcow2',
		'-F',
		'raw',
		'-b',
		image,
		path.join(directory, 'disk.qcow2'),
	]);
}

test('what instances need is found by their disks and their records, whatever became of the records', async () => {
	const paths = scratchPaths();
	const scopes = path.join(paths.data, 'scopes');
	expect(await imageUse(paths)).toEqual({counts: new Map(), unclear: []});
	overlay(path.join(scopes, 'qemu', 'web'), paths.cache, 'a');
	writeFileSync(path.join(scopes, 'qemu', 'web', 'instance.json'), `{"image": {"hash": "sha256:${hashOf('a')}"}}`);
	// A record that cannot be read, and one that says something else than its disk.
	overlay(path.join(scopes, 'qemu', 'broken'), paths.cache, 'a');
	writeFileSync(path.join(scopes, 'qemu', 'broken', 'instance.json'), '{"half');
	overlay(path.join(scopes, 'qemu', 'other'), paths.cache, 'b');
	writeFileSync(path.join(scopes, 'qemu', 'other', 'instance.json'), `{"image": {"hash": "sha256:${hashOf('c')}"}}`);
	// Of another scope, without a disk here; and one that was set aside.
	mkdirSync(path.join(scopes, 'lxd', 'box'), {recursive: true});
	writeFileSync(path.join(scopes, 'lxd', 'box', 'instance.json'), `{\n "image": {\n "hash": "sha256:${hashOf('d')}"}}`);
	overlay(path.join(paths.data, 'forgotten', 'qemu-old-1'), paths.cache, 'e');
	const {counts, unclear} = await imageUse(paths);
	expect(unclear).toEqual([]);
	expect(Object.fromEntries([...counts].map(([hash, count]) => [hash.slice(7, 8), count]))).toEqual({
		a: 2,
		b: 1,
		c: 1,
		d: 1,
		e: 1,
	});
});

test('an instance needs what is below the layers it lies over; so does a layer that nobody needs yet', async () => {
	const paths = scratchPaths();
	const place = path.join(paths.data, 'scopes', 'qemu');
	const layer = (id: number) => path.join(place, '.layers', `00000000-0000-4000-8000-00000000000${id}`);
	overlay(layer(1), paths.cache, 'a');
	overlay(layer(2), paths.cache, 'b');
	for (const name of ['web', 'two']) {
		mkdirSync(path.join(place, name));
		const file = path.join(layer(1), 'disk.qcow2');
		const disk = path.join(place, name, 'disk.qcow2');
		execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', file, disk]);
	}
	const {counts, unclear} = await imageUse(paths);
	expect(unclear).toEqual([]);
	expect(Object.fromEntries([...counts].map(([hash, count]) => [hash.slice(7, 8), count]))).toEqual({a: 2, b: 1});
});

test('what cannot be looked into is told, so that nothing is removed', async () => {
	const paths = scratchPaths();
	const scopes = path.join(paths.data, 'scopes');
	overlay(path.join(scopes, 'qemu', 'web'), paths.cache, 'a');
	writeFileSync(path.join(scopes, 'lxd'), 'not a directory');
	expect((await imageUse(paths)).unclear).toEqual(['lxd']);
});

test('images are listed with their instances, and those are never pruned', async () => {
	const paths = scratchPaths();
	const images = createImageStore({
		paths,
		remotes: [],
		distributions: [],
		async buildMicro(work) {
			const raw = Buffer.alloc(1024 * 1024);
			raw.set([0x55, 0xaa], 510);
			writeFileSync(path.join(work, 'micro.raw'), raw);
			return path.join(work, 'micro.raw');
		},
	});
	const {engine} = await simulatedEngine(paths, {images});
	const launch = await engine.launch({image: 'micro', name: 'web', by: 'kim'});
	await until(
		() => engine.operation({id: launch.id}),
		operation => isEnded(operation),
	);
	expect((await engine.images()).images).toMatchObject([{name: 'micro', instances: 1, source: 'built here'}]);
	const pruned = await engine.pruneImages({all: true, by: 'kim'});
	expect(pruned).toMatchObject({removed: [], kept: [{reason: 'an instance has its disk on it'}]});
	const gone = await engine.act({action: 'delete', names: ['web'], options: {purge: true}, by: 'kim'});
	await until(
		() => engine.operation({id: gone.id}),
		operation => isEnded(operation),
	);
	expect((await engine.pruneImages({all: false, by: 'kim'})).removed).toEqual([]);
	expect((await engine.pruneImages({all: true, by: 'kim'})).removed).toMatchObject([{name: 'micro'}]);
	expect((await engine.images()).images).toEqual([]);
	expect(readdirSync(path.join(paths.cache, 'images')).filter(name => name.length === 64)).toEqual([]);
	await engine.close();
});
