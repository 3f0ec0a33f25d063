import * as v from 'valibot';
import {describe, expect, test} from 'vitest';
import {
	healthResult,
	inspectResult,
	listResult,
	networksResult,
	type Operation,
	parseMessage,
	requestLine,
	restoreResult,
	sampleResult,
	stateResult,
} from '../../../source/drivers/hyperv/messages.ts';
import {scriptText} from '../../../source/drivers/hyperv/script-text.ts';
import {PowerShell} from './powershell.ts';
import {errorRecord, type Sim, Thrown, text} from './powershell-values.ts';
import {parseScript} from './script.ts';
import {SimulatedHyperV} from './simulated-hyperv.ts';

/*
 * The script itself, gone through by a small PowerShell of the tests' own, with cmdlets that work on objects. What
 * PowerShell and Hyper-V really do is not shown by it; that the script hangs together is.
 */

const owner = '0123456789abcdef';
const machine = '11111111-2222-4333-8444-555555555555';
const mark = {owner, machine};
const place = 'C:\\Users\\kim\\drover\\web';
const disk = `${place}\\disk.vhdx`;
const wanted = {
	...mark,
	...{name: 'drover-web-11111111', place, disk, seed: `${place}\\seed.iso`, cpus: 2, memory: 2 ** 30},
	...{mac: '525400AABBCC', nics: [{switch: 'Haus', mac: '525400000002'}], secureBoot: true},
};

type Answer = {id: number; ok: boolean; result?: unknown; error?: {id: string; category: string; hresult: number}};

/** Gives the script requests and takes its lines. */
async function run(hyperv: SimulatedHyperV, ...requests: ReadonlyArray<readonly [Operation, Record<string, unknown>]>) {
	const written: string[] = [];
	const lines = requests.map(([op, args], index) => requestLine(index + 1, op, args).trimEnd());
	new PowerShell(hyperv.world(lines, written)).run((await parseScript(scriptText)).root);
	const messages = written.map(line => {
		expect(line).toMatch(/^[\x20-\x7e]+$/);
		const message = parseMessage(line);
		if (!message) throw new Error(`drover does not understand ${line}`);
		return message;
	});
	return {
		hello: messages[0],
		begun: messages.flatMap(message => ('event' in message && message.event === 'begun' ? [message.id] : [])),
		events: messages.filter(message => 'event' in message && message.event === 'changed'),
		answers: messages.filter(message => 'ok' in message) as Answer[],
	};
}

async function ask<Schema extends v.GenericSchema>(
	hyperv: SimulatedHyperV,
	schema: Schema,
	op: Operation,
	args: Record<string, unknown> = mark,
): Promise<v.InferOutput<Schema>> {
	const {answers} = await run(hyperv, [op, args]);
	if (!answers[0]?.ok) throw new Error(answers[0]?.error?.id ?? 'no answer');
	return v.parse(schema, answers[0].result);
}

async function made() {
	const hyperv = new SimulatedHyperV();
	hyperv.disks.set(disk, {size: 5 * 2 ** 30, parent: ''});
	await ask(hyperv, stateResult, 'create', wanted);
	return {hyperv, vm: hyperv.machines[0]!};
}

