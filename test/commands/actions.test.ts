import {describe, expect, test} from 'vitest';
import {cut, progressText} from '../../source/commands/follow.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {OperationView} from '../../source/model/operation.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const three = () =>
	new FakeEngine({
		instances: [fakeInstance('db', 'Stopped'), fakeInstance('primary', 'Running'), fakeInstance('web', 'Running')],
	});
const requests = (engine: FakeEngine, method: string) =>
	engine.calls.filter(call => call.method === method).map(call => call.request);

describe('what is asked of the engine', () => {
	test.each<[string[], object]>([
		[['start', 'db'], {action: 'start', names: ['db'], options: {}}],
		[['start', 'db', 'web', 'db'], {action: 'start', names: ['db', 'web'], options: {}}],
		[['start', 'db', '--timeout', '20'], {action: 'start', names: ['db'], options: {}}],
		[['start', 'db', '--timeout', '900'], {action: 'start', names: ['db'], options: {answerTimeout: 900}}],
		[['start', '--all'], {action: 'start', names: ['db'], options: {}}],
		[['stop', 'web'], {action: 'stop', names: ['web'], options: {}}],
		[['stop'], {action: 'stop', names: ['primary'], options: {}}],
		[['stop', '--all'], {action: 'stop', names: ['primary', 'web'], options: {}}],
		[['stop', 'web', '--force'], {action: 'stop', names: ['web'], options: {force: true}}],
		[['stop', 'web', '-t', '+5'], {action: 'stop', names: ['web'], options: {delayMinutes: 5}}],
		[['stop', 'web', '--time=0'], {action: 'stop', names: ['web'], options: {delayMinutes: 0}}],
		[['stop', 'web', '-c'], {action: 'stop', names: ['web'], options: {cancelDelayed: true}}],
		[['restart', 'web', '--timeout', '900'], {action: 'restart', names: ['web'], options: {answerTimeout: 900}}],
		[['restart'], {action: 'restart', names: ['primary'], options: {}}],
		[['suspend'], {action: 'suspend', names: ['primary']}],
		[['suspend', '--all'], {action: 'suspend', names: ['primary', 'web']}],
		[['delete', 'web', 'db'], {action: 'delete', names: ['web', 'db']}],
		[['delete', '-p', 'web'], {action: 'delete', names: ['web'], options: {purge: true}}],
		[['delete', '--all'], {action: 'delete', names: ['db', 'primary', 'web']}],
	])('%j', async (argv, request) => {
		const engine = three();
		const outcome = await drover(argv, {engine});
		expect(outcome).toMatchObject({code: 0, out: '', err: ''});
		expect(requests(engine, 'act')).toEqual([{...request, by: 'kim'}]);
	});

	test('recover and purge concern the deleted ones', async () => {
		const engine = new FakeEngine({
			instances: [fakeInstance('a', 'Deleted'), fakeInstance('b', 'Stopped'), fakeInstance('c', 'Deleted')],
		});
		await drover(['recover', '--all'], {engine});
		expect(requests(engine, 'act')).toEqual([{action: 'recover', names: ['a', 'c'], by: 'kim'}]);
		expect(engine.instances.get('a')?.state).toBe('Stopped');

		await drover(['delete', 'a'], {engine});
		expect(await drover(['purge'], {engine})).toMatchObject({code: 0, out: '', err: ''});
		expect([...engine.instances.keys()]).toEqual(['b', 'c']);
		expect(requests(engine, 'act').at(-1)).toEqual({action: 'purge', names: ['a'], by: 'kim'});
	});

	test('nothing to do for --all and purge is a success', async () => {
		for (const argv of [['start', '--all'], ['stop', '--all'], ['delete', '--all'], ['recover', '--all'], ['purge']]) {
			const engine = new FakeEngine();
			expect(await drover(argv, {engine})).toMatchObject({code: 0, out: '', err: ''});
			expect(requests(engine, 'act')).toEqual([]);
		}
	});

	test('--all: one that refuses does not keep the others from it', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('a', 'Suspended'), fakeInstance('b', 'Running')]});
		const {code, err} = await drover(['stop', '--all'], {engine});
		expect(code).toBe(2);
		expect(err).toMatch(/^stop failed: a: cannot shut down suspended instance\. .*--force/);
		expect(engine.instances.get('b')?.state).toBe('Stopped');
	});
});

