import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {DroverError} from '../../source/model/errors.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

let home: string;
beforeAll(() => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-mount-'));
	mkdirSync(path.join(home, 'src'));
	writeFileSync(path.join(home, 'file'), '');
});
afterAll(() => rmSync(home, {recursive: true}));

const two = (driver: 'lxd' | 'libvirt' = 'lxd') =>
	new FakeEngine({driver: fakeDriver(driver), instances: [fakeInstance('web'), fakeInstance('db', 'Stopped')]});
const requests = (engine: FakeEngine, method: string) =>
	engine.calls.filter(call => call.method === method).map(call => call.request);

describe('mount', () => {
	const map = (host: number, guest: number) => ({host, guest});
	test.each<[string[], ReadonlyArray<readonly [string, object]>]>([
		[['src', 'web'], [['web', {}]]],
		[['src', 'web:data'], [['web', {target: 'data'}]]],
		[
			['src', 'web:/data:1', 'db:'],
			[
				['web', {target: '/data:1'}],
				['db', {}],
			],
		],
		[['src', 'web', '-t', 'classic'], [['web', {type: 'classic'}]]],
		[
			['src', 'web', '-u', '1000:33', '--uid-map', '1001:34', '-g', '5:6'],
			[['web', {uidMap: [map(1000, 33), map(1001, 34)], gidMap: [map(5, 6)]}]],
		],
	])('mount %j', async (argv, wanted) => {
		const engine = two();
		expect(await drover(['mount', ...argv], {engine, cwd: home})).toMatchObject({code: 0, out: '', err: ''});
		const source = path.join(home, 'src');
		expect(requests(engine, 'mount')).toEqual(
			wanted.map(([name, more]) => ({
				name,
				mount: {source, target: '', type: 'native', uidMap: [], gidMap: [], ...more},
				by: 'kim',
			})),
		);
	});

	test('a driver that has no way of its own is asked for a classic one', async () => {
		const engine = two('libvirt');
		await drover(['mount', home, 'web'], {engine});
		expect(requests(engine, 'mount')).toMatchObject([{mount: {type: 'classic'}}]);
	});

	test.each<[string[], string]>([
		[[], 'Not enough arguments given.'],
		[['src'], 'Not enough arguments given.'],
		[['nothing', 'web'], 'Mount source path "nothing" does not exist.'],
		[['file', 'web'], 'Mount source path "file" is not a directory.'],
		[['src', ':/data'], '":/data" names no instance.'],
		[['src', 'web', '-u', '1000'], 'Invalid UID map given: "1000".'],
		[['src', 'web', '-u', '1:-1'], 'Invalid UID map given: "1:-1".'],
		[['src', 'web', '-g', 'a:b'], 'Invalid GID map given: "a:b".'],
		[['src', 'web', '--type', 'nfs'], 'Bad mount type "nfs" given.'],
	])('mount %j is a mistake on the command line', async (argv, message) => {
		const {code, err, connections} = await drover(['mount', ...argv], {engine: two(), cwd: home});
		expect(err.split('\n')[0]).toBe(`mount failed: ${message}`);
		expect([code, connections]).toEqual([1, 0]);
	});

	test('what is refused for one does not keep the others from it', async () => {
		const engine = two();
		const one = await drover(['mount', 'src', 'nobody', 'web'], {engine, cwd: home});
		expect(one).toMatchObject({code: 2, err: 'mount failed: instance "nobody" does not exist\n'});
		expect(engine.instances.get('web')?.mounts).toHaveLength(1);
		engine.failures.set('web', new DroverError('instance.exists', 'already mounted'));
		expect(await drover(['mount', 'src', 'nobody', 'web', 'db'], {engine, cwd: home})).toMatchObject({
			code: 2,
			err: 'mount failed: The following errors occurred:\ninstance "nobody" does not exist\nalready mounted\n',
		});
		expect(engine.instances.get('db')?.mounts).toHaveLength(1);
	});
});

describe('umount', () => {
	test.each(['umount', 'unmount'])('%s', async command => {
		const engine = two();
		expect(await drover([command, 'web:src', 'db'], {engine})).toMatchObject({code: 0, out: '', err: ''});
		expect(requests(engine, 'unmount')).toEqual([
			{name: 'web', target: 'src', by: 'kim'},
			{name: 'db', by: 'kim'},
		]);
		expect(await drover([command], {engine})).toMatchObject({code: 1, connections: 0});
		expect(await drover([command, 'nobody'], {engine})).toMatchObject({
			code: 2,
			err: 'umount failed: instance "nobody" does not exist\n',
		});
	});
});

describe('exec', () => {
	const mounts = [
		{source: '/home/kim', target: '/home/ubuntu/Home', type: 'native', uidMap: [], gidMap: []},
		{source: '/home/kim/src', target: '/src', type: 'native', uidMap: [], gidMap: []},
	] as const;
	const line = async (cwd: string, ...options: string[]) => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Running', {mounts})]});
		return (await drover(['exec', 'web', ...options, '--', 'ls'], {engine, cwd})).ran[0]!.argv.at(-1);
	};

	test('runs in the directory that is mounted from where one stands', async () => {
		expect(await line('/home/kim/src/a b')).toBe("cd -- '/src/a b' && 'ls'");
		expect(await line('/home/kim/src')).toBe("cd -- '/src' && 'ls'");
		expect(await line('/home/kim/srcs')).toBe("cd -- '/home/ubuntu/Home/srcs' && 'ls'");
		expect(await line('/home/kimberly')).toBe("'ls'");
	});

	test('unless it is told otherwise', async () => {
		expect(await line('/home/kim/src', '-n')).toBe("'ls'");
		expect(await line('/home/kim/src', '-d', '/tmp')).toBe("cd -- '/tmp' && 'ls'");
	});
});
