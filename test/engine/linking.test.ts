import {copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {unneeded} from '../../source/engine/cloning/layers.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {backingFileOf} from '../../source/images/backing.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory, layerIn, layersDirectory, scopeDirectory} from '../../source/state/paths.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import type {OptionalMethod} from '../support/simulated-parts.ts';

const by = 'kim';

async function withWeb(
	offers: readonly OptionalMethod[] = ['snapshots', 'clone', 'linkedClone'],
	driver: 'qemu' | 'lxd' = 'qemu',
) {
	const hypervisor = new SimulatedHypervisor();
	const paths = scratchPaths();
	hypervisor.offers.set(driver, offers);
	const {engine} = await simulatedEngine(paths, {hypervisor, driver});
	const ended = async (begun: Promise<{id: string}>) => engine.wait({id: (await begun).id});
	await ended(engine.launch({name: 'web', by}));
	const act = (action: Parameters<Engine['act']>[0]['action'], name = 'web') =>
		ended(engine.act({action, names: [name], by}));
	await act('stop');
	const file = (name: string, inside: string) => path.join(instanceDirectory(paths, driver, name), inside);
	writeFileSync(file('web', 'disk'), 'what web has written');
	return {
		engine,
		paths,
		hypervisor,
		act,
		ended,
		file,
		link: (as: string, name = 'web') => ended(engine.clone({name, as, linked: true, by})),
		purge: async (name: string) => {
			await act('delete', name);
			return act('purge', name);
		},
		record: (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8')),
		layers: () => {
			const place = layersDirectory(paths, driver);
			return existsSync(place) ? readdirSync(place) : [];
		},
		below: async (name: string) => layerIn((await backingFileOf(file(name, 'disk.qcow2')))!),
		linked: async () => {
			const all = await engine.info({names: [], runtime: false});
			return Object.fromEntries(all.map(({name, linked}) => [name, linked]));
		},
	};
}

describe('a linked clone', () => {
	test('lies over a layer with the other, has an identity of its own, and info says so', async () => {
		const {engine, link, record, below, layers, linked, file} = await withWeb();
		expect(await link('two')).toMatchObject({kind: 'clone', state: 'done', items: [{target: 'two'}]});
		expect(layers()).toEqual([await below('web')]);
		expect(await below('two')).toBe(layers()[0]);
		const [web, two] = [record('web'), record('two')];
		expect(two).toMatchObject({phase: 'ready', desired: 'stopped', image: web.image});
		expect(two).not.toHaveProperty('intent');
		expect(new Set([web.id, two.id, web.hardware.mac, two.hardware.mac, web.ssh.hostKey, two.ssh.hostKey]).size).toBe(
			6,
		);
		expect(readFileSync(file('two', 'seed'), 'utf8')).toContain('local-hostname: two');
		await link('three', 'two');
		expect(await linked()).toEqual({
			web: {layers: 1, with: ['three', 'two']},
			two: {layers: 2, with: ['three', 'web']},
			three: {layers: 2, with: ['two', 'web']},
		});
		expect((await engine.instanceEvents({name: 'two'})).map(({what}) => what)).toEqual([
			'cloned, linked, from web',
			'cloned, linked, to three',
		]);
		// A full one shares nothing.
		const whole = await engine.clone({name: 'web', as: 'whole', by});
		await engine.wait({id: whole.id});
		expect((await linked())['whole']).toBeUndefined();
	});

	test('outlives the other, and what they shared goes with the last', async () => {
		const {link, purge, layers, below, linked} = await withWeb();
		await link('two');
		await purge('web');
		expect(layers()).toEqual([await below('two')]);
		expect(await linked()).toEqual({two: {layers: 1, with: []}});
		await link('three', 'two');
		expect(layers()).toHaveLength(2);
		await purge('two');
		expect(layers()).toHaveLength(2);
		await purge('three');
		expect(layers()).toEqual([]);
	});

	test('in the trash needs its layer still, and so does what was set aside', async () => {
		const {engine, paths, link, act, purge, layers, file} = await withWeb();
		await link('two');
		await act('delete', 'two');
		await purge('web');
		expect(layers()).toHaveLength(1);
		await act('recover', 'two');
		writeFileSync(file('two', 'instance.json'), '{"half');
		await engine.close();
		const {engine: next} = await simulatedEngine(paths);
		expect(await next.list()).toMatchObject([{name: 'two', state: 'Broken'}]);
		expect(layers()).toHaveLength(1);
		await next.forget({name: 'two', by});
		await next.pruneImages({all: true, by});
		expect(layers()).toHaveLength(1);
	});

	test('that fails leaves no layer that nobody needs', async () => {
		const {link, hypervisor, layers, engine} = await withWeb();
		hypervisor.before.set('linkedClone', () => {
			throw new Error('no room');
		});
		expect(await link('two')).toMatchObject({state: 'failed'});
		expect(layers()).toEqual([]);
		expect((await engine.list()).map(({name}) => name)).toEqual(['web']);
	});

	test('is not made of what has snapshots: they would be out of reach', async () => {
		const {engine, ended, link, layers} = await withWeb();
		await ended(engine.snapshot({name: 'web', snapshot: 'a', by}));
		await expect(link('two')).rejects.toMatchObject({
			code: 'instance.state',
			message:
				'instance "web" cannot be cloned linked: its snapshots are inside the disk that would be shared, where they could not be restored or deleted any more',
			next: 'Clone it in full, without --linked, or delete its snapshots first.',
		});
		expect(await engine.list()).toHaveLength(1);
		await ended(engine.deleteSnapshots({name: 'web', snapshots: ['a'], by}));
		expect(await link('two')).toMatchObject({state: 'done'});
		expect(layers()).toHaveLength(1);
	});

	test('is refused where there are none, with what to do instead', async () => {
		const {link} = await withWeb(['clone']);
		await expect(link('two')).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Linked clones are not in this version of drover for QEMU.',
			next: 'Clone it without --linked.',
		});
		const lxd = await withWeb(['clone', 'sharesByItself'], 'lxd');
		await expect(lxd.link('two')).rejects.toMatchObject({
			code: 'driver.incapable',
			message: expect.stringMatching(
				/^Under LXD every clone shares .* where the storage pool copies on write, and none does elsewhere/,
			),
		});
		expect(await lxd.engine.list()).toHaveLength(1);
	});
});