describe('arguments', () => {
	test.each<[string[], string]>([
		[['start', 'web', '--all'], 'start failed: Cannot specify names when the --all option is set.'],
		[['stop', 'web', '--all'], 'stop failed: Cannot specify names when the --all option is set.'],
		[['delete', 'web', '--all'], 'delete failed: Cannot specify names when the --all option is set.'],
		[['delete'], 'delete failed: Name argument or --all is required.'],
		[['recover'], 'recover failed: Name argument or --all is required.'],
		[['purge', 'web'], 'purge failed: This command takes no arguments.'],
		[['stop', 'web', '--time', '5', '--cancel'], 'stop failed: Cannot set --time and --cancel at the same time.'],
		[['stop', 'web', '--time', '5', '--force'], 'stop failed: Cannot set --force and --time at the same time.'],
		[['stop', 'web', '--force', '--cancel'], 'stop failed: Cannot set --force and --cancel at the same time.'],
		[
			['stop', 'web', '--time', '5m'],
			'stop failed: Invalid --time "5m": it must be a whole number of minutes, digits only.',
		],
		[
			['stop', 'web', '--time', '-5'],
			'stop failed: Invalid --time "-5": it must be a whole number of minutes, digits only.',
		],
		[
			['start', 'web', '--timeout', '0'],
			'start failed: Invalid --timeout "0": it must be a positive whole number of seconds.',
		],
		[['suspend', 'web', '--timeout', '9'], "suspend failed: Unknown option 'timeout'."],
		[['console'], 'console failed: Name argument is required.'],
		[['console', 'a', 'b'], 'console failed: Too many arguments supplied.'],
		[
			['console', 'a', '--lines', '0'],
			'console failed: Invalid --lines "0": it must be a whole number from 1 to 100000.',
		],
		[['events'], 'events failed: Name argument is required.'],
		[['operations', 'stop', '1'], 'operations failed: Unknown action "stop".'],
		[['operations', 'log'], 'operations failed: "drover operations log" takes one id.'],
		[['operations', 'cancel', '1', '2'], 'operations failed: "drover operations cancel" takes one id.'],
	])('%j', async (argv, message) => {
		const outcome = await drover(argv, {engine: three()});
		expect(outcome.err.split('\n')[0]).toBe(message);
		expect(outcome).toMatchObject({code: 1, out: '', connections: 0});
	});

	test("unknown instances are the engine's to refuse", async () => {
		const engine = three();
		expect(await drover(['stop', 'nobody'], {engine})).toMatchObject({
			code: 2,
			err: 'stop failed: instance "nobody" does not exist\n',
		});
	});
});

describe('the primary instance', () => {
	test('start launches it when it is not there', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')]});
		const {code, out} = await drover(['start'], {engine});
		expect(requests(engine, 'launch')).toEqual([{name: 'primary', by: 'kim'}]);
		expect(requests(engine, 'act')).toEqual([]);
		expect(out).toMatch(/^Launched: primary$/m);
		expect(out).toMatch(/^Mounted '.+' into 'primary:Home'$/m);
		expect(code).toBe(0);
	});

	test('by name too, and the others are started', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')]});
		await drover(['start', 'web', 'primary'], {engine});
		expect(requests(engine, 'launch')).toHaveLength(1);
		expect(requests(engine, 'act')).toEqual([{action: 'start', names: ['web'], options: {}, by: 'kim'}]);
	});

	test('not when the request is going to be refused', async () => {
		const engine = new FakeEngine();
		expect((await drover(['start', 'primary', 'nobody'], {engine})).code).toBe(2);
		expect(requests(engine, 'launch')).toEqual([]);
	});

	test('stop does not launch it', async () => {
		expect(await drover(['stop'])).toMatchObject({code: 2, err: 'stop failed: instance "primary" does not exist\n'});
	});

	test('switched off', async () => {
		const engine = three();
		await engine.set({key: 'client.primary-name', value: '', by: 'kim'});
		for (const command of ['start', 'stop', 'restart', 'suspend', 'shell']) {
			const {code, err} = await drover([command], {engine});
			expect(code).toBe(1);
			expect(err).toMatch(
				new RegExp(`^${command} failed: No instance is named, and the primary instance is disabled\\.`),
			);
		}
	});

	test('under another name', async () => {
		const engine = three();
		await engine.set({key: 'client.primary-name', value: 'web', by: 'kim'});
		await drover(['suspend'], {engine});
		expect(requests(engine, 'act')).toEqual([{action: 'suspend', names: ['web'], by: 'kim'}]);
	});
});

