import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {isEnded} from '../../source/model/operation.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const never = () => new Promise<void>(() => {});

async function withWeb({
	hypervisor = new SimulatedHypervisor(),
	paths = scratchPaths(),
	isLive = false,
}: {
	hypervisor?: SimulatedHypervisor;
	paths?: ReturnType<typeof scratchPaths>;
	isLive?: boolean;
} = {}) {
	hypervisor.offers.set('qemu', ['snapshots', 'resize']);
	hypervisor.parts.snapshotsLive = isLive;
	const {engine} = await simulatedEngine(paths, {hypervisor});
	const act = async (action: Parameters<Engine['act']>[0]['action']) =>
		engine.wait({id: (await engine.act({action, names: ['web'], by})).id});
	if ((await engine.list()).length === 0) {
		await engine.wait({id: (await engine.launch({name: 'web', by})).id});
		await act('stop');
	}
	const {id} = (await engine.list())[0]!;
	const directory = instanceDirectory(paths, 'qemu', 'web');
	const file = (name: string) => path.join(directory, name);
	const finish = async (begun: Promise<{id: string}>) => engine.wait({id: (await begun).id});
	return {
		engine,
		hypervisor,
		paths,
		id,
		act,
		file,
		take: (snapshot?: string, comment?: string) =>
			finish(
				engine.snapshot({
					name: 'web',
					by,
					...(snapshot === undefined ? {} : {snapshot}),
					...(comment === undefined ? {} : {comment}),
				}),
			),
		restore: (snapshot: string, destructive = true) => finish(engine.restore({name: 'web', snapshot, destructive, by})),
		remove: (...snapshots: string[]) => finish(engine.deleteSnapshots({name: 'web', snapshots, by})),
		tree: async () => (await engine.snapshots({names: ['web']}))[0]!,
		disk: (content?: string) =>
			content === undefined ? readFileSync(file('disk'), 'utf8') : writeFileSync(file('disk'), content),
		record: (): InstanceRecord => JSON.parse(readFileSync(file('instance.json'), 'utf8')),
	};
}

const branches = async (tree: ReturnType<Awaited<ReturnType<typeof withWeb>>['tree']>) =>
	Object.fromEntries((await tree).snapshots.map(({name, parent}) => [name, parent]));

