import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {backingChain} from '../../source/images/backing.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {isEnded, type OperationView} from '../../source/model/operation.ts';
import {instanceDirectory, layersDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {step, World} from '../support/switch.ts';

/*
 * Every file that is written or removed and all that the hypervisor does is a step at which the daemon may be killed:
 * before it, or right after.
 */
vi.mock('../../source/state/atomic.ts', async original => {
	const real = await original<typeof import('../../source/state/atomic.ts')>();
	return {
		...real,
		async writeAtomic(...request: Parameters<typeof real.writeAtomic>) {
			await step();
			await real.writeAtomic(...request);
			await step();
		},
		async syncDirectory(...request: Parameters<typeof real.syncDirectory>) {
			await step();
			await real.syncDirectory(...request);
		},
	};
});
vi.mock('node:fs/promises', async original => {
	const real = await original<typeof import('node:fs/promises')>();
	return {
		...real,
		async rm(...request: Parameters<typeof real.rm>) {
			await step();
			await real.rm(...request);
			await step();
		},
	};
});

const by = 'kim';
const done = async (engine: Engine, operation: Promise<{id: string}>) => engine.wait({id: (await operation).id});

/** An instance, with the linked clones that a test wants of it. */
async function furnished(clones: readonly string[]) {
	const world = new World(scratchPaths());
	world.shared.offers.set('qemu', ['snapshots', 'clone', 'linkedClone']);
	const first = await world.live();
	const {engine} = first;
	const file = (name: string, inside: string) => path.join(instanceDirectory(world.paths, 'qemu', name), inside);
	await done(engine, engine.launch({name: 'web', by}));
	await done(engine, engine.act({action: 'stop', names: ['web'], by}));
	writeFileSync(file('web', 'disk'), 'now');
	for (const as of clones) await done(engine, engine.clone({name: 'web', as, linked: true, by}));
	return {
		world,
		first,
		file,
		content: (name: string) => readFileSync(file(name, 'disk'), 'utf8'),
		record: (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8')),
		layers: () => {
			const place = layersDirectory(world.paths, 'qemu');
			return existsSync(place) ? readdirSync(place) : [];
		},
	};
}

/** Kills the daemon after so many steps of what it is asked to do; a new one has done its work when this returns. */
async function crash(clones: readonly string[], ask: (engine: Engine) => Promise<OperationView>, steps: number) {
	const place = await furnished(clones);
	const {world, first} = place;
	first.life.stepsLeft = steps;
	const ended = await world.within(first.life, () => {
		const all = done(first.engine, ask(first.engine)).then(() => 'ended' as const);
		const killed = until(() => first.life.isOver, Boolean, 10_000).then(() => 'killed' as const);
		return Promise.race([all, killed]);
	});
	first.life.isOver = true;
	const {engine} = await world.live();
	await until(
		() => engine.operations(),
		all => all.every(isEnded),
		10_000,
	);
	return {...place, engine, ended, names: (await engine.list()).map(({name}) => name)};
}

type Crashed = Awaited<ReturnType<typeof crash>>;

/** Nobody's disk lies over what is gone, and there is no layer that nobody's disk lies over. */
async function checkLayers({names, file, layers, content, record}: Crashed) {
	const needed = new Set<string>();
	for (const name of names) {
		expect(content(name)).toBe('now');
		expect(record(name)).not.toHaveProperty('intent');
		if (!existsSync(file(name, 'disk.qcow2'))) continue;
		for (const base of await backingChain(file(name, 'disk.qcow2'))) {
			expect([name, existsSync(base)]).toEqual([name, true]);
			needed.add(path.basename(path.dirname(base)));
		}
	}
	expect(layers().sort()).toEqual([...needed].sort());
}

async function atEveryStep(
	clones: readonly string[],
	ask: (engine: Engine) => Promise<OperationView>,
	check: (result: Crashed) => void | Promise<void>,
	least: number,
) {
	let steps = 0;
	for (; steps < 100; steps++) {
		const result = await crash(clones, ask, steps);
		await checkLayers(result);
		await check(result);
		// Whatever came of it: with the last of them all that they shared is gone.
		const {engine, names, layers} = result;
		for (const name of names) {
			expect(
				await done(engine, engine.act({action: 'delete', names: [name], options: {purge: true}, by})),
			).toMatchObject({
				state: 'done',
			});
		}
		expect(layers()).toEqual([]);
		await engine.close();
		if (result.ended === 'ended') break;
	}
	// The loop ends when all was done before the kill: there were that many steps.
	expect(steps).toBeGreaterThanOrEqual(least);
	expect(steps).toBeLessThan(100);
}

const purge = (name: string) => (engine: Engine) =>
	engine.act({action: 'delete', names: [name], options: {purge: true}, by});

describe('kill -9', {timeout: 120_000}, () => {
	test('while a linked clone is made: it is there whole or not at all, and the other is whole', async () => {
		const seen = new Set<string>();
		await atEveryStep(
			[],
			engine => engine.clone({name: 'web', as: 'two', linked: true, by}),
			({names, layers, record}) => {
				seen.add(`${names.join()} ${layers().length}`);
				if (!names.includes('two')) return;
				const [web, two] = [record('web'), record('two')];
				expect(two).toMatchObject({phase: 'ready', desired: 'stopped'});
				expect([two.id, two.hardware.mac, two.ssh.hostKey]).not.toContain(web.id);
				expect(two.hardware.mac).not.toBe(web.hardware.mac);
				expect(two.ssh.hostKey).not.toBe(web.ssh.hostKey);
			},
			10,
		);
		expect([...seen].sort()).toEqual(['two,web 1', 'web 0']);
	});

	test('while the source of one is purged: the clone is not hurt', async () => {
		const seen = new Set<string>();
		await atEveryStep(
			['two'],
			purge('web'),
			({names, layers}) => void seen.add(`${names.join()} ${layers().length}`),
			5,
		);
		expect([...seen].sort()).toEqual(['two 1', 'two,web 1']);
	});

	test('while one is purged that others have a layer with: that stays; with the last it goes', async () => {
		const seen = new Set<string>();
		await atEveryStep(['two', 'three'], purge('two'), ({names}) => void seen.add(names.join()), 5);
		expect([...seen].sort()).toEqual(['three,two,web', 'three,web']);
		seen.clear();
		await atEveryStep(
			['two'],
			async engine => {
				await done(engine, purge('web')(engine));
				return purge('two')(engine);
			},
			({names, layers}) => void seen.add(`${names.join()} ${layers().length}`),
			12,
		);
		expect([...seen].sort()).toEqual([' 0', 'two 1', 'two,web 1']);
	});
});
