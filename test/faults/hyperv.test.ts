import {execFileSync} from 'node:child_process';
import {randomBytes, randomUUID} from 'node:crypto';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, describe, expect, onTestFinished, test} from 'vitest';
import type {CreateInput, DriverEvent, InstancePlace, WorkContext} from '../../source/drivers/driver.ts';
import {createHypervDriver} from '../../source/drivers/hyperv/driver.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import {instanceDirectory, locate, makePrivate, socketDirectory} from '../../source/state/paths.ts';
import {changeRecord} from '../../source/state/records.ts';
import {eventually} from '../contract/subject.ts';
import type {Behaviour, Fault} from '../support/hyperv/state.ts';
import {HypervWorld} from '../support/hyperv/world.ts';

const cleaning: Array<() => void> = [];
afterEach(() => {
	for (const clean of cleaning.splice(0).reverse()) clean();
});

/** A driver over the stand-in, whose guests are only processes. */
function open(behaviour: Behaviour = {}, existing?: HypervWorld) {
	const world = existing ?? new HypervWorld(behaviour);
	if (!existing) cleaning.push(() => world.close());
	const home = mkdtempSync(path.join(tmpdir(), 'drover-hvtest-'));
	cleaning.push(() => rmSync(home, {recursive: true, force: true}));
	const paths = locate({DROVER_HOME: home}, 'linux');
	const newDriver = () => {
		const driver = createHypervDriver({paths, tools: world.tools, resolve: async () => []});
		cleaning.push(() => driver.close?.());
		return driver;
	};
	const driver = newDriver();
	const fault = (...faults: ReadonlyArray<Omit<Fault, 'times'> & {times?: number}>) => {
		world.state.faults = faults.map(each => ({times: 1, ...each}));
	};
	return {world, driver, newDriver, paths, home, fault};
}

type Opened = ReturnType<typeof open>;

/** An instance as the engine would hold it. */
async function subject({driver, paths, home}: Opened, name = 'web') {
	const id = randomUUID();
	const image = path.join(home, 'image.qcow2');
	execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, '8M']);
	const place: InstancePlace = {
		directory: instanceDirectory(paths, 'hyperv', name),
		sockets: socketDirectory(paths, id),
	};
	makePrivate(place.directory);
	const log: string[] = [];
	const mine = {
		record: {
			...{schema: 1, id, name, scope: 'hyperv', createdAt: '', createdBy: 'test', phase: 'ready', desired: 'running'},
			image: {query: 'x', release: 'x', os: 'Ubuntu', hash: ''},
			hardware: {
				...{arch: 'x86_64', cpus: 1, memory: 256 * mebibyte, disk: 16 * mebibyte},
				mac: `52:54:00:${[...randomBytes(3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`,
			},
			ssh: {user: 'ubuntu', hostKey: ''},
		} as InstanceRecord,
		place,
		log,
		work: (signal = new AbortController().signal): WorkContext => ({
			signal,
			progress() {},
			log: line => void log.push(line),
			update: async change => {
				mine.record = changeRecord(mine.record, change);
				return mine.record;
			},
		}),
		input: {
			imagePath: image,
			imageFormat: 'qcow2',
			imageHash: 'sha256:x',
			seed: {'meta-data': 'x', 'user-data': 'x', 'network-config': 'x'},
		} as CreateInput,
		create: (by = driver) => by.create(mine.record, place, mine.input, mine.work()),
		start: (by = driver) => by.start(mine.record, place, mine.work()),
		stop: (timeoutMs = 10_000, by = driver) => by.stop(mine.record, place, {timeoutMs}, mine.work()),
		observe: (by = driver) => by.observe(mine.record, place),
		destroy: (by = driver) => by.destroy(mine.record, place, mine.work()),
	};
	return mine;
}

describe('the language, whatever PowerShell makes of it', () => {
	test.each<[string, Behaviour]>([
		['UTF-16 with a mark, CRLF and a banner', {encoding: 'utf-16le', hasBom: true, hasCrlf: true, banner: 'Grüße'}],
		['UTF-8 with a mark', {hasBom: true}],
		['CRLF', {hasCrlf: true, banner: 'Windows PowerShell\r\nCopyright (C) Microsoft Corporation'}],
	])('%s', async (_name, behaviour) => {
		const opened = open(behaviour);
		const web = await subject(opened, 'grün');
		expect(await opened.driver.health()).toMatchObject({installed: true, usable: true});
		await web.create();
		await web.start();
		expect(await web.observe()).toMatchObject({power: 'running', ipv4: [expect.stringMatching(/^127\./)]});
		expect(opened.world.state.machines()[0]).toMatchObject({name: expect.stringContaining('drover-grün-')});
	});

	test('noise around answers, and answers to nobody, are passed over', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		opened.fault({op: 'list', kind: 'noise', times: 3});
		for (let count = 0; count < 3; count++) expect(await web.observe()).toMatchObject({power: 'off'});
		expect(opened.world.state.faults[0]).toMatchObject({times: 0});
	});

	test('an answer that makes no sense is told, and the next one counts again', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		opened.fault({op: 'list', kind: 'nonsense'});
		expect(await web.observe()).toMatchObject({power: 'unresponsive', reason: expect.stringMatching(/makes no sense/)});
		expect(await web.observe()).toMatchObject({power: 'off'});
	});
});

