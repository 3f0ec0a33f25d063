import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {copyFile} from 'node:fs/promises';
import path from 'node:path';
import {describe, expect, test, vi} from 'vitest';
import type {Engine, MoveRequest} from '../../source/engine/engine.ts';
import type {DriverName, ScopeName} from '../../source/model/driver-name.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {isEnded} from '../../source/model/operation.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {contentOf, makeDisk} from '../support/multipass.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import type {OptionalMethod} from '../support/simulated-parts.ts';
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
vi.mock('../../source/images/flat-copy.ts', async original => {
	const real = await original<typeof import('../../source/images/flat-copy.ts')>();
	return {
		async copyFlat(...request: Parameters<typeof real.copyFlat>) {
			await step();
			const [{file}, to] = request;
			// Bytes as they are, where what is tried is what becomes of them, and not how they are converted.
			if (isPlain(file)) await copyFile(file, to);
			const copied = isPlain(file) ? {virtualSize: 2 ** 20} : await real.copyFlat(...request);
			await step();
			return copied;
		},
	};
});

function isPlain(file: string): boolean {
	return readFileSync(file, 'latin1').startsWith('plain');
}

const by = 'kim';
const done = async (engine: Engine, operation: Promise<{id: string}>) => engine.wait({id: (await operation).id});

const usual: Readonly<Record<'qemu' | 'lxd', readonly OptionalMethod[]>> = {
	qemu: ['snapshots', 'clone', 'diskFile', 'forwards'],
	lxd: ['imageForm', 'networks', 'addNic', 'mount', 'diskFile'],
};

/** A stopped instance under QEMU with something on its disk, and LXD beside it. */
async function withWeb({
	offers = usual,
	plain,
	isNetworked = false,
}: {
	offers?: typeof usual;
	plain?: string;
	isNetworked?: boolean;
} = {}) {
	const paths = scratchPaths();
	const world = new World(paths);
	world.shared.offers.set('qemu', offers.qemu);
	world.shared.offers.set('libvirt', offers.qemu);
	world.lxd.offers.set('lxd', offers.lxd);
	if (isNetworked) world.shared.networkProblem = undefined;
	const {engine, life} = await world.live();
	await done(engine, engine.launch({name: 'web', cloudInit: '#cloud-config\nruncmd:\n- [touch, /made]\n', by}));
	await done(engine, engine.act({action: 'stop', names: ['web'], by}));
	const place = (scope: ScopeName, inside: string) => path.join(instanceDirectory(paths, scope, 'web'), inside);
	if (plain === undefined) makeDisk(place('qemu', 'disk'), 'qcow2', 'what web has written');
	else writeFileSync(place('qemu', 'disk'), plain);
	const record = (scope: ScopeName): InstanceRecord => JSON.parse(readFileSync(place(scope, 'instance.json'), 'utf8'));
	return {
		world,
		engine,
		life,
		place,
		record,
		move: async (request: Partial<MoveRequest> = {}) => {
			const {id} = await engine.move({name: 'web', to: 'lxd', by, ...request});
			return engine.wait({id});
		},
	};
}

