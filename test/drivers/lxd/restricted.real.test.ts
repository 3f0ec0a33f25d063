import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, stat} from 'node:fs/promises';
import process from 'node:process';
import {describe, expect, test} from 'vitest';
import type {DriverEvent} from '../../../source/drivers/driver.ts';
import {LxdClient} from '../../../source/drivers/lxd/client.ts';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {perform} from '../../../source/drivers/lxd/operation.ts';
import type {Mount} from '../../../source/model/mount.ts';
import {eventually, makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {findOnPath} from '../../support/find-program.ts';
import {ownIncus} from '../../support/incus.ts';
import {ownLxd} from '../../support/lxd.ts';
import {microRoot} from '../../support/micro-image.ts';
import type {OwnServer} from '../../support/own-server.ts';

/** A server with the daemon beside it that gives each user a project of his own, and no more. */
type Restricted = {readonly own: OwnServer; readonly socket: string; readonly daemon: ChildProcess};

async function restrictedIncus(): Promise<Restricted | string> {
	const own = await ownIncus();
	if (typeof own === 'string') return own;
	const [program = '', ...words] = own.inside;
	const daemon = start(own, program, [...words, '/usr/libexec/incus/incus-user', '--group', 'root'], own.directory);
	return {own, socket: `${own.directory}/unix.socket.user`, daemon};
}

async function restrictedLxd(): Promise<Restricted | string> {
	const program = findOnPath('lxd-user');
	if (program === undefined) return 'lxd-user is not installed';
	// It knows no other name.
	if (await stat('/sys/class/net/lxdbr0').catch(() => undefined)) return 'the network lxdbr0 is there already';
	const own = await ownLxd();
	if (typeof own === 'string') return own;
	const directory = `${own.directory}/lxd-user`;
	const client = new LxdClient({kind: 'socket', path: `${own.directory}/unix.socket`});
	try {
		// It makes what the server lacks, in a way that does not work on every host; and it listens where it is started.
		const network = {'ipv4.address': '10.219.74.1/24', 'ipv4.nat': 'false', 'ipv6.address': 'none'};
		await client.ask('POST', '/1.0/storage-pools', {body: {name: 'default', driver: 'dir'}});
		await client.ask('POST', '/1.0/networks', {body: {name: 'lxdbr0', type: 'bridge', config: network}});
		const root = {type: 'disk', path: '/', pool: 'default'};
		const eth0 = {type: 'nic', name: 'eth0', network: 'lxdbr0'};
		await client.ask('PATCH', '/1.0/profiles/default', {body: {devices: {root, eth0}}});
		await mkdir(directory);
		return {own, socket: `${directory}/unix.socket`, daemon: start(own, program, [], directory)};
	} catch (error) {
		await own.close();
		throw error;
	} finally {
		client.close();
	}
}

function start(own: OwnServer, program: string, words: readonly string[], cwd: string): ChildProcess {
	const env = {...own.environment, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, HOME: '/root', LC_ALL: 'C'};
	return spawn(program, words, {env, cwd, stdio: 'ignore'});
}

describe.each([
	['INCUS_SOCKET', restrictedIncus],
	['LXD_SOCKET', restrictedLxd],
] as const)('a user with a project of his own and no more: %s', (variable, begin) => {
	test('what he may do works, and what he may not is told', {timeout: 120_000}, async context => {
		const restricted = await begin();
		if (typeof restricted === 'string') return context.skip(restricted);
		const {own, socket, daemon} = restricted;
		const paths = await makeHome();
		const settings: Record<string, string> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
		const driver = createLxdDriver({
			paths,
			setting: key => settings[key] ?? '',
			environment: {[variable]: socket, PATH: ''},
		});
		const all = new LxdClient({kind: 'socket', path: `${own.directory}/unix.socket`});
		try {
			await eventually('it listens', async () => (await driver.health({again: true})).usable);
			expect(await driver.health()).toMatchObject({
				usable: true,
				summary: expect.stringMatching(/limited to user-0: containers only, .*does not tell this user why/),
			});
			const web = await Subject.make(paths, await microRoot(), 'web', 'lxd');
			expect((await driver.observe(web.record, web.place)).power).toBe('off');
			await web.create(driver);
			expect(web.record.lxd).toEqual({type: 'container', project: 'user-0'});
			await web.start(driver);
			await web.answer(driver);
			expect(await web.ssh(driver, 'hostname')).toBe('web');
			expect(await driver.guestFacts(web.record, web.place, new AbortController().signal)).toHaveProperty('release');
			expect(await driver.networks!()).toEqual([]);
			expect(await driver.adoptables!()).toEqual([]);
			expect(await driver.members!()).toEqual([]);
			const nic = {network: 'nowhere0', mac: '52:54:00:aa:bb:03', mode: 'auto'} as const;
			await expect(driver.addNic!(web.record, web.place, nic, web.work())).rejects.toMatchObject({
				code: 'instance.invalid',
			});
			const mount = (source: string): Mount => ({source, target: '/mnt/x', type: 'native', uidMap: [], gidMap: []});
			await expect(driver.mount!(web.record, web.place, mount('/tmp'), web.work())).rejects.toMatchObject({
				code: 'driver.unusable',
				next: 'Choose a directory below /root.',
			});
			const events: DriverEvent[] = [];
			const watching = driver.watch(web.record, web.place, event => events.push(event));
			await eventually('the watch listens', () => driver.traffic().connections > 0);
			const body = {action: 'stop', force: true};
			await perform(all, 'PUT', '/1.0/instances/web/state', {query: {project: 'user-0'}, body});
			await eventually('the end is told', () => events.length > 0, 1000);
			watching.close();
			expect(await web.power(driver)).toBe('off');
			await driver.resize!(web.record, web.place, {cpus: 1, memory: 300 * 2 ** 20}, web.work());
			await driver.destroy(web.record, web.place, web.work());
			// A launch that was cut short before it knew its project can be removed, too.
			const {lxd: _, ...young} = web.record;
			await driver.destroy(young, web.place, web.work());
			const projects = (await all.get('/1.0/projects', {recursion: 1})) as Array<{name: string}>;
			expect(projects.map(({name}) => name).sort()).toEqual(['default', 'user-0']);
		} finally {
			driver.close?.();
			all.close();
			const ended = once(daemon, 'exit');
			if (daemon.exitCode === null && daemon.kill()) await ended;
			await removeHome(paths);
			await own.close();
		}
	});
});
