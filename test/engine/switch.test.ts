import {describe, expect, onTestFinished, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import {DroverError} from '../../source/model/errors.ts';
import {isEnded} from '../../source/model/operation.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {World} from '../support/switch.ts';

const by = 'kim';

async function open() {
	const world = new World(scratchPaths());
	const {engine} = await world.live();
	onTestFinished(() => engine.close());
	return {world, engine};
}

async function launch(engine: Engine, name: string) {
	expect(await engine.wait({id: (await engine.launch({name, by})).id})).toMatchObject({state: 'done'});
}

async function act(engine: Engine, action: Parameters<Engine['act']>[0]['action'], name: string) {
	await engine.wait({id: (await engine.act({action, names: [name], by})).id});
}

async function switchTo(engine: Engine, to: DriverName) {
	return engine.wait({id: (await engine.switchDriver({to, by})).id});
}

const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));
const boots = async (world: World, engine: Engine) =>
	Object.fromEntries(
		(await engine.list()).map(({id, name}) => [name, world.shared.bootIdOf(id) ?? world.lxd.bootIdOf(id)]),
	);

/** One instance of each state. */
async function furnish(engine: Engine) {
	for (const name of ['running', 'stopped', 'suspended', 'deleted']) await launch(engine, name);
	await act(engine, 'stop', 'stopped');
	await act(engine, 'suspend', 'suspended');
	await act(engine, 'delete', 'deleted');
}

const furnished = {running: 'Running', stopped: 'Stopped', suspended: 'Suspended', deleted: 'Deleted'};

describe('a switch', () => {
	test('hides one scope and shows another, and brings the first back as it was', async () => {
		const {world, engine} = await open();
		await furnish(engine);
		const before = await boots(world, engine);
		expect(await switchTo(engine, 'lxd')).toMatchObject({state: 'done', kind: 'switch'});
		expect(await engine.list()).toEqual([]);
		expect(world.shared.machines.size).toBe(0);
		expect((await engine.overview()).elsewhere).toEqual([{scope: 'qemu', count: 4}]);
		await launch(engine, 'running');
		expect(await states(engine)).toEqual({running: 'Running'});

		await switchTo(engine, 'qemu');
		expect(await states(engine)).toEqual(furnished);
		expect(await boots(world, engine)).toEqual(before);
		expect(world.lxd.machines.size).toBe(0);

		await switchTo(engine, 'lxd');
		expect(await states(engine)).toEqual({running: 'Running'});
	});

	test('within the shared scope takes the instances and their memory along, ten times', async () => {
		const {world, engine} = await open();
		await furnish(engine);
		const before = await boots(world, engine);
		for (let round = 0; round < 10; round++) {
			await switchTo(engine, round % 2 === 0 ? 'libvirt' : 'qemu');
			expect(await states(engine)).toEqual(furnished);
			expect(await boots(world, engine)).toEqual(before);
			expect(world.shared.machines.size).toBe(1);
			expect((await engine.list())[0]?.driver).toBe(round % 2 === 0 ? 'libvirt' : 'qemu');
		}
	});

	test('what the user suspended stays the user’s: a switch never resumes it', async () => {
		const {engine} = await open();
		await launch(engine, 'mine');
		await act(engine, 'suspend', 'mine');
		await switchTo(engine, 'lxd');
		await switchTo(engine, 'qemu');
		expect((await engine.list())[0]).toMatchObject({state: 'Suspended', suspendedBy: 'user'});
	});

	test('the story tells what was done to each, and the history of each instance too', async () => {
		const {engine} = await open();
		await furnish(engine);
		await switchTo(engine, 'lxd');
		expect(await engine.switchStory()).toMatchObject({
			from: 'qemu',
			to: 'lxd',
			by,
			phase: 'done',
			outcome: 'switched',
			park: expect.arrayContaining([
				expect.objectContaining({name: 'running', method: 'suspend', result: 'done'}),
				expect.objectContaining({name: 'stopped', method: 'leave'}),
			]),
		});
		await switchTo(engine, 'qemu');
		const events = (await engine.instanceEvents({name: 'running'})).map(event => event.what);
		expect(events).toContainEqual(expect.stringMatching(/^suspended by the switch to lxd, /));
		expect(events).toContainEqual(expect.stringMatching(/^resumed after the switch from lxd, /));
	});

	test('a name that lives in another scope is told as such', async () => {
		const {engine} = await open();
		await launch(engine, 'web');
		await switchTo(engine, 'lxd');
		await expect(engine.act({action: 'start', names: ['web'], by})).rejects.toMatchObject({
			code: 'instance.missing',
			message: 'instance "web" does not exist in lxd; one of that name is parked in qemu',
			next: 'drover switch qemu makes that scope the current one.',
		});
	});

	test('a plan touches nothing', async () => {
		const {world, engine} = await open();
		await furnish(engine);
		const calls = world.shared.calls.length;
		const plan = await engine.switchPlan({to: 'lxd'});
		expect(plan.park.map(({name, method}) => [name, method]).sort()).toEqual([
			['deleted', 'leave'],
			['running', 'suspend'],
			['stopped', 'leave'],
			['suspended', 'leave'],
		]);
		expect(world.shared.calls.length).toBe(calls);
		expect(await engine.switchStory()).toBeUndefined();
	});

	test('`set local.driver` is the same switch', async () => {
		const {engine} = await open();
		await launch(engine, 'web');
		expect(await engine.set({key: 'local.driver', value: 'LXD', by})).toMatchObject({value: 'lxd'});
		expect(await engine.list()).toEqual([]);
		expect(await engine.switchStory()).toMatchObject({outcome: 'switched'});
		expect(await engine.set({key: 'local.driver', value: 'lxd', by})).toMatchObject({value: 'lxd'});
	});
});

