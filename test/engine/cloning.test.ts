import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const never = () => new Promise<void>(() => {});

async function withWeb(driver: 'qemu' | 'lxd' = 'qemu') {
	const hypervisor = new SimulatedHypervisor();
	const paths = scratchPaths();
	hypervisor.offers.set(driver, driver === 'qemu' ? ['snapshots', 'clone'] : ['clone', 'networks', 'addNic', 'mount']);
	const {engine} = await simulatedEngine(paths, {hypervisor, driver});
	const launched = await engine.launch({
		name: 'web',
		cloudInit: '#cloud-config\nruncmd:\n- [touch, /made]\n',
		...(driver === 'lxd' ? {networks: ['br0']} : {}),
		by,
	});
	await engine.wait({id: launched.id});
	const act = async (action: Parameters<Engine['act']>[0]['action'], name = 'web') =>
		engine.wait({id: (await engine.act({action, names: [name], by})).id});
	await act('stop');
	const file = (name: string, inside: string) => path.join(instanceDirectory(paths, driver, name), inside);
	return {
		engine,
		hypervisor,
		act,
		file,
		clone: async (as?: string, name = 'web') =>
			engine.wait({id: (await engine.clone({name, by, ...(as === undefined ? {} : {as})})).id}),
		record: (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8')),
		names: async () => (await engine.list()).map(({name}) => name),
	};
}

describe('a clone', () => {
	test('has the disk of the other and an identity of its own', async () => {
		const {engine, clone, record, file, hypervisor, act} = await withWeb();
		writeFileSync(file('web', 'disk'), 'what web has written');
		await engine.wait({id: (await engine.snapshot({name: 'web', by})).id});
		expect(await clone()).toMatchObject({kind: 'clone', state: 'done', items: [{target: 'web-clone1'}]});
		const [web, other] = [record('web'), record('web-clone1')];
		expect(readFileSync(file('web-clone1', 'disk'), 'utf8')).toBe('what web has written');
		expect(other).toMatchObject({phase: 'ready', desired: 'stopped', createdBy: by, image: web.image});
		expect(other.hardware).toEqual({...web.hardware, mac: other.hardware.mac});
		expect(
			new Set([web.id, other.id, web.hardware.mac, other.hardware.mac, web.ssh.hostKey, other.ssh.hostKey]).size,
		).toBe(6);
		expect(other).not.toHaveProperty('intent');
		// Its snapshots are not.
		const list = await engine.list();
		expect(list.map(({name, state, snapshotCount}) => [name, state, snapshotCount])).toEqual([
			['web', 'Stopped', 1],
			['web-clone1', 'Stopped', 0],
		]);
		expect(hypervisor.calls.filter(call => call.startsWith('start'))).toHaveLength(1);
		await act('start', 'web-clone1');
		expect((await engine.instanceEvents({name: 'web-clone1'}))[0]!.what).toBe('cloned from web');
	});

	test('is told its new name, id and key by its seed, and makes its machine id anew before anything else', async () => {
		const {clone, record, file} = await withWeb();
		await clone('second');
		const seed = JSON.parse(readFileSync(file('second', 'seed'), 'utf8'));
		const {id, hardware, ssh} = record('second');
		expect(seed['meta-data']).toContain(`instance-id: ${id}`);
		expect(seed['meta-data']).toContain('local-hostname: second');
		expect(seed['network-config']).toContain(hardware.mac);
		expect(seed['user-data']).toContain(ssh.hostKey);
		expect(seed['user-data']).toMatch(/runcmd:\n\s*- - sh\n\s*- -c\n.*machine-id[\s\S]*touch/);
	});

	test('names are never made up twice, and further interfaces get addresses of their own', async () => {
		const {clone, record, names, act} = await withWeb('lxd');
		await clone();
		await act('delete', 'web-clone1');
		await act('purge', 'web-clone1');
		await clone('own');
		expect((await clone()).items[0]!.target).toBe('web-clone3');
		expect((await clone(undefined, 'web-clone3')).items[0]!.target).toBe('web-clone3-clone1');
		expect(await names()).toEqual(['own', 'web', 'web-clone3', 'web-clone3-clone1']);
		const macs = (await names()).map(record).flatMap(({hardware}) => [hardware.mac, hardware.nics![0]!.mac]);
		expect(new Set(macs).size).toBe(8);
	});

	test('is made of what is stopped only, and under a name that is free', async () => {
		const {engine, clone, act} = await withWeb();
		for (const [as, code] of [
			['web', 'instance.exists'],
			['-x', 'instance.name-invalid'],
		] as const) {
			await expect(clone(as)).rejects.toMatchObject({code});
		}
		await expect(clone('other', 'nobody')).rejects.toMatchObject({code: 'instance.missing'});
		await act('start');
		await expect(clone()).rejects.toMatchObject({
			code: 'instance.state',
			message: 'instance "web" cannot be cloned: only while it is stopped',
		});
		await act('suspend');
		await expect(clone()).rejects.toMatchObject({
			message: 'instance "web" cannot be cloned: it is suspended, and its memory cannot be cloned',
		});
		await act('delete');
		await expect(clone()).rejects.toMatchObject({code: 'instance.deleted'});
		expect(await engine.list()).toHaveLength(1);
		const {engine: other} = await simulatedEngine(scratchPaths());
		await other.wait({id: (await other.launch({name: 'web', by})).id});
		await expect(other.clone({name: 'web', by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Cloning is not in this version of drover for QEMU.',
		});
	});

	test('that fails or is cancelled leaves nothing behind', async () => {
		const {engine, clone, hypervisor, names, file} = await withWeb();
		hypervisor.before.set('clone', () => {
			throw new Error('no room');
		});
		expect(await clone()).toMatchObject({state: 'failed'});
		hypervisor.before.set('clone', never);
		const begun = await engine.clone({name: 'web', by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes('clone web-clone2'),
		);
		expect(await engine.list()).toMatchObject([
			{name: 'web', state: 'Stopped', operation: {kind: 'clone'}},
			{name: 'web-clone2', state: 'Stopped', reason: 'it is being cloned from web', operation: {kind: 'clone'}},
		]);
		await expect(engine.clone({name: 'web-clone2', by})).rejects.toMatchObject({code: 'instance.busy'});
		await engine.cancel({id: begun.id, by});
		expect(await engine.wait({id: begun.id})).toMatchObject({state: 'cancelled'});
		expect(await names()).toEqual(['web']);
		expect(existsSync(file('web-clone2', 'instance.json'))).toBe(false);
	});

	test('what is asked of either waits until it is there', async () => {
		const {engine, hypervisor, act} = await withWeb();
		let go = () => {};
		hypervisor.before.set('clone', () => new Promise<void>(resolve => (go = resolve)));
		const cloning = await engine.clone({name: 'web', by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes('clone web-clone1'),
		);
		const starts = [act('start'), act('start', 'web-clone1')];
		hypervisor.calls.length = 0;
		await engine.refresh();
		expect(hypervisor.calls).toEqual([]);
		go();
		expect(await engine.wait({id: cloning.id})).toMatchObject({state: 'done'});
		for (const started of await Promise.all(starts)) expect(started).toMatchObject({state: 'done'});
		expect([...hypervisor.calls].sort().slice(-2)).toEqual(['start web', 'start web-clone1']);
	});

	test('is called off when the other is purged', async () => {
		const {engine, hypervisor, names} = await withWeb();
		hypervisor.before.set('clone', never);
		const cloning = await engine.clone({name: 'web', by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes('clone web-clone1'),
		);
		const purging = await engine.act({action: 'delete', names: ['web'], options: {purge: true}, by});
		expect(await engine.wait({id: purging.id})).toMatchObject({state: 'done'});
		expect(await engine.wait({id: cloning.id})).toMatchObject({state: 'failed'});
		expect(await names()).toEqual([]);
	});
});
