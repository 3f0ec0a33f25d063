import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {DroverError} from '../../source/model/errors.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const launches = (engine: FakeEngine) =>
	engine.calls.filter(call => call.method === 'launch').map(call => call.request);

describe('what is asked of the engine', () => {
	test.each<[string[], object]>([
		[['micro', '--name', 'web'], {image: 'micro', name: 'web'}],
		[['--name', 'web'], {name: 'web'}],
		[
			['-c', '2', '-m', '512M', '-d', '10g', '-n', 'web', 'file:///tmp/a.qcow2'],
			{image: 'file:///tmp/a.qcow2', name: 'web', cpus: 2, memory: 512 * 2 ** 20, disk: 10 * 2 ** 30},
		],
		[['micro', '--mem', '1.5G'], {image: 'micro', memory: 1.5 * 2 ** 30}],
		[['https://example.org:8080/a:b.img'], {image: 'https://example.org:8080/a:b.img'}],
		[['daily:noble'], {image: 'daily:noble'}],
		[['micro', '--timeout', '30'], {image: 'micro'}],
		[['micro', '--timeout', '600'], {image: 'micro', answerTimeout: 600}],
	])('launch %j', async (argv, request) => {
		const engine = new FakeEngine();
		const {code, err} = await drover(['launch', ...argv], {engine});
		expect([code, err]).toEqual([0, '']);
		expect(launches(engine)).toEqual([{...request, by: 'kim'}]);
	});
});

test('what is said', async () => {
	expect((await drover(['launch', 'micro', '-n', 'web'])).out).toBe('Launching web: working\nLaunched: web\n');
	expect((await drover(['launch'])).out).toBe('Launching amber-otter: working\nLaunched: amber-otter\n');
	expect((await drover(['launch', 'micro', '-n', 'web'], {isTTY: true})).out).toBe(
		'\rLaunching web: working\u001B[K\r\u001B[KLaunched: web\n',
	);
});

test('the daemon refuses', async () => {
	const engine = new FakeEngine({instances: [fakeInstance('web')]});
	expect(await drover(['launch', '-n', 'web'], {engine})).toMatchObject({
		code: 2,
		out: '',
		err: 'launch failed: instance "web" already exists\n',
	});
	engine.failures.set('db', new DroverError('host.disk-full', 'the disk is full.', {next: 'Make room.'}));
	expect(await drover(['launch', 'micro', '-n', 'db'], {engine})).toMatchObject({
		code: 2,
		err: 'launch failed: the disk is full.\nMake room.\n',
	});
});

test('--timeout', async () => {
	const engine = new FakeEngine({delayMs: 60_000});
	const {code, err} = await drover(['launch', 'micro', '--timeout', '1'], {engine});
	expect([code, err]).toEqual([5, 'Timed out waiting for instance launch.\n']);
	expect((await engine.operations())[0]?.state).toBe('running');
	await engine.cancel({id: '1', by: 'kim'});
});

describe('told wrong without the daemon', () => {
	test.each<[string[], string]>([
		[['micro', 'other'], 'Too many arguments supplied.'],
		[['a:b:c'], 'Invalid remote or image: "a:b:c".'],
		[['-c', '0'], 'Invalid CPU count "0": it must be a positive whole number.'],
		[['-c', '1.5'], 'Invalid CPU count "1.5": it must be a positive whole number.'],
		[['-c', 'two'], 'Invalid CPU count "two": it must be a positive whole number.'],
		[['-m', '1T'], '"1T" is not a valid memory size.'],
		[['-m', '1.5'], '"1.5" is not a valid memory size.'],
		[['-d', '-5G'], '"-5G" is not a valid disk size.'],
		[['-d', ''], '"" is not a valid disk size.'],
		[['--timeout', 'x'], 'Invalid --timeout "x": it must be a positive whole number of seconds.'],
		[['--network', ''], 'Bad network definition, need at least a name.'],
		[['--network', 'mode=auto'], 'Bad network definition, need at least a name.'],
		[['--network', 'name=eth0,mode=fast'], "Bad network mode \"fast\", need 'auto' or 'manual'."],
		[['--network', 'name=eth0,mac=12:34'], 'Invalid MAC address: "12:34".'],
		[['--network', 'name=eth0,speed=9'], 'Bad network field: "speed".'],
		[['--network', 'eth0,eth1'], 'Bad network field definition, need key=value.'],
		[['--network', 'name=eth0,auto'], 'Bad network field definition, need key=value.'],
		[
			['--cloud-init', '/does/not/exist'],
			'Could not load cloud-init configuration: /does/not/exist: there is no such file or directory',
		],
		[['--cpus'], 'The option --cpus needs a value: --cpus <cpus>.'],
		[['--zone', 'zone1'], "Unknown option 'zone'."],
	])('launch %j', async (argv, message) => {
		const {code, out, err, connections} = await drover(['launch', ...argv]);
		expect(err.startsWith(`launch failed: ${message}`)).toBe(true);
		expect({code, out, connections}).toEqual({code: 1, out: '', connections: 0});
	});
});

