import {readFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {gatewayOf, subnetOf} from '../../source/model/private-network.ts';
import type {NetworkPlan, PortReport} from '../../source/network/plan.ts';
import {instanceDirectory, socketDirectory} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
type Plan = Omit<NetworkPlan, 'version'>;

/** The engine with a network that only remembers what it is told. */
async function withNetwork({paths = scratchPaths(), hypervisor = new SimulatedHypervisor()} = {}) {
	if (hypervisor.networkProblem === null) hypervisor.networkProblem = undefined;
	hypervisor.offers.set('qemu', ['clone']);
	let plan: Plan = {ports: [], names: {}};
	let report: (report: PortReport) => void = () => {};
	let isClosed = false;
	const {engine} = await simulatedEngine(paths, {
		hypervisor,
		openNetwork(onReport) {
			report = onReport;
			return {
				follow(next) {
					plan = next;
				},
				close() {
					isClosed = true;
				},
			};
		},
	});
	const launch = async (name: string) => engine.wait({id: (await engine.launch({name, by})).id});
	const act = async (action: Parameters<Engine['act']>[0]['action'], name: string, options = {}) =>
		engine.wait({id: (await engine.act({action, names: [name], options, by})).id});
	const file = (name: string, inside: string) => path.join(instanceDirectory(paths, 'qemu', name), inside);
	const record = (name: string): InstanceRecord => JSON.parse(readFileSync(file(name, 'instance.json'), 'utf8'));
	const nic = (name: string) => record(name).hardware.privateNic;
	const ports = () => plan.ports.map(({id}) => id);
	const untilPorts = (...names: string[]) =>
		until(
			() => ports().sort().join(),
			found =>
				found ===
				names
					.map(name => record(name).id)
					.sort()
					.join(),
		);
	return {
		engine,
		hypervisor,
		paths,
		launch,
		act,
		record,
		nic,
		untilPorts,
		plan: () => plan,
		report: (each: PortReport) => report(each),
		isClosed: () => isClosed,
	};
}

describe('places on the private network', () => {
	test('are different, also of those that are launched at the same time', async () => {
		const {launch, nic, record} = await withNetwork();
		const names = ['a', 'b', 'c', 'd', 'e', 'f'];
		await Promise.all(names.map(launch));
		const nics = names.map(name => nic(name)!);
		expect(new Set(nics.map(({address}) => address)).size).toBe(6);
		expect(new Set(nics.map(each => gatewayOf(subnetOf(each)))).size).toBe(1);
		const macs = names.flatMap(name => [record(name).hardware.mac, nic(name)!.mac]);
		expect(new Set(macs).size).toBe(12);
	});

	test('of clones are their own, and what is not on it has clones that are not', async () => {
		const {engine, launch, act, nic, record} = await withNetwork();
		await launch('web');
		await act('stop', 'web');
		await engine.wait({id: (await engine.clone({name: 'web', as: 'twin', by})).id});
		expect(nic('twin')!.address).not.toBe(nic('web')!.address);
		expect(nic('twin')!.mac).not.toBe(nic('web')!.mac);
		await engine.set({key: 'local.qemu.network', value: 'off', by});
		await launch('hermit');
		expect(nic('hermit')).toBeUndefined();
		await engine.set({key: 'local.qemu.network', value: 'on', by});
		await act('stop', 'hermit');
		await engine.wait({id: (await engine.clone({name: 'hermit', as: 'other', by})).id});
		expect(record('other').hardware).not.toHaveProperty('privateNic');
	});

	test('there are none where the driver has no such network, or cannot carry it; doctor says why', async () => {
		const hypervisor = new SimulatedHypervisor();
		hypervisor.networkProblem = 'QEMU 7.1.0 cannot carry it, 7.2 is needed';
		const {engine, launch, nic} = await withNetwork({hypervisor});
		await launch('web');
		expect(nic('web')).toBeUndefined();
		const {checks} = await engine.doctor({again: false});
		expect(checks.find(({title}) => title === 'Private network')).toEqual({
			title: 'Private network',
			verdict: 'warning',
			text: 'new instances do not reach each other: QEMU 7.1.0 cannot carry it, 7.2 is needed',
		});
	});
});

describe('who is on the private network', () => {
	test('is what runs, for as long as it does; names are those of all', async () => {
		const {launch, act, nic, record, paths, plan, untilPorts, hypervisor, engine} = await withNetwork();
		await launch('web');
		await untilPorts('web');
		expect(plan().ports).toEqual([
			{id: record('web').id, socket: path.join(socketDirectory(paths, record('web').id), 'net.sock'), ...nic('web')},
		]);
		// One alone has nobody to reach: drover may end.
		expect(engine.isIdle()).toBe(true);
		await launch('db');
		await untilPorts('web', 'db');
		expect(engine.isIdle()).toBe(false);
		await act('stop', 'db');
		await untilPorts('web');
		expect(plan().names).toEqual({web: nic('web')!.address, db: nic('db')!.address});
		await act('start', 'db');
		await act('suspend', 'web');
		await untilPorts('db');
		await act('start', 'web');
		await untilPorts('web', 'db');
		hypervisor.vanish(record('db').id);
		await untilPorts('web');
		await act('delete', 'db');
		await until(
			() => Object.keys(plan().names),
			names => names.join() === 'web',
		);
		await act('recover', 'db');
		await until(
			() => Object.keys(plan().names).length,
			count => count === 2,
		);
		await act('delete', 'db', {purge: true});
		await until(
			() => Object.keys(plan().names),
			names => names.join() === 'web',
		);
	});

	test('is found again by the next daemon', async () => {
		const first = await withNetwork();
		await first.launch('web');
		await first.launch('db');
		await first.untilPorts('web', 'db');
		const before = first.plan();
		await first.engine.close();
		expect(first.isClosed()).toBe(true);
		const next = await withNetwork({paths: first.paths, hypervisor: first.hypervisor});
		await next.untilPorts('web', 'db');
		expect(next.plan().names).toEqual(before.names);
		await next.launch('mail');
		const addresses = ['web', 'db', 'mail'].map(name => next.nic(name)!.address);
		expect(new Set(addresses).size).toBe(3);
	});

	test('is told by info, and when it cannot be reached, why', async () => {
		const {engine, launch, nic, record, report, untilPorts, act} = await withNetwork();
		await launch('web');
		await untilPorts('web');
		const place = async () => (await engine.info({names: ['web'], runtime: false}))[0]!.privateNetwork;
		expect(await place()).toEqual({
			...nic('web'),
			name: 'web.drover',
			problem: 'its machine is not connected to it',
		});
		report({id: record('web').id, isConnected: true});
		expect(await place()).toEqual({...nic('web'), name: 'web.drover'});
		report({id: record('web').id, isConnected: false, problem: 'another instance has its private address'});
		expect((await place())?.problem).toBe('another instance has its private address');
		await act('stop', 'web');
		expect(await place()).toEqual({...nic('web'), name: 'web.drover'});
		// It is no address that the host reaches.
		expect((await engine.list())[0]!.ipv4).toEqual([]);
	});
});