describe('a move', () => {
	test('leaves the private network, and says so before', async () => {
		const {engine, move, record, world} = await withWeb({isNetworked: true});
		expect(record('qemu').hardware.privateNic).toBeDefined();
		const {losses} = await engine.movePlan({name: 'web', to: 'lxd'});
		expect(losses).toContain('It leaves the private network: the others there do not reach it by its name any more.');
		await move();
		expect(record('lxd').hardware).not.toHaveProperty('privateNic');
		expect(world.lxd.calls).toContain('create web');
	});

	test('is a copy that goes on as the instance it was; the original stays until it is deleted', async () => {
		const {engine, world, move, place, record} = await withWeb();
		const before = record('qemu');
		world.lxd.calls.length = 0;
		expect(await move()).toMatchObject({
			kind: 'move',
			state: 'done',
			items: [
				{
					target: 'web',
					note: 'moved to LXD, where it is stopped; the original stays in QEMU until it is deleted. "drover switch lxd" goes there.',
				},
			],
		});
		// It has booted and answered, and rests: its scope is not the current one.
		expect(world.lxd.calls).toEqual(['create web', 'start web', 'stop web']);
		expect(world.lxd.machines.size).toBe(0);
		expect(contentOf(place('lxd', 'disk'))).toBe('what web has written');
		expect(contentOf(place('qemu', 'disk'))).toBe('what web has written');
		const [original, copy] = [record('qemu'), record('lxd')];
		expect(copy).toMatchObject({
			phase: 'ready',
			scope: 'lxd',
			name: 'web',
			desired: 'stopped',
			createdAt: before.createdAt,
			hardware: before.hardware,
			ssh: {user: before.ssh.user, hostKey: before.ssh.hostKey},
			image: {...before.image, hash: ''},
			seedId: before.id,
		});
		expect(copy.id).not.toBe(before.id);
		expect(copy).not.toHaveProperty('intent');
		expect(original).toEqual({
			...before,
			moved: {to: 'lxd', id: copy.id, at: original.moved!.at},
		});
		// Its cloud-init is told the same as ever, and does nothing anew.
		const seed = JSON.parse(readFileSync(place('lxd', 'seed'), 'utf8'));
		expect(seed['meta-data']).toContain(`instance-id: ${before.id}`);
		expect(seed['user-data']).toContain('/made');
		expect(readFileSync(place('lxd', 'cloud-init.yaml'), 'utf8')).toContain('/made');
		expect(await engine.list()).toMatchObject([
			{name: 'web', scope: 'qemu', state: 'Stopped', reason: expect.stringMatching(/^it was moved to lxd/)},
		]);
		await done(engine, engine.switchDriver({to: 'lxd', by}));
		expect(await engine.list()).toMatchObject([{name: 'web', scope: 'lxd', state: 'Stopped'}]);
		expect(await done(engine, engine.act({action: 'start', names: ['web'], by}))).toMatchObject({state: 'done'});
		expect((await engine.instanceEvents({name: 'web'})).map(({what}) => what)[0]).toBe('moved here from qemu');
		// And again is refused: one is there.
		await done(engine, engine.switchDriver({to: 'qemu', by}));
		await expect(move()).rejects.toMatchObject({code: 'instance.exists'});
	});

	test('to a driver of containers is one to cloud-init, too: nothing is done again there', async () => {
		const {world, engine} = await withWeb();
		world.lxd.parts.imageForm = 'rootfs';
		expect(await engine.movePlan({name: 'web', to: 'lxd'})).toMatchObject({
			becomes: 'container',
			losses: [
				'It becomes a container: it shares the kernel of the host, and its own kernel, boot loader and kernel modules are of no use there.',
				'LXD has no suspend.',
				'LXD has no snapshots.',
			],
		});
		// There is no file system on this disk.
		const ended = await done(engine, engine.move({name: 'web', to: 'lxd', by}));
		expect(ended).toMatchObject({state: 'failed', error: {code: 'image.unusable'}});
	});

	test('tells what is lost before, and takes along what can be', async () => {
		const {engine, move, record, world} = await withWeb();
		await done(engine, engine.snapshot({name: 'web', by}));
		await done(
			engine,
			engine.forward({name: 'web', forward: {protocol: 'tcp', address: '127.0.0.1', host: 18080, guest: 80}, by}),
		);
		await done(
			engine,
			engine.mount({
				name: 'web',
				mount: {source: '/tmp', target: '/mnt/tmp', type: 'classic', uidMap: [], gidMap: []},
				by,
			}),
		);
		await engine.set({key: 'local.web.restore', value: 'always', by});
		const {losses, problems} = await engine.movePlan({name: 'web', to: 'lxd'});
		expect(problems).toEqual([]);
		expect(losses).toEqual([
			'Its snapshot stays with the original: what is moved is the disk as it is now.',
			'LXD has no suspend.',
			'LXD has no snapshots.',
			'Ports of the host do not lead into instances of LXD: its forwards are not moved.',
		]);
		await move();
		expect(record('lxd')).toMatchObject({restore: 'always', mounts: [{target: '/mnt/tmp', type: 'classic'}]});
		expect(record('lxd')).not.toHaveProperty('forwards');
		expect(world.lxd.parts.forwards.size).toBe(0);
	});

	test('with --purge takes the original away once its copy has answered', async () => {
		const {engine, move, place} = await withWeb();
		expect(await move({purge: true})).toMatchObject({
			state: 'done',
			items: [{note: 'moved to LXD; the original is gone. "drover switch lxd" goes there.'}],
		});
		expect(await engine.list()).toEqual([]);
		expect(existsSync(place('qemu', 'instance.json'))).toBe(false);
		expect(contentOf(place('lxd', 'disk'))).toBe('what web has written');
	});

	test('with --purge whose original cannot be removed is told so, and nothing is removed later', async () => {
		const {engine, world, move, place, record} = await withWeb();
		world.shared.before.set('destroy', () => {
			throw new Error('busy');
		});
		expect(await move({purge: true})).toMatchObject({state: 'failed'});
		world.shared.before.delete('destroy');
		expect(record('qemu')).not.toHaveProperty('intent');
		await done(engine, engine.switchDriver({to: 'lxd', by}));
		await done(engine, engine.act({action: 'delete', names: ['web'], by}));
		await done(engine, engine.switchDriver({to: 'qemu', by}));
		expect(await engine.list()).toMatchObject([{name: 'web', state: 'Stopped'}]);
		expect(contentOf(place('qemu', 'disk'))).toBe('what web has written');
		// The copy in the trash is nothing that could stand for it.
		expect(await move({purge: true}).catch(error => ({state: 'refused', error}))).not.toMatchObject({state: 'done'});
		expect(contentOf(place('qemu', 'disk'))).toBe('what web has written');
	});

	test('and back again', async () => {
		const {engine, move, record, place} = await withWeb();
		const {id} = record('qemu');
		await move({purge: true});
		await done(engine, engine.switchDriver({to: 'lxd', by}));
		expect(await move({to: 'qemu', purge: true})).toMatchObject({state: 'done'});
		expect(record('qemu')).toMatchObject({phase: 'ready', seedId: id});
		expect(contentOf(place('qemu', 'disk'))).toBe('what web has written');
	});

	test('that fails leaves the original as it was, and no copy', async () => {
		const {world, move, place, record, engine} = await withWeb();
		const before = record('qemu');
		for (const method of ['create', 'start'] as const) {
			world.lxd.before.set(method, () => {
				throw new Error('no such thing');
			});
			expect(await move()).toMatchObject({state: 'failed'});
			world.lxd.before.delete(method);
			expect(record('qemu')).toEqual(before);
			expect(existsSync(place('lxd', ''))).toBe(false);
			expect(world.lxd.machines.size).toBe(0);
		}
		expect(await engine.list()).toMatchObject([{name: 'web', state: 'Stopped'}]);
	});

	test('whose copy does not answer is none', async () => {
		const {world, engine, place, record} = await withWeb();
		const before = record('qemu');
		// The guest powers itself off while it boots.
		world.lxd.sshOf = () => undefined;
		const moving = done(engine, engine.move({name: 'web', to: 'lxd', by}));
		await until(
			() => world.lxd.machines.size,
			size => size === 1,
		);
		for (const id of [...world.lxd.machines.keys()]) world.lxd.vanish(id);
		expect(await moving).toMatchObject({state: 'failed', error: {code: 'guest.failed'}});
		expect(record('qemu')).toEqual(before);
		expect(existsSync(place('lxd', ''))).toBe(false);
	});

	test('can be cancelled, and keeps switches and other moves away meanwhile', async () => {
		const {world, engine, place, record} = await withWeb();
		const before = record('qemu');
		world.lxd.before.set('start', () => new Promise(() => {}));
		const moving = await engine.move({name: 'web', to: 'lxd', by});
		await until(
			() => world.lxd.calls,
			calls => calls.includes('start web'),
		);
		await expect(engine.switchDriver({to: 'lxd', by})).rejects.toMatchObject({code: 'instance.busy'});
		await expect(engine.switchPlan({to: 'lxd'})).rejects.toMatchObject({code: 'instance.busy'});
		await expect(engine.set({key: 'local.driver', value: 'lxd', by})).rejects.toMatchObject({code: 'instance.busy'});
		await expect(engine.movePlan({name: 'web', to: 'lxd'})).rejects.toMatchObject({code: 'instance.busy'});
		// Clients see the scope that is current, and nothing of the other.
		expect(await engine.list()).toMatchObject([{name: 'web', scope: 'qemu', operation: {kind: 'move'}}]);
		await engine.cancel({id: moving.id, by});
		expect(await engine.wait({id: moving.id})).toMatchObject({state: 'cancelled'});
		expect(record('qemu')).toEqual(before);
		expect(existsSync(place('lxd', ''))).toBe(false);
	});
});

