import {expect, onTestFinished, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {isEnded} from '../../source/model/operation.ts';
import {until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {World} from '../support/switch.ts';

const by = 'kim';
const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));
const done = async (engine: Engine, operation: Promise<{id: string}>) => engine.wait({id: (await operation).id});

test('after a reboot of the host what ran runs again, as far as its restore policy has it', async () => {
	const world = new World(scratchPaths());
	const {engine: first} = await world.live();
	for (const name of ['ran', 'never', 'always', 'stopped', 'saved']) await done(first, first.launch({name, by}));
	await first.set({key: 'local.never.restore', value: 'never', by});
	await first.set({key: 'local.always.restore', value: 'always', by});
	for (const name of ['always', 'stopped']) await done(first, first.act({action: 'stop', names: [name], by}));
	await done(first, first.act({action: 'suspend', names: ['saved'], by}));
	await first.close();
	world.shared.machines.clear();

	const {engine: same} = await world.live();
	expect((await states(same))['ran']).toBe('Stopped');
	await same.close();

	const {engine} = await world.live(Number.POSITIVE_INFINITY, 'boot-2');
	onTestFinished(() => engine.close());
	await until(
		() => engine.operations(),
		operations => operations.length > 0 && operations.every(isEnded),
	);
	expect(await states(engine)).toEqual({
		ran: 'Running',
		never: 'Stopped',
		always: 'Running',
		stopped: 'Stopped',
		saved: 'Suspended',
	});
	expect((await engine.operations())[0]).toMatchObject({by: 'host reboot'});
});

test('a restore policy is read and set like other properties of an instance', async () => {
	const world = new World(scratchPaths());
	const {engine} = await world.live();
	onTestFinished(() => engine.close());
	await done(engine, engine.launch({name: 'web', by}));
	expect(await engine.get({key: 'local.web.restore'})).toEqual({
		key: 'local.web.restore',
		value: 'as-it-was',
		isDefault: true,
	});
	await engine.set({key: 'local.web.restore', value: 'suspended', by});
	expect(await engine.get({key: 'local.web.restore'})).toMatchObject({value: 'suspended', isDefault: false});
	await expect(engine.set({key: 'local.web.restore', value: 'maybe', by})).rejects.toMatchObject({
		code: 'setting.invalid',
	});
	await expect(engine.set({key: 'local.nosuch.restore', value: 'never', by})).rejects.toMatchObject({
		code: 'instance.missing',
	});
});
