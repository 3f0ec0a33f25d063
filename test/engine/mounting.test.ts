import {tmpdir} from 'node:os';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import type {Mount} from '../../source/model/mount.ts';
import {seenAt} from '../../source/model/mount.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';
const source = tmpdir();
const mountOf = (target: string, more: Partial<Mount> = {}): Mount => ({
	source,
	target,
	type: 'native',
	uidMap: [],
	gidMap: [],
	...more,
});

async function withWeb() {
	const hypervisor = new SimulatedHypervisor();
	hypervisor.offers.set('lxd', ['mount', 'unmount']);
	const {engine} = await simulatedEngine(scratchPaths(), {hypervisor, driver: 'lxd'});
	await engine.wait({id: (await engine.launch({name: 'web', by})).id});
	const {id} = (await engine.list())[0]!;
	const act = async (action: Parameters<Engine['act']>[0]['action']) =>
		engine.wait({id: (await engine.act({action, names: ['web'], by})).id});
	const mount = async (target: string, more?: Partial<Mount>) =>
		engine.wait({id: (await engine.mount({name: 'web', mount: mountOf(target, more), by})).id});
	const unmount = async (target?: string) =>
		engine.wait({id: (await engine.unmount({name: 'web', by, ...(target === undefined ? {} : {target})})).id});
	const targets = async () => (await engine.list())[0]!.mounts?.map(each => each.target) ?? [];
	return {engine, hypervisor, id, act, mount, unmount, targets};
}

describe('mounts', () => {
	test('come and go, on what runs and on what rests', async () => {
		const {mount, unmount, targets, act, hypervisor, id, engine} = await withWeb();
		expect(await mount('a')).toMatchObject({kind: 'mount', state: 'done', items: [{target: 'web'}]});
		await act('stop');
		await mount('/b/../c');
		expect(await targets()).toEqual(['/home/ubuntu/a', '/c']);
		expect(hypervisor.parts.mounts.get(id)).toHaveLength(2);
		expect(await unmount('a')).toMatchObject({kind: 'umount', state: 'done'});
		expect(await targets()).toEqual(['/c']);
		await unmount();
		expect(await targets()).toEqual([]);
		expect(hypervisor.parts.mounts.get(id)).toEqual([]);
		const events = await engine.instanceEvents({name: 'web'});
		expect(events.map(event => event.what)).toContain(`${source} mounted on /c (native)`);
	});

	test('what is mounted twice, or not at all, is refused', async () => {
		const {mount, unmount} = await withWeb();
		await mount('a');
		await expect(mount('/home/ubuntu/a/')).rejects.toMatchObject({code: 'instance.exists'});
		await expect(unmount('b')).rejects.toMatchObject({
			code: 'instance.missing',
			message: 'path "/home/ubuntu/b" is not mounted in "web"',
		});
	});

	test('two for one target at once: one is told', async () => {
		const {engine, targets} = await withWeb();
		const begin = () => engine.mount({name: 'web', mount: mountOf('a'), by});
		const ended = await Promise.all((await Promise.all([begin(), begin()])).map(({id}) => engine.wait({id})));
		expect(ended.map(operation => operation.state).sort()).toEqual(['done', 'failed']);
		expect(await targets()).toEqual(['/home/ubuntu/a']);
	});

	test('what the driver cannot mount is not remembered', async () => {
		const {mount, targets, hypervisor} = await withWeb();
		hypervisor.before.set('mount', () => {
			throw new Error('no such pool');
		});
		expect(await mount('a')).toMatchObject({state: 'failed'});
		expect(await targets()).toEqual([]);
	});

	test('not in the trash, not where they are disabled; what is there can always be ended', async () => {
		const {mount, unmount, targets, act, engine} = await withWeb();
		await mount('a');
		await engine.set({key: 'local.privileged-mounts', value: 'false', by});
		await expect(mount('b')).rejects.toMatchObject({message: expect.stringMatching(/^Mounts are disabled/)});
		await unmount('a');
		expect(await targets()).toEqual([]);
		await engine.set({key: 'local.privileged-mounts', value: 'true', by});
		await act('delete');
		await expect(mount('b')).rejects.toMatchObject({code: 'instance.deleted'});
	});
});

test('where a directory is seen', () => {
	const mounts = [
		mountOf('/all', {source: '/'}),
		mountOf('/home/ubuntu/src', {source: '/home/kim/src/'}),
		mountOf('/', {source: '/weird'}),
	];
	expect(seenAt('/home/kim/src/a', mounts)).toBe('/home/ubuntu/src/a');
	expect(seenAt('/home/kim/src', mounts)).toBe('/home/ubuntu/src');
	expect(seenAt('/home/kim/src2', mounts)).toBe('/all/home/kim/src2');
	expect(seenAt('/weird/x', mounts)).toBe('/x');
	expect(seenAt('/', mounts)).toBe('/all');
	expect(seenAt('/home', mounts.slice(1))).toBeUndefined();
});
