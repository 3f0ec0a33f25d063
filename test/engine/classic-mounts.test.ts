import {mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import type {Driver} from '../../source/drivers/driver.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {mountNotes, pauseAfter, wantedMounts, wayOf} from '../../source/engine/mounting/mount-plan.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import type {Mount} from '../../source/model/mount.ts';
import type {Paths} from '../../source/state/paths.ts';
import {simulatedEngine, until} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {SimulatedMounts} from '../support/simulated-mounts.ts';

const by = 'kim';

function hostDirectory(): string {
	const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-source-')));
	onTestFinished(() => rmSync(directory, {recursive: true, force: true}));
	return directory;
}

async function withWeb(paths: Paths = scratchPaths()) {
	const hypervisor = new SimulatedHypervisor();
	const mounts = new SimulatedMounts();
	const {engine} = await simulatedEngine(paths, {hypervisor, mounts});
	await engine.wait({id: (await engine.launch({name: 'web', by})).id});
	return {engine, hypervisor, mounts, paths, source: hostDirectory(), ...handles(engine)};
}

function handles(engine: Engine) {
	const act = async (action: Parameters<Engine['act']>[0]['action'], options = {}) =>
		engine.wait({id: (await engine.act({action, names: ['web'], options, by})).id});
	const mount = async (source: string, target: string, more: Partial<Mount> = {}) =>
		engine.wait({
			id: (
				await engine.mount({name: 'web', mount: {source, target, type: 'classic', uidMap: [], gidMap: [], ...more}, by})
			).id,
		});
	const unmount = async (target?: string) =>
		engine.wait({id: (await engine.unmount({name: 'web', by, ...(target === undefined ? {} : {target})})).id});
	const view = async () => (await engine.list())[0]!;
	const problem = async () => (await view()).mounts?.[0]?.problem;
	const history = async () => (await engine.instanceEvents({name: 'web'})).map(event => event.what);
	return {act, mount, unmount, view, problem, history};
}

describe('a mount over SSH', () => {
	test('comes and goes while the instance runs', async () => {
		const {mount, unmount, mounts, source, view} = await withWeb();
		expect(await mount(source, 'src')).toMatchObject({state: 'done'});
		expect(mounts.alive).toEqual([`${source} /home/ubuntu/src`]);
		expect(mounts.sessions[0]!.input.access).toMatchObject({user: 'ubuntu', port: 22_000});
		expect((await view()).mounts).toMatchObject([{source, target: '/home/ubuntu/src', type: 'classic'}]);
		await unmount('src');
		expect(mounts.alive).toEqual([]);
		expect(mounts.sessions[0]!.how).toBe('ended');
		expect((await view()).mounts).toBeUndefined();
	});

	test('of an instance that rests is made when it runs', async () => {
		const {mount, mounts, source, act} = await withWeb();
		await act('stop');
		expect(await mount(source, '/a')).toMatchObject({state: 'done'});
		expect(mounts.sessions).toEqual([]);
		await act('start');
		expect(mounts.alive).toEqual([`${source} /a`]);
	});

	test('that cannot be made is not remembered', async () => {
		const {mount, mounts, source, view} = await withWeb();
		mounts.before = () => {
			throw new DroverError('guest.failed', 'sshfs is not installed in web, and could not be installed.');
		};
		expect(await mount(source, '/a')).toMatchObject({
			state: 'failed',
			error: {message: 'sshfs is not installed in web, and could not be installed.'},
		});
		expect((await view()).mounts).toBeUndefined();
		mounts.before = () => {};
		await new Promise(resolve => setTimeout(resolve, 30));
		expect(mounts.sessions).toEqual([]);
	});

	test('is ended before a suspend and made again after it, whoever ends or makes it', async () => {
		const {mount, mounts, source, act, hypervisor} = await withWeb();
		await mount(source, '/a');
		const seen: string[] = [];
		hypervisor.before.set('suspend', () => void seen.push(mounts.sessions[0]!.how));
		await act('suspend');
		expect(seen).toEqual(['ended']);
		expect(mounts.alive).toEqual([]);
		await act('start');
		expect(mounts.alive).toEqual([`${source} /a`]);
		await act('restart');
		expect(mounts.sessions.map(session => session.how)).toEqual(['ended', 'ended', 'alive']);
		await act('stop', {force: true});
		expect(mounts.sessions.at(-1)!.how).toBe('killed');
	});

	test('comes back when the suspend for which it was ended fails', async () => {
		const {mount, mounts, source, act, hypervisor} = await withWeb();
		await mount(source, '/a');
		hypervisor.before.set('suspend', () => {
			throw new DroverError('host.disk-full', 'no room');
		});
		expect(await act('suspend')).toMatchObject({state: 'failed'});
		await until(
			() => mounts.alive,
			alive => alive.length === 1,
		);
	});

	test('that is lost is told of, and made again', async () => {
		const {mount, mounts, source, problem, history} = await withWeb();
		await mount(source, '/a');
		const held = Promise.withResolvers<void>();
		mounts.before = () => held.promise;
		mounts.sessions[0]!.lose('sshfs in web has ended: Killed');
		expect(await until(problem, text => text !== undefined)).toBe('sshfs in web has ended: Killed');
		expect(mounts.alive).toEqual([]);
		held.resolve();
		await until(
			() => mounts.alive,
			alive => alive.length === 1,
		);
		await until(problem, text => text === undefined);
		expect(await history()).toEqual(
			expect.arrayContaining(['mount /a was lost: sshfs in web has ended: Killed', 'mount /a is there again']),
		);
	});

	test('is tried again and again; while it fails the state says why', async () => {
		const {mount, mounts, source, act, problem} = await withWeb();
		await mount(source, '/a');
		await act('stop');
		let attempts = 0;
		mounts.before = () => {
			if (attempts++ < 5) throw new DroverError('guest.failed', 'no fuse.');
		};
		expect(await act('start')).toMatchObject({state: 'done'});
		expect(attempts).toBeGreaterThan(0);
		await until(problem, text => text === undefined || attempts > 5);
		await until(
			() => mounts.alive,
			alive => alive.length === 1,
		);
		expect(await problem()).toBeUndefined();
	});

	test('whose directory is gone says so, and stays', async () => {
		const {mount, mounts, source, problem, engine} = await withWeb();
		await mount(source, '/a');
		mounts.sessions[0]!.trouble(`${source} on this host is gone`);
		expect(await problem()).toBe(`${source} on this host is gone`);
		expect((await engine.info({names: ['web'], runtime: false}))[0]!.mounts?.[0]?.problem).toBeDefined();
		mounts.sessions[0]!.trouble(undefined);
		expect(await problem()).toBeUndefined();
		expect(mounts.sessions).toHaveLength(1);
	});

	test('is not made where the directory is away at the start; it comes with it', async () => {
		const {mount, mounts, source, act, problem} = await withWeb();
		await mount(source, '/a');
		await act('stop');
		renameSync(source, `${source}-away`);
		onTestFinished(() => rmSync(`${source}-away`, {recursive: true, force: true}));
		await act('start');
		expect(await problem()).toMatch(/does not exist/);
		mkdirSync(source);
		await until(
			() => mounts.alive,
			alive => alive.length === 1,
		);
	});

	test('goes to where a link led when it was made, and never to where it leads later', async () => {
		const {mount, mounts, source, act, problem, view} = await withWeb();
		const [real, other, link] = ['real', 'other', 'link'].map(name => path.join(source, name)) as [
			string,
			string,
			string,
		];
		mkdirSync(real);
		mkdirSync(other);
		symlinkSync(real, link);
		await mount(link, '/a');
		expect((await view()).mounts).toMatchObject([{source: real}]);
		await act('stop');
		rmSync(real, {recursive: true});
		symlinkSync(other, real);
		await act('start');
		expect(await problem()).toBe(`${real} leads to another directory now`);
		expect(mounts.alive).toEqual([]);
	});

	test('does not outlive the guest', async () => {
		const {mount, mounts, source, hypervisor, view} = await withWeb();
		await mount(source, '/a');
		hypervisor.vanish((await view()).id);
		await until(
			() => mounts.alive,
			alive => alive.length === 0,
		);
		expect((await view()).mounts).toHaveLength(1);
	});

	test('a mount that is under way is given up when the instance is to rest', async () => {
		const {engine, mounts, source, act} = await withWeb();
		let begun = false;
		const handled = handles(engine);
		await handled.mount(source, '/a');
		mounts.before = () => {
			begun = true;
			return new Promise<void>(() => {});
		};
		mounts.sessions[0]!.lose();
		await until(
			() => begun,
			value => value,
		);
		expect(await act('suspend')).toMatchObject({state: 'done'});
		expect(mounts.alive).toEqual([]);
	});

	test('keeps the daemon, ends with it, and is made again by the next', async () => {
		const {mount, mounts, source, engine, hypervisor, paths} = await withWeb();
		expect(engine.isIdle()).toBe(true);
		await mount(source, '/a');
		expect(engine.isIdle()).toBe(false);
		await engine.close();
		expect(mounts.sessions[0]!.how).toBe('ended');
		const {engine: next} = await simulatedEngine(paths, {hypervisor, mounts});
		await until(
			() => mounts.alive,
			alive => alive.length === 1,
		);
		expect(next.isIdle()).toBe(false);
		await handles(next).act('stop');
		expect(next.isIdle()).toBe(true);
	});

	test('is not made anew where mounts were disabled since, and can be ended', async () => {
		const {mount, unmount, mounts, source, engine, act, problem} = await withWeb();
		await mount(source, '/a');
		await engine.set({key: 'local.privileged-mounts', value: 'false', by});
		await act('restart');
		expect(await problem()).toMatch(/^Mounts are disabled/);
		expect(mounts.alive).toEqual([]);
		expect(await unmount('/a')).toMatchObject({state: 'done'});
		await expect(mount(source, '/b')).rejects.toMatchObject({message: expect.stringMatching(/^Mounts are disabled/)});
	});

	test('a guest without an address cannot have one', async () => {
		const {mount, source, hypervisor, engine} = await withWeb();
		hypervisor.sshOf = () => undefined;
		await engine.refresh();
		expect(await mount(source, '/a')).toMatchObject({
			state: 'failed',
			error: {code: 'guest.unanswered', message: expect.stringMatching(/cannot be reached with it: it has no address/)},
		});
	});
});

describe('the plan', () => {
	const mount = (type: Mount['type'], target = '/a'): Mount => ({source: '/s', target, type, uidMap: [], gidMap: []});
	const record = {phase: 'ready', mounts: [mount('classic'), mount('native', '/b')]} as unknown as InstanceRecord;
	const libvirt = {name: 'libvirt'} as Driver;
	const lxd = {name: 'lxd', mount: async () => {}} as unknown as Driver;
	const qemu = {name: 'qemu', plug: async () => {}} as unknown as Driver;
	const running = {power: 'running', observedAt: 0, ipv4: []} as const;
	const work = (kind: string, isQueued = false) => [{id: '1', kind, stage: '', isQueued}];

	test('native mounts are the driver’s own, plugged in, or over SSH where it has none', () => {
		expect([qemu, libvirt, lxd].map(driver => wayOf(mount('native'), driver))).toEqual(['plug', 'ssh', 'own']);
		expect([qemu, libvirt, lxd].map(driver => wayOf(mount('classic'), driver))).toEqual(['ssh', 'ssh', 'ssh']);
		expect(mountNotes(record, libvirt, 'libvirt')).toEqual([
			'/b is mounted over SSH (classic) here: libvirt has no native mounts.',
		]);
		expect(mountNotes(record, qemu, 'QEMU')).toEqual([]);
	});

	test('what runs has its mounts, what rests has none, what is worked on keeps what it has', () => {
		expect(wantedMounts(record, running, [], qemu)).toHaveLength(2);
		expect(wantedMounts(record, running, [], lxd)).toMatchObject([{target: '/a'}]);
		expect(wantedMounts(record, {...running, power: 'off'}, [], qemu)).toEqual([]);
		expect(wantedMounts({...record, deleted: {at: '', by}}, running, [], qemu)).toEqual([]);
		expect(wantedMounts(record, {...running, power: 'unresponsive'}, [], qemu)).toBe('leave');
		expect(wantedMounts(record, undefined, [], qemu)).toBe('leave');
		expect(wantedMounts(record, running, work('suspend'), qemu)).toBe('leave');
		expect(wantedMounts(record, running, work('suspend', true), qemu)).toHaveLength(2);
		expect(wantedMounts(record, running, work('delay'), qemu)).toHaveLength(2);
		expect(wantedMounts({...record, unanswered: {since: '', reason: ''}}, running, [], qemu)).toBe('leave');
	});

	test('pauses grow, and what does not change by itself is left alone for long', () => {
		expect([1, 2, 3, 50].map(failures => pauseAfter(failures, false))).toEqual([1000, 2000, 5000, 60_000]);
		expect(pauseAfter(1, true)).toBeGreaterThan(60_000);
	});
});
