import {expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const id = '4c2e6a0e-6f0d-4f0e-9d3b-7a5d1c2b3a49';

function withForeign() {
	const hypervisor = new SimulatedHypervisor();
	hypervisor.offers.set('lxd', ['adoptables', 'adopt', 'direct', 'answers']);
	hypervisor.parts.adoptables = [
		{name: 'noble', from: 'multipass', state: 'Running'},
		{name: 'odd', from: 'multipass', state: 'Stopped', problem: 'it has no network interface'},
	];
	hypervisor.parts.adopt = (name): InstanceRecord => ({
		schema: 1,
		id,
		name,
		scope: 'lxd',
		createdAt: new Date().toISOString(),
		createdBy: by,
		phase: 'ready',
		image: {query: 'multipass', release: '24.04 LTS', os: 'ubuntu', hash: ''},
		hardware: {arch: 'x86_64', cpus: 1, memory: gibibyte, disk: 5 * gibibyte, mac: '52:54:00:00:00:01'},
		ssh: {user: 'ubuntu', hostKey: ''},
		desired: 'running',
		lxd: {type: 'virtual-machine', project: 'multipass'},
	});
	hypervisor.boot(id);
	return hypervisor;
}

test('an instance of other software gets a record, and is there after a restart, whatever is known of its key', async () => {
	const paths = scratchPaths();
	const hypervisor = withForeign();
	const {engine: first} = await simulatedEngine(paths, {hypervisor, driver: 'lxd'});
	expect(await first.adoptables()).toHaveLength(2);
	expect(await first.adopt({name: 'noble', from: 'multipass', by})).toMatchObject({name: 'noble', state: 'Running'});
	expect((await first.instanceEvents({name: 'noble'})).at(-1)).toMatchObject({what: 'taken over from multipass', by});
	await first.close();

	const {engine} = await simulatedEngine(paths, {hypervisor, driver: 'lxd'});
	expect(await engine.list()).toMatchObject([{name: 'noble', state: 'Running', kind: 'virtual-machine'}]);
	// Without its key nobody could tell it from another.
	expect(await engine.access({name: 'noble'})).toMatchObject({
		kind: 'lxd',
		reason: 'the key of its SSH server is not known',
	});
});

test('not one that cannot be, is not there, or has the name of another', async () => {
	const {engine} = await simulatedEngine(scratchPaths(), {hypervisor: withForeign(), driver: 'lxd'});
	await expect(engine.adopt({name: 'odd', from: 'multipass', by})).rejects.toMatchObject({
		code: 'instance.invalid',
		message: '"odd" cannot be taken over: it has no network interface.',
	});
	await expect(engine.adopt({name: 'web', from: 'multipass', by})).rejects.toMatchObject({code: 'instance.missing'});
	await engine.wait({id: (await engine.launch({name: 'noble', by})).id});
	await expect(engine.adopt({name: 'noble', from: 'multipass', by})).rejects.toMatchObject({code: 'instance.exists'});
});
