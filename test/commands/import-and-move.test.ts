import {describe, expect, test} from 'vitest';
import type {ImportLine, ImportPlan} from '../../source/model/import-plan.ts';
import type {MovePlan} from '../../source/model/move-plan.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const line = (ref: string, more: Partial<ImportLine> = {}): ImportLine => ({
	ref,
	name: ref,
	state: 'Stopped',
	cpus: 2,
	memory: 2 ** 30,
	disk: 5 * 2 ** 30,
	bytes: 0,
	verdict: 'import',
	notes: [],
	...more,
});

function engineWith(instances: readonly ImportLine[], more: Partial<ImportPlan> = {}) {
	const engine = new FakeEngine();
	engine.importable = {
		...engine.importable,
		directory: '/var/multipass',
		instances,
		needsBytes: 2 ** 30,
		freeBytes: 2 ** 34,
		...more,
	};
	return engine;
}

const mixed = [
	line('web', {
		bytes: 2 ** 30,
		notes: ['Its snapshot stays with Multipass: what is brought is the disk as it is now.'],
	}),
	line('virtualbox/web', {name: 'web-box', bytes: 2 ** 20}),
	line('old', {verdict: 'here', reason: 'it is here already as "older"', name: 'older'}),
	line('db', {verdict: 'skip', state: 'Running', reason: 'it runs', next: 'Stop it first: multipass stop db'}),
];

describe('import', () => {
	test('--dry-run shows what would be done and touches nothing', async () => {
		const engine = engineWith(mixed);
		const {code, out, err} = await drover(['import', 'multipass', '--dry-run'], {engine});
		expect(out).toBe(`From /var/multipass into QEMU; nothing has been changed yet.

Name            State            Copy
web             Stopped  import  1.0G  2 CPU, 1.0G memory, 5.0G disk
virtualbox/web  Stopped  import  1M    as web-box, 2 CPU, 1.0G memory, 5.0G disk
old             Stopped  here          it is here already as "older"
db              Running  skip          it runs

web: Its snapshot stays with Multipass: what is brought is the disk as it is
now.
db: Stop it first: multipass stop db

Needs up to 1.0G of disk (16.0G free). The originals are only read.
`);
		expect([code, err]).toEqual([2, '']);
		expect(engine.calls.map(({method}) => method)).not.toContain('importInstances');
		const json = await drover(['import', 'multipass', '--dry-run', '--format', 'json'], {engine});
		expect(JSON.parse(json.out)).toEqual(engine.importable);
	});

	test('tells one line for each and a summary; its exit code says whether all came', async () => {
		const {code, out} = await drover(['import', 'Multipass'], {engine: engineWith(mixed)});
		expect(out).toBe(`web: imported
  Its snapshot stays with Multipass: what is brought is the disk as it is now.
virtualbox/web, as web-box: imported
old: it is here already as "older"
db: skipped: it runs
  Stop it first: multipass stop db
2 imported, 1 here already and 1 skipped. The originals stay as they are; "drover start NAME" boots what was imported.
`);
		expect(code).toBe(2);
		const whole = await drover(['import', 'multipass'], {engine: engineWith(mixed.slice(0, 3))});
		expect(whole.code).toBe(0);
		const again = await drover(['import', 'multipass'], {engine: engineWith([mixed[2]!])});
		expect(again).toMatchObject({
			code: 0,
			out: 'old: it is here already as "older"\n1 here already and 0 imported.\n'.replace(
				'1 here already and 0 imported',
				'0 imported and 1 here already',
			),
		});
		const json = await drover(['import', 'multipass', '--format', 'json'], {engine: engineWith(mixed)});
		expect(JSON.parse(json.out)).toMatchObject({
			imported: [
				{ref: 'web', name: 'web'},
				{ref: 'virtualbox/web', name: 'web-box'},
			],
			here: [{ref: 'old', name: 'older'}],
			skipped: [{ref: 'db', reason: 'it runs'}],
		});
	});

	test('one that fails is told with the others', async () => {
		const engine = Object.assign(engineWith(mixed), {
			async operation() {
				return failed;
			},
			async wait() {
				return failed;
			},
		});
		const failed = {
			id: '1',
			kind: 'import' as const,
			title: 'import web, web-box',
			by: 'kim',
			state: 'failed' as const,
			items: [
				{target: 'web', state: 'done' as const, stage: 'done'},
				{
					target: 'web-box',
					state: 'failed' as const,
					stage: 'copying the disk',
					error: {code: 'host.disk-full' as const, message: 'There is no space left to copy the disk.'},
				},
			],
			cancellable: false,
			createdAt: 0,
		};
		const {code, out} = await drover(['import', 'multipass'], {engine});
		expect(code).toBe(2);
		expect(out).toContain('web: imported\n');
		expect(out).toContain('virtualbox/web: skipped: There is no space left to copy the disk\n');
	});

	test('without data, and with data that cannot be read', async () => {
		const none = await drover(['import', 'multipass'], {engine: new FakeEngine()});
		expect(none).toMatchObject({
			code: 0,
			out: 'No data of Multipass was found in /var/multipass; --from names another directory.\n',
		});
		for (const more of [[], ['--dry-run']]) {
			const named = await drover(['import', 'multipass', '--from', '/srv', ...more], {engine: new FakeEngine()});
			expect(named).toMatchObject({
				code: 1,
				out: '',
				err: expect.stringMatching(/There is no data of Multipass in \/srv\.\n/),
			});
		}
		const engine = engineWith([], {problems: ['/var/multipass may not be read by kim.']});
		expect(await drover(['import', 'multipass'], {engine})).toMatchObject({
			code: 2,
			err: '/var/multipass may not be read by kim.\n',
		});
		engine.importable = {...new FakeEngine().importable, problems: ['/x may not be read by kim.']};
		expect(await drover(['import', 'multipass', '--dry-run'], {engine})).toMatchObject({
			code: 2,
			out: '',
			err: '/x may not be read by kim.\n',
		});
	});

	test('passes on what is asked for', async () => {
		const engine = engineWith([]);
		const request = ['import', 'multipass', 'web', '--as', 'w2', '--from', 'data', '--discard-memory'];
		await drover(request, {engine, cwd: '/home/kim'});
		expect(engine.calls.find(({method}) => method === 'importInstances')?.request).toEqual({
			from: '/home/kim/data',
			names: ['web'],
			as: 'w2',
			discardMemory: true,
			by: 'kim',
		});
	});

	test.each([
		[['import'], 'Need the name of the software to import from.'],
		[['import', 'lima'], 'Nothing can be imported from "lima".'],
		[['import', 'multipass', '--as', 'x'], '--as needs exactly one instance name.'],
		[['import', 'multipass', '--from', ''], 'The option --from needs a directory.'],
		[['import', 'multipass', '--format', 'csv'], 'Invalid format type given.'],
	])('%j is a mistake', async (argv, message) => {
		const {code, err, connections} = await drover(argv);
		expect([code, connections]).toEqual([1, 0]);
		expect(err).toContain(message);
	});
});

