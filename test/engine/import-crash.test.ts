import {readdirSync} from 'node:fs';
import {copyFile} from 'node:fs/promises';
import path from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {isEnded} from '../../source/model/operation.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {contentOf, MultipassData} from '../support/multipass.ts';
import {scratchPaths} from '../support/scratch.ts';
import {step, World} from '../support/switch.ts';

/* Every file that is written, and every copy, is a step at which the daemon may be killed: before it, or right after. */
vi.mock('../../source/state/atomic.ts', async original => {
	const real = await original<typeof import('../../source/state/atomic.ts')>();
	return {
		...real,
		async writeAtomic(...request: Parameters<typeof real.writeAtomic>) {
			await step();
			await real.writeAtomic(...request);
			await step();
		},
		async makeNew(directory: string) {
			await step();
			await real.makeNew(directory);
		},
	};
});
// Bytes as they are: what is tried here is what becomes of them, and not how they are converted.
vi.mock('../../source/images/flat-copy.ts', () => ({
	async copyFlat({file}: {file: string}, to: string) {
		await step();
		await copyFile(file, to);
		await step();
		return {virtualSize: 2 ** 21};
	},
}));

const by = 'kim';

const settled = (engine: Engine) =>
	until(
		() => engine.operations(),
		operations => operations.every(isEnded),
		20_000,
	);

describe('kill -9 in an import', () => {
	test('at every step of it: nothing is half done, and the next import ends it', {timeout: 300_000}, async () => {
		let steps = 0;
		for (; steps < 100; steps++) {
			const data = new MultipassData();
			data.add('one', {format: 'raw'});
			data.add('two', {format: 'raw'});
			const before = data.fingerprint();
			const world = new World(scratchPaths(), {multipassPlaces: [data.directory]});
			const {engine: first, life} = await world.live();
			life.stepsLeft = steps;
			const ended = await world.within(life, () => {
				const done = async () => {
					const {operation} = await first.importInstances({by});
					await first.wait({id: operation!.id});
					return 'ended' as const;
				};
				return Promise.race([done(), until(() => life.isOver, Boolean, 20_000).then(() => 'killed' as const)]);
			});
			life.isOver = true;
			const {engine} = await world.live();
			await settled(engine);
			// What was begun has been ended by itself or is gone; the rest comes with the next import.
			for (const {state, reason} of await engine.list()) expect([state, reason]).toEqual(['Stopped', undefined]);
			const {operation} = await engine.importInstances({by});
			if (operation !== undefined) expect(await engine.wait({id: operation.id})).toMatchObject({state: 'done'});
			expect((await engine.list()).map(({name, state}) => [name, state])).toEqual([
				['one', 'Stopped'],
				['two', 'Stopped'],
			]);
			for (const name of ['one', 'two']) {
				const directory = instanceDirectory(world.paths, 'qemu', name);
				expect(contentOf(path.join(directory, 'disk'), 'raw')).toBe(name);
				expect(readdirSync(directory).filter(file => /incoming|part/.test(file))).toEqual([]);
			}
			expect((await engine.importPlan({})).instances.map(({verdict}) => verdict)).toEqual(['here', 'here']);
			expect(data.fingerprint()).toBe(before);
			await engine.close();
			if (ended === 'ended') break;
		}
		// The loop ends when the import was over before the kill: there were that many steps.
		expect(steps).toBeGreaterThan(15);
		expect(steps).toBeLessThan(100);
	});
});
