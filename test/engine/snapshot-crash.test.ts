import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {isEnded, type OperationView} from '../../source/model/operation.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {step, World} from '../support/switch.ts';

/*
 * Every file that is written and all that the hypervisor does is a step at which the daemon may be killed: before it, or
 * right after.
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
	};
});

const by = 'kim';

const done = async (engine: Engine, operation: Promise<{id: string}>) => engine.wait({id: (await operation).id});

/** An instance with snapshots a and b, whose disk was changed since. */
async function furnished() {
	const world = new World(scratchPaths());
	world.shared.offers.set('qemu', ['snapshots', 'clone']);
	const first = await world.live();
	const {engine} = first;
	const directory = (name: string) => instanceDirectory(world.paths, 'qemu', name);
	const disk = (name: string) => path.join(directory(name), 'disk');
	await done(engine, engine.launch({name: 'web', by}));
	await done(engine, engine.act({action: 'stop', names: ['web'], by}));
	for (const name of ['a', 'b']) {
		writeFileSync(disk('web'), name);
		await done(engine, engine.snapshot({name: 'web', snapshot: name, by}));
	}
	writeFileSync(disk('web'), 'now');
	return {
		world,
		first,
		content: (name: string) => readFileSync(disk(name), 'utf8'),
		record: (name: string): InstanceRecord =>
			JSON.parse(readFileSync(path.join(directory(name), 'instance.json'), 'utf8')),
		exists: (name: string) => existsSync(directory(name)),
	};
}

/** Kills the daemon after so many steps of what it is asked to do; a new one has done its work when this returns. */
async function crash(ask: (engine: Engine) => Promise<OperationView>, steps: number) {
	const place = await furnished();
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
		operations => operations.every(isEnded),
		10_000,
	);
	const [web] = await engine.snapshots({names: ['web']});
	const names = web!.snapshots.map(({name}) => name);
	return {...place, engine, ended, names};
}

type Crashed = Awaited<ReturnType<typeof crash>>;

/** What the hypervisor has and what the tree has are the same, and each is what it was when it was taken. */
async function checkSnapshots({world, engine, names, content, record}: Crashed) {
	const {id, intent} = record('web');
	expect(intent).toBeUndefined();
	expect(world.shared.parts.snapshots.get(id)!.size).toBe(names.length);
	for (const name of names) {
		await done(engine, engine.restore({name: 'web', snapshot: name, destructive: true, by}));
		const expected = name === 'a' || name === 'b' ? name : 'now';
		expect([name, content('web')]).toEqual([name, expected]);
	}
}

async function atEveryStep(
	ask: (engine: Engine) => Promise<OperationView>,
	check: (result: Crashed) => void | Promise<void>,
	least: number,
) {
	let steps = 0;
	for (; steps < 100; steps++) {
		const result = await crash(ask, steps);
		await check(result);
		await checkSnapshots(result);
		await result.engine.close();
		if (result.ended === 'ended') break;
	}
	// The loop ends when all was done before the kill: there were that many steps.
	expect(steps).toBeGreaterThanOrEqual(least);
	expect(steps).toBeLessThan(100);
}

describe('kill -9', {timeout: 120_000}, () => {
	test('while a snapshot is taken: it is there whole, or was never asked for', async () => {
		const seen = new Set<string>();
		await atEveryStep(
			engine => engine.snapshot({name: 'web', snapshot: 'c', by}),
			({names, content}) => {
				seen.add(names.join());
				expect(content('web')).toBe('now');
			},
			7,
		);
		expect([...seen].sort()).toEqual(['a,b', 'a,b,c']);
	});

	test('while one is restored: all of it or nothing, and nothing is lost either way', async () => {
		const seen = new Set<string>();
		await atEveryStep(
			engine => engine.restore({name: 'web', snapshot: 'a', destructive: false, by}),
			({names, content}) => {
				seen.add(`${content('web')}: ${names.join()}`);
			},
			10,
		);
		expect([...seen].sort()).toEqual(['a: a,b,snapshot3', 'now: a,b']);
	});

	test('while some are deleted: all of them, or none', async () => {
		const seen = new Set<string>();
		await atEveryStep(
			engine => engine.deleteSnapshots({name: 'web', snapshots: ['a', 'b'], by}),
			({names, content}) => {
				seen.add(names.join());
				expect(content('web')).toBe('now');
			},
			8,
		);
		expect([...seen].sort()).toEqual(['', 'a,b']);
	});

	test('while a clone is made: it is there whole or not at all, and its name is not used again', async () => {
		const seen = new Set<string>();
		await atEveryStep(
			engine => engine.clone({name: 'web', by}),
			async ({engine, content, record, exists}) => {
				const list = await engine.list();
				seen.add(list.map(({name, state}) => `${name} ${state}`).join());
				expect(content('web')).toBe('now');
				if (!exists('web-clone1')) return;
				const [web, clone] = [record('web'), record('web-clone1')];
				expect(content('web-clone1')).toBe('now');
				expect(clone).toMatchObject({phase: 'ready', desired: 'stopped'});
				expect(clone.intent).toBeUndefined();
				expect(web.clones).toBe(1);
				for (const identity of ['id', 'name'] as const) expect(clone[identity]).not.toBe(web[identity]);
				expect(clone.hardware.mac).not.toBe(web.hardware.mac);
				expect(clone.ssh.hostKey).not.toBe(web.ssh.hostKey);
			},
			7,
		);
		expect([...seen].sort()).toEqual(['web Stopped', 'web Stopped,web-clone1 Stopped']);
	});
});