describe('move', () => {
	const withWeb = (plan: Partial<MovePlan> = {}, state: 'Stopped' | 'Running' = 'Stopped') => {
		const engine = new FakeEngine({instances: [fakeInstance('web', state)]});
		engine.movable = plan;
		return engine;
	};
	const losses = ['LXD has no suspend.'];
	const moved = (engine: FakeEngine) =>
		engine.calls.filter(({method}) => method === 'move').map(({request}) => request);

	test('--dry-run shows what would be done', async () => {
		const engine = withWeb({losses, becomes: 'container'});
		const {code, out} = await drover(['move', 'web', '--to', 'lxd', '--dry-run'], {engine});
		expect(out).toBe(`Move web from QEMU to LXD, as a container; nothing has been changed yet.
LXD has no suspend.
Needs up to 1.0G of disk (8.0G free). If anything fails, the original is as it was.
`);
		expect(code).toBe(0);
		expect(moved(engine)).toEqual([]);
		const refused = withWeb({problems: [{code: 'driver.unusable', message: 'LXD cannot be used.'}]});
		expect(await drover(['move', 'web', '--to', 'lxd', '--dry-run'], {engine: refused})).toMatchObject({code: 2});
		expect(await drover(['move', 'web', '--to', 'lxd'], {engine: refused})).toMatchObject({
			code: 2,
			err: expect.stringContaining('LXD cannot be used.'),
		});
	});

	test('asks about what would be lost, or is told not to', async () => {
		const silent = withWeb({losses});
		const {code, err} = await drover(['move', 'web', '--to', 'lxd'], {engine: silent});
		expect([code, moved(silent)]).toEqual([1, []]);
		expect(err).toContain('LXD has no suspend. There is no terminal to ask on.');
		expect((await drover(['move', 'web', '--to', 'LXD', '--yes'], {engine: silent})).code).toBe(0);
		expect(moved(silent)).toEqual([{name: 'web', to: 'lxd', by: 'kim'}]);
		const asked = withWeb({losses});
		const no = await drover(['move', 'web', '--to', 'lxd'], {engine: asked, isTTY: true, stdin: 'no\n'});
		expect([no.code, moved(asked)]).toEqual([2, []]);
		const yes = await drover(['move', 'web', '--to', 'lxd'], {engine: asked, isTTY: true, stdin: 'yes\n'});
		expect(yes.code).toBe(0);
		expect(moved(asked)).toHaveLength(1);
	});

	test('what runs is stopped only when that is said', async () => {
		const engine = withWeb({}, 'Running');
		expect(await drover(['move', 'web', '--to', 'lxd'], {engine})).toMatchObject({
			code: 2,
			err: expect.stringContaining('instance "web" runs, and only what is stopped can be moved'),
		});
		expect((await drover(['move', 'web', '--to', 'lxd', '--stop', '--purge'], {engine})).code).toBe(0);
		expect(moved(engine)).toEqual([{name: 'web', to: 'lxd', by: 'kim', stop: true, purge: true}]);
	});

	test.each([
		[['move', 'web'], 'Need the driver to move it to: --to <driver>.'],
		[['move', '--to', 'lxd'], 'Name argument is required.'],
		[['move', 'web', '--to', 'xen'], 'There is no driver "xen".'],
		[['move', 'web', '--to', 'lxd', '--format', 'json'], '--format is for --dry-run.'],
	])('%j is a mistake', async (argv, message) => {
		const {code, err} = await drover(argv, {engine: withWeb()});
		expect(code).toBe(1);
		expect(err).toContain(message);
	});
});