describe('following', () => {
	test('one failure', async () => {
		const engine = three();
		engine.failures.set('web', new DroverError('guest.unanswered', 'web did not\u0007 answer.', {next: 'Force it.'}));
		expect(await drover(['stop', 'web'], {engine})).toMatchObject({
			code: 2,
			err: 'stop failed: web did not answer.\nForce it.\n',
		});
	});

	test('several failures', async () => {
		const engine = three();
		for (const name of ['web', 'db']) engine.failures.set(name, new DroverError('driver.failed', `no ${name}.`));
		const {code, err} = await drover(['stop', 'web', 'db', 'primary'], {engine});
		expect([code, err]).toEqual([2, 'stop failed: The following errors occurred:\nweb: no web.\ndb: no db.\n']);
		expect(engine.instances.get('primary')?.state).toBe('Stopped');
	});

	test('notes', async () => {
		class Noting extends FakeEngine {
			override async act(): Promise<OperationView> {
				return view({state: 'done', items: [{target: 'web', state: 'skipped', stage: '', note: 'already running'}]});
			}
		}
		expect(await drover(['start', 'web'], {engine: new Noting({instances: [fakeInstance('web')]})})).toMatchObject({
			code: 0,
			out: 'web: already running\n',
		});
	});

	test('--timeout ends the waiting, not the work', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Stopped')], delayMs: 1500});
		const {code, err} = await drover(['start', 'web', '--timeout', '1'], {engine});
		expect([code, err]).toEqual([5, 'Timed out waiting for instance to start.\n']);
		expect((await engine.operations())[0]?.state).toBe('running');
		await engine.wait({id: '1'});
		expect(engine.instances.get('web')?.state).toBe('Running');
	});

	test('Ctrl-C ends the waiting, not the work', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Running')], delayMs: 60_000});
		const {code, err} = await drover(['stop', 'web'], {engine, interrupt: press => press()});
		expect(code).toBe(130);
		expect(err).toBe(
			'"stop web" goes on in the background as operation 1: "drover operations" shows it, "drover operations cancel 1" cancels it.\n',
		);
		expect((await engine.operations())[0]?.state).toBe('running');
		await engine.cancel({id: '1', by: 'kim'});
	});

	test('the daemon ends meanwhile', async () => {
		class Ending extends Staged {
			override async wait(): Promise<never> {
				throw new DroverError('daemon.unreachable', 'The daemon hung up.');
			}
		}
		const {code, err} = await drover(['stop', 'web'], {engine: new Ending([])});
		expect(code).toBe(3);
		expect(err).toMatch(/^stop failed: The daemon hung up\.\nThe next command, .* takes up what was under way\.\n$/);
	});

	test('cancelled by somebody else', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web', 'Running')], delayMs: 60_000});
		const outcome = drover(['stop', 'web'], {
			engine,
			interrupt: () => void setImmediate(() => engine.cancel({id: '1', by: 'ada'})),
		});
		expect(await outcome).toMatchObject({code: 2, err: 'stop failed: "stop web" was cancelled.\n'});
	});

	test('one line that is rewritten on a terminal, and cut to it', async () => {
		const engine = new Staged(['downloading 1', 'downloading 2', 'waiting for the guest to answer']);
		const {out} = await drover(['start', 'web'], {engine, isTTY: true, columns: 30});
		expect(out).toBe(
			[
				'\rStarting web: working\u001B[K',
				'\rStarting web: downloading 1\u001B[K',
				'\rStarting web: downloading 2\u001B[K',
				'\rStarting web: waiting for the\u001B[K',
				'\r\u001B[K',
			].join(''),
		);
	});

	test('launch: elsewhere a line for each change of stage, not for each step of one', async () => {
		const stages = ['fetching 1 of 9', 'fetching 2 of 9', 'unpacking 10%', 'unpacking 20%', '', 'waiting'];
		class Launching extends Staged {
			override async launch() {
				return view({kind: 'launch', items: [{target: 'web', state: 'queued', stage: 'queued'}]});
			}
		}
		const {out} = await drover(['launch', 'micro'], {engine: new Launching(stages)});
		expect(out).toBe(
			'Creating web\nStarting web: fetching\nStarting web: unpacking\nStarting web: waiting\nLaunched: web\n',
		);
	});

	test.each<[stage: string, percent: number | undefined, line: string]>([
		['creating', undefined, 'Creating web'],
		['downloading the image', 45.9, 'Retrieving image: 45%'],
		['downloading the image, 12.3MiB', undefined, 'Retrieving image, 12.3MiB'],
		['fetching packages 3 of 9', 33, 'Retrieving image: fetching packages 3 of 9 33%'],
		['checking the image', undefined, 'Verifying image'],
		['unpacking the image', 7, 'Extracting image: 7%'],
		['making the disk', undefined, 'Preparing image'],
		['configuring', undefined, 'Configuring web'],
		['starting QEMU (usually 8 s)', 12, 'Starting web (usually 8 s): 12%'],
		['waiting for the guest to answer', undefined, 'Starting web'],
		['waiting for initialization', undefined, 'Waiting for initialization to complete'],
		[
			'waiting for initialization: init (usually 9 s)',
			80,
			'Waiting for initialization to complete (init) (usually 9 s): 80%',
		],
		['queued after stop', undefined, 'Launching web: queued after stop'],
	])('launch: %s', (stage, percent, line) => {
		const item = {target: 'web', state: 'running', stage, ...(percent === undefined ? {} : {percent})} as const;
		expect(progressText(view({kind: 'launch', items: [item]}))).toBe(line);
	});

	test('silent where no terminal is', async () => {
		expect((await drover(['start', 'web'], {engine: new Staged(['a', 'b'])})).out).toBe('');
	});

	test('what a line says', () => {
		expect(
			progressText(
				view({
					kind: 'launch',
					items: [{target: 'web', state: 'running', stage: 'down\u001B[31mloading', percent: 45.9}],
				}),
			),
		).toBe('Launching web: downloading 45%');
		expect(
			progressText(
				view({
					items: [
						{target: 'a', state: 'done', stage: ''},
						{target: 'b', state: 'queued', stage: ''},
						{target: 'c', state: 'running', stage: 'waiting'},
					],
				}),
			),
		).toBe('Starting 3 instances: 1 done; c: waiting');
		expect(cut('日本語', 5)).toBe('日本');
		expect(cut('abc', 0)).toBe('');
	});
});

