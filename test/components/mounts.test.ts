import {homedir} from 'node:os';
import {describe, expect, test} from 'vitest';
import {DroverError} from '../../source/model/errors.ts';
import type {Mount} from '../../source/model/mount.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {keys} from '../support/screen.ts';
import {Driven} from './driven.ts';
import {openWith} from './opened.ts';

const mount = (source: string, target: string): Mount => ({source, target, type: 'native', uidMap: [], gidMap: []});
const lxd = () => fakeDriver('lxd');
const web = (...mounts: Mount[]) => fakeInstance('web', 'Running', mounts.length === 0 ? {} : {mounts});
const two = () => web(mount('/srv/data', '/data'), mount('/srv/b\u001B[31mad', '/bad'));

const reduced = async (...mounts: Mount[]) => {
	const driven = await Driven.with([web(...mounts)], {driver: lxd()});
	return driven.press('m');
};

describe('mounts', () => {
	test('are listed, with the command that ends the chosen one', async () => {
		const {screen} = await openWith([two()], {driver: lxd()});
		await screen.press('m');
		await screen.waitFor(/> \/srv\/data +-> \/data +native/);
		expect(screen.text()).toMatch(/\/srv\/bad +-> \/bad +native/);
		expect(screen.text()).toContain('drover umount web:/data');
		await screen.press('j');
		await screen.waitFor('drover umount web:/bad');
		expect(screen.raw).not.toContain('[31mad');
		await screen.press('y');
		await screen.waitFor('Sent to your terminal');
		expect(screen.raw).toContain(Buffer.from('drover umount web:/bad').toString('base64'));
	});

	test('that are none name the key that makes one', async () => {
		const {screen} = await openWith([web()], {driver: lxd(), columns: 40, rows: 10});
		await screen.press('m');
		await screen.waitFor('It has no mounts yet.');
		expect(screen.text()).toMatch(/n {2}mounts a directory/);
	});

	test('are ended after a yes, and only the chosen one', async () => {
		const {engine, screen} = await openWith([two()], {driver: lxd(), columns: 120, rows: 40});
		await screen.press('m', 'j', 'x');
		await screen.waitFor('Unmount /bad from web?');
		expect(screen.text()).toContain('same as  drover umount web:/bad');
		await screen.press('y');
		await screen.waitFor('umount web: done');
		expect(engine.calls.filter(call => call.method === 'unmount')).toEqual([
			{method: 'unmount', request: {name: 'web', target: '/bad', by: 'kim'}},
		]);
		expect(screen.text()).toMatch(/> \/srv\/data/);
		expect(screen.text()).not.toContain('/bad');
	});

	test('are not ended by any other key, nor when the instance is gone', async () => {
		const driven = await reduced(mount('/srv', '/data'));
		driven.press('x', 'enter').press('x', 'x', 'n');
		driven
			.press('x')
			.events({removed: ['id-web']})
			.press('y');
		expect(driven.of('unmount')).toEqual([]);
		expect(driven.model.toast?.text).toMatch(/gone/);
	});

	test('that are not as they should be say why', async () => {
		const broken = {...mount('/srv/data', '/data'), problem: '/srv/data on this host is gone'};
		const {screen} = await openWith([web(broken)], {driver: lxd()});
		await screen.press('m');
		await screen.waitFor('Not as it should be: /srv/data on this host is gone.');
	});

	test('that are switched off say how they are switched on', async () => {
		const driven = await Driven.with([web()], {driver: lxd(), settings: {'local.privileged-mounts': 'false'}});
		driven.press('m', 'n');
		expect(driven.top?.kind).toBe('mounts');
		expect(driven.model.toast?.text).toContain('drover set local.privileged-mounts=true');
	});

	test('are one instance at a time', async () => {
		const driven = await Driven.with([web(), fakeInstance('db')], {driver: lxd()});
		driven.press('*', 'm');
		expect(driven.top).toBeUndefined();
		expect(driven.model.toast?.text).toMatch(/one instance at a time/);
	});
});

