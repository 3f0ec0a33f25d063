import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {isEnded} from '../../source/model/operation.ts';
import {gibibyte, mebibyte} from '../../source/model/sizes.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const never = () => new Promise<void>(() => {});

async function withWeb(
	live: ReadonlyArray<'cpus' | 'memory' | 'disk'> = [],
	hypervisor = new SimulatedHypervisor(),
	paths = scratchPaths(),
) {
	hypervisor.offers.set('lxd', ['networks', 'addNic', 'resize']);
	hypervisor.parts.resizesLive = new Set(live);
	const {engine} = await simulatedEngine(paths, {hypervisor, driver: 'lxd'});
	if ((await engine.list()).length === 0) {
		await engine.wait({id: (await engine.launch({name: 'web', by})).id});
	}
	const {id} = (await engine.list())[0]!;
	const act = async (action: Parameters<Engine['act']>[0]['action']) =>
		engine.wait({id: (await engine.act({action, names: ['web'], by})).id});
	const resize = async (what: object) => engine.wait({id: (await engine.resize({name: 'web', ...what, by})).id});
	const addNetwork = async (network: string) =>
		engine.wait({id: (await engine.addNetwork({name: 'web', network, by})).id});
	const record = (): InstanceRecord =>
		JSON.parse(readFileSync(`${instanceDirectory(paths, 'lxd', 'web')}/instance.json`, 'utf8'));
	return {engine, hypervisor, paths, id, act, resize, addNetwork, record};
}

const refusal = (reason: string) => `Cannot update instance settings; instance: web; reason: ${reason}`;

