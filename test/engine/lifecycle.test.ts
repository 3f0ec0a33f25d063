import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {instanceDirectory, type Paths, scopeDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, simulatedImages, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';

async function launch(engine: Engine, name: string) {
	const {id} = await engine.launch({name, by});
	return engine.wait({id});
}

async function act(engine: Engine, action: Parameters<Engine['act']>[0]['action'], names: string[], options = {}) {
	const {id} = await engine.act({action, names, options, by});
	return engine.wait({id});
}

const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));
const record = (paths: Paths, name: string) =>
	JSON.parse(readFileSync(`${instanceDirectory(paths, 'qemu', name)}/instance.json`, 'utf8'));

describe('launch', () => {
	test('ends with a running instance and a record that says all', async () => {
		const paths = scratchPaths();
		const {engine} = await simulatedEngine(paths);
		const ended = await launch(engine, 'web');
		expect(ended).toMatchObject({state: 'done', kind: 'launch', by, items: [{target: 'web', state: 'done'}]});
		expect(await states(engine)).toEqual({web: 'Running'});
		expect(record(paths, 'web')).toMatchObject({
			phase: 'ready',
			desired: 'running',
			createdBy: by,
			image: {hash: `sha256:${'0'.repeat(64)}`},
		});
		expect(record(paths, 'web').intent).toBeUndefined();
		expect((await engine.instanceEvents({name: 'web'})).map(event => event.what)).toEqual([
			'launched from default',
			expect.stringMatching(/^initialized, /),
		]);
	});

	test('two of one name at once: one wins, the other is told', async () => {
		const {engine, hypervisor} = await simulatedEngine(scratchPaths());
		const results = await Promise.allSettled([engine.launch({name: 'web', by}), engine.launch({name: 'web', by})]);
		expect(results.map(result => result.status).sort()).toEqual(['fulfilled', 'rejected']);
		const refused = results.find(result => result.status === 'rejected');
		expect(refused?.reason).toMatchObject({code: 'instance.exists'});
		const won = results.find(result => result.status === 'fulfilled');
		await engine.wait({id: won!.value.id});
		expect(await states(engine)).toEqual({web: 'Running'});
		expect(hypervisor.machines.size).toBe(1);
	});

	test.each([
		[{name: '1web'}, 'instance.name-invalid'],
		[{name: 'we b'}, 'instance.name-invalid'],
		[{name: '../evil'}, 'instance.name-invalid'],
		[{name: 'a'.repeat(64)}, 'instance.name-invalid'],
		[{cpus: 0}, 'instance.invalid'],
		[{cpus: 1.5}, 'instance.invalid'],
		[{memory: 1000}, 'instance.invalid'],
		[{disk: 1000}, 'instance.invalid'],
		[{image: 'nosuch'}, 'image.unknown'],
		[{networks: ['eth0']}, 'driver.incapable'],
		[{cloudInit: 'a: [1,\nb: }'}, undefined],
	])('refuses %j and creates nothing', async (request, code) => {
		const paths = scratchPaths();
		const {engine} = await simulatedEngine(paths);
		await expect(engine.launch({name: 'ok', by, ...request})).rejects.toMatchObject(
			code === undefined ? {name: 'DroverError'} : {code},
		);
		expect(await engine.list()).toEqual([]);
		expect(readdirSync(scopeDirectory(paths, 'qemu'))).toEqual([]);
	});

	test('that fails on the way leaves nothing behind', async () => {
		const paths = scratchPaths();
		const {engine, hypervisor} = await simulatedEngine(paths);
		hypervisor.before.set('start', () => {
			throw new Error('no such machine');
		});
		expect(await launch(engine, 'web')).toMatchObject({state: 'failed'});
		expect(await engine.list()).toEqual([]);
		expect(existsSync(instanceDirectory(paths, 'qemu', 'web'))).toBe(false);
		expect(hypervisor.machines.size).toBe(0);
	});

	test('that is cancelled leaves nothing behind', async () => {
		const paths = scratchPaths();
		const images = simulatedImages(paths, {
			beforeFetch: signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
		});
		const {engine} = await simulatedEngine(paths, {images});
		const {id} = await engine.launch({name: 'web', by});
		await until(
			() => engine.operation({id}),
			operation => operation.items[0]?.stage === 'fetching',
		);
		await engine.cancel({id, by});
		expect(await engine.wait({id})).toMatchObject({state: 'cancelled'});
		expect(await engine.list()).toEqual([]);
		expect(existsSync(instanceDirectory(paths, 'qemu', 'web'))).toBe(false);
	});

	test('that is purged before its guest answers is undone, and purging it has done what was asked', async () => {
		const {engine} = await simulatedEngine(scratchPaths(), {answers: () => false});
		const {id} = await engine.launch({name: 'web', by});
		await until(
			() => engine.operation({id}),
			operation => operation.items[0]?.stage.startsWith('waiting for the guest') === true,
		);
		const {id: purge} = await engine.act({action: 'delete', names: ['web'], options: {purge: true}, by});
		expect(await engine.wait({id: purge})).toMatchObject({
			state: 'done',
			items: [{note: expect.stringMatching(/undone/)}],
		});
		expect(await engine.wait({id})).toMatchObject({state: 'failed'});
		expect(await engine.list()).toEqual([]);
	});

	test('whose guest never answers keeps the instance as Unknown, which can be forced off, and heals by itself', async () => {
		let answers = false;
		const {engine} = await simulatedEngine(scratchPaths(), {answers: () => answers});
		const {id} = await engine.launch({name: 'web', by, answerTimeout: 0.05});
		expect(await engine.wait({id})).toMatchObject({state: 'failed', error: {code: 'guest.unanswered'}});
		expect(await states(engine)).toEqual({web: 'Unknown'});
		expect(await engine.instanceEvents({name: 'web'})).toMatchObject([
			{by, what: 'launched from default, and the guest did not answer on SSH in 0.05 s'},
		]);
		await expect(engine.act({action: 'start', names: ['web'], by})).rejects.toMatchObject({code: 'instance.state'});
		answers = true;
		await engine.refresh();
		expect(await states(engine)).toEqual({web: 'Running'});
		await act(engine, 'stop', ['web'], {force: true});
		expect(await states(engine)).toEqual({web: 'Stopped'});
	});
});

