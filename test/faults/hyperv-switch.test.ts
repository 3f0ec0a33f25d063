import {describe, expect, onTestFinished, test} from 'vitest';
import type {Driver} from '../../source/drivers/driver.ts';
import {createHypervDriver} from '../../source/drivers/hyperv/driver.ts';
import {createVirtualBoxDriver} from '../../source/drivers/virtualbox/driver.ts';
import {createEngine} from '../../source/engine/create-engine.ts';
import type {Engine} from '../../source/engine/engine.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import type {Paths} from '../../source/state/paths.ts';
import {initialized, until} from '../support/engine.ts';
import {stateOf} from '../support/hyperv/state.ts';
import {HypervWorld} from '../support/hyperv/world.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {rawImages} from '../support/virtualbox/engine.ts';
import {standIn} from '../support/virtualbox/stand-in.ts';

const by = 'kim';

/**
 * An engine as on Windows: Hyper-V is the driver with its stand-in behind it, VirtualBox a simulated one, or the driver
 * itself with a stand-in of its own.
 */
async function open(makeVirtualBox?: (paths: Paths) => Driver) {
	const paths = scratchPaths();
	const world = new HypervWorld();
	onTestFinished(() => world.close());
	const other = new SimulatedHypervisor();
	const live = async () => {
		const engine = await createEngine(paths, {
			loadDriver: async name => {
				if (name === 'hyperv') return createHypervDriver({paths, tools: world.tools, resolve: async () => []});
				return name === 'virtualbox' ? (makeVirtualBox?.(paths) ?? other.driver(name)) : undefined;
			},
			images: rawImages(paths),
			host: {platform: 'win32', architecture: 'x64'},
			version: 'test',
			lookEveryMs: 60_000,
			bootId: 'boot-1',
			workshop: {
				waitForAnswer: async () => 'SSH-2.0-simulated',
				tryAnswer: async () => 'SSH-2.0-simulated',
				followInit: initialized,
			},
		});
		onTestFinished(() => engine.close());
		return engine;
	};
	const engine = await live();
	// PowerShell takes a while to start on a busy host.
	await until(
		async () => (await engine.drivers()).find(({name}) => name === 'hyperv')?.health.usable,
		usable => usable === true,
		30_000,
	);
	return {paths, world, other, engine, live};
}

async function launch(engine: Engine, name: string) {
	expect(await engine.wait({id: (await engine.launch({name, by})).id})).toMatchObject({state: 'done'});
}

async function act(engine: Engine, action: Parameters<Engine['act']>[0]['action'], name: string) {
	return engine.wait({id: (await engine.act({action, names: [name], by})).id});
}

async function switchTo(engine: Engine, to: DriverName) {
	return engine.wait({id: (await engine.switchDriver({to, by})).id});
}

const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));
const powers = ({state}: HypervWorld) =>
	Object.fromEntries(
		state.machines().map(machine => [machine.name.replace(/^drover-(.*)-\w+$/, '$1'), stateOf(machine)]),
	);