test('more than the host has is warned of, and launched', async () => {
	const {code, err, out} = await drover(['launch', 'micro', '-c', '5', '-m', '17G']);
	expect([code, err]).toEqual([
		0,
		'Warning: 5 CPUs are more than the 4 of this host.\nWarning: 17.0G of memory are more than the 16.0G of this host.\n',
	]);
	expect(out).toContain('Launched: ');
	expect((await drover(['launch', 'micro', '-c', '4', '-m', '16G'])).err).toBe('');
});

describe('networks and members', () => {
	test('are handed on as they were given: the engine knows what there is', async () => {
		const engine = new FakeEngine();
		const argv = ['--network', 'eth0', '--network', 'name=br0,mode=manual', '--bridged', '--target', 'node2'];
		expect(await drover(['launch', 'micro', ...argv], {engine})).toMatchObject({code: 0, err: ''});
		expect(launches(engine)).toEqual([
			{image: 'micro', networks: ['eth0', 'name=br0,mode=manual'], bridged: true, target: 'node2', by: 'kim'},
		]);
	});

	test('a member without a name', async () => {
		expect(await drover(['launch', '--target', ''])).toMatchObject({code: 1, connections: 0});
	});
});

describe('mounts', () => {
	let home: string;
	beforeAll(() => {
		home = mkdtempSync(path.join(tmpdir(), 'drover-mounts-'));
		mkdirSync(path.join(home, 'src'));
		writeFileSync(path.join(home, 'file'), '');
	});
	afterAll(() => rmSync(home, {recursive: true}));
	const maps = {uidMap: [], gidMap: []};

	test('sources are looked at here, targets are the engine’s to judge', async () => {
		const engine = new FakeEngine({driver: fakeDriver('lxd')});
		const argv = ['--mount', 'src', '--mount', `${home}:/data`, '--mount', 'src/../src:some:where'];
		const {code, out, err} = await drover(['launch', 'micro', '-n', 'web', ...argv], {engine, cwd: home});
		expect([code, err]).toEqual([0, '']);
		const source = path.join(home, 'src');
		expect(launches(engine)).toMatchObject([
			{
				mounts: [
					{source, target: '', type: 'native', ...maps},
					{source: home, target: '/data', type: 'native', ...maps},
					{source, target: 'some:where', type: 'native', ...maps},
				],
			},
		]);
		expect(out).toContain(`Launched: web\nMounted '${source}' into 'web'\nMounted '${home}' into 'web:/data'\n`);
	});

	test('where the driver has none of its own, a mount is a classic one', async () => {
		const engine = new FakeEngine({driver: fakeDriver('libvirt')});
		await drover(['launch', 'micro', '--mount', home], {engine});
		expect(launches(engine)).toMatchObject([{mounts: [{type: 'classic'}]}]);
	});

	test('the way is chosen by --type', async () => {
		const engine = new FakeEngine({driver: fakeDriver('qemu', {features: ['plug']})});
		await drover(['launch', 'micro', '--mount', home], {engine});
		await drover(['launch', 'micro', '--mount', home, '--type', 'native'], {engine});
		expect(launches(engine)).toMatchObject([{mounts: [{type: 'classic'}]}, {mounts: [{type: 'native'}]}]);
		expect((await drover(['launch', '--mount', home, '--type', 'sshfs'])).err).toMatch(/Bad mount type "sshfs" given/);
		expect((await drover(['launch', '--type', 'native'])).err).toMatch(/there is no --mount/);
	});

	test.each([
		['nothing', 'does not exist'],
		['', 'does not exist'],
		['file', 'is not a directory'],
	])('%j: %s', async (source, problem) => {
		const {code, err, connections} = await drover(['launch', '--mount', `${source}:/data`], {cwd: home});
		expect(err).toBe(`launch failed: Mount source path ${JSON.stringify(source)} ${problem}.\n`);
		expect([code, connections]).toEqual([1, 0]);
	});

	test('the primary instance gets the home directory, where that can be', async () => {
		const launchPrimary = async (engine: FakeEngine, env: NodeJS.ProcessEnv = {HOME: home}) => {
			const {code, err, out} = await drover(['launch', 'micro', '-n', 'primary'], {engine, env});
			expect([code, err]).toEqual([0, '']);
			return out.split('\n').slice(-2)[0];
		};
		const lxd = () => new FakeEngine({driver: fakeDriver('lxd')});
		const engine = lxd();
		expect(await launchPrimary(engine)).toBe(`Mounted '${home}' into 'primary:Home'`);
		expect(engine.calls.filter(call => call.method === 'mount')).toMatchObject([
			{request: {name: 'primary', mount: {source: home, target: 'Home', type: 'native', ...maps}, by: 'kim'}},
		]);

		const disabled = lxd();
		await disabled.set({key: 'local.privileged-mounts', value: 'false', by: 'kim'});
		expect(await launchPrimary(disabled)).toBe(
			'Your home directory was not mounted: the setting local.privileged-mounts is false.',
		);
		for (const name of ['qemu', 'libvirt'] as const) {
			const other = new FakeEngine({driver: fakeDriver(name)});
			expect(await launchPrimary(other)).toBe(`Mounted '${home}' into 'primary:Home'`);
			expect(other.calls.filter(call => call.method === 'mount')).toMatchObject([
				{request: {mount: {type: 'classic'}}},
			]);
		}
		const failing = lxd();
		failing.mount = async () => {
			throw new DroverError('instance.invalid', 'It is in use.');
		};
		expect(await launchPrimary(failing)).toBe('Your home directory was not mounted: It is in use.');
		expect(await launchPrimary(lxd(), {HOME: `${home}/nothing`})).toMatch(/does not exist\.$/);
	});
});

