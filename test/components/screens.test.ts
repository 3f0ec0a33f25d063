import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import type {Connection} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import {planSwitch} from '../../source/model/switch.ts';
import {beginStory, type SwitchStory, withLine} from '../../source/model/switch-story.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {keys} from '../support/screen.ts';
import {open, openWith} from './opened.ts';

const three = () => [
	fakeInstance('amber-otter'),
	fakeInstance('db-replica', 'Suspended'),
	fakeInstance('web-front', 'Stopped'),
];
const many = (count: number) =>
	Array.from({length: count}, (_, index) => fakeInstance(`vm-${String(index + 1).padStart(2, '0')}`));

describe('starting', () => {
	test('the first frame does not wait for the daemon', async () => {
		const screen = open(new FakeEngine(), {connect: () => new Promise<Connection>(() => {})});
		await screen.waitFor('Connecting to the drover daemon');
		expect(screen.lines()[0]).toContain('drover');
	});

	test('a daemon that cannot be reached is told, and tried again by itself and on ctrl-r', async () => {
		let isUp = false;
		const engine = new FakeEngine({instances: three()});
		const screen = open(engine, {
			async connect() {
				if (isUp) return {engine, closed: new Promise(() => {})};
				throw new DroverError('daemon.unreachable', 'Nobody answers on the socket.', {next: 'Look at daemon.log.'});
			},
		});
		await screen.waitFor('Nobody answers on the socket.');
		expect(screen.text()).toContain('Look at daemon.log.');
		isUp = true;
		await screen.press(keys.ctrlR);
		await screen.waitFor('amber-otter');
	});

	test('nothing launched ever: the doctor; then an empty table that names the next keys', async () => {
		const screen = open(new FakeEngine());
		await screen.waitFor('Welcome to drover');
		await screen.waitFor(/QEMU\s+READY/);
		await screen.press(keys.enter);
		await screen.waitFor('No instances in QEMU yet.');
		expect(screen.text()).toMatch(/n {2}launches one/);
	});

	test('a driver that cannot be used says why and what to do', async () => {
		const health = {
			installed: false,
			usable: false,
			summary: 'QEMU is not installed.',
			remedy: 'sudo apt-get install qemu-system-x86',
			checkedAt: 0,
		};
		const screen = open(new FakeEngine({driver: fakeDriver('qemu', {health})}));
		await screen.waitFor('sudo apt-get install qemu-system-x86');
		await screen.press(keys.enter);
		await screen.waitFor('QEMU cannot be used.');
		expect(screen.lines()[0]).toContain('QEMU unusable');
	});
});

describe('the table', () => {
	test('shows 18 instances on 24 lines, and the rest by moving', async () => {
		const {screen} = await openWith(many(40));
		expect(screen.lines().filter(line => line.includes('vm-'))).toHaveLength(18);
		await screen.press('G');
		await screen.waitFor('> vm-40');
		await screen.press('g');
		await screen.waitFor('> vm-01');
	});

	test('one bad record is a row among the others', async () => {
		const broken = fakeInstance('old-notes', 'Broken', {reason: 'instance.json is not JSON'});
		const {screen} = await openWith([...three(), broken]);
		expect(screen.text()).toMatch(/old-notes +▲ Broken/);
		expect(screen.text()).toMatch(/amber-otter +● Running/);
		await screen.press('j', 'j', 'l');
		await screen.waitFor('instance.json is not JSON');
	});

	test('names from outside are shown bare: no colour, no control character, columns in place', async () => {
		const hostile = fakeInstance('a\u001B[41m\u001B[2Jevil\u0007\u202E', 'Running', {id: 'id-1'});
		const {screen} = await openWith([fakeInstance('zebra'), hostile]);
		await screen.waitFor('aevil');
		const [first, second] = ['aevil', 'zebra'].map(name => screen.lines().find(line => line.includes(name))!);
		expect(first!.indexOf('● Running')).toBe(second!.indexOf('● Running'));
		expect(screen.raw).not.toContain('[41m');
		expect(screen.raw).not.toContain('\u202E');
	});

	test('a filter shows what matches, says so when nothing does, and goes by Esc', async () => {
		const {screen} = await openWith(three());
		await screen.press('/', 'w', 'e', 'b');
		await screen.waitFor('1 of 3 match');
		expect(screen.text()).not.toContain('amber-otter');
		await screen.press('x');
		await screen.waitFor('0 of 3 match "webx"');
		await screen.press(keys.esc);
		await screen.waitFor('amber-otter');
	});

	test('the order is chosen from a list', async () => {
		const {screen} = await openWith(three());
		await screen.press('o');
		await screen.waitFor('order by state');
		await screen.press(keys.down, keys.enter);
		await screen.waitFor('order: state');
		const rows = screen.lines().filter(line => /● |○ |◑ /.test(line));
		expect(
			rows.map(row =>
				row
					.trim()
					.split(/\s+/)
					.find(word => word.includes('-')),
			),
		).toEqual(['amber-otter', 'web-front', 'db-replica']);
	});

	test('the info pane stands beside it from 110 columns on', async () => {
		const {screen} = await openWith(three(), {columns: 120, rows: 40});
		expect(screen.text()).toContain('CAN NOW');
		await screen.press('i');
		await screen.waitFor(text => !text.includes('CAN NOW'));
	});

	test('shows progress in the row', async () => {
		const {engine, screen} = await openWith(three());
		engine.put(
			fakeInstance('web-front', 'Starting', {
				operation: {id: '1', kind: 'start', stage: 'waiting for SSH', percent: 52.7},
			}),
		);
		await screen.waitFor('◌ Starting 52%');
	});
});

