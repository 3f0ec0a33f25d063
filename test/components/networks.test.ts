import {describe, expect, test} from 'vitest';
import {networkCommands} from '../../source/components/store/networks.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {Nic} from '../../source/model/network.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {keys} from '../support/screen.ts';
import {Driven} from './driven.ts';
import {open} from './opened.ts';

const lxd = () => fakeDriver('lxd');
const hosts = [
	{name: 'br0', type: 'bridge', description: 'the \u001B[31moffice'},
	{name: 'eth1', type: 'ethernet', description: 'storage'},
];

/** The networks of an instance that rests, on a screen. */
async function opened(nics: readonly Nic[] = [], size: {columns?: number; rows?: number} = {}) {
	const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')], driver: lxd()});
	engine.hostNetworks = hosts;
	engine.info = async () => [{...engine.instances.get('web')!, directory: '/data', mac: '', nics}];
	const screen = open(engine, size);
	await screen.waitFor('web');
	await screen.press('v');
	await screen.waitFor('NETWORKS OF THIS HOST');
	return {engine, screen};
}

describe('networks', () => {
	test.each([
		[80, 24],
		[120, 40],
	])('are those it has, and those of the host, at %ix%i', async (columns, rows) => {
		const {screen} = await opened([{network: 'eth1', mac: '52:54:00:00:00:07', mode: 'manual'}], {columns, rows});
		await screen.waitFor(/eth1 +52:54:00:00:00:07 +left to you/);
		await screen.waitFor(/> br0 +bridge +the office/);
		expect(screen.text()).toMatch(/eth1 +ethernet +storage/);
		expect(screen.text()).toContain('drover set local.bridged-network=br0\n   drover set local.web.bridged=true');
	});

	test('on the smallest screen are those that can be chosen', async () => {
		const {screen} = await opened([], {columns: 40, rows: 10});
		await screen.waitFor('> br0');
	});

	test('one more is given after a yes, and seen when it is there', async () => {
		const nics: Nic[] = [];
		const {engine, screen} = await opened(nics);
		await screen.waitFor('it has its first interface alone');
		await screen.press('j', keys.enter);
		await screen.waitFor('Give web an interface on eth1?');
		expect(screen.text()).toContain('It cannot be taken away again.');
		expect(screen.text()).toMatch(/same as {2}drover set local\.bridged-network=eth1/);
		await screen.press('y');
		await screen.waitFor('resize web: done');
		expect(engine.calls.filter(call => call.method === 'addNetwork')).toEqual([
			{method: 'addNetwork', request: {name: 'web', network: 'eth1', by: 'kim'}},
		]);
		const work = {id: '1', kind: 'resize', stage: 'adding an interface', percent: 10};
		engine.put(fakeInstance('web', 'Stopped', {operation: work}));
		await screen.waitFor('Stopped 10%');
		nics.push({network: 'eth1', mac: '52:54:00:00:00:09', mode: 'auto'});
		engine.put(fakeInstance('web', 'Stopped'));
		await screen.waitFor(/eth1 +52:54:00:00:00:09 +asks for an address itself/);
	});

	test('are not given by another key, and not to what was started meanwhile', async () => {
		const {engine, screen} = await opened();
		await screen.waitFor('> br0');
		await screen.press(keys.enter, keys.enter, 'n');
		engine.put(fakeInstance('web', 'Running'));
		await screen.waitFor('None can be added now: only while it is stopped: stop it first');
		await screen.press(keys.enter);
		await screen.waitFor('Not now: only while it is stopped');
		expect(engine.calls.filter(call => call.method === 'addNetwork')).toEqual([]);
	});

	test('that cannot be listed say why, beside what it has', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')], driver: lxd()});
		engine.networks = async () => {
			throw new DroverError('driver.unusable', 'LXD does not answer.', {next: 'sudo systemctl start lxd'});
		};
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press('v');
		await screen.waitFor('LXD does not answer. sudo systemctl start lxd');
		await screen.waitFor('it has its first interface alone');
	});

	test.each([
		['qemu', /not supported by QEMU on Linux; supported by/],
		['lxd', /only while it is stopped/],
	] as const)('of %s where none can be given are the reason and no screen', async (name, reason) => {
		const driven = await Driven.with([fakeInstance('web')], {driver: fakeDriver(name)});
		driven.press('v');
		expect(driven.top).toBeUndefined();
		expect(driven.model.toast?.text).toMatch(reason);
	});

	test('are chosen on the command line first, unless it is the one already', async () => {
		const {model} = await Driven.with([], {driver: lxd(), settings: {'local.bridged-network': 'br0'}});
		expect(networkCommands(model, 'web', 'br0')).toEqual(['drover set local.web.bridged=true']);
		expect(networkCommands(model, 'web', 'my net')).toEqual([
			"drover set 'local.bridged-network=my net'",
			'drover set local.web.bridged=true',
		]);
	});
});
