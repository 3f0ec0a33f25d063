import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {isEnded} from '../../source/model/operation.ts';
import {instanceDirectory, scopeDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, simulatedImages, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const never = () => new Promise<void>(() => {});
const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));

async function launch(engine: Engine, name: string) {
	return engine.wait({id: (await engine.launch({name, by})).id});
}

const allEnded = (engine: Engine) =>
	until(
		() => engine.operations(),
		operations => operations.every(isEnded),
	);

describe('a daemon that dies without a word', () => {
	test('in a download: the next one takes the launch up and ends it', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: dead} = await simulatedEngine(paths, {
			hypervisor,
			images: simulatedImages(paths, {beforeFetch: never}),
		});
		const {id} = await dead.launch({name: 'web', by});
		await until(
			() => dead.operation({id}),
			operation => operation.items[0]?.stage === 'fetching',
		);

		const {engine} = await simulatedEngine(paths, {hypervisor});
		const [operation] = await engine.operations();
		expect(operation).toMatchObject({kind: 'launch', by, items: [{target: 'web'}]});
		await allEnded(engine);
		expect(await states(engine)).toEqual({web: 'Running'});
		expect(hypervisor.machines.size).toBe(1);
	});

	test('in a launch that cannot be ended any more: it is undone, nothing is left', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: dead} = await simulatedEngine(paths, {
			hypervisor,
			images: simulatedImages(paths, {beforeFetch: never}),
		});
		const {id} = await dead.launch({name: 'web', by});
		await until(
			() => dead.operation({id}),
			operation => operation.items[0]?.stage === 'fetching',
		);

		const images = simulatedImages(paths, {beforeFetch: () => Promise.reject(new Error('the catalogue is gone'))});
		const {engine} = await simulatedEngine(paths, {hypervisor, images});
		await allEnded(engine);
		expect(await engine.list()).toEqual([]);
		expect(readdirSync(scopeDirectory(paths, 'qemu'))).toEqual([]);
	});

	test.each(['create', 'start', 'awake'] as const)(
		'within %s of a launch or a resume: it is running after',
		async method => {
			const paths = scratchPaths();
			const hypervisor = new SimulatedHypervisor();
			const {engine: dead} = await simulatedEngine(paths, {hypervisor});
			if (method === 'awake') {
				await launch(dead, 'web');
				await dead.wait({id: (await dead.act({action: 'suspend', names: ['web'], by})).id});
			}
			hypervisor.before.set(method, never);
			if (method === 'awake') await dead.act({action: 'start', names: ['web'], by});
			else await dead.launch({name: 'web', by});
			await until(
				() => hypervisor.calls,
				calls => calls.includes(`${method} web`),
			);
			hypervisor.before.clear();

			const {engine} = await simulatedEngine(paths, {hypervisor});
			await allEnded(engine);
			expect(await states(engine)).toEqual({web: 'Running'});
		},
	);

	test.each([
		['suspend', 'suspend', 'Suspended'],
		['stop', 'stop', 'Stopped'],
		['restart', 'reboot', 'Running'],
		['delete', 'stop', 'Deleted'],
	] as const)('within %s: it is ended by the next', async (action, method, state) => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: dead} = await simulatedEngine(paths, {hypervisor});
		await launch(dead, 'web');
		hypervisor.before.set(method, never);
		await dead.act({action, names: ['web'], by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes(`${method} web`),
		);
		hypervisor.before.clear();

		const {engine} = await simulatedEngine(paths, {hypervisor});
		await allEnded(engine);
		expect(await states(engine)).toEqual({web: state});
	});

	test('in a purge: nothing is left', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: dead} = await simulatedEngine(paths, {hypervisor});
		await launch(dead, 'web');
		hypervisor.before.set('destroy', never);
		await dead.act({action: 'delete', names: ['web'], options: {purge: true}, by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes('destroy web'),
		);
		hypervisor.before.clear();

		const {engine} = await simulatedEngine(paths, {hypervisor});
		await allEnded(engine);
		expect(await engine.list()).toEqual([]);
		expect(hypervisor.machines.size).toBe(0);
		expect(readdirSync(scopeDirectory(paths, 'qemu'))).toEqual([]);
	});

	test('with instances running: they go on, untouched', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: dead} = await simulatedEngine(paths, {hypervisor});
		await launch(dead, 'web');
		const id = (await dead.list())[0]!.id;
		const bootId = hypervisor.bootIdOf(id);
		const calls = hypervisor.calls.length;

		const {engine} = await simulatedEngine(paths, {hypervisor});
		expect(await states(engine)).toEqual({web: 'Running'});
		expect(hypervisor.bootIdOf(id)).toBe(bootId);
		expect(hypervisor.calls.length).toBe(calls);
	});

	test('with a delayed stop: the next one carries it out, also when it came due meanwhile', async () => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: dead} = await simulatedEngine(paths, {hypervisor});
		await launch(dead, 'web');
		await dead.wait({id: (await dead.act({action: 'stop', names: ['web'], options: {delayMinutes: 5}, by})).id});

		const later = () => new Date(Date.now() + 6 * 60_000);
		const {engine} = await simulatedEngine(paths, {hypervisor, workshop: {now: later}});
		await until(
			() => states(engine),
			all => all['web'] === 'Stopped',
		);
	});
});

