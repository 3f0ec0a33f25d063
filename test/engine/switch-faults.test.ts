import {describe, expect, test, vi} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import {isEnded} from '../../source/model/operation.ts';
import {until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {World} from '../support/switch.ts';

/** How many more files can be written before the disk is full, and for how many writes it stays so. */
const disk = {room: Number.POSITIVE_INFINITY, full: 0};

vi.mock('../../source/state/atomic.ts', async original => {
	const real = await original<typeof import('../../source/state/atomic.ts')>();
	return {
		...real,
		async writeAtomic(...request: Parameters<typeof real.writeAtomic>) {
			if (disk.room-- <= 0 && disk.full-- > 0) throw new DroverError('host.disk-full', 'There is no space left.');
			return real.writeAtomic(...request);
		},
	};
});

const by = 'kim';
const names = ['a', 'b', 'c'];
const done = async (engine: Engine, operation: Promise<{id: string}>) => engine.wait({id: (await operation).id});

async function furnished() {
	disk.room = Number.POSITIVE_INFINITY;
	const world = new World(scratchPaths());
	const {engine} = await world.live();
	for (const name of names) await done(engine, engine.launch({name, by}));
	const ids = new Map((await engine.list()).map(({id, name}) => [name, id]));
	const boots = new Map(names.map(name => [name, world.shared.bootIdOf(ids.get(name)!)]));
	return {world, engine, ids, boots};
}

describe('a switch on a disk that fills up', () => {
	test.each([1, 4, 1000])(
		'at every write of it, for %i writes: nothing is lost, and all can be brought back',
		{timeout: 120_000},
		async full => {
			let hits = 0;
			for (let room = 0; room < 60; room += full === 1 ? 1 : 3) {
				const {world, engine, ids, boots} = await furnished();
				disk.room = room;
				disk.full = full;
				await done(engine, engine.switchDriver({to: 'libvirt', by})).catch(() => {});
				const wasHit = disk.full < full;
				if (wasHit) hits++;
				disk.room = Number.POSITIVE_INFINITY;
				await engine.close();

				const {engine: next} = await world.live();
				await until(
					() => next.operations(),
					operations => operations.every(isEnded),
				);
				const list = await next.list();
				expect(list.map(({name}) => name)).toEqual(names);
				for (const {name, state} of list) {
					expect(['Running', 'Suspended']).toContain(state);
					// At worst it is parked: its memory is there and loads.
					if (state === 'Suspended') await done(next, next.act({action: 'start', names: [name], by}));
					expect(world.shared.bootIdOf(ids.get(name)!)).toBe(boots.get(name));
				}
				await next.close();
				if (!wasHit) break;
			}
			expect(hits).toBeGreaterThan(5);
		},
	);
});

describe('a hypervisor process that is killed in a switch', () => {
	test.each(['suspend', 'start'] as const)(
		'while another is in %s: it is stopped at worst, the others are as they were',
		async method => {
			const {world, engine, ids, boots} = await furnished();
			world.shared.before.set(method, ({name}) => {
				if (name !== 'b') return;
				world.shared.vanish(ids.get('b')!, 'its process was killed');
				world.shared.before.clear();
				if (method === 'suspend') throw new DroverError('driver.failed', 'the process is gone');
			});
			await done(engine, engine.switchDriver({to: 'libvirt', by}));
			const list = await engine.list();
			expect(list.map(({name}) => name)).toEqual(names);
			for (const {name, state} of list) {
				expect(state).toBe('Running');
				if (name !== 'b') expect(world.shared.bootIdOf(ids.get(name)!)).toBe(boots.get(name));
			}
			await engine.close();
		},
	);
});
