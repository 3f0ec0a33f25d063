import {describe, expect, test} from 'vitest';
import {sizeText} from '../../source/components/store/form-limits.ts';
import {formKind, rowsOf} from '../../source/components/store/forms.ts';
import type {FormLayer} from '../../source/components/store/model.ts';
import {gibibyte, mebibyte} from '../../source/model/sizes.ts';
import type {InstanceState} from '../../source/model/state.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {keys} from '../support/screen.ts';
import {Driven} from './driven.ts';
import {openWith} from './opened.ts';

const hardware = {cpus: 2, memory: 1536 * mebibyte, disk: 5 * gibibyte};
const lxd = () => fakeDriver('lxd');

async function editing(state: InstanceState = 'Stopped', driver = lxd()) {
	const driven = await Driven.with([fakeInstance('web', state, hardware)], {driver});
	return driven.press('e');
}

const form = (driven: Driven) => driven.top as FormLayer;
const rows = (driven: Driven) => rowsOf(driven.model, form(driven));
const commands = (driven: Driven) => formKind(form(driven)).commands(driven.model, form(driven));
const clear = Array<string>(6).fill('backspace');

describe('the form', () => {
	test('begins with what the instance has, and sends what was changed alone', async () => {
		const driven = await editing();
		expect(form(driven).fields).toMatchObject({cpus: {text: '2'}, memory: {text: '1536M'}, disk: {text: '5G'}});
		expect(commands(driven)).toEqual(['nothing is changed yet']);
		driven.press(...clear, '4', 'tab', 'tab', ...clear, '2', '0', 'G');
		expect(commands(driven)).toEqual(['drover set local.web.cpus=4', 'drover set local.web.disk=20G']);
		driven.press('tab', 'enter');
		expect(driven.of('resize')).toEqual([{type: 'resize', request: {name: 'web', cpus: 4, disk: 20 * gibibyte}}]);
		expect(form(driven).isSending).toBe(true);
	});

	test.each([
		['cpus', 0, '5', /this host has 4/],
		['memory', 1, '64M', /at least 128M/],
		['memory', 1, '17G', /this host has 16/],
		['disk', 2, '4G', /a disk only grows: it has 5G/],
		['disk', 2, 'x', /not a size/],
	] as const)('says what is wrong with %s: %i %s', async (name, tabs, text, reason) => {
		const driven = await editing();
		driven.press(...Array<string>(tabs).fill('tab'), ...clear, ...text);
		expect(rows(driven).find(row => row.name === name)).toMatchObject({problem: expect.stringMatching(reason)});
		expect(commands(driven)).toEqual([`drover set local.web.${name}=??`]);
		driven.press('tab', 'tab', 'tab', 'tab', 'enter');
		expect(driven.of('resize')).toEqual([]);
	});

	test('that changes nothing asks nothing: the same in other words, and a blank', async () => {
		const driven = await editing();
		driven.press('tab', ...clear, ...'1.5G', 'tab', ...clear, 'tab', 'enter');
		expect(driven.of('resize')).toEqual([]);
		expect(driven.model.toast?.text).toMatch(/Nothing is changed/);
	});

	test('has only what can be changed while it runs, the rest with the reason', async () => {
		const driven = await editing('Running');
		expect(rows(driven).map(row => row.kind)).toEqual(['text', 'text', 'fact']);
		expect(rows(driven)[2]?.note).toBe('5.0G   only while it is stopped: stop it first');
		driven.press(...clear, '1', 'tab', 'tab', 'enter');
		expect(driven.of('resize')).toEqual([{type: 'resize', request: {name: 'web', cpus: 1}}]);
	});

	test('locks what was typed when the instance is started meanwhile', async () => {
		const driven = await editing('Stopped', fakeDriver('lxd', {resizesLive: ['cpus']}));
		driven.press('tab', ...clear, '2', 'G').events({changed: [fakeInstance('web', 'Running', hardware)]});
		expect(rows(driven).map(row => row.kind)).toEqual(['text', 'fact', 'fact']);
		expect(commands(driven)).toEqual(['nothing is changed yet']);
	});

	test('of an instance that is gone sends nothing', async () => {
		const driven = await editing();
		driven.press(...clear, '4').events({removed: ['id-web']});
		driven.press('tab', 'enter');
		expect(driven.of('resize')).toEqual([]);
		expect(driven.model.toast?.text).toMatch(/gone/);
	});

	test.each([
		['qemu', 'Stopped', /not in this version of drover for QEMU/],
		['lxd', 'Suspended', /start it and stop it first/],
		['lxd', 'Deleted', /recover it first/],
	] as const)('does not open on %s for %s', async (driver, state, reason) => {
		const driven = await editing(state, fakeDriver(driver));
		expect(driven.top).toBeUndefined();
		expect(driven.model.toast?.text).toMatch(reason);
	});
});

test.each([
	[80, 24],
	[120, 40],
])('on a screen of %ix%i: limits, problems, the command, and the end', async (columns, rows) => {
	const {engine, screen} = await openWith([fakeInstance('web', 'Stopped', hardware)], {driver: lxd(), columns, rows});
	await screen.press('e');
	await screen.waitFor('Change web');
	expect(screen.text()).toMatch(/CPUs +\[ 2 .*now 2; 1-4/);
	expect(screen.text()).toMatch(/Disk +\[ 5G .*now 5\.0G; only grows, 200\.0G free/);
	await screen.press(keys.backspace, '8');
	await screen.waitFor('▲ this host has 4');
	await screen.press(keys.backspace, '3', keys.tab, keys.tab, keys.tab);
	await screen.waitFor('drover set local.web.cpus=3');
	await screen.press(keys.enter);
	await screen.waitFor('resize web: done');
	expect(engine.calls.filter(call => call.method === 'resize')).toEqual([
		{method: 'resize', request: {name: 'web', cpus: 3, by: 'kim'}},
	]);
	expect(screen.text()).toContain('NAME');
});

test('sizes are typed to the byte', () => {
	expect([5 * gibibyte, 1536 * mebibyte, 3 * 1024, 1000, 1_000_000].map(sizeText)).toEqual([
		'5G',
		'1536M',
		'3K',
		'1000',
		'1000000',
	]);
});