test('a daemon that ends in order leaves what is under way to the next', async () => {
	const paths = scratchPaths();
	const hypervisor = new SimulatedHypervisor();
	hypervisor.before.set('create', never);
	const {engine: first} = await simulatedEngine(paths, {hypervisor});
	await first.launch({name: 'web', by});
	await until(
		() => hypervisor.calls,
		calls => calls.includes('create web'),
	);
	await first.close();
	expect(existsSync(instanceDirectory(paths, 'qemu', 'web'))).toBe(true);

	hypervisor.before.clear();
	const {engine} = await simulatedEngine(paths, {hypervisor});
	await allEnded(engine);
	expect(await states(engine)).toEqual({web: 'Running'});
});

describe('a record damaged by hand', () => {
	const damages: Array<[string, (file: string) => void]> = [
		['empty', file => writeFileSync(file, '')],
		['not JSON', file => writeFileSync(file, '{"schema": 1,')],
		['not a record', file => writeFileSync(file, '{"schema": 1}')],
		['from a newer drover', file => writeFileSync(file, '{"schema": 99}')],
		[
			'of another instance',
			file => writeFileSync(file, readFileSync(file, 'utf8').replace('"name": "web"', '"name": "other"')),
		],
		['missing', file => rmSync(file)],
		[
			'a directory',
			file => {
				rmSync(file);
				mkdirSync(file);
			},
		],
	];

	test.each(damages)('%s: its row is Broken with the reason, the others work, the file is kept', async (_, damage) => {
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const {engine: first} = await simulatedEngine(paths, {hypervisor});
		await launch(first, 'web');
		await launch(first, 'db');
		await first.close();
		const file = `${instanceDirectory(paths, 'qemu', 'web')}/instance.json`;
		damage(file);
		const before =
			existsSync(file) &&
			!readdirSync(instanceDirectory(paths, 'qemu', 'web'), {withFileTypes: true})
				.find(e => e.name === 'instance.json')!
				.isDirectory()
				? readFileSync(file, 'utf8')
				: undefined;

		const {engine} = await simulatedEngine(paths, {hypervisor});
		expect(await states(engine)).toEqual({web: 'Broken', db: 'Running'});
		const broken = (await engine.list()).find(({name}) => name === 'web');
		expect(broken?.reason).toMatch(/record/);
		expect(broken?.reason).toContain(instanceDirectory(paths, 'qemu', 'web'));
		for (const action of ['start', 'stop', 'delete', 'purge'] as const) {
			await expect(engine.act({action, names: ['web'], by})).rejects.toMatchObject({code: 'instance.broken'});
		}
		await expect(engine.launch({name: 'web', by})).rejects.toMatchObject({code: 'instance.exists'});
		await engine.wait({id: (await engine.act({action: 'suspend', names: ['db'], by})).id});
		expect(await states(engine)).toEqual({web: 'Broken', db: 'Suspended'});
		if (before !== undefined) expect(readFileSync(file, 'utf8')).toBe(before);
		expect((await engine.info({names: [], runtime: true})).length).toBe(2);
	});
});

test('a hypervisor process that does not answer is one Unknown row', async () => {
	const {engine, hypervisor} = await simulatedEngine(scratchPaths());
	await launch(engine, 'web');
	await launch(engine, 'db');
	hypervisor.unresponsive.add((await engine.list()).find(({name}) => name === 'web')!.id);
	await engine.refresh();
	expect(await states(engine)).toEqual({web: 'Unknown', db: 'Running'});
});
