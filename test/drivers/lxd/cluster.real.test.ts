import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {PassThrough} from 'node:stream';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Driver, DriverEvent} from '../../../source/drivers/driver.ts';
import {LxdClient} from '../../../source/drivers/lxd/client.ts';
import {createLxdDriver} from '../../../source/drivers/lxd/driver.ts';
import {pullPath, pushPath} from '../../../source/drivers/lxd/files.ts';
import {runDirect} from '../../../source/drivers/lxd/session.ts';
import type {DirectAccess} from '../../../source/model/guest-access.ts';
import type {Paths} from '../../../source/state/paths.ts';
import {eventually, makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {ownCluster} from '../../support/lxd-cluster.ts';
import {microRoot} from '../../support/micro-image.ts';

const cluster = await ownCluster();
const why = typeof cluster === 'string' ? ` (${cluster})` : '';

describe.skipIf(why !== '')(`an LXD cluster of two, and from afar${why}`, {timeout: 120_000}, () => {
	const own = cluster as Exclude<typeof cluster, string>;
	const settings: Record<string, string> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
	let paths: Paths;
	let driver: Driver;
	let client: LxdClient;
	let far: Subject;

	const newDriver = () =>
		createLxdDriver({paths, setting: key => settings[key] ?? '', environment: own.one.environment});

	beforeAll(async () => {
		paths = await makeHome();
		driver = newDriver();
		client = new LxdClient({kind: 'socket', path: `${own.one.directory}/unix.socket`});
	});
	afterAll(async () => {
		driver?.close?.();
		client?.close();
		await removeHome(paths);
		await own.close();
	}, 120_000);

	async function run(access: DirectAccess, command: readonly string[]) {
		const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
		const parts: Buffer[] = [];
		stdout.on('data', part => parts.push(part));
		stderr.resume();
		stdin.end();
		const code = await runDirect(access, {
			command,
			tty: false,
			stdin: stdin as unknown as NodeJS.ReadStream,
			stdout: stdout as unknown as NodeJS.WriteStream,
			stderr: stderr as unknown as NodeJS.WriteStream,
		});
		return {code, text: Buffer.concat(parts).toString('utf8')};
	}

	test('it says that it is a cluster, and names its members', async () => {
		expect((await driver.health()).summary).toMatch(/LXD 5\.\d+\.\d+, a cluster: containers only/);
		expect(await driver.members!()).toEqual(['one', 'two']);
	});

	test('pool and bridge are made on every member, and an instance goes where it is asked to go', async () => {
		far = await Subject.make(paths, await microRoot(), 'far', 'lxd');
		far.record = {...far.record, target: 'two'};
		await far.create(driver);
		const near = await Subject.make(paths, far.image, 'near', 'lxd');
		near.record = {...near.record, target: 'one'};
		await near.create(driver);
		expect(await far.observe(driver)).toMatchObject({power: 'off', member: 'two'});
		expect(await near.observe(driver)).toMatchObject({power: 'off', member: 'one'});
		const lost = await Subject.make(paths, far.image, 'lost', 'lxd');
		lost.record = {...lost.record, target: 'three'};
		await expect(lost.create(driver)).rejects.toMatchObject({
			code: 'instance.invalid',
			message: expect.stringContaining('one, two'),
		});
		await near.start(driver);
		await near.answer(driver);
		expect(await near.ssh(driver, 'hostname')).toBe('near');
		await driver.destroy(near.record, near.place, near.work());
	});

	test('on another member it is entered by way of the cluster: commands, files, what happens there', async () => {
		const events: DriverEvent[] = [];
		const watching = driver.watch(far.record, far.place, event => events.push(event));
		await far.start(driver);
		await driver.answers!(far.record, far.place, AbortSignal.timeout(20_000));
		const seen = await far.observe(driver);
		expect(seen).toMatchObject({power: 'running', member: 'two', isOutOfReach: true});
		expect(seen.ssh).toBeUndefined();
		const access = (await driver.direct!(far.record, far.place))!;
		expect(await run(access, ['hostname'])).toEqual({code: 0, text: 'far\n'});
		const file = path.join(paths.data, 'file');
		await pushPath(access, Object.assign(new PassThrough(), {}).end('over there') as PassThrough, 'note');
		await pullPath(access, 'note', file);
		expect(await readFile(file, 'utf8')).toBe('over there');
		events.length = 0;
		await client.ask('PUT', '/1.0/instances/far/state', {
			query: {project: 'drover'},
			body: {action: 'stop', force: true},
		});
		await eventually('the stop there is told', () => events.length > 0, 3000);
		watching.close();
		await eventually('it is off', async () => (await far.power(driver)) === 'off');
	});

	test('from afar: what to do is said at each step, until it is trusted', async () => {
		settings['local.lxd.remote'] = own.url;
		const unknown = await driver.health({again: true});
		expect(unknown).toMatchObject({installed: true, usable: false});
		const fingerprint = /fingerprint ([\da-f]{64})/.exec(unknown.summary)![1]!;
		expect(unknown.remedy).toContain(`local.lxd.remote=${own.url}#${fingerprint}`);
		settings['local.lxd.remote'] = `${own.url}#${'0'.repeat(64)}`;
		expect((await driver.health({again: true})).summary).toMatch(/another certificate/);
		settings['local.lxd.remote'] = `${own.url}#${fingerprint}`;
		const untrusted = await driver.health({again: true});
		expect(untrusted.summary).toMatch(/does not know drover's certificate/);
		const certificate = await readFile(path.join(paths.data, 'lxd', 'client.crt'), 'utf8');
		await client.ask('POST', '/1.0/certificates', {
			body: {
				type: 'client',
				name: 'drover-test',
				certificate: certificate.replace(/-----[^-]+-----|\s/g, ''),
			},
		});
		expect(await driver.health({again: true})).toMatchObject({
			usable: true,
			summary: expect.stringContaining(`at ${own.url}, a cluster`),
		});
	});

	test('what is on this host’s server is not shown as gone, and what is made there lives there', async () => {
		expect(await far.observe(driver)).toMatchObject({
			power: 'unresponsive',
			reason: expect.stringMatching(/own server/),
		});
		const there = await Subject.make(paths, far.image, 'there', 'lxd');
		there.record = {...there.record, target: 'two'};
		await there.create(driver);
		expect(there.record.lxd).toEqual({type: 'container', project: 'drover', remote: own.url});
		await there.start(driver);
		expect(await driver.answers!(there.record, there.place, AbortSignal.timeout(20_000))).toMatch(/answers/);
		expect(await there.observe(driver)).toMatchObject({power: 'running', isOutOfReach: true, member: 'two'});
		expect(await run((await driver.direct!(there.record, there.place))!, ['hostname'])).toEqual({
			code: 0,
			text: 'there\n',
		});
		expect((await driver.guestFacts(there.record, there.place, AbortSignal.timeout(5000))).release).toMatch(/Micro/);
		await expect(
			driver.mount!(
				there.record,
				there.place,
				{source: '/srv', target: '/mnt/x', type: 'native', uidMap: [], gidMap: []},
				there.work(),
			),
		).rejects.toMatchObject({code: 'driver.incapable'});
		await driver.destroy(there.record, there.place, there.work());
		settings['local.lxd.remote'] = '';
		expect((await driver.health({again: true})).usable).toBe(true);
		await driver.destroy(far.record, far.place, far.work());
	});
});
