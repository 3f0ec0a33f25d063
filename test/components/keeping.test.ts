import {describe, expect, test} from 'vitest';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {open} from './opened.ts';

const able = () => fakeDriver('qemu', {features: [...fakeDriver('qemu').features, 'snapshots', 'clone']});

/** The requests of a method that reached the engine. */
const requests = (engine: FakeEngine, method: string) =>
	engine.calls.filter(call => call.method === method).map(call => call.request);

describe('snapshots and clones', () => {
	test.each([
		['p', 'Take a snapshot of web?', 'drover snapshot web', 'snapshot'],
		['d', 'Duplicate web?', 'drover clone web', 'clone'],
	])('%s asks first, shows the command line, and begins after a yes', async (key, question, command, method) => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')], driver: able()});
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press(key);
		await screen.waitFor(question);
		expect(screen.text()).toContain(command);
		expect(requests(engine, method)).toEqual([]);
		await screen.press('y');
		await expect.poll(() => requests(engine, method)).toEqual([{name: 'web', by: 'kim'}]);
	});

	test('of several at once are not begun, and it is said', async () => {
		const engine = new FakeEngine({
			instances: [fakeInstance('api', 'Stopped'), fakeInstance('web', 'Stopped')],
			driver: able(),
		});
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press(' ', 'j', ' ', 'd');
		await screen.waitFor('One instance at a time');
		expect(requests(engine, 'clone')).toEqual([]);
	});
});
