import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {writeAtomic} from '../../source/state/atomic.ts';
import {appendEvent, readEvents} from '../../source/state/event-log.ts';
import {locate, makePrivate, scopeDirectory} from '../../source/state/paths.ts';
import {parseRecord} from '../../source/state/record-schema.ts';
import {changeRecord, RecordStore} from '../../source/state/records.ts';
import {openSettings} from '../../source/state/settings.ts';
import {scratchPaths} from '../support/scratch.ts';

const sample: InstanceRecord = {
	schema: 1,
	id: '01234567-89ab-4cde-8f01-23456789abcd',
	name: 'web',
	scope: 'qemu',
	createdAt: '2026-01-01T00:00:00.000Z',
	createdBy: 'kim',
	phase: 'ready',
	image: {query: 'micro', release: 'Micro 1', os: 'drover', hash: 'sha256:00'},
	hardware: {arch: 'x86_64', cpus: 1, memory: 2 ** 28, disk: 2 ** 30, mac: '52:54:00:00:00:01'},
	ssh: {user: 'ubuntu', hostKey: 'ssh-ed25519 AAAA'},
	desired: 'running',
};

describe('records', () => {
	test('come back as they were saved, with the one before beside them', async () => {
		const paths = scratchPaths();
		const store = new RecordStore(paths);
		await store.create(sample);
		await store.save({...sample, desired: 'stopped'});
		expect(await store.load('qemu')).toEqual([{kind: 'record', record: {...sample, desired: 'stopped'}}]);
		const directory = store.directory('qemu', 'web');
		expect(JSON.parse(readFileSync(`${directory}/instance.json.last`, 'utf8'))).toEqual(sample);
		expect(statSync(`${directory}/instance.json`).mode & 0o777).toBe(0o600);
		expect(statSync(directory).mode & 0o777).toBe(0o700);
		expect(readdirSync(directory).sort()).toEqual(['instance.json', 'instance.json.last']);
	});

	test('the same name may exist in two scopes', async () => {
		const store = new RecordStore(scratchPaths());
		await store.create(sample);
		await store.create({...sample, scope: 'lxd'});
		await store.remove('qemu', 'web', sample.id);
		expect(await store.load('qemu')).toEqual([]);
		expect(await store.load('lxd')).toHaveLength(1);
	});

	test('what a crash leaves is cleaned: half written files, an empty directory, a purge cut short', async () => {
		const paths = scratchPaths();
		const store = new RecordStore(paths);
		await store.create(sample);
		const root = scopeDirectory(paths, 'qemu');
		writeFileSync(path.join(root, 'web', 'instance.json.123-4.tmp'), '{"sch');
		mkdirSync(path.join(root, 'empty'));
		mkdirSync(path.join(root, '.purged-x'));
		writeFileSync(path.join(root, '.purged-x', 'disk.qcow2'), 'x');
		expect(await store.load('qemu')).toHaveLength(1);
		expect(readdirSync(root)).toEqual(['web']);
		expect(existsSync(path.join(root, 'web', 'instance.json.123-4.tmp'))).toBe(false);
	});

	test('any damage of the text is told in words and never thrown', () => {
		const text = JSON.stringify(sample);
		fc.assert(
			fc.property(fc.nat(text.length), fc.nat(40), fc.string({maxLength: 20}), (at, length, other) => {
				const damaged = text.slice(0, at) + other + text.slice(at + length);
				const parsed = parseRecord(damaged, {name: 'web', scope: 'qemu'});
				if (parsed.ok) expect(parsed.record.name).toBe('web');
				else expect(parsed.reason).toMatch(/^the record /);
			}),
			{numRuns: 2000},
		);
	});

	test.each([
		['name', {name: '../../etc'}],
		['ssh.user', {ssh: {...sample.ssh, user: '-oProxyCommand=x'}}],
		['ssh.hostKey', {ssh: {...sample.ssh, hostKey: 'ssh-ed25519 A\nHost *'}}],
		['hardware.machine', {hardware: {...sample.hardware, machine: 'pc,accel=x'}}],
		['hardware.mac', {hardware: {...sample.hardware, mac: '52:54:00:00:00:01,x=y'}}],
		['ssh.port', {ssh: {...sample.ssh, port: 70_000}}],
	])('a value that could be more than it says is refused: %s', (_, change) => {
		expect(parseRecord(JSON.stringify({...sample, ...change}), {name: 'web', scope: 'qemu'}).ok).toBe(false);
	});

	test('a change sets fields and removes those that are undefined', () => {
		const changed = changeRecord({...sample, shutdownAt: 'x'}, {shutdownAt: undefined, desired: 'stopped'});
		expect(changed).toEqual({...sample, desired: 'stopped'});
		expect('shutdownAt' in changed).toBe(false);
	});
});

