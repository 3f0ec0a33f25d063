import {describe, expect, test} from 'vitest';
import {planSwitch} from '../../source/model/switch.ts';
import {beginStory, type SwitchStory} from '../../source/model/switch-story.ts';
import {FakeEngine} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const member = {
	id: '1',
	name: 'web',
	state: 'Running' as const,
	memory: 2 ** 30,
	wasRunning: false,
	policy: 'as-it-was' as const,
};
const plan = (canSuspend: boolean, more: Partial<Parameters<typeof planSwitch>[0]> = {}) =>
	planSwitch({
		from: 'qemu',
		to: 'lxd',
		isShared: false,
		canSuspend,
		fromTitle: 'QEMU',
		toTitle: 'LXD',
		leaving: [member],
		entering: [{...member, id: '2', name: 'db', state: 'Stopped', wasRunning: true}],
		freeBytes: 2 ** 34,
		hostMemory: 2 ** 34,
		...more,
	});

function engineWith(given = plan(true)) {
	const engine = new FakeEngine();
	engine.plan = given;
	return engine;
}

const story: SwitchStory = {
	...beginStory(plan(true), 'x', 'kim', 1_767_225_600_000),
	phase: 'done',
	outcome: 'partly',
	endedAt: 1_767_225_601_500,
	restore: [
		{
			id: '2',
			name: 'db',
			was: 'Running',
			method: 'start',
			result: 'failed',
			error: {code: 'driver.failed', message: 'no such disk'},
		},
	],
};

describe('switch', () => {
	test('--dry-run prints the plan and touches nothing', async () => {
		const engine = engineWith();
		const {code, out} = await drover(['switch', 'lxd', '--dry-run'], {engine});
		expect(code).toBe(0);
		expect(out).toBe(`Switch from QEMU to LXD

PARK, in QEMU
  web  Running  suspend  1.0G

RESTORE, in LXD
  db  Running  start

Needs up to 1.0G of disk (16.0G free). If parking fails, QEMU stays.
`);
		expect(engine.calls.map(call => call.method)).toEqual(['switchPlan']);
	});

	test('--dry-run --format json is the plan as data', async () => {
		const {out} = await drover(['switch', 'lxd', '--dry-run', '--format', 'json'], {engine: engineWith()});
		expect(JSON.parse(out)).toMatchObject({
			from: 'qemu',
			to: 'lxd',
			park: [{name: 'web', method: 'suspend'}],
			problems: [],
		});
	});

	test('switches, accepting the spellings of drivers', async () => {
		const engine = engineWith();
		expect((await drover(['switch', 'VBox'], {engine})).code).toBe(0);
		expect(engine.calls.at(-1)).toEqual({
			method: 'switchDriver',
			request: {to: 'virtualbox', by: expect.any(String), force: []},
		});
	});

	test('a plan with a problem is refused with the remedy, exit 2', async () => {
		const targetProblem = {
			code: 'driver.not-installed' as const,
			message: 'LXD cannot be used: not installed',
			next: 'Install it.',
		};
		const engine = engineWith(plan(true, {targetProblem}));
		expect(await drover(['switch', 'lxd'], {engine})).toMatchObject({
			code: 2,
			err: 'switch failed: LXD cannot be used: not installed\nInstall it.\n',
		});
		expect((await drover(['switch', 'lxd', '--dry-run'], {engine})).code).toBe(2);
	});

	test('memory is not lost without a yes', async () => {
		const engine = engineWith(plan(false));
		expect(await drover(['switch', 'lxd'], {engine})).toMatchObject({code: 1, err: expect.stringContaining('--yes')});
		expect(await drover(['switch', 'lxd'], {engine, isTTY: true, stdin: 'y\n'})).toMatchObject({
			code: 2,
			err: expect.stringContaining('Nothing was changed.'),
		});
		expect(engine.calls.some(call => call.method === 'switchDriver')).toBe(false);
		expect((await drover(['switch', 'lxd'], {engine, isTTY: true, stdin: 'lxd\n'})).code).toBe(0);
		expect((await drover(['switch', 'lxd', '--yes'], {engine})).code).toBe(0);
	});

	test('one that could not be brought back is named, exit 6', async () => {
		const engine = engineWith();
		engine.story = story;
		const {code, err} = await drover(['switch', 'lxd'], {engine});
		expect(code).toBe(6);
		expect(err).toContain('  db: no such disk\n');
	});

	test('--last tells the story', async () => {
		const engine = engineWith();
		expect(await drover(['switch', '--last'], {engine})).toMatchObject({code: 0, out: 'There was no switch yet.\n'});
		engine.story = story;
		const {out} = await drover(['switch', '--last'], {engine});
		expect(out).toContain('Switched in 1.5 s, but not all could be brought back');
		expect(out).toMatch(/db +Running +start +FAILED +no such disk/);
		expect(JSON.parse((await drover(['switch', '--last', '--format', 'json'], {engine})).out)).toMatchObject({
			outcome: 'partly',
		});
	});

	test.each([
		[['switch'], 1],
		[['switch', 'a', 'b'], 1],
		[['switch', 'nosuch'], 1],
		[['switch', '--last', 'lxd'], 1],
		[['switch', 'lxd', '--force', 'nosuch'], 1],
	])('%j is refused on the command line', async (argv, code) => {
		const engine = engineWith();
		expect((await drover(argv, {engine})).code).toBe(code);
		expect(engine.calls.some(call => call.method === 'switchDriver')).toBe(false);
	});
});

test('`set local.driver` switches, and what is current already stays', async () => {
	const engine = engineWith(plan(false));
	expect((await drover(['set', 'local.driver=lxd'], {engine})).code).toBe(0);
	expect(engine.calls.at(-1)).toMatchObject({method: 'switchDriver', request: {to: 'lxd'}});
	const before = engine.calls.length;
	expect((await drover(['set', 'local.driver=qemu'], {engine})).code).toBe(0);
	expect(engine.calls.slice(before).some(call => call.method === 'switchDriver')).toBe(false);
});