describe('switching between Hyper-V and another driver', {timeout: 120_000}, () => {
	test('what runs is stopped and started again, what was stopped stays so, and each scope is as it was left', async () => {
		const {world, other, engine} = await open();
		expect((await engine.overview()).driver.name).toBe('hyperv');
		for (const name of ['running', 'stopped', 'deleted']) await launch(engine, name);
		await act(engine, 'stop', 'stopped');
		await act(engine, 'delete', 'deleted');
		const before = {running: 'Running', stopped: 'Stopped', deleted: 'Deleted'};
		expect(await states(engine)).toEqual(before);

		const plan = await engine.switchPlan({to: 'virtualbox'});
		expect(Object.fromEntries(plan.park.map(({name, method}) => [name, method]))).toEqual({
			running: 'stop',
			stopped: 'leave',
			deleted: 'leave',
		});
		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		expect(await engine.list()).toEqual([]);
		expect(powers(world)).toEqual({running: 'Off', stopped: 'Off', deleted: 'Off'});
		await launch(engine, 'running');

		expect(await switchTo(engine, 'hyperv')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual(before);
		expect(other.machines.size).toBe(0);
		expect(powers(world)).toMatchObject({running: 'Running', stopped: 'Off', deleted: 'Off'});

		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({running: 'Running'});
	});

	test('and VirtualBox itself, on its own stand-in: there it is suspended and resumed, here stopped and started', async () => {
		const virtualBox = await standIn();
		onTestFinished(() => virtualBox.close());
		await virtualBox.warm();
		// Its stand-in is a program of this system's, whatever the engine takes it for.
		const {world, engine} = await open(paths =>
			createVirtualBoxDriver({
				paths,
				program: virtualBox.program,
				host: {platform: 'darwin', architecture: 'x64', environment: process.env},
			}),
		);
		for (const name of ['web', 'off']) await launch(engine, name);
		await act(engine, 'stop', 'off');
		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		expect(powers(world)).toEqual({web: 'Off', off: 'Off'});
		for (const name of ['web', 'asleep']) await launch(engine, name);
		await act(engine, 'suspend', 'asleep');

		expect(await switchTo(engine, 'hyperv')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({web: 'Running', off: 'Stopped'});
		expect((await virtualBox.calls()).filter(call => call.includes('savestate'))).toHaveLength(2);

		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({web: 'Running', asleep: 'Suspended'});
		expect(powers(world)).toEqual({web: 'Off', off: 'Off'});
	});

	test('a PowerShell that ends while it parks and while it restores costs nothing', async () => {
		const {world, engine} = await open();
		await launch(engine, 'web');
		world.state.faults = [
			{op: 'shut-down', kind: 'crash', times: 1},
			{op: 'list', kind: 'crash', times: 1},
		];
		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		world.state.faults = [{op: 'start', kind: 'crash-after', times: 1}];
		expect(await switchTo(engine, 'hyperv')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({web: 'Running'});
		expect(world.state.machines()).toHaveLength(1);
	});

	test('one that Hyper-V cannot start again stays parked with the reason, and can be tried again', async () => {
		const {world, engine} = await open();
		for (const name of ['a', 'b']) await launch(engine, name);
		await switchTo(engine, 'virtualbox');
		const error = {
			id: 'OutOfMemory,Microsoft.HyperV.PowerShell.Commands.StartVM',
			category: 'ResourceUnavailable',
			hresult: -2147024882,
			message: 'Nicht genug Speicher',
		};
		world.state.faults = [{op: 'start', kind: 'error', times: 1, error}];
		await switchTo(engine, 'hyperv');
		const views = await engine.list();
		expect(views.map(({state}) => state).sort()).toEqual(['Running', 'Stopped']);
		expect(views.find(({state}) => state === 'Stopped')?.reason).toContain('The host has not enough memory');
		const {name} = views.find(({state}) => state === 'Stopped')!;
		expect(await act(engine, 'start', name)).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({a: 'Running', b: 'Running'});
	});

	test('a Hyper-V that cannot be used is refused before anything is touched', async () => {
		const {world, engine} = await open();
		await switchTo(engine, 'virtualbox');
		await launch(engine, 'web');
		world.state.behaviour = {...world.state.behaviour, health: {service: 'Stopped', access: ''}};
		await engine.doctor({again: true});
		await expect(engine.switchDriver({to: 'hyperv', by})).rejects.toMatchObject({
			code: 'driver.unusable',
			next: expect.stringContaining('Start-Service'),
		});
		expect(await states(engine)).toEqual({web: 'Running'});
	});

	test('an instance has snapshots, a clone and a network, and no suspending, by the table', async () => {
		const {engine} = await open();
		await launch(engine, 'web');
		await expect(engine.act({action: 'suspend', names: ['web'], by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: expect.stringMatching(/Hyper-V/),
		});
		await act(engine, 'stop', 'web');
		const info = (await engine.drivers()).find(({name}) => name === 'hyperv');
		expect(info?.features).toEqual(['networks', 'resize', 'metrics', 'snapshots', 'clone']);
		expect(info?.verification).toMatchObject({level: 'experimental'});
		expect((await engine.networks()).map(({name}) => name)).toEqual(['House', 'Lab']);
	});
});