describe('layers', () => {
	const use = (...layers: string[]) => ({layers: new Set(layers)});

	test('go when nobody needs them, and none when it is not clear of everybody', () => {
		expect(unneeded(['a', 'b', 'c'], [use('a'), use('a', 'c')], [])).toEqual(['b']);
		expect(unneeded(['a', 'b'], [], [])).toEqual(['a', 'b']);
		expect(unneeded(['a', 'b'], [use('a')], ['web'])).toEqual([]);
	});

	test('of a disk that cannot be read are not let go of', async () => {
		const {paths, link, purge, layers} = await withWeb();
		await link('two');
		// Somebody's disk whose chain leads in a circle.
		const odd = path.join(scopeDirectory(paths, 'qemu'), 'odd');
		mkdirSync(odd);
		const target = path.join(odd, 'disk.qcow2');
		const header = readFileSync(path.join(instanceDirectory(paths, 'qemu', 'two'), 'disk.qcow2'));
		const circle = Buffer.concat([header.subarray(0, 112), Buffer.from(target)]);
		circle.writeUInt32BE(Buffer.byteLength(target), 16);
		writeFileSync(target, circle);
		copyFileSync(path.join(instanceDirectory(paths, 'qemu', 'two'), 'instance.json'), path.join(odd, 'instance.json'));
		await purge('web');
		await purge('two');
		expect(layers()).toHaveLength(1);
	});
});
