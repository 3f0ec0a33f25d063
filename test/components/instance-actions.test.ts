import {describe, expect, test} from 'vitest';
import {
	commandFor,
	confirmationLevel,
	namesShort,
	type OfferedAction,
	offer,
	offers,
	requestFor,
} from '../../source/components/store/instance-actions.ts';
import {instanceActions} from '../../source/engine/availability.ts';
import {driverNames} from '../../source/model/driver-name.ts';
import {instanceStates} from '../../source/model/state.ts';
import {fakeDriver, fakeInstance} from '../support/fake-engine.ts';

describe('the menu', () => {
	for (const driver of driverNames) {
		for (const state of instanceStates) {
			test(`has every action on ${driver} for ${state}, in one order, each no with its reason`, () => {
				const list = offers([fakeInstance('web', state)], fakeDriver(driver));
				const actions = list
					.map(entry => entry.action)
					.filter(action => action !== 'cancel-stop' && action !== 'discard');
				expect(new Set(actions)).toEqual(new Set([...instanceActions, 'power-off']));
				expect(actions).toEqual(
					offers([fakeInstance('web')], fakeDriver(driver))
						.map(entry => entry.action)
						.filter(action => action !== 'cancel-stop'),
				);
				for (const {answer} of list) if (!answer.can) expect(answer.reason.length).toBeGreaterThan(5);
			});
		}
	}

	test('says who can what this driver cannot', () => {
		const {answer} = offer('suspend', [fakeInstance('web')], fakeDriver('lxd'));
		expect(answer).toMatchObject({
			can: false,
			kind: 'not-here',
			reason: 'not supported by LXD; supported by QEMU, libvirt, VirtualBox',
		});
	});

	test('names the step that would make it possible', () => {
		const {answer} = offer('shell', [fakeInstance('web', 'Stopped')], fakeDriver());
		expect(answer).toMatchObject({can: false, kind: 'not-now', first: 'start'});
	});

	test('offers what can be done for some of several, and to whom', () => {
		const several = [fakeInstance('a'), fakeInstance('b', 'Stopped'), fakeInstance('c')];
		expect(offer('stop', several, fakeDriver())).toMatchObject({
			answer: {can: true},
			able: ['a', 'c'],
			note: '2 of 3 can',
		});
		expect(offer('shell', several, fakeDriver()).answer.can).toBe(false);
	});

	test('lets the power be cut when the state is not known, and nothing of the kind in the trash', () => {
		expect(offer('power-off', [fakeInstance('web', 'Unknown')], fakeDriver()).answer.can).toBe(true);
		expect(offer('power-off', [fakeInstance('web', 'Deleted')], fakeDriver()).answer.can).toBe(false);
		expect(offer('power-off', [fakeInstance('web', 'Stopped')], fakeDriver()).answer.can).toBe(false);
	});

	test('offers to call off a stop that is due', () => {
		const list = offers([fakeInstance('web', 'Delayed Shutdown')], fakeDriver());
		expect(list.find(entry => entry.action === 'cancel-stop')?.answer.can).toBe(true);
	});
});

test.each<[OfferedAction, number, number]>([
	['start', 1, 0],
	['recover', 1, 0],
	['start', 2, 1],
	['stop', 1, 1],
	['suspend', 1, 1],
	['restart', 1, 1],
	['delete', 1, 1],
	['purge', 1, 2],
	['power-off', 3, 2],
])('%s of %i is confirmed at level %i', (action, count, level) => {
	expect(confirmationLevel(action, count)).toBe(level);
});

test('requests and command lines say the same', () => {
	expect(requestFor('power-off', ['web'])).toEqual({action: 'stop', names: ['web'], options: {force: true}});
	expect(commandFor('power-off', ['web'])).toBe('drover stop --force web');
	expect(commandFor('purge', ['web', 'db'])).toBe('drover delete --purge web db');
	expect(commandFor('snapshot', ['web'])).toBeUndefined();
});

test('many names are five and a number', () => {
	expect(namesShort(['a', 'b'])).toBe('a and b');
	expect(namesShort(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toBe('a, b, c, d, e and 2 more');
});
