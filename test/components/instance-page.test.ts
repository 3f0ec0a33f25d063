import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import {gibibyte, mebibyte} from '../../source/model/sizes.ts';
import {type FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {openWith} from './opened.ts';

const lxd = () => fakeDriver('lxd');

const fleet = () => [
	fakeInstance('amber-otter', 'Running', {
		kind: 'container',
		member: 'node-1',
		cpus: 2,
		mounts: [{source: '/srv/da\u001B[31mta', target: '/data', type: 'native', uidMap: [], gidMap: []}],
	}),
	fakeInstance('db-replica', 'Stopped', {kind: 'virtual-machine', member: 'node-2'}),
];

/** Every question is answered with twice the use of a quarter of a processor since the one before. */
function busy(engine: FakeEngine) {
	let at = 0;
	engine.metrics = async ({names}) => {
		engine.calls.push({method: 'metrics', request: {names}});
		at += 2000;
		const sample = {
			at,
			cpuSeconds: at / 2000,
			memoryUsed: 600 * mebibyte,
			memoryTotal: gibibyte,
			received: at * 100,
			sent: 0,
			diskRead: 0,
			diskWritten: at,
		};
		return Object.fromEntries(names.map(name => [name, sample]));
	};
}

const asked = (engine: FakeEngine) => engine.calls.filter(call => call.method === 'metrics').length;

describe('the page of an instance', () => {
	test.each([
		[80, 24],
		[120, 40],
	])('tells what it is and what it uses, at %ix%i', async (columns, rows) => {
		const {engine, screen} = await openWith(fleet(), {driver: lxd(), columns, rows});
		busy(engine);
		engine.info = async () => [
			{
				...engine.instances.get('amber-otter')!,
				directory: '/data',
				mac: '52:54:00:12:34:56',
				nics: [{network: 'br0', mac: '52:54:00:00:00:07', mode: 'manual'}],
				privateNetwork: {mac: '52:54:00:00:00:08', address: '10.86.0.7', prefix: 22, name: 'web.drover'},
				notes: ['the disk limit is not\u0007 enforced on this pool'],
			},
		];
		await screen.press('l');
		await screen.waitFor(/CPU +25% {2}of 2 processors/);
		expect(screen.text()).toMatch(/Memory +59% {2}600M of 1\.0G/);
		expect(screen.text()).toMatch(/Network +in +98K\/s {2}out +0B\/s/);
		expect(screen.text()).toMatch(/CPU .*│ *▂│/);
		await screen.press('G');
		await screen.waitFor('NOT HERE');
		// The end is where the text ends: the first key goes back from there.
		if (rows === 24) await screen.press('k', 'k', 'k');
		await screen.waitFor(/Notes +the disk limit is not enforced on this pool/);
		expect(screen.text()).toMatch(/Type +container/);
		expect(screen.text()).toMatch(/Member +node-1/);
		expect(screen.text()).toMatch(/Mounts +\/srv\/data -> \/data {2}native/);
		expect(screen.text()).toMatch(/Private +10\.86\.0\.7 {2}web\.drover/);
		expect(screen.text()).toMatch(/Networks +br0 {2}52:54:00:00:00:07 {2}manual/);
	});

	test('moves nothing when values come, and draws graphs in ASCII where it must', async () => {
		const {engine, screen} = await openWith(fleet(), {driver: lxd(), env: {LANG: 'C'}});
		busy(engine);
		await screen.press('l');
		await screen.waitFor(/CPU +- {2}of 2/);
		await screen.waitFor('Load');
		const lines = screen.lines().map(line => line.slice(0, 12));
		await screen.waitFor(/CPU +25%.*\| *\.\|/);
		expect(screen.lines().map(line => line.slice(0, 12))).toEqual(lines);
		expect(screen.raw).not.toMatch(/[^\u0000-\u007E]/);
	});

	test('writes nothing for a sample that changes nothing', async () => {
		const {engine, screen} = await openWith([fakeInstance('web')], {driver: lxd()});
		const sample = {cpuSeconds: 0, memoryUsed: 0, memoryTotal: gibibyte};
		engine.metrics = async () => {
			engine.calls.push({method: 'metrics', request: {}});
			return {web: {...sample, at: asked(engine) * 2000}};
		};
		await screen.press('l');
		await screen.waitFor(/CPU +0%/);
		const {length} = screen.raw;
		const count = asked(engine);
		while (asked(engine) === count) await sleep(20);
		await screen.settle();
		expect(screen.raw).toHaveLength(length);
	});

	test('asks nothing of a driver that has no metrics, and has no lines for them', async () => {
		const {engine, screen} = await openWith([fakeInstance('web')]);
		busy(engine);
		await screen.press('l');
		await screen.waitFor('Load');
		const {length} = screen.raw;
		await sleep(1200);
		expect(asked(engine)).toBe(0);
		expect(screen.raw).toHaveLength(length);
		expect(screen.text()).not.toMatch(/^ *CPU /m);
	});
});

describe('a wide table', () => {
	test('has what runs use at its right end, and members where there are some', async () => {
		const {engine, screen} = await openWith(fleet(), {driver: lxd(), columns: 140, rows: 40});
		busy(engine);
		expect(screen.text()).toMatch(/NAME ↑ +STATE +.*MEMBER +CPU +MEM +.*CPU% MEM%/);
		await screen.waitFor(/amber-otter +● Running .* node-1 .* 25% {2}59%/);
		expect(screen.text()).toMatch(/db-replica +○ Stopped .* node-2 .* {4}- {4}-/);
		expect(engine.calls.findLast(call => call.method === 'metrics')?.request).toEqual({names: ['amber-otter']});
	});

	test('of 120 columns gives the image up for it, which the pane has', async () => {
		const {screen} = await openWith(fleet(), {driver: lxd(), columns: 120, rows: 40});
		expect(screen.text()).toMatch(/NAME ↑ +STATE +ADDRESS +CPU +MEM CPU% MEM%/);
		await screen.press('i');
		expect(screen.text()).toMatch(/NAME ↑ +STATE +IMAGE +ADDRESS +MEMBER +CPU +MEM +DISK CPU% MEM%/);
	});

	test('of 119 columns, or of a driver without metrics, is what it was', async () => {
		const {engine, screen} = await openWith([fakeInstance('web')], {driver: lxd(), columns: 119});
		expect(screen.text()).not.toContain('CPU%');
		await screen.resize(120, 24);
		expect(screen.text()).toContain('CPU%');
		engine.driver = fakeDriver('qemu');
		engine.emit({type: 'overview', reason: 'the driver is another'});
		await screen.waitFor(text => !text.includes('CPU%'));
		expect(screen.text()).not.toContain('MEMBER');
	});
});