describe('the script', () => {
	test('says what it is, answers, and ends with its input', async () => {
		const {hello, answers, begun} = await run(new SimulatedHyperV(), ['health', {}], ['networks', {}]);
		expect(begun).toEqual([1, 2]);
		expect(hello).toEqual({
			event: 'hello',
			protocol: 1,
			powershell: '5.1.22621',
			pid: 4711,
			capabilities: ['events', 'sample'],
		});
		expect(v.parse(healthResult, answers[0]?.result)).toEqual({
			...{windows: '10.0.22631', sku: 48, hypervisor: true, module: '2.0.0.0', service: 'Running'},
			...{elevated: false, member: true, access: 'yes', defaultSwitch: true},
		});
		expect(v.parse(networksResult, answers[1]?.result).switches.map(({name, type}) => [name, type])).toEqual([
			['Default Switch', 'Internal'],
			['Haus', 'External'],
		]);
	});

	test('makes a machine as it is told, marked as drover’s, once', async () => {
		const {hyperv, vm} = await made();
		const inside = hyperv.inside.get(vm)!;
		expect(inside.told).toMatchObject({
			new: {generation: 2, vhdpath: disk, switchname: 'Default Switch', path: place},
			processor: {count: 2},
			memory: {startupbytes: 2 ** 30, dynamicmemoryenabled: false},
			firmware: {enablesecureboot: 'On', secureboottemplate: 'MicrosoftUEFICertificateAuthority'},
			dvd: {path: wanted.seed},
			settings: {automaticstartaction: 'Nothing', automaticstopaction: 'ShutDown', automaticcheckpointsenabled: false},
		});
		expect(inside.adapters.map(each => [each.get('MacAddress'), each.get('SwitchName')])).toEqual([
			['525400AABBCC', 'Default Switch'],
			['525400000002', 'Haus'],
		]);
		expect(vm.get('Notes')).toBe(
			`drover looks after this virtual machine by the next line.\ndrover:${owner}:${machine}:ready`,
		);
		await ask(hyperv, stateResult, 'create', wanted);
		expect(hyperv.machines).toEqual([vm]);
	});

	test('makes it anew when a crash left a half of it, before the mark or after', async () => {
		for (const notes of ['', `x\r\ndrover:${owner}:${machine}:making\r\nmy own words`]) {
			const hyperv = new SimulatedHyperV();
			const half = hyperv.add(wanted.name, notes, 'Off', place.toUpperCase());
			const theirs = hyperv.add(wanted.name, '', 'Off', 'D:\\theirs');
			await ask(hyperv, stateResult, 'create', wanted);
			expect(hyperv.machines).not.toContain(half);
			expect(hyperv.machines).toContain(theirs);
			expect(hyperv.machines).toHaveLength(2);
		}
	});

	test('takes away what it has begun when a step of it fails', async () => {
		const hyperv = new SimulatedHyperV();
		const error = errorRecord('InvalidParameter,Microsoft.X', 'InvalidArgument', 'Ungültig', -2147024809);
		hyperv.failing.set('Hyper-V\\Add-VMDvdDrive', new Thrown(error));
		const {answers} = await run(hyperv, ['create', wanted], ['list', {owner}]);
		expect(answers[0]).toMatchObject({
			ok: false,
			error: {id: 'InvalidParameter,Microsoft.X', category: 'InvalidArgument', hresult: -2147024809},
		});
		expect(hyperv.machines).toEqual([]);
		expect(answers[1]).toMatchObject({ok: true, result: {machines: []}});
	});

	test('refuses a network that is not there, and leaves nothing', async () => {
		const hyperv = new SimulatedHyperV();
		const {answers} = await run(hyperv, ['create', {...wanted, nics: [{switch: 'nirgends', mac: '1'}]}]);
		expect(answers[0]?.error?.id).toBe('drover.NoSwitch');
		expect(hyperv.machines).toEqual([]);
	});

	test('lists machines of this home alone, with what guests tell and the host sees of them', async () => {
		const hyperv = new SimulatedHyperV();
		hyperv.told.set('525400AABBCC', ['172.20.1.2', 'fe80::1']);
		hyperv.seen.set('525400000002', '192.168.1.9');
		hyperv.seen.set('525400000003', '192.168.1.99');
		hyperv.add('theirs', 'no mark', 'Running');
		hyperv.add('other', `drover:fedcba9876543210:${machine}:ready`, 'Running');
		await ask(hyperv, stateResult, 'create', wanted);
		const off = await ask(hyperv, listResult, 'list', {owner});
		expect(off).toMatchObject([{machine, phase: 'ready', state: 'Off', name: wanted.name}]);
		expect(off[0]?.nics.flatMap(({ipv4}) => ipv4)).toEqual([]);
		await ask(hyperv, stateResult, 'start');
		const [found] = await ask(hyperv, listResult, 'list', {owner});
		expect(found).toMatchObject({state: 'Running', uptime: 61});
		expect(found?.nics.map(({mac, ipv4}) => [mac, ipv4])).toEqual([
			['525400AABBCC', ['172.20.1.2']],
			['525400000002', ['192.168.1.9']],
		]);
	});

	test('an empty list is a list, and so is one of one', async () => {
		const {answers} = await run(new SimulatedHyperV(), ['list', {owner}]);
		expect(answers[0]?.result).toEqual({machines: []});
		const {hyperv} = await made();
		const {answers: one} = await run(hyperv, ['list', {owner}], ['sample', {owner}]);
		expect(one[0]?.result).toMatchObject({machines: [{nics: [{ipv4: []}, {ipv4: []}]}]});
		expect(one[1]?.result).toEqual({samples: []});
	});

	test('power: started, resumed, asked, cut, and saved memory thrown away', async () => {
		const {hyperv, vm} = await made();
		const go = async (op: Operation) => (await ask(hyperv, stateResult, op)).state;
		const set = async (state: string) => {
			const {enumValue} = await import('./powershell-values.ts');
			vm.set('State', enumValue(state));
		};
		expect(await go('shut-down')).toBe('Off');
		expect(await go('start')).toBe('Running');
		expect(await go('start')).toBe('Running');
		expect(hyperv.calls.filter(call => call === 'Hyper-V\\Start-VM')).toHaveLength(1);
		await set('Paused');
		expect(await go('start')).toBe('Running');
		expect(hyperv.calls).toContain('Hyper-V\\Resume-VM');
		expect(await go('shut-down')).toBe('Stopping');
		expect(await go('turn-off')).toBe('Off');
		await set('Saved');
		expect(await go('turn-off')).toBe('Off');
		expect(hyperv.calls).toContain('Hyper-V\\Remove-VMSavedState');
		expect(hyperv.calls.filter(call => call === 'Hyper-V\\Stop-VM')).toHaveLength(1);
	});

	test('a guest that cannot be asked is told apart from everything else', async () => {
		const {hyperv} = await made();
		await ask(hyperv, stateResult, 'start');
		hyperv.shutdownAnswer = 32_775;
		hyperv.hasShutdown = true;
		await expect(ask(hyperv, stateResult, 'shut-down')).rejects.toThrow('drover.GuestSilent');
		hyperv.hasShutdown = false;
		await expect(ask(hyperv, stateResult, 'shut-down')).rejects.toThrow('drover.GuestSilent');
	});

	test('checkpoints: one of a tag, back to it, and away', async () => {
		const {hyperv, vm} = await made();
		const tag = {...mark, tag: 'drover-a'};
		await ask(hyperv, stateResult, 'snapshot-take', tag);
		await ask(hyperv, stateResult, 'snapshot-take', tag);
		expect(hyperv.inside.get(vm)?.checkpoints).toHaveLength(1);
		await expect(ask(hyperv, stateResult, 'resize', {...mark, disk: 9 * 2 ** 30})).rejects.toThrow(
			'drover.DiskInChain',
		);
		expect(await ask(hyperv, restoreResult, 'snapshot-restore', tag)).toMatchObject({disk: 5 * 2 ** 30, state: 'Off'});
		await ask(hyperv, stateResult, 'snapshot-remove', tag);
		await ask(hyperv, stateResult, 'snapshot-remove', tag);
		await expect(ask(hyperv, restoreResult, 'snapshot-restore', tag)).rejects.toThrow('drover.SnapshotMissing');
		await ask(hyperv, stateResult, 'start');
		await expect(ask(hyperv, stateResult, 'snapshot-take', tag)).rejects.toThrow('drover.NotOff');
	});

	test('hardware: only what is told changes, a disk only grows, and only at rest', async () => {
		const {hyperv, vm} = await made();
		const inside = hyperv.inside.get(vm)!;
		await ask(hyperv, stateResult, 'resize', {...mark, disk: 6 * 2 ** 30});
		await ask(hyperv, stateResult, 'resize', {...mark, cpus: 4});
		expect(hyperv.disks.get(disk)?.size).toBe(6 * 2 ** 30);
		expect(inside.told).toMatchObject({processor: {count: 4}, memory: {startupbytes: 2 ** 30}});
		await expect(ask(hyperv, stateResult, 'resize', {...mark, disk: 2 ** 30})).rejects.toThrow('drover.DiskShrinks');
		await ask(hyperv, stateResult, 'add-nic', {...mark, nic: {switch: 'Haus', mac: '525400000009'}});
		await ask(hyperv, stateResult, 'add-nic', {...mark, nic: {switch: 'Haus', mac: '525400000009'}});
		expect(inside.adapters).toHaveLength(3);
		await ask(hyperv, stateResult, 'copy-disk', {...mark, to: 'C:\\copy.vhdx'});
		expect(hyperv.disks.get('C:\\copy.vhdx')).toEqual({size: 6 * 2 ** 30, parent: ''});
		await ask(hyperv, stateResult, 'start');
		for (const [op, args] of [
			['resize', {cpus: 1}],
			['copy-disk', {to: 'x'}],
			['add-nic', {nic: {switch: 'Haus', mac: '1'}}],
		] as const) {
			await expect(ask(hyperv, stateResult, op, {...mark, ...args}), op).rejects.toThrow('drover.NotOff');
		}
	});

	test('what it uses, and its process', async () => {
		const {hyperv} = await made();
		await ask(hyperv, stateResult, 'start');
		expect(await ask(hyperv, sampleResult, 'sample', {owner})).toEqual({
			samples: [{machine, assigned: 2 ** 30, demand: 2 ** 29, processor: 5, received: 5, sent: 7}],
		});
		expect(await ask(hyperv, inspectResult, 'inspect')).toEqual({pid: 77, state: 'Running'});
	});

	test('removing takes what is drover’s, running or not, and nothing else', async () => {
		const {hyperv} = await made();
		const theirs: Sim = hyperv.add('theirs', '', 'Running');
		await ask(hyperv, stateResult, 'start');
		for (let count = 0; count < 2; count++) {
			const {answers} = await run(hyperv, ['remove', {...mark, name: wanted.name, place}]);
			expect(answers[0]).toMatchObject({ok: true});
		}
		expect(hyperv.machines).toEqual([theirs]);
		expect(text(theirs.get('State'))).toBe('Running');
		await expect(ask(hyperv, stateResult, 'start')).rejects.toThrow('drover.MachineMissing');
	});

	test('changes are told once they are asked for, and requests that are none do no harm', async () => {
		const {hyperv} = await made();
		const {answers} = await run(hyperv, ['watch', {}], ['watch', {}], ['nothing' as Operation, {}], ['list', {owner}]);
		expect(answers.map(({ok}) => ok)).toEqual([true, true, false, true]);
		expect(answers[2]?.error?.id).toBe('drover.NoSuchOperation');
		expect(hyperv.calls.filter(call => call.includes('Register'))).toHaveLength(1);
		hyperv.events = ['some-vm'];
		const {events} = await run(hyperv, ['list', {owner}]);
		expect(events).toEqual([{event: 'changed', vm: 'some-vm'}]);
	});
});