describe('a script that ends', () => {
	test.each(['crash', 'crash-after', 'crash-between'] as const)(
		'while it makes a machine (%s): there is one, and whole',
		async kind => {
			const opened = open();
			const web = await subject(opened);
			opened.fault({op: 'create', kind});
			await web.create();
			expect(opened.world.state.machines()).toHaveLength(1);
			expect(opened.world.state.machines()[0]?.notes).toMatch(/:ready$/m);
			expect(readdirSync(web.place.directory).sort()).toEqual(['disk.vhdx', 'seed.iso']);
		},
	);

	test('twice: what is half made is told, and the next attempt makes it whole', async () => {
		const opened = open();
		const web = await subject(opened);
		opened.fault({op: 'create', kind: 'crash-between', times: 2});
		await expect(web.create()).rejects.toMatchObject({
			code: 'driver.failed',
			message: 'PowerShell ended while making the instance: it was ended by SIGKILL.',
		});
		expect((await web.observe()).power).toBe('unusable');
		await web.create();
		expect(opened.world.state.machines()).toHaveLength(1);
		expect(await web.observe()).toMatchObject({power: 'off'});
	});

	test.each([
		['start', 'crash'],
		['start', 'crash-after'],
		['turn-off', 'crash-after'],
		['snapshot-take', 'crash-between'],
		['snapshot-take', 'crash-after'],
	] as const)('at %s (%s) is asked again, and it is done once', async (op, kind) => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		if (op === 'turn-off') await web.start();
		opened.fault({op, kind});
		const args = [web.record, web.place] as const;
		if (op === 'start') await web.start();
		else if (op === 'turn-off') await opened.driver.powerOff(...args, web.work());
		else await opened.driver.snapshots!.take(...args, 'drover-a', web.work());
		const [machine] = opened.world.state.machines();
		expect((await web.observe()).power).toBe(op === 'start' ? 'running' : 'off');
		expect(machine?.checkpoints).toHaveLength(op === 'snapshot-take' ? 1 : 0);
		expect(opened.world.state.requests.filter(each => each === op)).toHaveLength(2);
	});

	test('the one that looks is started again by who looks next, and they all learn of one', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		const before = opened.world.state.starts;
		process.kill((await opened.driver.lookerPid())!, 'SIGKILL');
		const seen = await Promise.all(Array.from({length: 20}, () => web.observe()));
		await eventually('it is well again', async () => (await web.observe()).power === 'off');
		expect(seen.filter(({power}) => power !== 'off' && power !== 'unresponsive')).toEqual([]);
		expect(opened.world.state.starts).toBe(before + 1);
	});

	test('each time it is started is not started for everybody who asks', async () => {
		const opened = open({refusal: 'hyperv.ps1 cannot be loaded because running scripts is disabled on this system.'});
		const web = await subject(opened);
		expect(await opened.driver.health()).toMatchObject({
			installed: true,
			usable: false,
			summary: expect.stringMatching(/does not run drover’s script: .*running scripts is disabled on this system\.$/),
			remedy: expect.stringContaining('Get-ExecutionPolicy'),
		});
		for (let count = 0; count < 20; count++) expect((await web.observe()).power).toBe('unresponsive');
		await eventually('the reason is told', async () => (await web.observe()).reason?.includes('disabled') ?? false);
		expect(opened.world.state.starts).toBeLessThan(6);
		await expect(web.create()).rejects.toMatchObject({code: 'driver.unusable', next: expect.stringMatching(/Policy/)});
	});
});

