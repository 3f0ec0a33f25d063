import fc from 'fast-check';
import {afterEach, describe, expect, test, vi} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import {isEnded} from '../../source/model/operation.ts';
import {until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {step, World} from '../support/switch.ts';

/*
 * Every file that is written is a step at which the daemon may be killed: before it is on the disk, or right after.
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
const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));

type Wish = 'Running' | 'Stopped' | 'Suspended' | 'Deleted';

async function furnish(engine: Engine, wishes: Readonly<Record<string, Wish>>) {
	for (const [name, wish] of Object.entries(wishes)) {
		await done(engine, engine.launch({name, by}));
		const action = {Running: undefined, Stopped: 'stop', Suspended: 'suspend', Deleted: 'delete'}[wish] as
			| 'stop'
			| undefined;
		if (action) await done(engine, engine.act({action, names: [name], by}));
	}
}

const allBoots = (world: World) =>
	Object.fromEntries([...world.shared.machines, ...world.lxd.machines].map(([id, machine]) => [id, machine.bootId]));

/** Lets a switch be killed after `steps` traces, starts a new daemon, and tells what is there when it has done its work. */
async function crash(from: DriverName, to: DriverName, wishes: Readonly<Record<string, Wish>>, steps: number) {
	const world = new World(scratchPaths());
	const first = await world.live();
	if (from !== 'qemu') await done(first.engine, first.engine.switchDriver({to: from, by}));
	await furnish(first.engine, wishes);
	const before = allBoots(world);
	first.life.stepsLeft = steps;
	const ended = await world.within(first.life, () => {
		const switching = done(first.engine, first.engine.switchDriver({to, by})).then(() => 'ended' as const);
		const killed = until(() => first.life.isOver, Boolean, 10_000).then(() => 'killed' as const);
		return Promise.race([switching, killed]);
	});
	first.life.isOver = true;
	const second = await world.live();
	const {engine} = second;
	await until(
		() => engine.operations(),
		operations => operations.every(isEnded),
		10_000,
	);
	return {world, engine, before, ended};
}

/** What must hold after any crash: all are there, in one scope, in the state they were in, with the boots they had. */
async function checkNothingIsLost(
	{world, engine, before}: Awaited<ReturnType<typeof crash>>,
	{from, to, wishes}: {from: DriverName; to: DriverName; wishes: Readonly<Record<string, Wish>>},
) {
	const {value: current} = await engine.get({key: 'local.driver'});
	expect([from, to]).toContain(current);
	const story = await engine.switchStory();
	if (story) {
		expect(story.phase).toBe('done');
		// What was cut short is not told as still under way.
		expect([...story.park, ...story.restore].filter(line => line.result === 'running')).toEqual([]);
	}
	const isShared = from !== 'lxd' && to !== 'lxd';
	if (current === to && !isShared) {
		expect(await engine.list()).toEqual([]);
		expect(world.hypervisor(from).machines.size).toBe(0);
		await done(engine, engine.switchDriver({to: from, by}));
	}
	expect(await states(engine)).toEqual(wishes);
	const after = allBoots(world);
	expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
	if (from !== 'lxd') expect(after).toEqual(before);
	for (const entry of await engine.list())
		expect(entry.state === 'Running').toBe(world.hypervisor(from).machines.has(entry.id));
}

afterEach(() => vi.restoreAllMocks());

describe('kill -9 in a switch', () => {
	const wishes = {a: 'Running', b: 'Running', c: 'Stopped', d: 'Suspended', e: 'Deleted'} as const;

	test.each([
		['qemu', 'lxd'],
		['qemu', 'libvirt'],
		['lxd', 'qemu'],
	] as const)('from %s to %s, at every step of it: nothing is lost', {timeout: 400_000}, async (from, to) => {
		const here: Record<string, Wish> =
			from === 'lxd' ? {a: 'Running', b: 'Running', c: 'Stopped', e: 'Deleted'} : wishes;
		let steps = 0;
		for (; steps < 300; steps++) {
			const result = await crash(from, to, here, steps);
			await checkNothingIsLost(result, {from, to, wishes: here});
			await result.engine.close();
			if (result.ended === 'ended') break;
		}
		// The loop ends when the switch was over before the kill: there were that many steps.
		expect(steps).toBeGreaterThan(20);
		expect(steps).toBeLessThan(300);
	});

	test('random scopes, random moments', {timeout: 400_000}, async () => {
		const wish = fc.constantFrom<Wish>('Running', 'Stopped', 'Suspended', 'Deleted');
		await fc.assert(
			fc.asyncProperty(
				fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/), wish, {maxKeys: 5, noNullPrototype: true}),
				fc.constantFrom<[DriverName, DriverName]>(
					['qemu', 'lxd'],
					['qemu', 'libvirt'],
					['libvirt', 'qemu'],
					['libvirt', 'lxd'],
				),
				fc.nat(80),
				async (wishes, [from, to], steps) => {
					const result = await crash(from, to, wishes, steps);
					await checkNothingIsLost(result, {from, to, wishes});
					await result.engine.close();
				},
			),
			{numRuns: 40},
		);
	});
});