test('an atomic write that fails leaves the old content and nothing beside it', async () => {
	const paths = scratchPaths();
	makePrivate(paths.data);
	const file = path.join(paths.data, 'x');
	await writeAtomic(file, 'old');
	// A directory in the place of the target cannot be replaced by a file.
	const blocked = path.join(paths.data, 'd');
	mkdirSync(path.join(blocked, 'in'), {recursive: true});
	await expect(writeAtomic(blocked, 'new')).rejects.toMatchObject({name: 'DroverError'});
	expect(readdirSync(paths.data).sort()).toEqual(['d', 'x']);
	expect(readFileSync(file, 'utf8')).toBe('old');
});

test('history is read back safe to show, and lines that cannot be read are left out', async () => {
	const {data} = scratchPaths();
	makePrivate(data);
	await appendEvent(data, {at: '2026-01-01T00:00:00.000Z', what: 'started \u001B[31mred', by: 'kim'});
	writeFileSync(path.join(data, 'events.jsonl'), 'garbage\n{"at":5}\n', {flag: 'a'});
	await appendEvent(data, {at: '2026-01-02T00:00:00.000Z', what: 'stopped'});
	expect(await readEvents(data)).toEqual([
		{at: '2026-01-01T00:00:00.000Z', what: 'started red', by: 'kim'},
		{at: '2026-01-02T00:00:00.000Z', what: 'stopped'},
	]);
});

describe('settings', () => {
	test('are kept privately and come back', async () => {
		const {config} = scratchPaths();
		const store = await openSettings(config);
		store.set('local.driver', 'qemu');
		expect((await openSettings(config)).get('local.driver')).toBe('qemu');
		expect(statSync(path.join(config, 'settings.json')).mode & 0o777).toBe(0o600);
	});

	test('a file that cannot be read is set aside, not lost, and said so', async () => {
		const {config} = scratchPaths();
		makePrivate(config);
		writeFileSync(path.join(config, 'settings.json'), '{"local.driver": ');
		const store = await openSettings(config);
		expect(store.problem).toContain('could not be read');
		expect(store.get('local.driver')).toBeUndefined();
		const aside = readdirSync(config).find(name => name.includes('unreadable'));
		expect(readFileSync(path.join(config, aside!), 'utf8')).toBe('{"local.driver": ');
	});
});

describe('paths', () => {
	test('DROVER_HOME holds everything; a relative one is refused', () => {
		const paths = locate({DROVER_HOME: '/h'}, 'linux');
		for (const place of Object.values(paths)) expect(place.startsWith('/h/')).toBe(true);
		expect(() => locate({DROVER_HOME: 'h'}, 'linux')).toThrow('absolute');
	});

	test('XDG places on Linux; relative ones are ignored as the specification has it', () => {
		const paths = locate(
			{HOME: '/u', XDG_DATA_HOME: '/d', XDG_CONFIG_HOME: 'x', XDG_RUNTIME_DIR: '/run/user/7'},
			'linux',
		);
		expect(paths).toMatchObject({
			data: '/d/drover',
			config: '/u/.config/drover',
			socket: '/run/user/7/drover/drover.sock',
		});
	});

	test('sockets stay within the 107 bytes of a socket path however deep the home is', () => {
		const paths = locate({DROVER_HOME: `/${'deep/'.repeat(30)}`}, 'linux');
		expect(Buffer.byteLength(`${paths.runtime}/i/12345678/console.sock`)).toBeLessThanOrEqual(107);
		expect(locate({DROVER_HOME: `/${'deep/'.repeat(30)}`}, 'linux').runtime).toBe(paths.runtime);
		expect(locate({DROVER_HOME: `/${'other/'.repeat(30)}`}, 'linux').runtime).not.toBe(paths.runtime);
	});

	test('a private directory that others could enter is closed', () => {
		const {data} = scratchPaths();
		mkdirSync(data, {recursive: true});
		chmodSync(data, 0o777);
		makePrivate(data);
		expect(statSync(data).mode & 0o077).toBe(0);
	});
});
