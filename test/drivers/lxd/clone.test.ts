import {mkdtempSync, rmSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {Subject} from '../../contract/subject.ts';
import {scratchPaths} from '../../support/scratch.ts';
import {done, FakeServer, operation, refused} from './fake-server.ts';
import {flavours, recording} from './recordings.ts';

type Sent = {
	readonly config: Record<string, string>;
	readonly devices: Record<string, Record<string, string>>;
	readonly [key: string]: unknown;
};

/** A server with a stopped instance, which answers a copy as a real one did. */
async function stage(flavour: (typeof flavours)[number], change: {status?: number; devices?: object} = {}) {
	const directory = mkdtempSync('/tmp/dl-clone-');
	onTestFinished(() => rmSync(directory, {recursive: true, force: true}));
	const socket = path.join(directory, 's');
	const fake = await FakeServer.listen({socket});
	onTestFinished(() => fake.close());
	const settings: Record<string, string> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
	const driver = createLxdDriver({
		paths: scratchPaths(),
		setting: key => settings[key] ?? '',
		environment: {LXD_SOCKET: socket, PATH: ''},
	});
	onTestFinished(() => driver.close?.());
	const make = async (name: string) => {
		const subject = await Subject.make(
			scratchPaths(),
			{path: '/nowhere', format: 'rootfs', hash: ''} as never,
			name,
			'lxd',
		);
		const nics = [{network: 'br0', mac: `52:54:00:aa:00:${name === 'web' ? '01' : '02'}`, mode: 'auto'}] as const;
		subject.record = {
			...subject.record,
			hardware: {...subject.record.hardware, nics},
			lxd: {type: 'container', project: 'drover'},
		};
		return subject;
	};
	const [web, twin] = [await make('web'), await make('twin')];
	const {mac, nics} = web.record.hardware;
	const instances: Record<string, unknown> = {
		web: {
			name: 'web',
			status_code: change.status ?? 102,
			type: 'container',
			architecture: 'x86_64',
			config: {'user.drover.id': web.record.id, 'limits.cpu': '1'},
			devices: change.devices ?? {
				root: {type: 'disk', path: '/', pool: 'default', size: '5GiB'},
				eth0: {type: 'nic', network: 'droverbr0', name: 'eth0', hwaddr: mac},
				eth1: {type: 'nic', nictype: 'bridged', parent: 'br0', name: 'eth1', hwaddr: nics![0]!.mac},
				'fwd-tcp-8080': {type: 'proxy', listen: 'tcp:127.0.0.1:8080', connect: 'tcp:127.0.0.1:80'},
			},
		},
	};
	const sent: Sent[] = [];
	const {status, body} = recording(flavour, 'instance-copy');
	const begun = JSON.parse(body) as {operation: string};
	fake.say(({method, path: asked, body: given}) => {
		const name = /^\/1\.0\/instances\/([^/]+)$/.exec(asked)?.[1];
		if (method === 'GET' && name !== undefined) return name in instances ? done(instances[name]) : undefined;
		if (method === 'POST' && asked === '/1.0/instances') {
			sent.push(given as Sent);
			return {status, text: body};
		}
		if (asked.startsWith(begun.operation.split('?')[0]!)) {
			const {config, devices} = sent[0]!;
			const web = instances['web'] as {config: object; devices: object};
			instances['twin'] = {
				...web,
				name: 'twin',
				config: {...web.config, ...config},
				devices: {...web.devices, ...devices},
			};
			return {text: recording(flavour, 'instance-copy.wait').body};
		}
		if (method === 'PUT' && name !== undefined) {
			instances[name] = {...(instances[name] as object), ...(given as object)};
			return done({});
		}
		return undefined;
	});
	return {fake, driver, web, twin, sent, instances};
}

describe.each(flavours)('a clone on %s', flavour => {
	test('is a copy with an id, a seed and addresses of its own, and no ports of the host', async () => {
		const {driver, web, twin, sent, instances} = await stage(flavour);
		await twin.cloneOf(driver, web);
		expect(sent).toHaveLength(1);
		const [{config, devices, ...rest}] = sent as [Sent];
		expect(rest).toEqual({
			name: 'twin',
			type: 'container',
			architecture: 'x86_64',
			source: {type: 'copy', source: 'web', project: 'drover', instance_only: true},
		});
		expect(config).toMatchObject({'user.drover.id': twin.record.id});
		expect(Object.values(config).join()).toContain(twin.record.ssh.hostKey);
		// What is not another one's is the server's to copy.
		expect(config).not.toHaveProperty('limits.cpu');
		const {mac, nics} = twin.record.hardware;
		expect(devices).toEqual({
			eth0: {type: 'nic', network: 'droverbr0', name: 'eth0', hwaddr: mac},
			eth1: {type: 'nic', nictype: 'bridged', parent: 'br0', name: 'eth1', hwaddr: nics![0]!.mac},
		});
		expect(Object.keys((instances['twin'] as Sent).devices).sort()).toEqual(['eth0', 'eth1', 'root']);
		// Done once more, as after a crash, it is left as it is.
		await twin.cloneOf(driver, web);
		expect(sent).toHaveLength(1);
	});
});

describe('a clone', () => {
	test('of what was made by others gets its address where there is no interface to change', async () => {
		const {driver, web, twin, sent} = await stage('lxd', {devices: {root: {type: 'disk', path: '/', pool: 'default'}}});
		await twin.cloneOf(driver, web);
		expect(sent[0]).toMatchObject({config: {'volatile.eth0.hwaddr': twin.record.hardware.mac}, devices: {}});
	});

	test('is refused of what runs or is gone, and under a name that somebody has', async () => {
		const running = await stage('lxd', {status: 103});
		await expect(running.twin.cloneOf(running.driver, running.web)).rejects.toMatchObject({code: 'instance.state'});
		const {driver, web, twin, instances, sent} = await stage('lxd');
		instances['twin'] = {name: 'twin', status_code: 102, type: 'container', config: {}, devices: {}};
		await expect(twin.cloneOf(driver, web)).rejects.toMatchObject({code: 'instance.exists'});
		delete instances['twin'];
		delete instances['web'];
		await expect(twin.cloneOf(driver, web)).rejects.toMatchObject({code: 'instance.broken'});
		expect([...running.sent, ...sent]).toEqual([]);
	});

	test('that the server fails at is told in its words', async () => {
		const {driver, web, twin, fake} = await stage('lxd');
		fake.say(({path: asked}) =>
			asked.endsWith('/wait') ? operation(400, 'Create instance: No space left on device') : undefined,
		);
		await expect(twin.cloneOf(driver, web)).rejects.toMatchObject({code: 'host.disk-full'});
		fake.say(({method, path: asked}) =>
			method === 'POST' && asked === '/1.0/instances' ? refused(400, 'no such pool') : undefined,
		);
		await expect(twin.cloneOf(driver, web)).rejects.toMatchObject({
			code: 'driver.failed',
			message: expect.stringContaining('no such pool'),
		});
	});
});