describe('actions', () => {
	test('the menu has them all, with the reasons of those that cannot be', async () => {
		const engine = new FakeEngine({instances: [fakeInstance('web')], driver: fakeDriver('lxd')});
		const screen = open(engine);
		await screen.waitFor('web');
		await screen.press(keys.enter);
		await screen.waitFor(/\(z\) Suspend +not supported by LXD; supported by QEMU/);
		expect(screen.text()).toMatch(/\(s\) Start +already running/);
	});

	test('the whole menu of a running QEMU instance fits 24 lines', async () => {
		const {screen} = await openWith(three());
		await screen.press(keys.enter);
		await screen.waitFor('Purge ...');
		expect(screen.text()).not.toContain('more below');
	});

	test('a stop is confirmed with its command line, done, and told with its inverse', async () => {
		const {engine, screen} = await openWith(three());
		await screen.press('t');
		await screen.waitFor('Stop amber-otter?');
		expect(screen.text()).toContain('drover stop amber-otter');
		await screen.press('y');
		await screen.waitFor(/amber-otter +○ Stopped/);
		await screen.waitFor('s starts it');
		expect(engine.calls.filter(call => call.method === 'act')).toEqual([
			{method: 'act', request: {action: 'stop', names: ['amber-otter'], by: 'kim'}},
		]);
	});

	test('deleted goes to the trash and u brings it back', async () => {
		const {screen} = await openWith(three());
		await screen.press('x', 'y');
		await screen.waitFor(/amber-otter +× Deleted/);
		await screen.press('u');
		await screen.waitFor(/amber-otter +○ Stopped/);
	});

	test('purge wants the name', async () => {
		const {engine, screen} = await openWith([fakeInstance('scratch', 'Deleted'), fakeInstance('web')]);
		await screen.press(keys.enter, ...Array<string>(14).fill('j'), keys.enter);
		await screen.waitFor('Type scratch to confirm');
		await screen.press('y', keys.enter);
		expect(engine.instances.has('scratch')).toBe(true);
		await screen.press(keys.backspace, ...'scratch', keys.enter);
		await screen.waitFor(text => !text.includes('scratch '));
		expect(engine.instances.has('scratch')).toBe(false);
	});

	test('what fails for one of several is told for each', async () => {
		const {engine, screen} = await openWith([fakeInstance('alpha'), fakeInstance('beta')]);
		engine.failures.set(
			'beta',
			new DroverError('guest.unanswered', 'beta did not shut down within 300 s.', {next: 'Cut its power.'}),
		);
		await screen.press('*', 't', 'y');
		await screen.waitFor('1 done, 1 failed');
		await screen.waitFor(/m[> ] beta/);
		expect(screen.text()).not.toMatch(/m[> ] alpha/);
		await screen.press('b');
		await screen.waitFor(/beta did not shut down within 300 s\. Cut its\s+power\./);
		await screen.waitFor(/alpha +ok/);
	});

	test('a refusal of the engine is told in full, and kept among the alerts', async () => {
		const {engine, screen} = await openWith(three());
		engine.act = () =>
			Promise.reject(new DroverError('instance.busy', 'amber-otter is being launched.', {next: 'Wait for its end.'}));
		await screen.press('t', 'y');
		await screen.waitFor('amber-otter is being launched. Wait for its end.');
		await screen.press('!');
		await screen.waitFor('Wait for its end.');
		await screen.press('y');
		await screen.waitFor('Sent to your terminal');
		expect(screen.raw).toContain('\u001B]52;c;');
	});

	test('copying shows the raw text too', async () => {
		const {screen} = await openWith(three());
		await screen.press('y');
		await screen.waitFor('ssh -p 40000 ubuntu@127.0.0.1');
		await screen.press(keys.down, keys.enter);
		expect(screen.raw).toContain(`\u001B]52;c;${Buffer.from('127.0.0.1:40000').toString('base64')}`);
	});
});

