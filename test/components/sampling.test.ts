import {describe, expect, test} from 'vitest';
import {wantedSamples} from '../../source/components/store/sampling.ts';
import type {Metrics} from '../../source/model/metrics.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {Driven} from './driven.ts';

const lxd = () => fakeDriver('lxd');
const several = (count = 4) =>
	Array.from({length: count}, (_, index) => fakeInstance(`vm-${index}`, index === 1 ? 'Stopped' : 'Running'));

async function wide(count = 4) {
	const driven = await Driven.with(several(count), {driver: lxd()});
	return driven.send({type: 'resize', columns: 120, rows: 40});
}

const turnOf = ({model}: Driven) => model.metrics.turn;
const due = (driven: Driven) => driven.send({type: 'sample-due', turn: turnOf(driven)});
const answer = (driven: Driven, samples?: Readonly<Record<string, Metrics>>) =>
	driven.send({type: 'samples', turn: turnOf(driven), ...(samples ? {samples} : {})});
const names = ({model}: Driven) => wantedSamples(model)?.names;

describe('nobody is asked', () => {
	test.each([80, 119])('in a table of %i columns', async columns => {
		const driven = await Driven.with(several(), {driver: lxd()});
		driven.send({type: 'resize', columns, rows: 40});
		expect(driven.of('sample-later')).toEqual([]);
	});

	test('of a driver that has no metrics: neither a timer nor a question', async () => {
		const driven = await Driven.with(several(), {driver: fakeDriver('qemu')});
		driven.send({type: 'resize', columns: 120, rows: 40}).press('l', 'esc');
		expect(driven.of('sample-later')).toEqual([]);
		expect(driven.of('sample')).toEqual([]);
	});

	test.each([
		['another screen', ['b']],
		['the second tab of a page', ['l', '2']],
		['the page of what does not run', ['j', 'l']],
		['a paused table', ['.']],
	])('on %s', async (_, keys) => {
		const driven = await wide();
		expect(names(driven)).toEqual(['vm-0', 'vm-2', 'vm-3']);
		driven.press(...keys);
		expect(names(driven)).toBeUndefined();
		const asked = driven.of('sample').length;
		due(driven);
		expect(driven.of('sample')).toHaveLength(asked);
	});

	test('while the line is down, and what was known is no longer shown', async () => {
		const driven = answer(due(await wide()), {'vm-0': {at: 0, cpuSeconds: 0}});
		expect(driven.model.metrics.gauges.size).toBe(1);
		driven.send({type: 'lost', at: driven.at});
		expect(names(driven)).toBeUndefined();
		expect(driven.model.metrics.gauges.size).toBe(0);
	});
});

describe('a table', () => {
	test('asks at once, soon again for what is new, then every 5 s', async () => {
		const driven = await wide();
		expect(driven.of('sample-later').at(-1)).toEqual({type: 'sample-later', turn: turnOf(driven), inMs: 0});
		due(driven);
		expect(driven.of('sample')).toEqual([{type: 'sample', turn: turnOf(driven), names: ['vm-0', 'vm-2', 'vm-3']}]);
		answer(driven, {'vm-0': {at: 0, cpuSeconds: 0}});
		expect(driven.of('sample-later').at(-1)?.inMs).toBe(1000);
		answer(due(driven), {'vm-0': {at: 1000, cpuSeconds: 0.5}});
		expect(driven.of('sample-later').at(-1)?.inMs).toBe(5000);
		expect(driven.model.metrics.gauges.get('vm-0')?.shown).toEqual({cpu: 50, memoryTotal: gibibyte});
	});

	test('asks for the rows on the screen alone', async () => {
		const driven = await wide(60);
		expect(names(driven)).toHaveLength(33);
		driven.press('G');
		expect(names(driven)?.at(-1)).toBe('vm-9');
		expect(names(driven)).not.toContain('vm-0');
	});

	test('forgets who has not answered, and asks less often when nobody does', async () => {
		const driven = answer(due(await wide()), {'vm-0': {at: 0, cpuSeconds: 0}, 'vm-2': {at: 0, cpuSeconds: 0}});
		answer(due(driven), {'vm-2': {at: 1000, cpuSeconds: 0}});
		expect([...driven.model.metrics.gauges.keys()]).toEqual(['vm-2']);
		answer(due(driven));
		expect(driven.model.metrics.gauges.size).toBe(0);
		expect(driven.of('sample-later').at(-1)?.inMs).toBe(10_000);
	});
});

describe('a page', () => {
	test('asks for its instance every 2 s, and keeps points for its graphs', async () => {
		const driven = await wide();
		driven.press('l');
		expect(names(driven)).toEqual(['vm-0']);
		for (let second = 0; second < 200; second += 2) {
			answer(due(driven), {'vm-0': {at: second * 1000, cpuSeconds: second / 2}});
		}
		expect(driven.of('sample-later').at(-1)?.inMs).toBe(2000);
		const gauge = driven.model.metrics.gauges.get('vm-0');
		expect(gauge?.points).toHaveLength(60);
		expect(gauge?.points.at(-1)?.cpu).toBe(50);
	});

	test('goes on under its dialogs, and an answer to the screen before leads to nothing', async () => {
		const driven = due(await wide());
		const before = turnOf(driven);
		driven.press('l', 'enter');
		expect(names(driven)).toEqual(['vm-0']);
		const later = driven.of('sample-later').length;
		driven.send({type: 'samples', turn: before, samples: {'vm-2': {at: 0, cpuSeconds: 0}}});
		driven.send({type: 'sample-due', turn: before});
		expect(driven.of('sample-later')).toHaveLength(later);
		expect(driven.model.metrics.gauges.size).toBe(0);
	});

	test('ends when its instance stops', async () => {
		const driven = await wide();
		driven.press('l').events({changed: [fakeInstance('vm-0', 'Stopped')]});
		expect(names(driven)).toBeUndefined();
	});
});