test('a driver that this version does not have is answered with one it has, and told; the setting stays', async () => {
	const {paths} = new World(scratchPaths());
	const {writeFileSync} = await import('node:fs');
	const {makePrivate} = await import('../../source/state/paths.ts');
	makePrivate(paths.config);
	writeFileSync(`${paths.config}/settings.json`, '{"local.driver": "lxd"}');
	const {engine} = await simulatedEngine(paths);
	const overview = await engine.overview();
	expect(overview.driver.name).toBe('qemu');
	expect(overview.notices.map(notice => notice.text)).toEqual([
		expect.stringContaining('The driver lxd cannot be used by this version'),
	]);
	expect(await engine.get({key: 'local.driver'})).toMatchObject({value: 'lxd'});
});

describe('a switch that meets bad luck', () => {
	test('one of three refuses to suspend: the old driver stays, all run as before, the message names it', async () => {
		const {world, engine} = await open();
		for (const name of ['a', 'b', 'c']) await launch(engine, name);
		const before = await boots(world, engine);
		world.shared.before.set('suspend', ({name}) => {
			if (name === 'b') throw new DroverError('driver.failed', 'the guest refuses');
		});
		const ended = await switchTo(engine, 'lxd');
		expect(ended).toMatchObject({
			state: 'failed',
			error: {message: 'Still on QEMU: b could not be parked: the guest refuses'},
		});
		expect(await states(engine)).toEqual({a: 'Running', b: 'Running', c: 'Running'});
		expect(await boots(world, engine)).toEqual(before);
		expect(await engine.get({key: 'local.driver'})).toMatchObject({value: 'qemu'});
		expect(await engine.switchStory()).toMatchObject({outcome: 'stayed', phase: 'done'});
	});

	test('one that cannot be brought back stays parked with its reason; the others go on', async () => {
		const {world, engine} = await open();
		for (const name of ['a', 'b', 'c']) await launch(engine, name);
		await switchTo(engine, 'lxd');
		world.shared.before.set('start', ({name}) => {
			if (name === 'b') throw new DroverError('driver.failed', 'the memory cannot be loaded');
		});
		expect(await switchTo(engine, 'qemu')).toMatchObject({
			state: 'done',
			items: [{note: '1 could not be brought back: b'}],
		});
		expect(await states(engine)).toEqual({a: 'Running', b: 'Suspended', c: 'Running'});
		expect((await engine.list())[1]).toMatchObject({
			suspendedBy: 'switch',
			reason: expect.stringContaining('the memory cannot be loaded'),
		});
		expect(await engine.switchStory()).toMatchObject({outcome: 'partly'});
		// It can be tried again, by the switch's next round or by hand.
		world.shared.before.clear();
		await act(engine, 'start', 'b');
		expect(await states(engine)).toEqual({a: 'Running', b: 'Running', c: 'Running'});
	});

	test('a target that cannot be used is refused before anything is touched', async () => {
		const {world, engine} = await open();
		await launch(engine, 'web');
		const calls = world.shared.calls.length;
		world.lxd.health = {
			installed: false,
			usable: false,
			summary: 'LXD is not installed',
			remedy: 'install it',
			checkedAt: 0,
		};
		await expect(engine.switchDriver({to: 'lxd', by})).rejects.toMatchObject({
			code: 'driver.not-installed',
			next: 'install it',
		});
		await expect(engine.switchDriver({to: 'virtualbox', by})).rejects.toMatchObject({code: 'driver.unsupported'});
		await expect(engine.switchDriver({to: 'qemu', by})).rejects.toMatchObject({code: 'setting.invalid'});
		await expect(engine.set({key: 'local.driver', value: 'nosuch', by})).rejects.toMatchObject({
			code: 'setting.invalid',
		});
		expect(world.shared.calls.length).toBe(calls);
		expect(await states(engine)).toEqual({web: 'Running'});
	});

	test('work under way is in the way, and says so; while switching nothing else is begun', async () => {
		const {world, engine} = await open();
		await launch(engine, 'web');
		let go!: () => void;
		world.shared.before.set('create', () => new Promise(resolve => (go = resolve)));
		const {id} = await engine.launch({name: 'new', by});
		await until(
			() => world.shared.calls,
			calls => calls.includes('create new'),
		);
		await expect(engine.switchDriver({to: 'lxd', by})).rejects.toMatchObject({
			code: 'instance.busy',
			message: 'Work is under way: launch new.',
		});
		go();
		await engine.wait({id});

		let park!: () => void;
		world.shared.before.set('suspend', () => new Promise(resolve => (park = resolve)));
		const operation = await engine.switchDriver({to: 'lxd', by});
		await until(
			() => world.shared.calls,
			calls => calls.some(call => call.startsWith('suspend')),
		);
		await expect(engine.switchDriver({to: 'libvirt', by})).rejects.toMatchObject({code: 'driver.switching'});
		await expect(engine.launch({name: 'other', by})).rejects.toMatchObject({code: 'driver.switching'});
		await expect(engine.act({action: 'stop', names: ['web'], by})).rejects.toMatchObject({code: 'driver.switching'});
		world.shared.before.clear();
		park();
		await until(() => engine.operation({id: operation.id}), isEnded).catch(() => {});
	});
});
