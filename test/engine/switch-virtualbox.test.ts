import {describe, expect, onTestFinished, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {macEngine} from '../support/virtualbox/engine.ts';
import {standIn} from '../support/virtualbox/stand-in.ts';

const by = 'kim';

async function open() {
	const paths = scratchPaths();
	const virtualBox = await standIn();
	onTestFinished(() => virtualBox.close());
	await virtualBox.warm();
	const qemu = new SimulatedHypervisor();
	const engine = await macEngine(paths, virtualBox, qemu);
	onTestFinished(() => engine.close());
	return {engine, virtualBox, qemu, paths};
}

async function launch(engine: Engine, name: string) {
	expect(await engine.wait({id: (await engine.launch({name, by})).id})).toMatchObject({state: 'done'});
}

async function act(engine: Engine, action: Parameters<Engine['act']>[0]['action'], name: string) {
	const done = await engine.wait({id: (await engine.act({action, names: [name], by})).id});
	expect(done).toMatchObject({state: 'done'});
}

async function switchTo(engine: Engine, to: DriverName) {
	return engine.wait({id: (await engine.switchDriver({to, by})).id});
}

const states = async (engine: Engine) =>
	Object.fromEntries((await engine.list()).map(({name, state}) => [name, state]));

describe('a switch between QEMU and VirtualBox on macOS', {timeout: 120_000}, () => {
	test('each scope comes back as it was left: what ran runs on, what was suspended stays so', async () => {
		const {engine, qemu, virtualBox} = await open();
		await launch(engine, 'web');
		await launch(engine, 'db');
		await act(engine, 'stop', 'db');
		const boots = () => [...qemu.machines.values()].map(({bootId}) => bootId);
		const before = boots();

		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({});
		expect(qemu.machines.size).toBe(0);
		await launch(engine, 'web');
		await launch(engine, 'asleep');
		await launch(engine, 'off');
		await act(engine, 'suspend', 'asleep');
		await act(engine, 'stop', 'off');
		const here = {web: 'Running', asleep: 'Suspended', off: 'Stopped'};
		expect(await states(engine)).toEqual(here);

		expect(await switchTo(engine, 'qemu')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual({web: 'Running', db: 'Stopped'});
		expect(boots()).toEqual(before);
		// Nothing of the other scope runs, and its memory is saved.
		const calls = await virtualBox.calls();
		expect(calls.filter(call => call.includes('savestate'))).toHaveLength(2);
		expect((await engine.overview()).elsewhere).toEqual([{scope: 'virtualbox', count: 3}]);

		expect(await switchTo(engine, 'virtualbox')).toMatchObject({state: 'done'});
		expect(await states(engine)).toEqual(here);
		expect((await engine.list()).find(({name}) => name === 'asleep')).toMatchObject({suspendedBy: 'user'});
		await act(engine, 'start', 'asleep');
		expect(await states(engine)).toEqual({...here, asleep: 'Running'});
	});

	test('one that VirtualBox cannot start again stays parked with its reason, and keeps nobody back', async () => {
		const {engine, virtualBox} = await open();
		await switchTo(engine, 'virtualbox');
		await launch(engine, 'web');
		await switchTo(engine, 'qemu');
		await virtualBox.behave({startError: 'VT-x is being used by another hypervisor (VERR_VMX_IN_VMX_ROOT_MODE)'});
		await switchTo(engine, 'virtualbox');
		expect((await engine.list())[0]).toMatchObject({
			name: 'web',
			state: 'Suspended',
			reason: expect.stringMatching(/could not be brought back by the switch: .*VirtualBox cannot load it/),
		});
		await virtualBox.behave({});
		await act(engine, 'start', 'web');
		expect(await states(engine)).toEqual({web: 'Running'});
	});
});