describe('time', () => {
	test('a listing that does not come makes a row unresponsive, and no other work waits for it', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		await eventually('it is seen', async () => (await web.observe()).power === 'off');
		opened.fault({op: 'list', kind: 'silent', ms: 2500});
		expect(await web.observe()).toMatchObject({
			power: 'unresponsive',
			reason: expect.stringMatching(/^Hyper-V does not answer/),
		});
		await opened.driver.powerOff(web.record, web.place, web.work());
		await eventually('it answers again', async () => (await web.observe()).power === 'off', 30_000);
	});

	test('a listing that takes long, and says that it is made, leaves a row as it was a moment ago', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		await web.start();
		await eventually('it is seen', async () => (await web.observe()).power === 'running');
		opened.fault({op: 'list', kind: 'delay', ms: 2500});
		expect(await web.observe()).toMatchObject({power: 'running'});
	});

	test('work that is cancelled ends at once, and what comes after it waits for the script all the same', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		opened.fault({op: 'start', kind: 'delay', ms: 1500});
		const abort = new AbortController();
		const starting = opened.driver.start(web.record, web.place, web.work(abort.signal));
		await eventually('it is asked', () => opened.world.state.requests.includes('start'));
		abort.abort();
		await expect(starting).rejects.toMatchObject({code: 'operation.cancelled'});
		expect(opened.world.state.machines()[0]?.pid).toBeUndefined();
		await opened.driver.powerOff(web.record, web.place, web.work());
		// It was started, since nobody can call that back, and then its power was cut.
		const [machine] = opened.world.state.machines();
		expect(machine?.startedAt).toBeDefined();
		expect(await web.observe()).toMatchObject({power: 'off'});
	});

	test('one machine’s work does not keep another’s, and one machine’s own is one after another', async () => {
		const opened = open();
		const [one, two] = [await subject(opened, 'one'), await subject(opened, 'two')];
		await Promise.all([one.create(), two.create()]);
		opened.fault({op: 'start', kind: 'delay', ms: 6000});
		const order: string[] = [];
		const slow = one.start().then(() => order.push('one started'));
		await eventually('it is asked', () => opened.world.state.requests.includes('start'));
		const after = one.stop().then(() => order.push('one off'));
		await two.start().then(() => order.push('two started'));
		await Promise.all([slow, after]);
		expect(order).toEqual(['two started', 'one started', 'one off']);
	});

	test('cutting the power pushes aside what is under way', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		opened.fault({op: 'start', kind: 'delay', ms: 1500});
		const slow = web.start().catch((error: unknown) => error);
		await eventually('it is asked', () => opened.world.state.requests.includes('start'));
		await opened.driver.powerOff(web.record, web.place, web.work());
		expect(await slow).toMatchObject({code: 'operation.cancelled'});
		expect(await web.observe()).toMatchObject({power: 'off'});
	});

	test('more work than there are scripts waits its turn, and none is lost', async () => {
		const opened = open();
		const all = await Promise.all(Array.from({length: 9}, (_, index) => subject(opened, `n${index}`)));
		await Promise.all(all.map(each => each.create()));
		await Promise.all(all.map(each => each.start()));
		expect((await Promise.all(all.map(each => each.observe()))).map(({power}) => power)).toEqual(
			all.map(() => 'running'),
		);
		expect(opened.world.state.starts).toBeLessThanOrEqual(5);
		await Promise.all(all.map(each => each.destroy()));
		expect(opened.world.state.machines()).toEqual([]);
	});

	test('fifty rows are one question', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		const before = opened.driver.listings();
		await Promise.all(Array.from({length: 50}, () => web.observe()));
		expect(opened.driver.listings()).toBe(before + 1);
	});

	test('a PowerShell that is slow to start is told as such, and work waits for it', async () => {
		const opened = open({startDelayMs: 9000});
		expect(await opened.driver.health()).toMatchObject({
			usable: false,
			summary: expect.stringMatching(/not answered yet/),
		});
		const web = await subject(opened);
		expect(await web.observe()).toMatchObject({power: 'unresponsive', reason: 'PowerShell is still being started'});
		// Work waits for it.
		await web.create();
		expect(await opened.driver.health()).toMatchObject({usable: true});
		// The one that looks, and a worker.
		expect(opened.world.state.starts).toBe(2);
	});
});