describe('operations', () => {
	const launch = view({
		id: '7',
		kind: 'launch',
		title: 'launch web',
		items: [{target: 'web', state: 'running', stage: 'downloading', percent: 12.7}],
	});
	const failed = view({
		id: '6',
		title: 'stop db',
		state: 'failed',
		createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
		endedAt: Date.UTC(2026, 0, 2, 3, 5, 5),
		error: {code: 'driver.failed', message: 'no\u001B[31m.'},
		items: [{target: 'db', state: 'failed', stage: 'stopping', error: {code: 'driver.failed', message: 'no.'}}],
	});
	const engineWith = (...operations: OperationView[]) => {
		const engine = new FakeEngine();
		for (const operation of operations) engine.putOperation(operation);
		return engine;
	};

	test('list', async () => {
		expect((await drover(['operations'])).out).toBe('No operations.\n');
		expect((await drover(['operations'], {engine: engineWith(failed, launch)})).out).toBe(
			[
				'Id  State            By   Begun                 Operation',
				'6   failed           kim  2026-01-02 03:04:05Z  stop db',
				'7   downloading 12%  kim  1970-01-01 00:00:00Z  launch web',
				'',
			].join('\n'),
		);
	});

	test('as data', async () => {
		const {out} = await drover(['operations', '--format', 'json'], {engine: engineWith(failed)});
		expect(JSON.parse(out)).toEqual({
			operations: [
				{
					id: '6',
					kind: 'start',
					title: 'stop db',
					by: 'kim',
					state: 'failed',
					cancellable: true,
					created_at: '2026-01-02T03:04:05.000Z',
					ended_at: '2026-01-02T03:05:05.000Z',
					error: {code: 'driver.failed', message: 'no.'},
					items: [{target: 'db', state: 'failed', stage: 'stopping', error: {code: 'driver.failed', message: 'no.'}}],
				},
			],
		});
		expect(await drover(['operations', '--format', 'csv'])).toMatchObject({code: 1, connections: 0});
	});

	test('log, cancel, wait', async () => {
		const engine = engineWith(launch, failed);
		engine.logs.set('7', [{at: 0, text: 'fetching\u001B[2J it'}]);
		expect((await drover(['operations', 'log', '7'], {engine})).out).toBe('1970-01-01 00:00:00Z  fetching it\n');
		expect(await drover(['operations', 'wait', '6'], {engine})).toMatchObject({
			code: 2,
			err: 'operations failed: no.\n',
		});
		expect(await drover(['operations', 'wait', '7', '--timeout', '1'], {engine})).toMatchObject({
			code: 5,
			err: 'Timed out waiting for operation 7.\n',
		});
		expect((await drover(['operations', 'cancel', '7'], {engine})).out).toBe('Cancelling "launch web".\n');
		expect(requests(engine, 'cancel')).toEqual([{id: '7', by: 'kim'}]);
		expect(await drover(['operations', 'wait', '9'], {engine})).toMatchObject({
			code: 2,
			err: 'operations failed: there is no operation 9\n',
		});
	});
});