describe('screens', () => {
	test('detail has overview, events and console', async () => {
		const {screen} = await openWith(three());
		await screen.press('l');
		await screen.waitFor('52:54:00:12:34:56');
		await screen.waitFor('57M of 1.0G');
		await screen.press('2');
		await screen.waitFor('launched from micro by kim');
		await screen.press(keys.right);
		await screen.waitFor('ready');
		await screen.press(keys.left, keys.left, keys.left);
		await screen.waitFor('NAME');
	});

	test('a launch from the form: the row is chosen when it comes', async () => {
		const {engine, screen} = await openWith(three());
		engine.delayMs = 50;
		await screen.press('n', ...'beaver', keys.tab, 'm');
		await screen.waitFor(/micro +Micro 1/);
		await screen.press(keys.down, keys.enter, '9', keys.tab, '2', 'G', ...Array(4).fill(keys.tab));
		await screen.waitFor('drover launch micro --name beaver --cpus ?? --memory 2G');
		await screen.press(keys.enter);
		await screen.waitFor('To fix first: CPUs');
		await screen.press(...Array(5).fill('\u001B[Z'), keys.ctrlU, '2', ...Array(5).fill(keys.tab), keys.enter);
		await screen.waitFor(/> beaver/);
		await screen.waitFor('launch beaver: done');
		expect(engine.calls.find(call => call.method === 'launch')?.request).toEqual({
			name: 'beaver',
			image: 'micro',
			cpus: 2,
			memory: 2 * 2 ** 30,
			by: 'kim',
		});
	});

	test('operations are listed with progress and log, and cancelled after a question', async () => {
		const {engine, screen} = await openWith(three());
		engine.logs.set('41', [{at: 0, text: 'resolving micro'}]);
		engine.putOperation({
			id: '41',
			kind: 'launch',
			title: 'launch lab',
			by: 'ann',
			state: 'running',
			items: [{target: 'lab', state: 'running', stage: 'downloading', percent: 52}],
			cancellable: true,
			createdAt: 1,
		});
		await screen.waitFor('ops 1 (b)');
		await screen.press('b');
		await screen.waitFor('█████░░░░░ 52%');
		await screen.waitFor('resolving micro');
		expect(screen.text()).toContain('ann');
		await screen.press('x');
		await screen.waitFor('Cancel launch lab?');
		await screen.press('y');
		await screen.waitFor('cancelled');
		expect(engine.calls).toContainEqual({method: 'cancel', request: {id: '41', by: 'kim'}});
	});

	test('drivers: verdict, reason and capabilities; choosing an unusable one changes nothing', async () => {
		const {screen} = await openWith(three());
		await screen.press('w');
		await screen.waitFor(/> QEMU +current/);
		await screen.press('j');
		await screen.waitFor('not supported by LXD; supported by QEMU, libvirt,');
		await screen.press(keys.enter);
		await screen.waitFor('LXD cannot be used: not installed');
		await screen.press(keys.esc);
		await screen.waitFor('amber-otter');
	});

	test('drivers: on the smallest screen none is left out, and the cursor survives another size', async () => {
		const {screen} = await openWith(three(), {columns: 40, rows: 10});
		await screen.press('w');
		for (const row of ['> QEMU', 'LXD', 'libvirt', 'VirtualBox']) await screen.waitFor(row);
		await screen.press('j', 'j', 'j', 'j');
		await screen.waitFor('> Hyper-V');
		await screen.resize(80, 24);
		await screen.waitFor(text => text.includes('> Hyper-V') && text.includes('QEMU') && text.includes('LXD'));
		await screen.resize(40, 10);
		await screen.waitFor('> Hyper-V');
	});

	test('orders: on the smallest screen none is left out', async () => {
		const {screen} = await openWith(three(), {columns: 40, rows: 10});
		await screen.press('o');
		for (const order of ['name', 'state', 'image', 'memory', 'age']) await screen.waitFor(`order by ${order}`);
	});

	test('the menu shows the chosen line also where its reason fills the screen', async () => {
		const {screen} = await openWith([fakeInstance('web', 'Unknown')], {columns: 40, rows: 10});
		await screen.press(keys.enter, 'j', 'j');
		await screen.waitFor(/> \(s\) Start/);
	});

	test('help is searched and run', async () => {
		const {screen} = await openWith(three());
		await screen.press('?');
		await screen.waitFor('Search the keys');
		await screen.press(...'operat');
		await screen.waitFor(/> b +operations/);
		await screen.press(keys.enter);
		await screen.waitFor('Nothing has been done yet.');
	});

	test('the palette lists what cannot be done with its reason', async () => {
		const {screen} = await openWith(three());
		await screen.press(':', ...'recover');
		await screen.waitFor(/recover from the trash +it is not deleted/);
	});

	test('too small a terminal says what it needs, and everything is there when it grows', async () => {
		const {screen} = await openWith(three());
		await screen.press('j', keys.enter);
		await screen.waitFor('db-replica | Suspended');
		await screen.resize(39, 9);
		await screen.waitFor('this terminal is 39x9');
		await screen.resize(1, 1);
		await screen.resize(80, 24);
		await screen.waitFor('db-replica | Suspended');
	});
});

