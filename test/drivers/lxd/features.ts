import {createReadStream} from 'node:fs';
import {mkdir, readFile, stat, writeFile} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import path from 'node:path';
import {PassThrough, Readable} from 'node:stream';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {DriverEvent} from '../../../source/drivers/driver.ts';
import {LxdClient} from '../../../source/drivers/lxd/client.ts';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {pullPath, pushPath} from '../../../source/drivers/lxd/files.ts';
import {perform} from '../../../source/drivers/lxd/operation.ts';
import {type DirectOptions, runDirect} from '../../../source/drivers/lxd/session.ts';
import {parseForward} from '../../../source/model/forward.ts';
import type {Mount} from '../../../source/model/mount.ts';
import type {Paths} from '../../../source/state/paths.ts';
import {forwards} from '../../contract/forwards.ts';
import {eventually, makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {microRoot} from '../../support/micro-image.ts';
import type {OwnServer} from '../../support/own-server.ts';

/** What the driver can beyond the contract, with containers on an LXD or Incus of the tests' own. */
export function featuresSuite(title: OwnServer['title'], server: OwnServer | string): void {
	if (typeof server === 'string') {
		describe(`what the driver can beyond the contract: ${title} (${server})`, () =>
			test.skip(`needs ${title}`, () => {}));
		return;
	}
	const own = server;
	describe(`what the driver can beyond the contract: ${title}`, {timeout: 120_000}, () => {
		const settings: Record<string, string> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
		let paths: Paths;
		let driver: ReturnType<typeof createLxdDriver>;
		let client: LxdClient;
		let web: Subject;
		let share: string;

		beforeAll(async () => {
			paths = await makeHome();
			driver = createLxdDriver({paths, setting: key => settings[key] ?? '', environment: own.environment});
			client = new LxdClient({kind: 'socket', path: `${own.directory}/unix.socket`});
			web = await Subject.make(paths, await microRoot(), 'web', 'lxd');
			await web.create(driver);
			await web.start(driver);
			await web.answer(driver);
			share = path.join(path.dirname(paths.data), 'share');
			await mkdir(share, {mode: 0o755});
			await writeFile(path.join(share, 'from-host'), 'host\n');
		}, 240_000);
		afterAll(async () => {
			if (web) await driver.destroy(web.record, web.place, web.work());
			driver?.close?.();
			client?.close();
			await removeHome(paths);
			await own.close();
		}, 120_000);

		/** What a program in the guest writes, and its exit code, by way of the server. */
		async function direct(command: readonly string[], options: Partial<DirectOptions> & {input?: string} = {}) {
			const {input, ...more} = options;
			const access = (await driver.direct!(web.record, web.place))!;
			const [stdout, stderr] = [new PassThrough(), new PassThrough()];
			const [out, err] = [collect(stdout), collect(stderr)];
			const stdin = input === undefined ? new PassThrough() : Readable.from([Buffer.from(input)]);
			if (input === undefined && more.tty !== true) (stdin as PassThrough).end();
			const code = await runDirect(access, {
				command,
				tty: false,
				stdin: stdin as unknown as NodeJS.ReadStream,
				stdout: Object.assign(stdout, {columns: 132, rows: 43}) as unknown as NodeJS.WriteStream,
				stderr: stderr as unknown as NodeJS.WriteStream,
				...more,
			});
			stdout.end();
			stderr.end();
			return {code, stdout: await out, stderr: await err};
		}

		test('nothing outside its project was touched, but for the pool and the bridge', async () => {
			const projects = (await client.get('/1.0/projects', {recursion: 1})) as Array<{name: string}>;
			expect(projects.map(({name}) => name).sort()).toEqual(['default', 'drover']);
			expect(await client.get('/1.0/instances', {project: 'default'})).toEqual([]);
			expect(await client.get('/1.0/images', {project: 'default'})).toEqual([]);
			const networks = (await client.get('/1.0/networks', {recursion: 1})) as Array<{name: string; managed: boolean}>;
			expect(networks.filter(({managed}) => managed).map(({name}) => name)).toEqual(['droverbr0']);
		});

		test('an image is uploaded once and found again', async () => {
			const second = await Subject.make(paths, web.image, 'second', 'lxd');
			await second.create(driver);
			expect(await client.get('/1.0/images', {project: 'drover'})).toHaveLength(1);
			await second.start(driver);
			await second.answer(driver);
			expect(await second.ssh(driver, 'hostname')).toBe('second');
			await driver.destroy(second.record, second.place, second.work());
			expect(await client.get('/1.0/instances', {project: 'drover'})).toHaveLength(1);
		});

		test('an instance of somebody else in the project is not taken, nor its name', async () => {
			await perform(client, 'POST', '/1.0/instances', {
				query: {project: 'drover'},
				body: {
					name: 'theirs',
					source: {type: 'none'},
					profiles: [],
					devices: {root: {type: 'disk', path: '/', pool: 'default'}},
				},
			});
			const theirs = await Subject.make(paths, web.image, 'theirs', 'lxd');
			await expect(theirs.create(driver)).rejects.toMatchObject({code: 'instance.exists'});
			await driver.destroy(theirs.record, theirs.place, theirs.work());
			expect(await client.find('/1.0/instances/theirs', {project: 'drover'})).toBeDefined();
			await perform(client, 'DELETE', '/1.0/instances/theirs', {query: {project: 'drover'}});
		});

		test('commands by way of the server: exit codes, both streams, input, a directory, quoting', async () => {
			expect(await direct(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toEqual({
				code: 3,
				stdout: 'out\n',
				stderr: 'err\n',
			});
			expect(await direct(['cat'], {input: 'one\ntwo\n'})).toMatchObject({code: 0, stdout: 'one\ntwo\n'});
			expect(await direct(['printf', '%s|', "it's", '$HOME', 'a b', ''])).toMatchObject({stdout: "it's|$HOME|a b||"});
			expect(await direct(['pwd'])).toMatchObject({code: 0, stdout: '/home/ubuntu\n'});
			expect(await direct(['pwd'], {workingDirectory: '/etc'})).toMatchObject({code: 0, stdout: '/etc\n'});
			expect((await direct(['no-such-program'])).code).toBe(127);
			expect((await direct(['head', '-c', '3000000', '/dev/zero'])).stdout.length).toBe(3_000_000);
		});

		test('a terminal by way of the server: its size, what is typed, its end', async () => {
			const stdin = new PassThrough();
			const running = direct(['sh', '-c', 'tty; stty size; read line; echo got $line; usleep 300000; exit 5'], {
				tty: true,
				stdin: stdin as unknown as NodeJS.ReadStream,
			});
			setTimeout(() => stdin.write('hello\r'), 300);
			const {code, stdout} = await running;
			expect(code).toBe(5);
			expect(stdout).toMatch(/\/dev\/pts\/\d/);
			expect(stdout).toContain('43 132');
			expect(stdout).toContain('got hello');
		});

		test('files by way of the server, both ways, directories and streams too', async () => {
			const access = (await driver.direct!(web.record, web.place))!;
			const big = path.join(path.dirname(paths.data), 'big');
			await writeFile(big, Buffer.alloc(5_000_001, 'x'));
			await pushPath(access, big, 'deep/er/big', {parents: true});
			expect((await direct(['wc', '-c', '/home/ubuntu/deep/er/big'])).stdout).toMatch(/^5000001 /);
			await pullPath(access, 'deep/er/big', `${big}.back`);
			expect((await readFile(`${big}.back`)).equals(await readFile(big))).toBe(true);
			await pushPath(access, share, '/srv', {recursive: true, parents: true});
			await pullPath(access, '/srv', `${big}.tree`, {recursive: true});
			const sink = new PassThrough();
			const text = collect(sink);
			await pushPath(access, Readable.from([Buffer.from('streamed')]), 'name with blank');
			await pullPath(access, 'name with blank', sink);
			sink.end();
			expect(await text).toBe('streamed');
			await expect(pullPath(access, '/nowhere', `${big}.no`)).rejects.toMatchObject({code: 'guest.failed'});
			await expect(pullPath(access, '/srv', `${big}.no`)).rejects.toMatchObject({code: 'usage.invalid'});
		});

		const mount = (): Mount => ({source: share, target: '/mnt/share', type: 'native', uidMap: [], gidMap: []});

		test('a directory is mounted while it runs, its files have sane owners both ways, and it is unmounted', async () => {
			await driver.mount!(web.record, web.place, mount(), web.work());
			await driver.mount!(web.record, web.place, mount(), web.work());
			expect(await web.ssh(driver, 'cat', '/mnt/share/from-host')).toBe('host');
			const shifted = !web.log.some(line => /shift/.test(line));
			if (shifted) {
				await web.ssh(driver, 'sh', '-c', 'echo guest > /mnt/share/from-guest');
				expect(await readFile(path.join(share, 'from-guest'), 'utf8')).toBe('guest\n');
				expect((await stat(path.join(share, 'from-guest'))).uid).toBe((await stat(share)).uid);
				expect(await web.ssh(driver, 'stat', '-c', '%u', '/mnt/share/from-host')).toBe('0');
			} else expect(await web.ssh(driver, 'stat', '-c', '%u', '/mnt/share/from-host')).toBe('65534');
			await driver.stop(web.record, web.place, {timeoutMs: 20_000}, web.work());
			await web.start(driver);
			await web.answer(driver);
			expect(await web.ssh(driver, 'cat', '/mnt/share/from-host')).toBe('host');
			await driver.unmount!(web.record, web.place, mount(), web.work());
			await driver.unmount!(web.record, web.place, mount(), web.work());
			expect((await web.ssh(driver, 'ls', '-A', '/mnt/share').catch(() => '')).trim()).toBe('');
		});

		test('a directory the server does not see is refused', async () => {
			await expect(
				driver.mount!(web.record, web.place, {...mount(), source: '/nowhere/at/all'}, web.work()),
			).rejects.toMatchObject({code: 'instance.invalid'});
		});

		test('networks are listed, a further one is added while it runs, and gives an address', async () => {
			await client.ask('POST', '/1.0/networks', {
				body: {
					name: 'drtest0',
					type: 'bridge',
					config: {'ipv4.address': '10.218.72.1/24', 'ipv4.nat': 'false', 'ipv6.address': 'none'},
				},
				timeoutMs: 30_000,
			});
			const networks = await driver.networks!();
			expect(networks).toContainEqual(expect.objectContaining({name: 'drtest0', type: 'bridge'}));
			expect(networks.map(({name}) => name)).not.toContain('droverbr0');
			expect(networks.map(({name}) => name)).not.toContain('lo');
			const nic = {network: 'drtest0', mac: '52:54:00:aa:bb:01', mode: 'auto'} as const;
			await driver.addNic!(web.record, web.place, nic, web.work());
			await driver.addNic!(web.record, web.place, nic, web.work());
			await eventually('the interface is there', async () =>
				(await web.ssh(driver, 'ls', '/sys/class/net')).includes('eth1'),
			);
			expect((await web.ssh(driver, 'cat', '/sys/class/net/eth1/address')).trim()).toBe(nic.mac);
			await driver.reboot(web.record, web.place, web.work());
			await web.answer(driver);
			await eventually('it has a second address', async () =>
				((await driver.inspect(web.record, web.place)).ipv4 ?? []).some(address => address.startsWith('10.218.72.')),
			);
			await expect(
				driver.addNic!(web.record, web.place, {...nic, network: 'nowhere0', mac: '52:54:00:aa:bb:02'}, web.work()),
			).rejects.toMatchObject({code: 'instance.invalid'});
		});

		test('processors and memory change while it runs; a disk does not shrink', async () => {
			await driver.resize!(web.record, web.place, {cpus: 2, memory: 300 * 2 ** 20}, web.work());
			const {config} = (await client.get('/1.0/instances/web', {project: 'drover'})) as {
				config: Record<string, string>;
			};
			expect(config).toMatchObject({'limits.cpu': '2', 'limits.memory': String(300 * 2 ** 20)});
			const {notes = []} = await driver.inspect(web.record, web.place);
			if (!notes.some(note => note.includes('processors'))) {
				// The server hands processors out anew when it has answered.
				const wanted = Math.min(2, availableParallelism());
				await eventually('it has two', async () => Number(await web.ssh(driver, 'nproc')) === wanted);
			}
			await driver.resize!(web.record, web.place, {disk: web.record.hardware.disk * 2}, web.work());
			await expect(
				driver.resize!(web.record, web.place, {disk: web.record.hardware.disk / 2}, web.work()),
			).rejects.toMatchObject({code: 'instance.invalid'});
		});

		test('samples grow, and its console can be read', async () => {
			const before = (await driver.metrics!(web.record, web.place))!;
			await web.ssh(driver, 'sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done');
			const after = (await driver.metrics!(web.record, web.place))!;
			expect(after.cpuSeconds!).toBeGreaterThan(before.cpuSeconds!);
			expect(after.received!).toBeGreaterThan(before.received!);
			expect(after.memoryUsed).toBeGreaterThan(2 ** 19);
			await eventually('the console says that it is ready', async () =>
				(await driver.consoleText!(web.record, web.place)).includes('micro: ready'),
			);
		});

		test('what others do to it is told within a second, the start of what rests too', async () => {
			const events: Array<DriverEvent & {at: number}> = [];
			const watching = driver.watch(web.record, web.place, event => events.push({...event, at: performance.now()}));
			try {
				await eventually('the watch listens', () => driver.traffic().connections > 0);
				const state = (body: object) =>
					perform(client, 'PUT', '/1.0/instances/web/state', {query: {project: 'drover'}, body});
				for (const [action, power] of [
					['stop', 'off'],
					['start', 'running'],
					['freeze', 'paused'],
					['unfreeze', 'running'],
				] as const) {
					events.length = 0;
					await state({action, timeout: 20});
					const done = performance.now();
					await eventually(`it tells of ${action}`, () => events.length > 0, 1000);
					expect(events[0]!.at - done).toBeLessThan(1000);
					expect(await web.power(driver)).toBe(power);
				}
			} finally {
				watching.close();
			}
		});

		test('a daemon that dies and comes back: unknown meanwhile, then seen again by itself; instances go on', async () => {
			await web.answer(driver);
			const boot = await web.bootId(driver);
			const events: string[] = [];
			const watching = driver.watch(web.record, web.place, event => events.push(event.what));
			try {
				await own.kill();
				await eventually('the loss is told', () => events.includes('lost sight of'), 2000);
				expect(await web.observe(driver)).toMatchObject({
					power: 'unresponsive',
					reason: expect.stringMatching(/daemon is down/),
				});
				expect(await driver.health({again: true})).toMatchObject({
					installed: true,
					usable: false,
					remedy: expect.any(String),
				});
				await expect(web.start(driver)).rejects.toMatchObject({code: 'driver.unusable'});
				await own.start();
				await eventually('it is seen again', () => events.includes('seen again'), 15_000);
				await eventually('it runs', async () => (await web.power(driver)) === 'running');
				expect(await web.bootId(driver)).toBe(boot);
			} finally {
				watching.close();
			}
		});

		test('fifty are looked at by one listing', async () => {
			const before = driver.traffic().listings;
			await Promise.all(Array.from({length: 50}, () => web.observe(driver)));
			expect(driver.traffic().listings - before).toBe(1);
		});

		const stage = {
			get driver() {
				return driver;
			},
			get web() {
				return web;
			},
		};
		if (own.title === 'LXD') forwards(stage, 'stop');
		else {
			// It listens in a network of its own here, in which nobody of this one can knock.
			test('ports that lead into an instance are devices of the server’s, and go with the wish', async () => {
				const devices = async () => {
					const found = await client.get('/1.0/instances/web', {project: 'drover'});
					const all = Object.entries((found as {devices: Record<string, {type: string; listen?: string}>}).devices);
					return all.flatMap(([, device]) => (device.type === 'proxy' ? [device.listen] : []));
				};
				web.record = {...web.record, forwards: [parseForward('18080:22'), parseForward('15353:53/udp')]};
				expect(await driver.forwards!(web.record, web.place, web.work())).toEqual([]);
				expect((await devices()).sort()).toEqual(['tcp:127.0.0.1:18080', 'udp:127.0.0.1:15353']);
				web.record = {...web.record, forwards: []};
				expect(await driver.forwards!(web.record, web.place, web.work())).toEqual([]);
				expect(await devices()).toEqual([]);
			});
		}

		test('instances of Multipass are seen, and one is taken over only when asked for', async () => {
			await client.ask('POST', '/1.0/projects', {body: {name: 'multipass', config: {'features.images': 'false'}}});
			const {fingerprint} = await perform(client, 'POST', '/1.0/images', {
				query: {project: 'multipass'},
				stream: createReadStream(web.image.path),
				headers: {'x-lxd-filename': 'image.tar'},
			});
			await perform(client, 'POST', '/1.0/instances', {
				query: {project: 'multipass'},
				body: {
					name: 'amber-otter',
					profiles: [],
					config: {'limits.cpu': '1', 'limits.memory': '512MiB', 'user.user-data': '#cloud-config\n'},
					devices: {
						root: {type: 'disk', path: '/', pool: 'default', size: '5GiB'},
						eth0: {type: 'nic', network: 'droverbr0', name: 'eth0', hwaddr: '52:54:00:00:12:34'},
					},
					source: {type: 'image', fingerprint},
				},
			});
			await perform(client, 'PUT', '/1.0/instances/amber-otter/state', {
				query: {project: 'multipass'},
				body: {action: 'start'},
			});
			const before = await client.get('/1.0/instances/amber-otter', {project: 'multipass'});
			expect(await driver.adoptables!()).toEqual([{name: 'amber-otter', from: 'multipass', state: 'Running'}]);
			const {config} = (await client.get('/1.0/instances/amber-otter', {project: 'multipass'})) as {config: object};
			expect(config).toEqual((before as {config: object}).config);
			const {clientKey} = await import('../../../source/guest/keys.ts');
			const record = await driver.adopt!('amber-otter', {
				id: '11111111-2222-3333-4444-555555555555',
				by: 'kim',
				now: new Date().toISOString(),
				clientKey: (await clientKey(paths)).public,
			});
			expect(record).toMatchObject({name: 'amber-otter', lxd: {project: 'multipass', type: 'container'}});
			expect(record.hardware).toMatchObject({
				cpus: 1,
				memory: 512 * 2 ** 20,
				disk: 5 * 2 ** 30,
				mac: '52:54:00:00:12:34',
			});
			const {parseRecord} = await import('../../../source/state/record-schema.ts');
			expect(parseRecord(JSON.stringify(record), {name: 'amber-otter', scope: 'lxd'})).toMatchObject({ok: true});
			expect((await driver.observe(record, web.place)).power).toBe('running');
			// Marked, so that one that got no record can be tried again.
			expect(await driver.adoptables!()).toEqual([expect.objectContaining({name: 'amber-otter', id: record.id})]);
			await driver.stop(record, web.place, {timeoutMs: 20_000}, web.work());
			expect((await driver.observe(record, web.place)).power).toBe('off');
			await driver.destroy(record, web.place, web.work());
		});

		test('a clone has what the other had, an address and a key of its own, and no snapshots or forwarded ports', async () => {
			web.record = {...web.record, forwards: [parseForward('18081:22')]};
			await web.start(driver);
			await web.answer(driver);
			await driver.forwards!(web.record, web.place, web.work());
			await web.ssh(driver, 'sh', '-c', 'echo shared > /root/note');
			const twin = await Subject.make(paths, web.image, 'twin', 'lxd');
			await expect(twin.cloneOf(driver, web)).rejects.toMatchObject({code: 'instance.state'});
			await web.stop(driver);
			await perform(client, 'POST', '/1.0/instances/web/snapshots', {query: {project: 'drover'}, body: {name: 's'}});
			// Once more is no error: a daemon may die right after.
			for (let round = 0; round < 2; round++) await twin.cloneOf(driver, web);
			expect(await client.get('/1.0/instances/twin/snapshots', {project: 'drover'})).toEqual([]);
			const {devices} = (await client.get('/1.0/instances/twin', {project: 'drover'})) as {
				devices: Record<string, {type: string; hwaddr?: string}>;
			};
			expect(devices['eth0']!.hwaddr).toBe(twin.record.hardware.mac);
			expect(Object.values(devices).filter(({type}) => type === 'proxy')).toEqual([]);
			for (const each of [web, twin]) {
				await each.start(driver);
				await each.answer(driver);
			}
			// Each shows the key that was made for it, or there would be no connection.
			expect(await twin.ssh(driver, 'sh', '-c', 'hostname; cat /root/note')).toBe('twin\nshared');
			expect(await web.ssh(driver, 'hostname')).toBe('web');
			await driver.destroy(twin.record, twin.place, twin.work());
			web.record = {...web.record, forwards: []};
			await driver.forwards!(web.record, web.place, web.work());
		});

		test('a missing project gives no instances, and a pool that is not there is told', async () => {
			settings['local.lxd.pool'] = 'nowhere';
			settings['local.lxd.project'] = 'other';
			try {
				const lost = await Subject.make(paths, web.image, 'lost', 'lxd');
				await expect(lost.create(driver)).rejects.toMatchObject({
					code: 'driver.unusable',
					message: expect.stringContaining('nowhere'),
				});
			} finally {
				settings['local.lxd.pool'] = '';
				settings['local.lxd.project'] = 'drover';
			}
		});

		test('nothing is left of it on the host when it is removed', async () => {
			await driver.destroy(web.record, web.place, web.work());
			expect(await client.get('/1.0/instances', {project: 'drover'})).toEqual([]);
			expect(await own.ports('droverbr0')).toBe('');
		});
	});
}

async function collect(stream: PassThrough): Promise<string> {
	const parts: Buffer[] = [];
	for await (const part of stream) parts.push(part as Buffer);
	return Buffer.concat(parts).toString('utf8');
}
