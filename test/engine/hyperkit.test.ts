import {execFileSync} from 'node:child_process';
import {describe, expect, test} from 'vitest';
import type {EngineOptions} from '../../source/engine/create-engine.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {isEnded} from '../../source/model/operation.ts';
import {openSettings} from '../../source/state/settings.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {MultipassData} from '../support/multipass.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const mac: EngineOptions['host'] = {platform: 'darwin', architecture: 'x64'};

/** Hyperkit's instances are in the root of the data, with a boot loader on their disks; those of QEMU below it. */
function oldData(): MultipassData {
	const data = new MultipassData();
	for (const name of ['web', 'db']) bootable(data.add(name));
	bootable(data.add('running', {state: 4}));
	bootable(data.add('deleted', {isDeleted: true}));
	// Made when Hyperkit was given the kernel.
	data.add('ancient');
	data.add('newer', {}, 'qemu');
	return data;
}

function bootable(disk: string) {
	execFileSync('qemu-io', ['-c', 'write -P 0x90 0 256', disk], {stdio: 'ignore'});
}

const ended = (engine: Engine) =>
	until(
		() => engine.operations(),
		operations => operations.length > 0 && operations.every(isEnded),
	);
const notices = async (engine: Engine) => (await engine.overview()).notices.map(({text}) => text);

describe('instances that Multipass ran with Hyperkit', () => {
	test('are copied when QEMU is current on macOS; what came of each is told once', async () => {
		const data = oldData();
		const before = data.fingerprint();
		const paths = scratchPaths();
		const hypervisor = new SimulatedHypervisor();
		const start = () => simulatedEngine(paths, {host: mac, hypervisor, workshop: {multipassPlaces: [data.directory]}});
		const {engine: first} = await start();
		expect(await ended(first)).toMatchObject([{kind: 'import', by: 'drover', state: 'done'}]);
		const told = await until(
			() => notices(first),
			texts => texts.length === 5,
		);
		expect([...told].sort()).toEqual([
			'ancient, which Multipass ran with Hyperkit, was not brought: its disk has no boot loader: Hyperkit was given its kernel beside it.',
			'db, which Multipass ran with Hyperkit, was copied here; the original stays.',
			'deleted, which Multipass ran with Hyperkit, was not brought: it is deleted in Multipass. multipass recover deleted brings it back there.',
			expect.stringMatching(
				/^running, which Multipass ran with Hyperkit, was not brought: Multipass has it as Running. Stop it first/,
			),
			'web, which Multipass ran with Hyperkit, was copied here; the original stays.',
		]);
		// The others are of Multipass's own QEMU: they come when they are asked for.
		expect((await first.list()).map(({name}) => name)).toEqual(['db', 'web']);
		await first.close();
		const {engine: second} = await start();
		await until(
			() => second.importPlan({}),
			({instances}) => instances.filter(({verdict}) => verdict === 'here').length === 2,
		);
		await second.refresh();
		expect(await second.operations()).toEqual([]);
		expect(await notices(second)).toEqual([]);
		// One that can be brought now is.
		await second.close();
		data.put('', 'running', {
			num_cores: 1,
			mem_size: '1073741824',
			disk_space: '1073741824',
			state: 1,
			mac_addr: '52:54:00:1a:2b:03',
		});
		const {engine: third} = await start();
		expect(await ended(third)).toMatchObject([{title: 'import running', state: 'done'}]);
		await until(
			() => notices(third),
			texts => texts.length === 1,
		);
		const disks = (text: string) => text.split('\n').filter(line => /^[\da-f]{64} .*\.img$/.test(line));
		expect(disks(data.fingerprint())).toEqual(disks(before));
	});

	test.each([
		['on Linux', {platform: 'linux', architecture: 'x64'}],
		['on Windows', {platform: 'win32', architecture: 'x64'}],
	] as const)('are none %s: nothing is brought unasked', async (_where, host) => {
		const data = oldData();
		const hypervisor = new SimulatedHypervisor();
		const {engine} = await simulatedEngine(scratchPaths(), {
			host,
			hypervisor,
			loadDriver: async name => hypervisor.driver(name),
			workshop: {multipassPlaces: [data.directory]},
		});
		await engine.refresh();
		await engine.importPlan({});
		expect(await engine.operations()).toEqual([]);
		expect(await engine.list()).toEqual([]);
	});

	test('come with a switch to QEMU, and not before', async () => {
		const data = oldData();
		const hypervisor = new SimulatedHypervisor();
		const paths = scratchPaths();
		(await openSettings(paths.config)).set('local.driver', 'virtualbox');
		const {engine} = await simulatedEngine(paths, {
			host: mac,
			hypervisor,
			loadDriver: async name => hypervisor.driver(name),
			workshop: {multipassPlaces: [data.directory]},
		});
		await engine.importPlan({});
		expect(await engine.operations()).toEqual([]);
		await engine.wait({id: (await engine.switchDriver({to: 'qemu', by: 'kim'})).id});
		await until(
			() => engine.operations(),
			operations => operations.length === 2 && operations.every(isEnded),
		);
		expect((await engine.list()).map(({name, scope}) => [name, scope])).toEqual([
			['db', 'qemu'],
			['web', 'qemu'],
		]);
	});
});