describe('resources', () => {
	test('of an instance that is stopped are changed in the hypervisor and in the record', async () => {
		const {act, resize, record, hypervisor, id, engine} = await withWeb();
		await act('stop');
		const wanted = {cpus: 3, memory: 200 * mebibyte, disk: 8 * gibibyte};
		expect(await resize(wanted)).toMatchObject({kind: 'resize', state: 'done'});
		expect(hypervisor.parts.hardware.get(id)).toEqual(wanted);
		expect(record().hardware).toMatchObject(wanted);
		expect(record().intent).toBeUndefined();
		expect((await engine.list())[0]).toMatchObject({state: 'Stopped', ...wanted});
		expect((await engine.instanceEvents({name: 'web'})).at(-1)?.what).toBe(
			'given 3 processors, 200M of memory, a disk of 8.0G',
		);
		// Memory may shrink.
		await resize({memory: 128 * mebibyte});
		expect(record().hardware.memory).toBe(128 * mebibyte);
	});

	test('what is so already asks nothing of anyone', async () => {
		const {resize, hypervisor} = await withWeb();
		expect(await resize({cpus: 1})).toMatchObject({state: 'done'});
		expect(hypervisor.calls).not.toContain('resize web');
	});

	test.each<[object, string]>([
		[{cpus: 0}, 'the number of processors must be a whole number from 1 to 1024'],
		[{cpus: 1.5}, 'the number of processors must be a whole number from 1 to 1024'],
		[{cpus: 5000}, 'the number of processors must be a whole number from 1 to 1024'],
		[{memory: 100 * mebibyte}, 'the memory must be at least 128M'],
		[{disk: 4 * gibibyte}, 'a disk can only grow, and it has 5.0G now'],
	])('%j is refused', async (what, reason) => {
		const {act, resize} = await withWeb();
		await act('stop');
		await expect(resize(what)).rejects.toMatchObject({code: 'instance.invalid', message: refusal(reason)});
	});

	test('not while it runs, unless the driver can; not in the trash', async () => {
		const {act, resize, record} = await withWeb(['cpus']);
		await expect(resize({memory: gibibyte})).rejects.toMatchObject({
			code: 'instance.state',
			message: refusal('the instance must be stopped, and it is Running'),
			next: 'drover stop web stops it.',
		});
		await expect(resize({cpus: 2, memory: gibibyte})).rejects.toMatchObject({code: 'instance.state'});
		expect(await resize({cpus: 2})).toMatchObject({state: 'done'});
		expect(record().hardware.cpus).toBe(2);
		await act('delete');
		await expect(resize({cpus: 3})).rejects.toMatchObject({
			code: 'instance.deleted',
			message: refusal('the instance is deleted'),
		});
	});

	test('not of one that is being prepared, is not there, or is under a driver that cannot', async () => {
		const {engine, hypervisor} = await withWeb();
		hypervisor.before.set('create', never);
		await engine.launch({name: 'db', by});
		await expect(engine.resize({name: 'db', cpus: 2, by})).rejects.toMatchObject({
			code: 'instance.busy',
			message: 'Cannot update instance settings; instance: db; reason: the instance is being prepared',
		});
		await expect(engine.resize({name: 'nobody', cpus: 2, by})).rejects.toMatchObject({code: 'instance.missing'});
		const {engine: qemu} = await simulatedEngine(scratchPaths());
		await qemu.wait({id: (await qemu.launch({name: 'web', by})).id});
		await expect(qemu.resize({name: 'web', cpus: 2, by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: refusal('changing cpu, memory and disk is not in this version of drover for QEMU'),
		});
	});

	test('that was started meanwhile is not changed', async () => {
		const {act, engine, hypervisor, record} = await withWeb();
		await act('stop');
		const starting = await engine.act({action: 'start', names: ['web'], by});
		hypervisor.calls.length = 0;
		await expect(
			engine
				.resize({name: 'web', cpus: 2, by})
				.then(({id}) => engine.wait({id}))
				.then(({error}) => {
					if (error) throw error;
				}),
		).rejects.toMatchObject({code: 'instance.state'});
		await engine.wait({id: starting.id});
		expect(hypervisor.calls).not.toContain('resize web');
		expect(record()).toMatchObject({hardware: {cpus: 1}, desired: 'running'});
	});

	test('that the hypervisor refuses stay as they are', async () => {
		const {act, resize, record, hypervisor} = await withWeb();
		await act('stop');
		hypervisor.before.set('resize', () => {
			throw new Error('no room');
		});
		expect(await resize({disk: 9 * gibibyte})).toMatchObject({state: 'failed'});
		expect(record()).toMatchObject({hardware: {disk: 5 * gibibyte}});
		expect(record().intent).toBeUndefined();
	});

	test('a daemon that dies before or after the hypervisor has them leaves them to the next', async () => {
		for (const isAfter of [false, true]) {
			const {act, engine: dead, hypervisor, paths, id} = await withWeb();
			await act('stop');
			hypervisor.before.set('resize', record => {
				if (isAfter) hypervisor.parts.hardware.set(record.id, {cpus: 4});
				return never();
			});
			await dead.resize({name: 'web', cpus: 4, by});
			await until(
				() => hypervisor.calls,
				calls => calls.includes('resize web'),
			);
			hypervisor.before.clear();

			const {engine, record} = await withWeb([], hypervisor, paths);
			await until(
				() => engine.operations(),
				operations => operations.some(({kind}) => kind === 'resize') && operations.every(isEnded),
			);
			expect(hypervisor.parts.hardware.get(id)).toEqual({cpus: 4});
			expect(record().hardware.cpus).toBe(4);
			expect(record().intent).toBeUndefined();
		}
	});
});

describe('interfaces', () => {
	test('are added to one that is stopped, with an address of their own', async () => {
		const {act, addNetwork, record, hypervisor, id, engine} = await withWeb(['cpus', 'memory', 'disk']);
		await expect(addNetwork('br0')).rejects.toMatchObject({code: 'instance.state'});
		await act('stop');
		await expect(addNetwork('bridged')).rejects.toMatchObject({code: 'setting.invalid'});
		await expect(addNetwork('eth7')).rejects.toMatchObject({code: 'instance.invalid'});
		await engine.set({key: 'local.bridged-network', value: 'lxdbr0', by});
		expect(await addNetwork('bridged')).toMatchObject({kind: 'resize', state: 'done'});
		await addNetwork('name=br0,mode=manual');
		const {nics, mac} = record().hardware;
		expect(nics).toMatchObject([
			{network: 'lxdbr0', mode: 'auto'},
			{network: 'br0', mode: 'manual'},
		]);
		expect(new Set([mac, ...nics!.map(nic => nic.mac)]).size).toBe(3);
		expect(hypervisor.parts.nics.get(id)).toEqual(nics);
	});

	test('one that was being added when the daemon died is added once, as it was', async () => {
		const {act, engine: dead, hypervisor, paths, id} = await withWeb();
		await act('stop');
		hypervisor.before.set('addNic', never);
		await dead.addNetwork({name: 'web', network: 'br0', by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes('addNic web'),
		);
		hypervisor.before.clear();
		const {engine, record} = await withWeb([], hypervisor, paths);
		const intended = record().intent?.options.nic ?? record().hardware.nics?.[0];
		await until(
			() => engine.operations(),
			operations => operations.length > 0 && operations.every(isEnded),
		);
		expect(record().hardware.nics).toEqual([intended]);
		expect(hypervisor.parts.nics.get(id)).toEqual([intended]);
	});

	test('not under a driver that has none', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		await engine.wait({id: (await engine.launch({name: 'web', by})).id});
		await expect(engine.addNetwork({name: 'web', network: 'br0', by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: expect.stringMatching(/^Extra networks are not supported by QEMU on Linux/),
		});
	});
});