test('on macOS and Windows the disk is given to the other driver to be converted, and its own to whoever copies it', async () => {
	const paths = scratchPaths();
	const hypervisors = {qemu: new SimulatedHypervisor(), virtualbox: new SimulatedHypervisor()} as const;
	for (const [name, hypervisor] of Object.entries(hypervisors)) hypervisor.offers.set(name as DriverName, ['diskFile']);
	const {engine} = await simulatedEngine(paths, {
		host: {platform: 'darwin', architecture: 'x64'},
		loadDriver: async name => (name === 'qemu' || name === 'virtualbox' ? hypervisors[name].driver(name) : undefined),
		workshop: {multipassPlaces: []},
	});
	await done(engine, engine.launch({name: 'web', by}));
	await done(engine, engine.act({action: 'stop', names: ['web'], by}));
	const disk = (scope: ScopeName) => path.join(instanceDirectory(paths, scope, 'web'), 'disk');
	makeDisk(disk('qemu'), 'qcow2', 'what web has written');
	expect(await done(engine, engine.move({name: 'web', to: 'virtualbox', purge: true, by}))).toMatchObject({
		state: 'done',
	});
	expect(contentOf(disk('virtualbox'))).toBe('what web has written');
	await done(engine, engine.switchDriver({to: 'virtualbox', by}));
	// As VirtualBox has it.
	makeDisk(disk('virtualbox'), 'vdi', 'and more');
	hypervisors.virtualbox.parts.diskFormat = 'vdi';
	expect(await done(engine, engine.move({name: 'web', to: 'qemu', by}))).toMatchObject({state: 'done'});
	expect(contentOf(disk('qemu'))).toBe('and more');
	await expect(engine.move({name: 'web', to: 'lxd', by})).rejects.toMatchObject({code: 'driver.unsupported'});
});