describe('the daemon away', () => {
	test('data stays and is dated; it comes back without a key, the cursor unmoved', async () => {
		const {engine, screen} = await openWith(three());
		await screen.press('j');
		await screen.waitFor('> db-replica');
		engine.isAway = true;
		screen.drop();
		await screen.waitFor('STALE since');
		expect(screen.text()).toContain('amber-otter');
		await screen.waitFor('Shown is what was known at');
		engine.isAway = false;
		await screen.waitFor('Connected again.');
		expect(screen.text()).toContain('> db-replica');
		expect(screen.text()).not.toContain('STALE');
	});

	test('events of the new line are heard', async () => {
		const {engine, screen} = await openWith(three());
		screen.drop();
		await screen.waitFor('Connected again.');
		engine.put(fakeInstance('amber-otter', 'Stopped'));
		await screen.waitFor(/amber-otter +○ Stopped/);
	});
});

describe('bytes', () => {
	test('a move of the cursor at 120x40 costs 120 at most, and one write', async () => {
		const {screen} = await openWith(many(40), {columns: 120, rows: 40});
		await screen.settle();
		const [bytes, writes] = [screen.raw.length, screen.writes];
		for (let move = 0; move < 10; move++) await screen.press('j');
		expect(screen.raw.length - bytes).toBeLessThanOrEqual(1200);
		expect(screen.writes - writes).toBe(10);
	});

	test('nothing is written while nothing changes', async () => {
		const {screen} = await openWith(three());
		await screen.settle();
		const bytes = screen.raw.length;
		await sleep(700);
		expect(screen.raw.length).toBe(bytes);
	});

	test('what changes only in hidden rows writes nothing', async () => {
		const {engine, screen} = await openWith(many(60));
		await screen.settle();
		const bytes = screen.raw.length;
		engine.put({...fakeInstance('vm-50'), memory: 4 * 2 ** 30});
		await sleep(150);
		expect(screen.raw.length).toBe(bytes);
		await screen.press('G');
		await screen.waitFor(/vm-50.*4\.0G/);
	});

	test('only ASCII for LANG=C and on the Linux console', async () => {
		for (const env of [{LANG: 'C'}, {TERM: 'linux'}]) {
			const {screen} = await openWith([fakeInstance('漢字', 'Running', {id: 'id-k'}), fakeInstance('web')].reverse(), {
				env,
			});
			await screen.press(keys.enter, keys.esc, '?', keys.esc, 'D', keys.esc, 'n', keys.esc, 'b');
			expect([...screen.raw].filter(character => character > '~')).toEqual([]);
		}
	});

	test('no colours with NO_COLOR, and none but the 16 of the terminal without it', async () => {
		const plain = await openWith(three(), {env: {NO_COLOR: '1'}});
		await plain.screen.press('w', keys.esc, keys.enter);
		const codes = (raw: string) =>
			[...raw.matchAll(/\u001B\[([\d;]*)m/g)].flatMap(match => match[1]!.split(';').map(Number));
		expect(codes(plain.screen.raw).filter(code => code >= 30)).toEqual([]);
		const coloured = await openWith(three());
		expect(codes(coloured.screen.raw).filter(code => code === 38 || (code >= 40 && code <= 48))).toEqual([]);
		expect(codes(coloured.screen.raw)).toContain(32);
	});
});

describe('news', () => {
	test('a notice is an alert, counted until it is looked at', async () => {
		const {engine, screen} = await openWith(three());
		const text = 'local.driver is hyperv, which Linux does not have: qemu is used.';
		engine.emit({type: 'notice', notice: {id: 'n1', at: 0, level: 'warning', text}});
		await screen.waitFor('alerts 1 (!)');
		await screen.press('!');
		await screen.waitFor(text);
		await screen.waitFor('alerts 0 (!)');
	});

	test('when something else changed the overview is asked for again', async () => {
		const {engine, screen} = await openWith(three());
		const health = {installed: true, usable: false, summary: 'QEMU was removed.', checkedAt: 0};
		engine.driver = fakeDriver('qemu', {health});
		engine.emit({type: 'overview', reason: 'driver'});
		await screen.waitFor('QEMU unusable');
		expect(screen.text()).toContain('QEMU was removed.');
		expect(screen.text()).toContain('amber-otter');
	});

	test('an instance that somebody else removed leaves the table', async () => {
		const {engine, screen} = await openWith(three());
		engine.remove('db-replica');
		await screen.waitFor(text => !text.includes('db-replica'));
		await screen.waitFor('2 instances');
	});

	test('the log of a bulk operation has a line for each instance', async () => {
		const {engine, screen} = await openWith(many(14));
		engine.failures.set('vm-12', new DroverError('guest.unanswered', 'vm-12 did not stop.'));
		await screen.press('*', 't', 'y');
		await screen.waitFor('13 done, 1 failed');
		await screen.press('b', keys.enter);
		await screen.waitFor(/vm-12 +FAILED +vm-12 did not stop\./);
		expect(screen.text()).toMatch(/vm-14 +ok/);
	});
});

describe('switching', () => {
	const member = (name: string, state: 'Running' | 'Stopped') => ({
		id: `id-${name}`,
		name,
		state,
		memory: 2 ** 30,
		wasRunning: false,
		policy: 'as-it-was' as const,
	});
	const planFor = (canSuspend: boolean) =>
		planSwitch({
			from: 'qemu',
			to: 'libvirt',
			isShared: true,
			canSuspend,
			fromTitle: 'QEMU',
			toTitle: 'libvirt',
			leaving: [member('amber-otter', 'Running'), member('web-front', 'Stopped')],
			entering: [],
			freeBytes: 2 ** 34,
			hostMemory: 2 ** 34,
		});

	async function atPlan(canSuspend: boolean, options: Parameters<typeof open>[1] = {}) {
		const engine = new FakeEngine({instances: three(), delayMs: 60_000});
		engine.plan = planFor(canSuspend);
		engine.drivers = async () => [fakeDriver('qemu'), fakeDriver('libvirt', {current: false})];
		const screen = open(engine, options);
		await screen.waitFor('amber-otter');
		await screen.press('w');
		await screen.waitFor('libvirt');
		await screen.press('j', keys.enter);
		await screen.waitFor('QEMU -> libvirt');
		return {engine, screen};
	}

	test.each([
		[80, 24],
		[120, 40],
	])('at %ix%i: the plan, a yes, progress, the end', async (columns, rows) => {
		const {engine, screen} = await atPlan(true, {columns, rows});
		await screen.waitFor(/amber-otter +Running +suspend +1\.0G/);
		expect(screen.text()).toContain('nothing has been changed yet');
		expect(screen.text()).toContain('drover switch libvirt');
		expect(engine.calls.some(call => call.method === 'switchDriver')).toBe(false);
		await screen.press(keys.enter);
		await screen.waitFor('Switch to libvirt?');
		await sleep(350);
		await screen.press('y');
		await screen.waitFor(() => engine.calls.some(call => call.method === 'switchDriver'));
		let story = {...beginStory(planFor(true), 's1', 'kim', 0), phase: 'park' as SwitchStory['phase']};
		const tell = (next: SwitchStory) => {
			story = next;
			engine.story = next;
			engine.emit({type: 'switch', story: next});
		};
		tell(
			withLine(story, 'park', 'id-amber-otter', {result: 'running', stage: 'saving memory', percent: 42, startedAt: 0}),
		);
		await screen.waitFor(/amber-otter +Running +suspend +42% saving memo/);
		expect(screen.text()).toContain('0 of 2 instances');
		tell({...withLine(story, 'park', 'id-amber-otter', {result: 'done', endedAt: 1500}), phase: 'restore'});
		await screen.waitFor(/bringing back: 1 of 2 instances/);
		tell({
			...withLine(story, 'restore', 'id-amber-otter', {result: 'done', startedAt: 1500, endedAt: 2500}),
			phase: 'done',
			outcome: 'switched',
			endedAt: 2600,
		});
		await screen.waitFor('Switched in 2.6 s');
		expect(screen.text()).toContain('1 left as it is');
	});

	test('when memory is lost the name of the driver must be typed; space cuts the power instead', async () => {
		const {engine, screen} = await atPlan(false);
		await screen.waitFor('memory is lost');
		await screen.press(' ');
		await screen.waitFor('cut power');
		await screen.press(keys.enter);
		await screen.waitFor('Switch to libvirt?');
		await sleep(350);
		await screen.press('y', keys.enter);
		expect(engine.calls.some(call => call.method === 'switchDriver')).toBe(false);
		await screen.press('\u007F', ...'libvirt');
		await screen.press(keys.enter);
		await screen.waitFor(() => engine.calls.some(call => call.method === 'switchDriver'));
		expect(engine.calls.at(-1)?.request).toMatchObject({to: 'libvirt', force: ['amber-otter']});
	});

	test('one that is under way, begun by somebody else, is told and shown; its failure leads with the reason', async () => {
		const {engine, screen} = await openWith(three());
		const story: SwitchStory = {...beginStory(planFor(true), 's2', 'ann', 0), phase: 'park'};
		engine.emit({type: 'switch', story});
		await screen.waitFor('switching to libvirt 0% (L)');
		await screen.press('L');
		await screen.waitFor('begun by ann');
		await screen.press('\u001B');
		await screen.press('z');
		await screen.waitFor('a switch is under way');
		expect(engine.calls.some(call => call.method === 'act')).toBe(false);
		await screen.press('L');
		await screen.waitFor('begun by ann');
		engine.emit({
			type: 'switch',
			story: {
				...story,
				phase: 'done',
				outcome: 'stayed',
				endedAt: 5,
				reason: {code: 'driver.failed', message: 'the guest refuses'},
			},
		});
		await screen.waitFor('STILL ON QEMU. the guest refuses');
	});

	test('what is parked elsewhere is told on the table', async () => {
		const engine = new FakeEngine({instances: three()});
		const overview = engine.overview.bind(engine);
		engine.overview = async () => ({...(await overview()), elsewhere: [{scope: 'lxd', count: 3}]});
		const screen = open(engine);
		await screen.waitFor('3 parked in LXD (w)');
	});
});
