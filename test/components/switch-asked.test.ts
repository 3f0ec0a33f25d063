import {expect, onTestFinished, test} from 'vitest';
import {DroverError} from '../../source/model/errors.ts';
import {planSwitch} from '../../source/model/switch.ts';
import {beginStory, type SwitchStory, withLine} from '../../source/model/switch-story.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {keys, TestScreen} from '../support/screen.ts';

const plan = planSwitch({
	from: 'qemu',
	to: 'libvirt',
	isShared: true,
	canSuspend: false,
	fromTitle: 'QEMU',
	toTitle: 'libvirt',
	leaving: [
		{id: 'id-web', name: 'web', state: 'Running', memory: 2 ** 30, wasRunning: false, policy: 'as-it-was'},
		{id: 'id-db', name: 'db', state: 'Stopped', memory: 2 ** 30, wasRunning: false, policy: 'as-it-was'},
	],
	entering: [],
	freeBytes: 2 ** 34,
	hostMemory: 2 ** 34,
});

/** The dashboard with the plan of a switch to libvirt open. */
async function atPlan(columns = 80, rows = 24) {
	const engine = new FakeEngine({instances: [fakeInstance('web'), fakeInstance('db', 'Stopped')], delayMs: 60_000});
	engine.plan = plan;
	engine.drivers = async () => [fakeDriver('qemu'), fakeDriver('libvirt', {current: false})];
	const screen = new TestScreen(engine, {columns, rows});
	onTestFinished(() => screen.close());
	await screen.waitFor('web');
	await screen.press('w');
	await screen.waitFor('libvirt');
	await screen.press('j', keys.enter);
	await screen.waitFor('QEMU -> libvirt');
	return {engine, screen};
}

const story = (id: string): SwitchStory => ({...beginStory(plan, id, 'kim', 0), phase: 'park'});

test('what is forced is the stopping, not how it comes back', async () => {
	const {screen} = await atPlan(120, 40);
	await screen.press(' ');
	await screen.waitFor('cut power');
	expect(screen.text().match(/cut power/g)).toHaveLength(1);
	expect(screen.text()).toMatch(/│ +web +Running +start/);
});

test('between the yes and the first word of it, the screen tells of no other switch', async () => {
	const {engine, screen} = await atPlan();
	engine.emit({type: 'switch', story: {...story('earlier'), phase: 'done', outcome: 'switched', endedAt: 9000}});
	await screen.settle();
	await screen.press(keys.enter, ...'libvirt', keys.enter);
	await screen.waitFor('Asking for the switch to libvirt');
	expect(screen.text()).not.toContain('Switched in');
	engine.emit({type: 'switch', story: story('this')});
	await screen.waitFor('parking: 0 of 2 instances');
});

test('one that is refused leaves the screen, with the reason', async () => {
	const {engine, screen} = await atPlan();
	engine.switchDriver = async () => {
		throw new DroverError('host.disk-full', 'The disk is full.', {next: 'Free some space.'});
	};
	await screen.press(keys.enter, ...'libvirt', keys.enter);
	await screen.waitFor('switch to libvirt: The disk is full. Free some space.');
	expect(screen.text()).not.toContain('Asking for');
	expect(screen.text()).toMatch(/web +● Running/);
});

test('its end is told once, by the story', async () => {
	const {engine, screen} = await atPlan();
	await screen.press(keys.enter, ...'libvirt', keys.enter);
	engine.emit({type: 'switch', story: story('this')});
	await screen.waitFor('parking');
	const reason = {code: 'driver.failed', message: 'web did not stop'} as const;
	engine.emit({type: 'switch', story: {...story('this'), phase: 'done', outcome: 'stayed', endedAt: 10, reason}});
	const [operation] = await engine.operations();
	engine.putOperation({
		...operation!,
		state: 'failed',
		endedAt: 10,
		error: reason,
		items: operation!.items.map(item => ({...item, state: 'failed' as const, error: reason})),
	});
	await screen.waitFor('STILL ON QEMU. web did not stop');
	await screen.press(keys.esc, '!');
	await screen.waitFor('Still on QEMU: web did not stop');
	expect(screen.lines().filter(text => / error /.test(text))).toHaveLength(1);
});

test.each([80, 120])('at %i columns progress is in whole percent, and whole in the header', async columns => {
	const {engine, screen} = await atPlan(columns);
	await screen.press(keys.esc, keys.esc);
	const change = {result: 'running', stage: 'waiting for the guest', percent: 42.6789} as const;
	engine.emit({type: 'switch', story: withLine(story('this'), 'park', 'id-web', change)});
	await screen.waitFor('switching to libvirt 0% (L)');
	await screen.press('L');
	await screen.waitFor(/web +Running +stop +42% waiting/);
});
