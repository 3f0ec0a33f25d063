import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {parseStats} from '../../../source/drivers/libvirt/stats.ts';
import {filesOf} from '../../../source/drivers/machine/files.ts';
import {parseNetworkUse} from '../../../source/drivers/machine/guest.ts';
import {type Inside, inTime, sample} from '../../../source/drivers/machine/metrics.ts';
import {Machines} from '../../../source/drivers/machine/process.ts';
import {parseBalloon, parseBlockStats} from '../../../source/drivers/qemu/metrics.ts';
import {thisSystem} from '../../../source/platform/system.ts';
import {testRecord} from './record.ts';

const now = 1_700_000_000_000;
const seconds = now / 1000;

describe('what a guest says of its memory', () => {
	const said = (more: object, updated: unknown = seconds) =>
		parseBalloon(
			{stats: {'stat-available-memory': 100, 'stat-total-memory': 300, ...more}, 'last-update': updated},
			now,
		);

	test('is what is not available of the whole', () => {
		expect(said({})).toEqual({used: 200, total: 300});
	});

	test('counts only while it is new', () => {
		expect(said({}, seconds - 29)).toBeDefined();
		expect(said({}, seconds - 31)).toBeUndefined();
		expect(said({}, 0)).toBeUndefined();
		expect(said({}, 'now')).toBeUndefined();
	});

	test('is nothing where it makes no sense: it comes from inside the guest', () => {
		// What QEMU has for "never told".
		expect(said({'stat-available-memory': 2 ** 64})).toBeUndefined();
		expect(said({'stat-available-memory': 301})).toBeUndefined();
		expect(said({'stat-total-memory': 0, 'stat-available-memory': 0})).toBeUndefined();
		expect(said({'stat-total-memory': -5})).toBeUndefined();
		expect(parseBalloon(undefined, now)).toBeUndefined();
		expect(parseBalloon({stats: 'many'}, now)).toBeUndefined();
	});
});

describe('what a guest says of its network', () => {
	const of = (name: unknown, received: unknown, sent: unknown) => ({
		name,
		statistics: {'rx-bytes': received, 'tx-bytes': sent},
	});

	test('is the sum of its interfaces, but for loopback', () => {
		expect(parseNetworkUse([of('lo', 5, 5), of('eth0', 10, 20), of('eth1', 1, 2)])).toEqual({received: 11, sent: 22});
		expect(parseNetworkUse([of('eth0', 10, 20), {name: 'eth1'}])).toEqual({received: 10, sent: 20});
	});

	test.each([
		[undefined],
		[[]],
		[[null]],
		[[of('lo', 1, 1)]],
		[[of('eth0', '1', 2)]],
		[[of('eth0', -1, 2)]],
		[{eth0: 1}],
	])('%j tells nothing', answer => {
		expect(parseNetworkUse(answer)).toBeUndefined();
	});

	test('is not waited for', async () => {
		expect(await inTime(Promise.resolve(1))).toBe(1);
		expect(await inTime(Promise.reject(new Error('no agent')))).toBeUndefined();
		expect(await inTime(new Promise(() => {}))).toBeUndefined();
	});
});

describe('what QEMU says of a disk', () => {
	const entry = (node: string, read: unknown, written: unknown) => ({
		'node-name': node,
		stats: {rd_bytes: read, wr_bytes: written},
	});

	test('is that of the disk, not of the seed', () => {
		expect(parseBlockStats([entry('seed0', 1, 2), entry('disk0', 30, 40)])).toEqual({read: 30, written: 40});
	});

	test.each([[undefined], [[]], [[null]], [[entry('disk0', '3', 4)]], [[{'node-name': 'disk0'}]], [{disk0: 1}]])(
		'%j tells nothing',
		answer => {
			expect(parseBlockStats(answer)).toBeUndefined();
		},
	);
});

describe('what libvirt says of its machines', () => {
	const text = `Domain: 'drover-web-12345678'
  balloon.current=262144
  balloon.maximum=262144
  balloon.last-update=${seconds}
  balloon.available=200000
  balloon.usable=150000
  balloon.rss=250000
  block.count=2
  block.0.name=vdb
  block.0.rd.bytes=5
  block.0.wr.bytes=0
  block.1.name=vda
  block.1.path=/data/web/disk.qcow2
  block.1.rd.bytes=7000
  block.1.wr.bytes=8000

Domain: 'somebody-elses'
  block.0.name=vda
  block.0.rd.bytes=1
  block.0.wr.bytes=1

Domain: 'drover-db-9abcdef0'
  balloon.current=262144
  balloon.last-update=0

`;

	test('is read for those of drover’s, as far as it is told', () => {
		expect(Object.fromEntries(parseStats(text, now))).toEqual({
			'12345678': {memory: {used: 50_000 * 1024, total: 200_000 * 1024}, disk: {read: 7000, written: 8000}},
			'9abcdef0': {},
		});
	});

	test('and nothing is read from nonsense', () => {
		expect(parseStats('', now).size).toBe(0);
		expect(
			parseStats("Domain: 'drover-web-12345678'\n  block.0.name=vda\n  block.0.rd.bytes=-3\n", now).get('12345678'),
		).toEqual({});
	});
});

describe('a sample', () => {
	const machines = new Machines(thisSystem().processes);
	const me = {pid: process.pid, arguments: [], runner: 'qemu' as const, since: undefined};
	const place = () => {
		const directory = mkdtempSync(path.join(tmpdir(), 'drover-metrics-'));
		onTestFinished(() => rmSync(directory, {recursive: true, force: true}));
		writeFileSync(path.join(directory, 'disk.qcow2'), 'x'.repeat(10_000));
		return filesOf({directory, sockets: directory});
	};
	const take = (ask: () => Promise<Inside>) => sample(machines, testRecord(), place(), me, ask);

	test('is made of the process, the disk on the host and what the hypervisor knows', async () => {
		const found = await take(async () => ({memory: {used: 1, total: 2}, disk: {read: 3, written: 4}}));
		expect(found).toMatchObject({memoryUsed: 1, memoryTotal: 2, diskRead: 3, diskWritten: 4});
		expect(found!.cpuSeconds).toBeGreaterThan(0);
		expect(found!.diskUsed).toBeGreaterThanOrEqual(10_000);
	});

	test('has the host’s view of the memory where the guest does not tell', async () => {
		const found = await take(async () => ({}));
		expect(found!.memoryTotal).toBe(testRecord().hardware.memory);
		expect(found!.memoryUsed).toBeGreaterThanOrEqual(0);
		expect(found).not.toHaveProperty('diskRead');
	});

	test('loses only what a hypervisor that does not answer would have told, and changes no meaning meanwhile', async () => {
		const found = await take(async () => {
			throw new Error('silent');
		});
		expect(found!.cpuSeconds).toBeGreaterThan(0);
		expect(found).not.toHaveProperty('memoryUsed');
	});

	test('there is none of a process that is gone', async () => {
		expect(await sample(machines, testRecord(), place(), {...me, pid: 2 ** 22 + 1}, async () => ({}))).toBeUndefined();
	});
});