describe('what is refused, before anything is touched', () => {
	test('no move at all', async () => {
		const {engine, move, record} = await withWeb();
		const before = record('qemu');
		for (const [to, code, message] of [
			['qemu', 'usage.invalid', 'The instance is under QEMU already.'],
			[
				'libvirt',
				'usage.invalid',
				'QEMU and libvirt share their instances, so there is nothing to move: drover switch libvirt runs them under libvirt.',
			],
			['hyperv', 'driver.unsupported', 'Hyper-V is not supported on Linux, only on Windows.'],
		] as const) {
			await expect(move({to})).rejects.toMatchObject({code, message});
			await expect(engine.movePlan({name: 'web', to})).rejects.toMatchObject({code});
		}
		await expect(move({name: 'nobody'})).rejects.toMatchObject({code: 'instance.missing'});
		expect(record('qemu')).toEqual(before);
	});

	test('what is not stopped', async () => {
		const {engine, move, world} = await withWeb();
		const act = (action: 'start' | 'stop' | 'suspend' | 'delete' | 'recover') =>
			done(engine, engine.act({action, names: ['web'], by}));
		await act('start');
		await expect(move()).rejects.toMatchObject({
			code: 'instance.state',
			message: 'instance "web" cannot be moved: only while it is stopped',
			next: 'Stop it first, or use --stop.',
		});
		await act('suspend');
		await expect(move({stop: true})).rejects.toMatchObject({
			code: 'instance.state',
			message: 'instance "web" cannot be moved: it is suspended, and its memory is of use to QEMU only',
		});
		await act('delete');
		await expect(move()).rejects.toMatchObject({code: 'instance.deleted'});
		await act('recover');
		await act('start');
		expect(await move({stop: true})).toMatchObject({state: 'done'});
		expect(world.shared.machines.size).toBe(0);
	});

	test('a driver that cannot be used, or has something of that name, or no disk to give', async () => {
		const {engine, move, world} = await withWeb();
		world.lxd.health = {...world.lxd.health, usable: false, summary: 'the server does not answer'};
		await expect(move()).rejects.toMatchObject({
			code: 'driver.unusable',
			message: 'LXD cannot be used: the server does not answer',
		});
		world.lxd.health = {...world.lxd.health, usable: true};
		world.shared.parts.noDisk = 'its disk is missing';
		await expect(move()).rejects.toMatchObject({
			code: 'driver.incapable',
			message: '"web" cannot be moved: its disk is missing.',
		});
		world.shared.parts.noDisk = undefined;
		await done(engine, engine.switchDriver({to: 'lxd', by}));
		await done(engine, engine.launch({name: 'web', by}));
		await done(engine, engine.switchDriver({to: 'qemu', by}));
		await expect(move()).rejects.toMatchObject({
			code: 'instance.exists',
			message: 'There is an instance "web" in LXD already.',
		});
		const bare = await withWeb({offers: {...usual, qemu: []}});
		await expect(bare.move()).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Moving from QEMU is not in this version of drover.',
		});
	});
});

