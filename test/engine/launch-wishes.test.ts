import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import type {Engine, LaunchRequest} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import type {Mount} from '../../source/model/mount.ts';
import {isEnded} from '../../source/model/operation.ts';
import {instanceDirectory, type Paths, scopeDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, simulatedImages, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {optionalMethods} from '../support/simulated-parts.ts';

const by = 'kim';

function capable(): SimulatedHypervisor {
	const hypervisor = new SimulatedHypervisor();
	hypervisor.offers.set('lxd', optionalMethods);
	return hypervisor;
}

async function lxd(paths = scratchPaths(), hypervisor = capable()) {
	return {...(await simulatedEngine(paths, {hypervisor, driver: 'lxd'})), paths};
}

async function launch(engine: Engine, request: Omit<LaunchRequest, 'by'>) {
	return engine.wait({id: (await engine.launch({by, ...request})).id});
}

const record = (paths: Paths, name: string, scope: 'qemu' | 'lxd' = 'lxd'): InstanceRecord =>
	JSON.parse(readFileSync(`${instanceDirectory(paths, scope, name)}/instance.json`, 'utf8'));

function hostDirectory(name = 'src'): string {
	const home = mkdtempSync(path.join(tmpdir(), 'drover-wishes-'));
	onTestFinished(() => rmSync(home, {recursive: true}));
	mkdirSync(path.join(home, name));
	return path.join(home, name);
}

const mountOf = (source: string, more: Partial<Mount> = {}): Mount => ({
	source,
	target: '',
	type: 'native',
	uidMap: [],
	gidMap: [],
	...more,
});

describe('networks', () => {
	test('are in the record with addresses of their own, before anything is made', async () => {
		const {engine, paths, hypervisor} = await lxd();
		const seen: unknown[] = [];
		hypervisor.before.set('create', ({hardware}) => void seen.push(hardware.nics));
		await engine.set({key: 'local.bridged-network', value: 'br0', by});
		const networks = ['lxdbr0', 'name=lxdbr0,mode=manual,mac=52:54:00:AA:bb:01', 'bridged'];
		expect(await launch(engine, {name: 'web', networks, bridged: true})).toMatchObject({state: 'done'});
		const {mac, nics = []} = record(paths, 'web').hardware;
		expect(nics).toMatchObject([
			{network: 'lxdbr0', mode: 'auto'},
			{network: 'lxdbr0', mode: 'manual', mac: '52:54:00:aa:bb:01'},
			{network: 'br0', mode: 'auto'},
			{network: 'br0', mode: 'auto'},
		]);
		expect(new Set([mac, ...nics.map(nic => nic.mac)]).size).toBe(5);
		expect(seen).toEqual([nics]);
		const [detail] = await engine.info({names: ['web'], runtime: false});
		expect(detail!.nics).toEqual(nics);
	});

	test.each<[string, Partial<LaunchRequest>, object]>([
		['an unknown one', {networks: ['eth7']}, {message: 'There is no network "eth7" here; there are br0 and lxdbr0.'}],
		['bridged, and none is configured', {bridged: true}, {code: 'setting.invalid'}],
		['what is no network at all', {networks: ['name=br0,mode=fast']}, {code: 'usage.invalid'}],
		['an address twice', {networks: Array(2).fill('name=br0,mac=52:54:00:00:00:01')}, {code: 'instance.invalid'}],
		['too many', {networks: Array(33).fill('br0')}, {code: 'instance.invalid'}],
		['a member without a cluster', {target: 'node1'}, {code: 'driver.incapable', message: /is in no cluster/}],
	])('%s is refused, and nothing is made', async (_what, request, error) => {
		const {engine, paths} = await lxd();
		const {message, ...rest} = error as {message?: string | RegExp};
		await expect(engine.launch({name: 'web', by, ...request})).rejects.toMatchObject({
			...rest,
			...(message === undefined ? {} : {message: expect.stringMatching(message)}),
		});
		expect(readdirSync(scopeDirectory(paths, 'lxd'))).toEqual([]);
	});

	test('an address that another instance has', async () => {
		const {engine} = await lxd();
		await launch(engine, {name: 'web', networks: ['name=br0,mac=52:54:00:00:00:01']});
		await expect(engine.launch({name: 'db', networks: ['name=br0,mac=52:54:00:00:00:01'], by})).rejects.toMatchObject({
			message: 'Repeated MAC address: 52:54:00:00:00:01 is in use already.',
		});
	});

	test('where the driver has none, no network is asked to be chosen first', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		for (const request of [{bridged: true}, {networks: ['bridged']}]) {
			await expect(engine.launch({name: 'web', by, ...request})).rejects.toMatchObject({code: 'driver.incapable'});
		}
	});

	test('a driver whose networks this version does not know says so', async () => {
		const {engine} = await lxd(scratchPaths(), new SimulatedHypervisor());
		await expect(engine.launch({name: 'web', networks: ['br0'], by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Extra networks are not in this version of drover for LXD.',
		});
	});
});

describe('the member of a cluster', () => {
	test('is in the record, for the driver', async () => {
		const {engine, paths, hypervisor} = await lxd();
		hypervisor.parts.members = ['node1', 'node2'];
		await launch(engine, {name: 'web', target: 'node2'});
		expect(record(paths, 'web').target).toBe('node2');
		await expect(engine.launch({name: 'db', target: 'node3', by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'The cluster has no member "node3"; it has node1 and node2.',
		});
	});

	test('there is none where there are no clusters', async () => {
		const {engine} = await simulatedEngine(scratchPaths());
		await expect(engine.launch({name: 'web', target: 'node1', by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'QEMU has no cluster that an instance could be placed in.',
		});
	});
});

describe('mounts', () => {
	test('are made once the guest answers, and remembered with the ids of who asked', async () => {
		const {engine, paths, hypervisor} = await lxd();
		const source = hostDirectory();
		const mounts = [mountOf(source), mountOf(source, {target: 'deep/er', uidMap: [{host: 7, guest: 8}]})];
		expect(await launch(engine, {name: 'web', mounts})).toMatchObject({state: 'done'});
		const own = (id?: number) => [{host: id, guest: -1}];
		expect(record(paths, 'web')).toMatchObject({
			phase: 'ready',
			mounts: [
				{target: '/home/ubuntu/src', uidMap: own(process.getuid?.()), gidMap: own(process.getgid?.())},
				{target: '/home/ubuntu/deep/er', uidMap: [{host: 7, guest: 8}]},
			],
		});
		expect(record(paths, 'web').intent).toBeUndefined();
		const {calls} = hypervisor;
		expect(calls.indexOf('mount web')).toBeGreaterThan(calls.indexOf('start web'));
	});

	test('one that fails leaves the instance running, the others made, and is told', async () => {
		const {engine, paths, hypervisor} = await lxd();
		let left = 1;
		hypervisor.before.set('mount', () => {
			if (left-- > 0) throw new DroverError('driver.failed', 'the server refuses');
		});
		const source = hostDirectory();
		const ended = await launch(engine, {
			name: 'web',
			mounts: [mountOf(source, {target: '/a'}), mountOf(source, {target: '/b'})],
		});
		expect(ended).toMatchObject({
			state: 'failed',
			error: {
				code: 'driver.failed',
				message: `web was launched and runs, but "${source}" could not be mounted on "/a": the server refuses`,
			},
		});
		expect((await engine.list())[0]).toMatchObject({state: 'Running', mounts: [{target: '/b'}]});
		expect(record(paths, 'web').intent).toBeUndefined();
	});

	test('a daemon that dies in the middle of it leaves the rest to the next, and nothing is undone', async () => {
		const paths = scratchPaths();
		const hypervisor = capable();
		const source = hostDirectory();
		const {engine: dead} = await lxd(paths, hypervisor);
		let made = 0;
		hypervisor.before.set('mount', () => (made++ === 0 ? undefined : new Promise<void>(() => {})));
		await dead.launch({name: 'web', mounts: [mountOf(source, {target: '/a'}), mountOf(source, {target: '/b'})], by});
		await until(
			() => made,
			count => count === 2,
		);
		hypervisor.before.clear();
		const boot = hypervisor.bootIdOf(record(paths, 'web').id);

		const images = {
			...simulatedImages(paths),
			fetch: () => Promise.reject(new Error('offline')),
			resolve: () => Promise.reject(new Error('offline')),
		};
		const {engine} = await simulatedEngine(paths, {hypervisor, driver: 'lxd', images});
		await until(
			() => engine.operations(),
			operations => operations.length === 1 && operations.every(isEnded),
		);
		expect((await engine.list())[0]).toMatchObject({state: 'Running', mounts: [{target: '/a'}, {target: '/b'}]});
		expect(hypervisor.bootIdOf(record(paths, 'web').id)).toBe(boot);
		expect(record(paths, 'web').intent).toBeUndefined();
	});

	const source = tmpdir();
	test.each<[string, readonly Mount[], object]>([
		['a source that is not there', [mountOf('/does/not/exist')], {message: /does not exist/}],
		['a relative source', [mountOf('tmp')], {message: /does not exist/}],
		['a file', [mountOf('/etc/passwd')], {message: /is not a directory/}],
		['a source with a line break', [mountOf('/tmp/a\nb')], {message: /has control characters/}],
		['a bad target', [mountOf(source, {target: '/proc/x'})], {code: 'instance.invalid'}],
		['one target twice', [mountOf(source, {target: 'x'}), mountOf(source, {target: '/home/ubuntu/x/'})], {}],
		['ids that are none', [mountOf(source, {uidMap: [{host: -5, guest: 0.5}]})], {code: 'instance.invalid'}],
	])('%s is refused, and nothing is made', async (_what, mounts, error) => {
		const {engine, paths} = await lxd();
		const {message, ...rest} = error as {message?: RegExp};
		await expect(engine.launch({name: 'web', mounts, by})).rejects.toMatchObject({
			name: 'DroverError',
			...rest,
			...(message === undefined ? {} : {message: expect.stringMatching(message)}),
		});
		expect(readdirSync(scopeDirectory(paths, 'lxd'))).toEqual([]);
	});

	test('are refused where they are disabled, and where there are none', async () => {
		const {engine} = await lxd();
		await engine.set({key: 'local.privileged-mounts', value: 'no', by});
		const mounts = [mountOf(source)];
		await expect(engine.launch({name: 'web', mounts, by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Mounts are disabled: the setting local.privileged-mounts is false.',
		});
		const {engine: qemu} = await simulatedEngine(scratchPaths());
		await expect(qemu.launch({name: 'web', mounts, by})).rejects.toMatchObject({
			message: 'Native mounts are not in this version of drover for QEMU.',
		});
		const classic = [mountOf(source, {type: 'classic', target: '/a'})];
		expect(await launch(qemu, {name: 'web', mounts: classic})).toMatchObject({state: 'done'});
		expect((await qemu.list())[0]).toMatchObject({mounts: [{target: '/a', type: 'classic'}]});
	});
});