describe('snapshots', () => {
	test('are taken, restored and branch off; the instance knows where it is', async () => {
		const {engine, take, restore, tree, disk, act, record} = await withWeb();
		disk('one');
		expect(await take(undefined, 'the first\nof all')).toMatchObject({
			kind: 'snapshot',
			state: 'done',
			items: [{target: 'web.snapshot1'}],
		});
		disk('two');
		await take('second');
		await restore('snapshot1');
		expect(disk()).toBe('one');
		disk('three');
		await take();
		expect(await branches(tree())).toEqual({snapshot1: undefined, second: 'snapshot1', snapshot3: 'snapshot1'});
		await restore('second');
		expect(disk()).toBe('two');
		expect((await tree()).head).toBe('second');
		expect((await engine.list())[0]).toMatchObject({state: 'Stopped', snapshotCount: 3});
		const [detail] = await engine.info({names: ['web'], runtime: false});
		expect(detail!.snapshots![0]).toMatchObject({
			name: 'snapshot1',
			comment: 'the first\nof all',
			state: 'Stopped',
			children: ['second', 'snapshot3'],
		});
		expect(record().intent).toBeUndefined();
		await act('start');
		expect((await engine.instanceEvents({name: 'web'})).map(({what}) => what)).toContain(
			'restored to snapshot second; what was there before is discarded',
		);
	});

	test('restoring keeps what it was before, unless that is not wanted', async () => {
		const {take, restore, tree, disk} = await withWeb();
		disk('one');
		await take('base');
		disk('two');
		expect((await restore('base', false)).items[0]).toMatchObject({
			target: 'web.base',
			note: 'what it was before is kept as web.snapshot2',
		});
		expect(disk()).toBe('one');
		expect((await tree()).snapshots[1]).toMatchObject({
			name: 'snapshot2',
			comment: 'Before restoring base',
			parent: 'base',
		});
		await restore('snapshot2');
		expect(disk()).toBe('two');
	});

	test('restoring brings processors, memory, disk and mounts back', async () => {
		const {engine, take, restore, record} = await withWeb();
		await take('small');
		const before = record().hardware;
		await engine.wait({
			id: (await engine.resize({name: 'web', cpus: 3, memory: 2 * gibibyte, disk: 9 * gibibyte, by})).id,
		});
		await take('large');
		await restore('small');
		expect(record().hardware).toEqual(before);
		await restore('large');
		expect(record().hardware).toMatchObject({cpus: 3, memory: 2 * gibibyte, disk: 9 * gibibyte, mac: before.mac});
	});

	test('deleting hands the children on; names are never made up twice', async () => {
		const {take, remove, tree, hypervisor, id} = await withWeb();
		for (const name of [undefined, 'b', 'c']) await take(name);
		expect(await remove('b', 'b')).toMatchObject({kind: 'delete-snapshots', items: [{target: 'web.b'}]});
		expect(await branches(tree())).toEqual({snapshot1: undefined, c: 'snapshot1'});
		await remove('snapshot1', 'c');
		expect((await tree()).snapshots).toEqual([]);
		expect(hypervisor.parts.snapshots.get(id)!.size).toBe(0);
		expect((await take()).items[0]!.target).toBe('web.snapshot4');
	});

	test('get another name and comment, also while the instance runs', async () => {
		const {engine, take, tree, act, disk, restore} = await withWeb();
		disk('one');
		await take('a');
		await take('b');
		await act('start');
		await engine.set({key: 'local.web.a.name', value: 'base', by});
		await engine.set({key: 'local.web.base.comment', value: 'a fresh start', by});
		expect(await engine.get({key: 'local.web.base.comment'})).toMatchObject({value: 'a fresh start'});
		expect(await engine.get({key: 'local.web.b.name'})).toMatchObject({value: 'b'});
		expect(await branches(tree())).toEqual({base: undefined, b: 'base'});
		await expect(engine.set({key: 'local.web.b.name', value: 'base', by})).rejects.toMatchObject({
			code: 'snapshot.exists',
		});
		await expect(engine.set({key: 'local.web.b.name', value: 'no!', by})).rejects.toMatchObject({
			code: 'snapshot.name-invalid',
		});
		await expect(engine.get({key: 'local.web.a.name'})).rejects.toMatchObject({code: 'snapshot.missing'});
		await act('stop');
		disk('two');
		await restore('base');
		expect(disk()).toBe('one');
	});

	test('two that are asked for at once both come to be, one after the other', async () => {
		const {engine, tree} = await withWeb();
		const both = await Promise.all([engine.snapshot({name: 'web', by}), engine.snapshot({name: 'web', by})]);
		await expect(engine.snapshot({name: 'web', snapshot: 'snapshot2', by})).rejects.toMatchObject({
			code: 'snapshot.exists',
		});
		for (const {id} of both) expect(await engine.wait({id})).toMatchObject({state: 'done'});
		expect(await branches(tree())).toEqual({snapshot1: undefined, snapshot2: 'snapshot1'});
	});

	test('of one that runs: only where the driver can, and then without memory', async () => {
		const {take, act, restore, remove, tree} = await withWeb();
		await act('start');
		await expect(take()).rejects.toMatchObject({
			code: 'instance.state',
			message: 'instance "web": no snapshot can be taken of it: only while it is stopped',
			next: 'Stop it first.',
		});
		const live = await withWeb({isLive: true});
		await live.act('start');
		expect((await live.take('hot')).items[0]!.note).toBe(
			'taken while it runs: its disk is kept as after a power cut, its memory is not',
		);
		expect((await live.tree()).snapshots[0]).toMatchObject({state: 'Running'});
		await expect(live.restore('hot')).rejects.toMatchObject({code: 'instance.state'});
		await live.remove('hot');
		expect([(await tree()).snapshots, (await live.tree()).snapshots]).toEqual([[], []]);
		await act('stop');
		await expect(restore('hot')).rejects.toMatchObject({code: 'snapshot.missing'});
		await expect(remove('hot')).rejects.toMatchObject({code: 'snapshot.missing'});
	});

	test('a suspended one is left alone: its memory belongs to its disk', async () => {
		const {engine, take, restore, remove, act, hypervisor, tree} = await withWeb({isLive: true});
		await take('a');
		await act('start');
		await act('suspend');
		hypervisor.calls.length = 0;
		for (const ask of [() => take(), () => restore('a'), () => remove('a')]) {
			await expect(ask()).rejects.toMatchObject({
				code: 'instance.state',
				message: expect.stringContaining('its saved memory belongs to the disk as it is now'),
			});
		}
		expect(hypervisor.calls).toEqual([]);
		// Names are not the disk's.
		await engine.set({key: 'local.web.a.comment', value: 'still here', by});
		expect((await tree()).snapshots[0]!.comment).toBe('still here');
		await act('start');
		await act('delete');
		await expect(take()).rejects.toMatchObject({code: 'instance.deleted', next: 'Recover it first.'});
		await expect(engine.set({key: 'local.web.a.name', value: 'b', by})).rejects.toMatchObject({
			code: 'instance.deleted',
		});
		await act('purge');
		expect(await engine.list()).toEqual([]);
	});

	test('what could not be taken leaves nothing behind', async () => {
		const {take, hypervisor, tree, id, record, file} = await withWeb();
		hypervisor.before.set('takeSnapshot', () => {
			throw new Error('no room');
		});
		expect(await take()).toMatchObject({state: 'failed'});
		hypervisor.before.clear();
		// The tree cannot be written: the hypervisor must not keep what nobody knows of.
		mkdirSync(file('snapshots.json'));
		expect(await take()).toMatchObject({state: 'failed'});
		expect((await tree()).snapshots).toEqual([]);
		expect(hypervisor.parts.snapshots.get(id)!.size).toBe(0);
		expect(record().intent).toBeUndefined();
	});

	test('a damaged file is told of and kept; the instance itself goes on', async () => {
		const {take, hypervisor, paths, file, engine: first} = await withWeb();
		await take('a');
		await first.close();
		writeFileSync(file('snapshots.json'), '{"schema": 1, "taken": ');
		const {engine, act, tree, take: again} = await withWeb({hypervisor, paths});
		expect((await engine.list())[0]).not.toHaveProperty('snapshotCount');
		expect(await tree()).toMatchObject({snapshots: [], problem: 'the file is not valid JSON'});
		const [detail] = await engine.info({names: ['web'], runtime: false});
		expect(detail!.notes).toEqual([
			`Its snapshots cannot be used: the file is not valid JSON (${file('snapshots.json')}).`,
		]);
		await expect(again()).rejects.toMatchObject({code: 'snapshot.broken'});
		await expect(engine.set({key: 'local.web.a.name', value: 'b', by})).rejects.toMatchObject({
			code: 'snapshot.broken',
		});
		expect(await act('start')).toMatchObject({state: 'done'});
		expect(readFileSync(file('snapshots.json'), 'utf8')).toBe('{"schema": 1, "taken": ');
	});

	test('not under a driver that has none', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		await engine.wait({id: (await engine.launch({name: 'web', by})).id});
		await expect(engine.snapshot({name: 'web', by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Snapshots are not in this version of drover for QEMU.',
		});
		const {engine: lxd} = await simulatedEngine(scratchPaths(), {driver: 'lxd'});
		for (const ask of [() => lxd.snapshots({names: []}), () => lxd.get({key: 'local.web.a.name'})]) {
			await expect(ask()).rejects.toMatchObject({
				code: 'driver.incapable',
				message: 'Snapshots are not supported by LXD; supported by QEMU, Hyper-V.',
			});
		}
	});

	test('one that is just being started is not restored', async () => {
		const {engine, take, act, disk, hypervisor} = await withWeb();
		disk('one');
		await take('a');
		disk('two');
		const starting = await engine.act({action: 'start', names: ['web'], by});
		const restoring = await engine.restore({name: 'web', snapshot: 'a', destructive: true, by}).catch(error => error);
		if ('id' in restoring) expect(await engine.wait({id: restoring.id})).toMatchObject({state: 'failed'});
		await engine.wait({id: starting.id});
		expect(hypervisor.calls).not.toContain('restoreSnapshot web');
		await act('stop');
		expect(disk()).toBe('two');
	});

	test('a daemon that dies while one is restored leaves it to the next, with what was before kept', async () => {
		const {engine: dead, take, hypervisor, paths, disk} = await withWeb();
		disk('one');
		await take('a');
		disk('two');
		hypervisor.before.set('restoreSnapshot', never);
		await dead.restore({name: 'web', snapshot: 'a', destructive: false, by});
		await until(
			() => hypervisor.calls,
			calls => calls.includes('restoreSnapshot web'),
		);
		hypervisor.before.clear();
		const {engine, tree, record, restore} = await withWeb({hypervisor, paths});
		await until(
			() => engine.operations(),
			operations => operations.some(({kind}) => kind === 'restore') && operations.every(isEnded),
		);
		expect(disk()).toBe('one');
		expect(await branches(tree())).toEqual({a: undefined, snapshot2: 'a'});
		expect(record().intent).toBeUndefined();
		await restore('snapshot2');
		expect(disk()).toBe('two');
	});
});