describe('changes that others make', () => {
	test.each([true, false])('are told (by events: %s)', async hasEvents => {
		const opened = open({hasEvents});
		const web = await subject(opened);
		await web.create();
		await web.start();
		await web.observe();
		const events: DriverEvent[] = [];
		const watching = opened.driver.watch(web.record, web.place, event => events.push(event));
		process.kill(opened.world.state.machines()[0]!.pid!, 'SIGKILL');
		await eventually('it is told', () => events.length > 0);
		expect(events[0]).toEqual({id: web.record.id, what: 'the machine is off'});
		opened.world.state.change(opened.world.state.machines()[0]!.vm, machine => {
			machine.state = 'Saved';
		});
		await eventually('it is told', () => events.length > 1);
		watching.close();
		expect(await web.observe()).toMatchObject({power: 'suspended'});
	});

	test('a machine that was saved in Hyper-V’s own window is not stopped, but started or thrown away', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		const set = (state: string) =>
			opened.world.state.change(opened.world.state.machines()[0]!.vm, machine => {
				machine.state = state;
			});
		set('Saved');
		await expect(web.stop()).rejects.toMatchObject({code: 'instance.state', next: expect.stringContaining('--force')});
		await web.start();
		expect(web.log).toContain('It was saved by somebody else; its saved memory is loaded.');
		expect(await web.observe()).toMatchObject({power: 'running'});
		await opened.driver.powerOff(web.record, web.place, web.work());
		set('Saved');
		await opened.driver.powerOff(web.record, web.place, web.work());
		expect(await web.observe()).toMatchObject({power: 'off'});
	});

	test('one whose notes were changed is nobody’s, and is left alone', async () => {
		const opened = open();
		const web = await subject(opened);
		await web.create();
		opened.world.state.change(opened.world.state.machines()[0]!.vm, machine => {
			machine.notes = 'mine now';
		});
		expect(await web.observe()).toMatchObject({power: 'unusable', reason: expect.stringMatching(/or its notes were/)});
		await expect(web.start()).rejects.toMatchObject({code: 'instance.broken'});
		await web.destroy();
		expect(opened.world.state.machines()).toHaveLength(1);
	});

	test('two homes on one Hyper-V do not see each other’s machines', async () => {
		const one = open();
		const other = open({}, one.world);
		const web = await subject(one);
		await web.create();
		await eventually(
			'the other does not see it',
			async () => (await other.driver.observe(web.record, web.place)).power === 'unusable',
		);
		await other.driver.destroy(web.record, web.place, web.work());
		expect(one.world.state.machines()).toHaveLength(1);
	});
});

describe('refusals of Hyper-V’s', () => {
	test('too little memory is a sentence, in whatever language Windows says it', async () => {
		const opened = open({memoryLimit: 128 * mebibyte});
		const web = await subject(opened);
		await web.create();
		await expect(web.start()).rejects.toMatchObject({
			code: 'host.failed',
			message: 'The host has not enough memory for starting the instance.',
		});
		expect(await web.observe()).toMatchObject({power: 'off'});
	});

	test('a network that is not there: no machine is left, and the disk stays for the next attempt', async () => {
		const opened = open();
		const web = await subject(opened);
		const {hardware} = web.record;
		const nics = [{network: 'nowhere', mac: '52:54:00:00:00:09', mode: 'auto'}] as const;
		web.record = {...web.record, hardware: {...hardware, nics}};
		await expect(web.create()).rejects.toMatchObject({code: 'instance.invalid', message: 'There is no such network.'});
		expect(opened.world.state.machines()).toEqual([]);
		web.record = {...web.record, hardware};
		await web.create();
		expect(opened.world.state.machines()).toHaveLength(1);
	});

	test('a disk that cannot be made leaves nothing of it', async () => {
		const opened = open();
		const web = await subject(opened);
		const abort = new AbortController();
		const work = {...web.work(abort.signal), progress: () => abort.abort()};
		await expect(opened.driver.create(web.record, web.place, web.input, work)).rejects.toMatchObject({
			code: 'operation.cancelled',
		});
		expect(readdirSync(web.place.directory)).toEqual([]);
		const rootfs = {...web.input, imageFormat: 'rootfs'} as const;
		await expect(opened.driver.create(web.record, web.place, rootfs, web.work())).rejects.toMatchObject({
			code: 'image.unusable',
		});
		// What boots from a BIOS only would start, and never answer.
		const micro = {...web.record, image: {...web.record.image, os: 'Micro'}};
		await expect(opened.driver.create(micro, web.place, web.input, web.work())).rejects.toMatchObject({
			code: 'image.unusable',
			message: expect.stringContaining('BIOS'),
		});
	});

	test('there is no suspending, and on another system than Windows there is no Hyper-V', async () => {
		const opened = open();
		const web = await subject(opened);
		await expect(opened.driver.suspend(web.record, web.place, {by: 'user'}, web.work())).rejects.toMatchObject({
			code: 'driver.incapable',
		});
		const here = createHypervDriver({paths: opened.paths});
		onTestFinished(() => here.close?.());
		expect(await here.health()).toMatchObject({
			installed: false,
			usable: false,
			summary: expect.stringMatching(/Windows/),
		});
		expect(await here.observe(web.record, web.place)).toMatchObject({power: 'unresponsive'});
	});
});