test('console and events', async () => {
	const engine = three();
	expect((await drover(['console', 'web', '--lines', '2'], {engine})).out).toBe('boot\nready\n');
	expect((await drover(['events', 'web'], {engine})).out).toBe(
		'Time                  By   Event\n2026-01-01 00:00:00Z  kim  launched from micro\n',
	);
	expect(JSON.parse((await drover(['events', 'web', '--format', 'json'], {engine})).out)).toEqual({
		events: [{at: '2026-01-01T00:00:00.000Z', what: 'launched from micro', by: 'kim'}],
	});
	expect((await drover(['events', 'nobody'], {engine})).code).toBe(2);
});

function view(more: Partial<OperationView> = {}): OperationView {
	return {
		id: '1',
		kind: 'start',
		title: 'start web',
		by: 'kim',
		state: 'running',
		items: [{target: 'web', state: 'running', stage: 'working'}],
		cancellable: true,
		createdAt: 0,
		...more,
	};
}

/** Tells of one stage after the other, then is done. */
class Staged extends FakeEngine {
	readonly #stages: readonly string[];
	constructor(stages: readonly string[]) {
		super({instances: [fakeInstance('web', 'Stopped')]});
		this.#stages = stages;
	}
	override async act(): Promise<OperationView> {
		const begun = view();
		this.putOperation(begun);
		return begun;
	}
	override async wait(request: Parameters<Engine['wait']>[0]): Promise<OperationView> {
		for (const stage of this.#stages) {
			const item = {target: 'web', state: 'running' as const, stage};
			this.putOperation(view({items: [item]}));
			this.putOperation(view({id: 'other', items: [{...item, stage: 'not ours'}]}));
		}
		this.putOperation(view({state: 'done', items: [{target: 'web', state: 'done', stage: 'done'}]}));
		return super.wait(request);
	}
}
