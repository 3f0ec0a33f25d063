import {readFileSync, writeFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import type {Engine} from '../../source/engine/engine.ts';
import {parseForward, parseForwardKey} from '../../source/model/forward.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';

const by = 'kim';

async function withTwo() {
	const hypervisor = new SimulatedHypervisor();
	hypervisor.offers.set('qemu', ['forwards', 'forwardProblem']);
	const paths = scratchPaths();
	const {engine} = await simulatedEngine(paths, {hypervisor});
	for (const name of ['web', 'db']) await engine.wait({id: (await engine.launch({name, by})).id});
	const {id} = (await engine.list()).find(({name}) => name === 'web')!;
	const file = `${instanceDirectory(paths, 'qemu', 'web')}/instance.json`;
	const record = (): InstanceRecord => JSON.parse(readFileSync(file, 'utf8'));
	const ended = async (begin: Promise<{id: string}>) => engine.wait({id: (await begin).id});
	const forward = (text: string, name = 'web') => ended(engine.forward({name, forward: parseForward(text), by}));
	const unforward = (text: string) => ended(engine.unforward({name: 'web', key: parseForwardKey(text), by}));
	const act = (action: Parameters<Engine['act']>[0]['action'], names = ['web']) =>
		ended(engine.act({action, names, by}));
	const inForce = () => hypervisor.parts.forwards.get(id) ?? [];
	return {engine, hypervisor, paths, file, record, forward, unforward, act, inForce};
}

describe('ports that lead into an instance', () => {
	test('are in force, in the record and in what clients see', async () => {
		const {engine, forward, unforward, record, inForce} = await withTwo();
		const [http, dns] = [parseForward('8080:80'), parseForward('0.0.0.0:5353:53/udp')];
		expect(await forward('8080:80')).toMatchObject({kind: 'forward', state: 'done'});
		await forward('0.0.0.0:5353:53/udp');
		expect(inForce()).toEqual([http, dns]);
		expect(record().forwards).toEqual([http, dns]);
		expect((await engine.info({names: ['web'], runtime: false}))[0]).toMatchObject({forwards: [http, dns]});
		// The same number of another protocol is another port.
		await forward('5353:54');
		await unforward('5353/udp');
		expect(inForce()).toEqual([http, parseForward('5353:54')]);
		await unforward('5353');
		await unforward('8080');
		expect(inForce()).toEqual([]);
		expect(record()).not.toHaveProperty('forwards');
		expect((await engine.list()).every(view => view.forwards === undefined)).toBe(true);
		expect((await engine.instanceEvents({name: 'web'})).map(({what}) => what)).toContain(
			'port 127.0.0.1:8080 -> 80/tcp forwarded',
		);
	});

	test('of one that is stopped are remembered', async () => {
		const {act, forward, record} = await withTwo();
		await act('stop');
		await forward('8080:80');
		expect(record().forwards).toHaveLength(1);
	});

	test('what is taken is refused in one sentence, and not remembered', async () => {
		const {forward, hypervisor, record} = await withTwo();
		hypervisor.parts.taken.add(8080);
		await expect(forward('8080:80')).rejects.toMatchObject({
			code: 'host.failed',
			message: '127.0.0.1:8080 -> 80/tcp cannot be forwarded: another program has the port.',
		});
		// Taken in the moment between looking and doing.
		hypervisor.parts.taken.clear();
		hypervisor.before.set('forwards', () => void hypervisor.parts.taken.add(9000));
		expect(await forward('9000:90')).toMatchObject({
			state: 'failed',
			error: {message: '127.0.0.1:9000 -> 90/tcp cannot be forwarded: another program has the port.'},
		});
		expect(record()).not.toHaveProperty('forwards');
	});

	test('a port leads into one instance; asking for the same again makes it again', async () => {
		const {forward, hypervisor, inForce, record} = await withTwo();
		await forward('8080:80');
		for (const [text, name] of [
			['8080:81', 'web'],
			['0.0.0.0:8080:80', 'web'],
			['8080:80', 'db'],
		]) {
			await expect(forward(text!, name)).rejects.toMatchObject({
				code: 'instance.exists',
				message: 'Port 8080 of this host leads into "web" already: 127.0.0.1:8080 -> 80/tcp.',
				next: 'drover forward web --remove 8080 frees it.',
			});
		}
		hypervisor.parts.forwards.clear();
		// It has the port itself, so that nobody needs to be asked whether it is free.
		hypervisor.parts.taken.clear();
		expect(await forward('8080:80')).toMatchObject({state: 'done'});
		expect(inForce()).toHaveLength(1);
		expect(record().forwards).toHaveLength(1);
	});

	test('not into what is not there, in the trash, or under a driver that cannot', async () => {
		const {engine, act, forward, unforward} = await withTwo();
		await expect(forward('8080:80', 'nobody')).rejects.toMatchObject({code: 'instance.missing'});
		await expect(unforward('8080')).rejects.toMatchObject({
			code: 'instance.missing',
			message: 'Port 8080 of this host does not lead into "web".',
		});
		await expect(
			engine.forward({name: 'web', forward: {...parseForward('8080:80'), address: '1.2.3.4; quit'}, by}),
		).rejects.toMatchObject({code: 'instance.invalid'});
		await act('delete');
		await expect(forward('8080:80')).rejects.toMatchObject({code: 'instance.deleted'});
		const {engine: other} = await simulatedEngine(scratchPaths());
		await other.wait({id: (await other.launch({name: 'web', by})).id});
		await expect(other.forward({name: 'web', forward: parseForward('8080:80'), by})).rejects.toMatchObject({
			code: 'driver.incapable',
			message: 'Forwarding ports is not in this version of drover for QEMU.',
		});
	});

	test('a record with a port that is none is not used', async () => {
		const {paths, file, record, engine} = await withTwo();
		await engine.close();
		const forwards = [{...parseForward('8080:80'), address: '127.0.0.1,guestfwd=tcp:10.0.2.9:1-cmd:reboot'}];
		writeFileSync(file, JSON.stringify({...record(), forwards}));
		const {engine: next} = await simulatedEngine(paths);
		expect((await next.list()).find(({name}) => name === 'web')).toMatchObject({
			state: 'Broken',
			reason: expect.stringContaining('is not an IPv4 address'),
		});
	});
});