describe('a new mount', () => {
	test('is made from the form, and is in the list when the engine has it', async () => {
		const {engine, screen} = await openWith([web()], {driver: lxd()});
		await screen.press('m', 'n');
		await screen.waitFor('Mount a directory in web');
		expect(screen.text()).toMatch(/\(x\) native {2}\( \) classic/);
		await screen.press(...'~/src', keys.tab, ...'/data');
		await screen.waitFor('drover mount ~/src web:/data');
		await screen.press(keys.tab, keys.enter, keys.enter);
		await screen.waitFor(new RegExp(`> ${homedir()}/src +-> /data`));
		expect(engine.calls.find(call => call.method === 'mount')?.request).toEqual({
			name: 'web',
			mount: mount(`${homedir()}/src`, '/data'),
			by: 'kim',
		});
	});

	test('is classic where native takes a way into the guest as well, unless it is chosen', async () => {
		const {engine, screen} = await openWith([web()], {driver: fakeDriver('qemu', {features: ['plug']})});
		await screen.press('m', 'n');
		await screen.waitFor(/\(x\) classic {2}\( \) native/);
		await screen.press(...'~/src');
		await screen.waitFor('drover mount ~/src web');
		await screen.press(keys.tab, keys.tab, keys.right);
		await screen.waitFor('drover mount --type native ~/src web');
		await screen.press(keys.enter, keys.enter);
		await screen.waitFor(/src +-> .* native/);
		expect(engine.calls.find(call => call.method === 'mount')?.request).toMatchObject({mount: {type: 'native'}});
	});

	test('is classic under a driver that has no way of its own', async () => {
		const {engine, screen} = await openWith([web()], {driver: fakeDriver('libvirt')});
		await screen.press('m', 'n', ...'/srv', keys.tab, ...'/data', keys.tab);
		await screen.waitFor(/native: not supported by libvirt/);
		await screen.press(keys.enter, keys.enter);
		await screen.waitFor(/> \/srv +-> \/data +classic/);
		expect(engine.calls.find(call => call.method === 'mount')?.request).toMatchObject({mount: {type: 'classic'}});
	});

	test('that is refused stays in the form, with the reason', async () => {
		const {engine, screen} = await openWith([web()], {driver: lxd()});
		engine.mount = async () => {
			throw new DroverError('instance.invalid', 'Mount source path "/nowhere" does not exist.');
		};
		await screen.press('m', 'n', ...'/nowhere', keys.tab, keys.tab, keys.tab, keys.enter);
		await screen.waitFor('Not mounted: Mount source path "/nowhere" does not exist.');
		await screen.press(keys.esc, 'y');
		await screen.waitFor('It has no mounts yet.');
	});

	test.each([
		[['/', 'x', 'tab', ...'/proc'], /Seen at/],
		[['/', 'x', 'tab', ...'/data'], /Seen at/],
		[['r', 'e', 'l', 'tab'], /Directory/],
		[['tab', ...'/elsewhere'], /Say which directory/],
	])('is not sent with a problem: %j', async (typed, reason) => {
		const driven = await reduced(mount('/srv', '/data'));
		driven.press('n', ...typed).press('tab', 'tab', 'enter');
		expect(driven.of('mount')).toEqual([]);
		expect(driven.top?.kind).toBe('form');
		if (driven.model.toast) expect(driven.model.toast.text).toMatch(reason);
	});
});

test('no repetition of one key changes anything, on no page of an instance', async () => {
	const letters = [...'abcdefghijklmnopqrstuvwxyz', 'enter', 'space', 'tab', 'esc', 'up', 'down', 'left', 'right'];
	for (const page of ['m', 'v', 'e']) {
		for (const key of letters) {
			const instance = fakeInstance('web', 'Stopped', {mounts: [mount('/srv', '/data')]});
			const driven = (await Driven.with([instance], {driver: lxd()})).press(page);
			const {id} = instance;
			driven.send({type: 'networks', id, part: {host: [{name: 'br0', type: 'bridge', description: ''}]}});
			for (let times = 0; times < 12; times++) driven.press(key);
			const changing = driven.effects.filter(effect =>
				['unmount', 'mount', 'add-network', 'resize'].includes(effect.type),
			);
			expect(changing, `${page} ${key}`).toEqual([]);
		}
	}
});

test('the pane beside a wide table has the first few', async () => {
	const mounts = ['a', 'b', 'c', 'd', 'e'].map(name => mount(`/srv/${name}`, `/${name}`));
	const {screen} = await openWith([web(...mounts)], {driver: lxd(), columns: 120, rows: 40});
	expect(screen.text()).toMatch(/MOUNTS +\/srv\/a -> \/a/);
	expect(screen.text()).toContain('2 more (m)');
	expect(screen.text()).not.toContain('/srv/d');
});