describe('cloud-init', () => {
	const config = '#cloud-config\npackages: [curl]\n';
	let directory: string;
	let server: Server;
	let address: string;

	beforeAll(async () => {
		directory = mkdtempSync(path.join(tmpdir(), 'drover-launch-'));
		server = createServer((request, response) => {
			response.statusCode = request.url === '/config' ? 200 : 404;
			response.end(config);
		});
		await new Promise<void>(resolve => {
			server.listen(0, '127.0.0.1', resolve);
		});
		address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	});

	afterAll(async () => {
		rmSync(directory, {recursive: true});
		await new Promise(resolve => {
			server.close(resolve);
		});
	});

	const launch = async (source: string, stdin?: string) => {
		const engine = new FakeEngine();
		const setting = {engine, cwd: directory, ...(stdin === undefined ? {} : {stdin})};
		const outcome = await drover(['launch', 'micro', '--cloud-init', source], setting);
		return {...outcome, request: launches(engine)[0]};
	};

	test('from a file, an address and stdin', async () => {
		writeFileSync(path.join(directory, 'good.yaml'), config);
		for (const source of ['good.yaml', path.join(directory, 'good.yaml'), `${address}/config`]) {
			expect(await launch(source)).toMatchObject({code: 0, request: {cloudInit: config}});
		}
		expect(await launch('-', config)).toMatchObject({code: 0, request: {cloudInit: config}});
	});

	test.each([
		['', 'it is empty.'],
		[' \n\t\n', 'it is empty.'],
		['#cloud-config\n', 'there is nothing in it.'],
		['#!/bin/sh\necho hello\n', 'it must be a map of keys and values.'],
		['- a\n- b\n', 'it must be a map of keys and values.'],
		['#cloud-config\npackages: [curl\nruncmd: x\n', /^line \d: /],
		['a: 1\na: 2\n', /^line 2: Map keys must be unique/],
		['a: *nobody\n', /nobody/],
	])('%j is refused', async (text, message) => {
		const {code, err, connections} = await launch('-', text);
		const start = 'launch failed: Could not load cloud-init configuration: ';
		expect(err.slice(0, start.length)).toBe(start);
		const rest = err.slice(start.length).split('\n')[0];
		expect(rest).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
		expect({code, connections}).toEqual({code: 1, connections: 0});
	});

	test('too long, a directory, not there', async () => {
		writeFileSync(path.join(directory, 'big.yaml'), Buffer.alloc(2 ** 20 + 1, 'a'));
		expect((await launch('big.yaml')).err).toMatch(/it is longer than 1 MiB\.\n$/);
		expect((await launch('.')).err).toMatch(/configuration: it is a directory\./);
		expect(await launch(`${address}/nothing`)).toMatchObject({code: 1, connections: 0});
		expect((await launch(`${address}/nothing`)).err).toMatch(/answered 404/);
	});
});