describe('kill -9 in a move', () => {
	test.each([false, true])(
		'at every step of it, with purge %s: it ends, or is as before',
		{timeout: 300_000},
		async purge => {
			const plain = 'plain: what web has written';
			let steps = 0;
			for (; steps < 100; steps++) {
				const {world, engine: first, life, place} = await withWeb({plain});
				life.stepsLeft = steps;
				const ended = await world.within(life, () => {
					const moving = done(first, first.move({name: 'web', to: 'lxd', purge, by})).then(() => 'ended' as const);
					return Promise.race([moving, until(() => life.isOver, Boolean, 20_000).then(() => 'killed' as const)]);
				});
				life.isOver = true;
				const {engine} = await world.live();
				await until(
					() => engine.operations(),
					operations => operations.every(isEnded),
					20_000,
				);
				const isMoved = existsSync(place('lxd', 'instance.json'));
				expect(world.lxd.machines.size + world.shared.machines.size).toBe(0);
				if (isMoved) {
					expect(readFileSync(place('lxd', 'disk'), 'utf8')).toBe(plain);
					expect(readdirSync(place('lxd', '')).filter(file => /incoming/.test(file))).toEqual([]);
					expect(JSON.parse(readFileSync(place('lxd', 'instance.json'), 'utf8'))).toMatchObject({phase: 'ready'});
				}
				if (!isMoved || !purge) {
					expect(await engine.list()).toMatchObject([{name: 'web', state: 'Stopped'}]);
					expect(readFileSync(place('qemu', 'disk'), 'utf8')).toBe(plain);
					const record: InstanceRecord = JSON.parse(readFileSync(place('qemu', 'instance.json'), 'utf8'));
					expect([record.intent, record.moved === undefined]).toEqual([undefined, !isMoved]);
				} else expect(await engine.list()).toEqual([]);
				await engine.close();
				if (ended === 'ended') {
					expect(isMoved).toBe(true);
					break;
				}
			}
			expect(steps).toBeGreaterThan(10);
			expect(steps).toBeLessThan(100);
		},
	);

	test('a copy that was cut short goes when its scope is entered', async () => {
		const {world, engine: first, life, place} = await withWeb();
		world.lxd.before.set('start', () => new Promise(() => {}));
		await world.within(life, () => first.move({name: 'web', to: 'lxd', by}));
		await until(
			() => world.lxd.calls,
			calls => calls.includes('start web'),
		);
		life.isOver = true;
		world.lxd.before.delete('start');
		// By hand, as drover itself refuses to switch meanwhile.
		const {openSettings} = await import('../../source/state/settings.ts');
		(await openSettings(world.paths.config)).set('local.driver', 'lxd');
		const {engine} = await world.live();
		await until(
			() => engine.list(),
			list => list.length === 0,
		);
		expect(existsSync(place('lxd', ''))).toBe(false);
		expect(contentOf(place('qemu', 'disk'))).toBe('what web has written');
	});
});

test.each(['qemu', 'lxd'] satisfies DriverName[])(
	'what is looked at beside is not told to clients: current %s',
	async current => {
		const {engine} = await withWeb();
		if (current === 'lxd') await done(engine, engine.switchDriver({to: 'lxd', by}));
		const scopes = new Set<string>();
		engine.subscribe(event => {
			if (event.type === 'instances') for (const {scope} of event.changed) scopes.add(scope);
		});
		const other = current === 'qemu' ? 'lxd' : 'qemu';
		await engine.switchPlan({to: other});
		await new Promise(resolve => setImmediate(resolve));
		expect(scopes.has(other)).toBe(false);
	},
);