describe('actions', () => {
	test('suspend and start keep the boot, stop and start change it', async () => {
		const {engine, hypervisor} = await simulatedEngine(scratchPaths());
		await launch(engine, 'web');
		const {id} = (await engine.list())[0]!;
		const first = hypervisor.bootIdOf(id);
		await act(engine, 'suspend', ['web']);
		expect(await states(engine)).toEqual({web: 'Suspended'});
		await act(engine, 'start', ['web']);
		expect(hypervisor.bootIdOf(id)).toBe(first);
		expect(hypervisor.calls).toContain('awake web');
		await act(engine, 'stop', ['web']);
		await act(engine, 'start', ['web']);
		expect(hypervisor.bootIdOf(id)).not.toBe(first);
	});

	test('one bad name or state fails the whole request before anything is touched', async () => {
		const {engine, hypervisor} = await simulatedEngine(scratchPaths());
		await launch(engine, 'web');
		await launch(engine, 'db');
		await act(engine, 'suspend', ['db']);
		const before = hypervisor.calls.length;
		await expect(engine.act({action: 'stop', names: ['web', 'nosuch'], by})).rejects.toMatchObject({
			code: 'instance.missing',
		});
		await expect(engine.act({action: 'stop', names: ['web', 'db'], by})).rejects.toMatchObject({
			code: 'instance.state',
			message: 'cannot stop: instance "db": cannot shut down suspended instance; nothing was done to the 1 others',
		});
		expect(hypervisor.calls.length).toBe(before);
		expect(await states(engine)).toEqual({db: 'Suspended', web: 'Running'});
	});

	test('what is so already is a success with a note', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		await launch(engine, 'web');
		expect(await act(engine, 'start', ['web'])).toMatchObject({state: 'done', items: [{note: 'already running'}]});
	});

	test('delete goes to the trash, keeps the name, and recover brings it back; purge is for good', async () => {
		const paths = scratchPaths();
		const {engine, hypervisor} = await simulatedEngine(paths);
		await launch(engine, 'web');
		await act(engine, 'delete', ['web']);
		expect(await states(engine)).toEqual({web: 'Deleted'});
		expect(hypervisor.machines.size).toBe(0);
		await expect(engine.launch({name: 'web', by})).rejects.toMatchObject({code: 'instance.exists'});
		await expect(engine.act({action: 'start', names: ['web'], by})).rejects.toMatchObject({code: 'instance.deleted'});
		await act(engine, 'recover', ['web']);
		expect(await states(engine)).toEqual({web: 'Stopped'});
		await expect(engine.act({action: 'purge', names: ['web'], by})).rejects.toMatchObject({code: 'instance.state'});
		await act(engine, 'delete', ['web']);
		await act(engine, 'purge', []);
		expect(await engine.list()).toEqual([]);
		expect(readdirSync(scopeDirectory(paths, 'qemu'))).toEqual([]);
	});

	test('a suspended instance stays suspended through delete and recover', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		await launch(engine, 'web');
		await act(engine, 'suspend', ['web']);
		await act(engine, 'delete', ['web']);
		await act(engine, 'recover', ['web']);
		expect(await states(engine)).toEqual({web: 'Suspended'});
	});

	test('a forced stop ends a start that waits for its guest', async () => {
		let answers = true;
		const {engine} = await simulatedEngine(scratchPaths(), {answers: () => answers});
		await launch(engine, 'web');
		await act(engine, 'stop', ['web']);
		answers = false;
		const starting = await engine.act({action: 'start', names: ['web'], by});
		await until(
			() => states(engine),
			all => all['web'] === 'Starting',
		);
		await act(engine, 'stop', ['web'], {force: true});
		expect(await engine.wait({id: starting.id})).toMatchObject({state: 'failed', error: {code: 'operation.cancelled'}});
		expect(await states(engine)).toEqual({web: 'Stopped'});
	});

	test('a guest that powers itself off while it is started is told as such', async () => {
		let answers = true;
		const {engine, hypervisor} = await simulatedEngine(scratchPaths(), {answers: () => answers});
		await launch(engine, 'web');
		await act(engine, 'stop', ['web']);
		answers = false;
		const {id} = await engine.act({action: 'start', names: ['web'], by});
		await until(
			() => [...hypervisor.machines.keys()],
			keys => keys.length === 1,
		);
		hypervisor.machines.clear();
		expect(await engine.wait({id})).toMatchObject({state: 'failed', error: {code: 'guest.failed'}});
		expect(await states(engine)).toEqual({web: 'Stopped'});
	});

	test('a second start joins the first', async () => {
		let answers = true;
		const {engine, hypervisor} = await simulatedEngine(scratchPaths(), {answers: () => answers});
		await launch(engine, 'web');
		await act(engine, 'stop', ['web']);
		answers = false;
		const first = await engine.act({action: 'start', names: ['web'], by});
		await until(
			() => states(engine),
			all => all['web'] === 'Starting',
		);
		const second = await engine.act({action: 'start', names: ['web'], by});
		answers = true;
		expect(await engine.wait({id: first.id})).toMatchObject({state: 'done'});
		expect(await engine.wait({id: second.id})).toMatchObject({state: 'done', items: [{note: 'was already under way'}]});
		expect(hypervisor.calls.filter(call => call === 'start web').length).toBe(2);
	});

	test('one of several that fails does not stop the others', async () => {
		const {engine, hypervisor} = await simulatedEngine(scratchPaths());
		for (const name of ['a', 'b', 'c']) await launch(engine, name);
		hypervisor.before.set('suspend', ({name}) => {
			if (name === 'b') throw new Error('the guest refuses');
		});
		const ended = await act(engine, 'suspend', ['a', 'b', 'c']);
		expect(ended).toMatchObject({state: 'failed', items: [{state: 'done'}, {state: 'failed'}, {state: 'done'}]});
		expect(await states(engine)).toEqual({a: 'Suspended', b: 'Running', c: 'Suspended'});
	});

	test('a delayed stop waits, can be called off, and comes due', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		await launch(engine, 'web');
		await act(engine, 'stop', ['web'], {delayMinutes: 5});
		expect(await states(engine)).toEqual({web: 'Delayed Shutdown'});
		expect(engine.isIdle()).toBe(false);
		await act(engine, 'stop', ['web'], {cancelDelayed: true});
		expect(await states(engine)).toEqual({web: 'Running'});
		expect(engine.isIdle()).toBe(true);
		await act(engine, 'stop', ['web'], {delayMinutes: 0.001});
		await until(
			() => states(engine),
			all => all['web'] === 'Stopped',
		);
	});

	test('a guest that powers itself off is seen, and its history says so', async () => {
		const {engine, hypervisor} = await simulatedEngine(scratchPaths());
		await launch(engine, 'web');
		const {id} = (await engine.list())[0]!;
		hypervisor.vanish(id);
		await until(
			() => states(engine),
			all => all['web'] === 'Stopped',
		);
		const events = await until(
			() => engine.instanceEvents({name: 'web'}),
			all => all.length === 3,
		);
		expect(events[2]?.what).toBe('the guest powered off');
	});

	test('a driver that cannot be used refuses with its reason and remedy', async () => {
		const hypervisor = new SimulatedHypervisor();
		hypervisor.health = {
			installed: false,
			usable: false,
			summary: 'QEMU is not installed',
			remedy: 'apt-get install it',
			checkedAt: 0,
		};
		const {engine} = await simulatedEngine(scratchPaths(), {hypervisor});
		await expect(engine.launch({name: 'web', by})).rejects.toMatchObject({
			code: 'driver.not-installed',
			next: 'apt-get install it',
		});
		expect(await engine.list()).toEqual([]);
	});
});
