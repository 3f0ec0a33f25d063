import {describe, expect, test} from 'vitest';
import type {OperationView} from '../../source/model/operation.ts';
import {FakeEngine, fakeDriver, fakeInstance} from '../support/fake-engine.ts';
import {Driven} from './driven.ts';

const several = () => Driven.with(['amber', 'bison', 'cod', 'dove'].map(name => fakeInstance(name)));

describe('confirmations', () => {
	test('y does it, at the earliest 300 ms after the question', async () => {
		const driven = await several();
		driven.press('t').pressAfter(299, 'y');
		expect(driven.requests).toEqual([]);
		driven.pressAfter(1, 'y');
		expect(driven.requests).toEqual([{action: 'stop', names: ['amber']}]);
		expect(driven.top).toBeUndefined();
	});

	test.each(['enter', 'n', 'esc', 'space', 's', 'x', 'Y'])('%s is no', async key => {
		const driven = await several();
		driven.press('t', key);
		expect(driven.requests).toEqual([]);
		expect(driven.top).toBeUndefined();
	});

	test('no key and no repetition of one key stops, deletes or purges', async () => {
		const all = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!?:/*.;~[]'];
		for (const key of [...all, 'enter', 'space', 'esc', 'tab', 'up', 'down', 'left', 'right', 'backspace', 'ctrl-d']) {
			const driven = await several();
			for (let times = 0; times < 30; times++) driven.pressAfter(400, key);
			const acts = driven.requests.filter(request => request.action !== 'start' && request.action !== 'recover');
			expect(acts, key).toEqual([]);
		}
	});

	test('a purge wants the name, exactly, and typed', async () => {
		const driven = await Driven.with([fakeInstance('scratch', 'Deleted')]);
		driven.press(':', ...'purge', 'enter');
		expect(driven.top).toMatchObject({kind: 'confirm', level: 2, word: 'scratch'});
		driven.press('enter', ...'scratc', 'enter');
		driven.send({type: 'paste', text: 'h', at: driven.at}).press('enter');
		expect(driven.requests).toEqual([]);
		driven.press('h', 'enter');
		expect(driven.requests).toEqual([{action: 'purge', names: ['scratch']}]);
	});

	test('a purge of several wants their number', async () => {
		const driven = await Driven.with([fakeInstance('a', 'Deleted'), fakeInstance('b', 'Deleted')]);
		driven.press('*', ':', ...'purge', 'enter', '2', 'enter');
		expect(driven.requests).toEqual([{action: 'purge', names: ['a', 'b']}]);
	});

	test('of an instance that is gone meanwhile do nothing', async () => {
		const driven = await several();
		driven
			.press('t')
			.events({removed: ['id-amber']})
			.press('y');
		expect(driven.requests).toEqual([]);
		expect(driven.model.toast?.text).toMatch(/gone/);
	});

	test('are not asked for what can be taken back at once', async () => {
		const driven = await Driven.with([fakeInstance('web', 'Stopped')]);
		driven.press('s');
		expect(driven.requests).toEqual([{action: 'start', names: ['web']}]);
	});
});

describe('aiming', () => {
	test('a key hits the instance that was aimed at, however the rows are shuffled', async () => {
		const driven = await several();
		driven.press('o').send({type: 'order-chosen', order: 'state'});
		for (let trial = 0; trial < 200; trial++) {
			const ids = ['amber', 'bison', 'cod', 'dove'];
			driven.pressAfter(10, trial % 3 === 0 ? 'k' : 'j');
			const aimed = driven.cursorName!;
			for (let change = 0; change < 3; change++) {
				const name = ids[(trial + change) % 4]!;
				driven.events({changed: [fakeInstance(name, (trial + change) % 2 ? 'Running' : 'Suspended')]});
			}
			driven.send({type: 'settle', at: driven.at + (trial % 2) * 10_000});
			driven.pressAfter(10, 'enter');
			expect(driven.top).toMatchObject({kind: 'menu', ids: [`id-${aimed}`]});
			driven.pressAfter(400, 'esc');
		}
	});

	test('when the row under the cursor goes, no neighbour takes its place', async () => {
		const driven = await several();
		driven.press('j').events({removed: ['id-bison']});
		driven.press('t');
		expect(driven.top).toBeUndefined();
		expect(driven.model.toast?.text).toMatch(/No instance is selected|gone/);
		driven.press('j');
		expect(driven.cursorName).toBe('cod');
	});

	test('rows settle once nobody has pressed a key for five seconds', async () => {
		const driven = await several();
		driven.press('o').send({type: 'order-chosen', order: 'state'});
		driven.events({changed: [fakeInstance('amber', 'Stopped')]});
		expect(driven.model.roster.shown[0]).toBe('id-amber');
		expect(driven.effects.at(-1)).toEqual({type: 'settle-later'});
		driven.send({type: 'settle', at: driven.at + 4000});
		expect(driven.model.roster.shown[0]).toBe('id-amber');
		driven.send({type: 'settle', at: driven.at + 5000});
		expect(driven.model.roster.shown.at(-1)).toBe('id-amber');
		expect(driven.cursorName).toBe('amber');
	});

	test('a menu stays with its instance and its lines stay where they are', async () => {
		const driven = await several();
		driven.press('j', 'enter', 'j', 'j', 'j').events({changed: [fakeInstance('bison', 'Stopped')]});
		expect(driven.top).toMatchObject({kind: 'menu', ids: ['id-bison'], index: 3});
		driven.press('enter');
		expect(driven.model.toast?.text).toMatch(/already stopped/);
	});

	test('a menu whose instance is gone does nothing to another', async () => {
		const driven = await several();
		driven
			.press('j', 'enter')
			.events({removed: ['id-bison']})
			.press('t');
		expect(driven.requests).toEqual([]);
		expect(driven.model.toast?.text).toMatch(/gone/);
	});
});

describe('marks', () => {
	test('beat the cursor, and only what can be done is asked for', async () => {
		const driven = await Driven.with([fakeInstance('a'), fakeInstance('b', 'Stopped'), fakeInstance('c')]);
		driven.press('*', 't');
		expect(driven.top).toMatchObject({kind: 'confirm', title: 'Stop a and c?'});
		driven.press('y');
		expect(driven.requests).toEqual([{action: 'stop', names: ['a', 'c']}]);
	});

	test('stay on what failed and leave what succeeded', async () => {
		const driven = await Driven.with([fakeInstance('a'), fakeInstance('b')]);
		driven.press('*', 't', 'y');
		const begun: OperationView = {
			id: '1',
			kind: 'stop',
			title: 'stop a, b',
			by: 'kim',
			state: 'running',
			items: ['a', 'b'].map(target => ({target, state: 'running', stage: 'stopping'})),
			cancellable: true,
			createdAt: 1,
		};
		driven.send({type: 'begun', operation: begun, at: driven.at});
		const error = {code: 'guest.unanswered', message: 'b did not stop.'} as const;
		driven.events({
			operations: [
				{
					...begun,
					state: 'failed',
					endedAt: 2,
					items: [
						{target: 'a', state: 'done', stage: 'done'},
						{target: 'b', state: 'failed', stage: 'stopping', error},
					],
				},
			],
		});
		expect([...driven.model.table.marks]).toEqual(['id-b']);
		expect(driven.model.toast?.text).toBe('stop a, b: 1 done, 1 failed (b shows each).');
		expect(driven.model.alerts[0]?.text).toMatch(/b did not stop/);
		driven.press('b', 'r');
		expect(driven.requests.at(-1)).toEqual({action: 'stop', names: ['b']});
	});
});

describe('keys that come together', () => {
	const presses = (text: string) => [...text].map(name => ({name, text: name}));

	test('move as often as they are', async () => {
		const driven = await several();
		driven.send({type: 'key', presses: presses('jjj'), at: driven.at});
		expect(driven.cursorName).toBe('dove');
	});

	test('do nothing else, and it is said', async () => {
		const driven = await several();
		driven.send({type: 'key', presses: presses('ty'), at: driven.at});
		expect(driven.top).toBeUndefined();
		expect(driven.requests).toEqual([]);
		expect(driven.model.toast?.text).toMatch(/2 keys/);
	});

	test('are text in a field', async () => {
		const driven = await several();
		driven.press('n').send({type: 'key', presses: presses('web2'), at: driven.at});
		expect(driven.top).toMatchObject({kind: 'form', fields: {name: {text: 'web2'}}});
	});

	test('pasted, change nothing outside a field and one field inside', async () => {
		const driven = await several();
		const before = driven.model.roster;
		driven.send({type: 'paste', text: 'ty\n'.repeat(3000), at: driven.at});
		expect(driven.requests).toEqual([]);
		expect(driven.model.roster).toBe(before);
		expect(driven.model.toast?.text).toMatch(/ignored/);
		driven.press('n').send({type: 'paste', text: 'web\n', at: driven.at});
		expect(driven.top).toMatchObject({kind: 'form', fields: {name: {text: 'web'}, image: {text: ''}}});
	});
});

describe('the line to the daemon', () => {
	test('broken keeps the data with its date, and the cursor', async () => {
		const driven = await several();
		driven.press('j').send({type: 'lost', at: 1_007_000});
		expect(driven.model.link).toMatchObject({kind: 'stale', since: 1_007_000});
		expect(driven.model.roster.shown).toHaveLength(4);
		driven.press('t');
		expect(driven.top).toBeUndefined();
		expect(driven.model.toast?.text).toMatch(/No connection/);
		const overview = await new FakeEngine({instances: ['amber', 'bison'].map(name => fakeInstance(name))}).overview();
		driven.send({type: 'overview', overview, at: driven.at});
		expect(driven.model.link).toEqual({kind: 'live'});
		expect(driven.cursorName).toBe('bison');
	});

	test("what was begun here and ended meanwhile is told when the line is back; another daemon's work is not", async () => {
		const operation: OperationView = {
			id: '1',
			kind: 'stop',
			title: 'stop amber',
			by: 'kim',
			state: 'running',
			items: [{target: 'amber', state: 'running', stage: 'stopping'}],
			cancellable: true,
			createdAt: 1000,
		};
		for (const [createdAt, told] of [
			[1000, 'stop amber: done (s starts it).'],
			[2000, 'Connected again.'],
		] as const) {
			const driven = await several();
			driven.send({type: 'begun', operation, at: driven.at}).send({type: 'lost', at: driven.at});
			const engine = new FakeEngine({instances: [fakeInstance('amber', 'Stopped')]});
			engine.putOperation({
				...operation,
				createdAt,
				state: 'done',
				items: [{target: 'amber', state: 'done', stage: 'done'}],
			});
			driven.send({type: 'overview', overview: await engine.overview(), at: driven.at});
			expect(driven.model.toast?.text).toBe(told);
			expect(driven.model.mine.size).toBe(0);
		}
	});

	test('ctrl-r tries again at once', async () => {
		const driven = await several();
		driven.send({type: 'lost', at: driven.at}).press('ctrl-r');
		expect(driven.effects.at(-1)).toEqual({type: 'reconnect'});
	});
});

describe('screens', () => {
	test('the doctor greets who has never launched anything, once', async () => {
		const driven = await Driven.with([]);
		expect(driven.top?.kind).toBe('doctor');
		driven.press('esc');
		const overview = await new FakeEngine({}).overview();
		driven.send({type: 'overview', overview, at: driven.at});
		expect(driven.top).toBeUndefined();
	});

	test('the doctor does not greet who has instances elsewhere', async () => {
		const driven = await Driven.with([], {elsewhere: [{scope: 'lxd', count: 3}]});
		expect(driven.top).toBeUndefined();
	});

	test('what was launched from the form is chosen as soon as it is there', async () => {
		const driven = await several();
		driven.press('n', ...'beaver', ...Array(7).fill('tab'), 'enter');
		expect(driven.effects.at(-1)).toEqual({type: 'launch', request: {name: 'beaver'}, keep: {}});
		const operation: OperationView = {
			id: '9',
			kind: 'launch',
			title: 'launch beaver',
			by: 'kim',
			state: 'running',
			items: [{target: 'beaver', state: 'running', stage: 'creating'}],
			cancellable: true,
			createdAt: 1,
		};
		// Whoever was about to leave the form need not answer any more.
		driven.press('esc').send({type: 'begun', operation, at: driven.at});
		expect(driven.top).toBeUndefined();
		driven.events({changed: [fakeInstance('beaver', 'Starting')]});
		expect(driven.cursorName).toBe('beaver');
	});

	test('a refused launch keeps the form and says why', async () => {
		const driven = await several();
		driven.press('n', ...'beaver', ...Array(7).fill('tab'), 'enter');
		const error = {code: 'host.disk-full', message: 'No room.'} as const;
		driven.send({type: 'form-refused', purpose: 'launch', error, at: driven.at});
		expect(driven.top).toMatchObject({kind: 'form', isSending: false, error: {message: 'No room.'}});
		// Nobody is left to be told there, but it is told.
		driven.press('enter', 'esc', 'y').send({type: 'form-refused', purpose: 'launch', error, at: driven.at});
		expect(driven.model.alerts[0]?.text).toBe('launch: No room.');
	});

	test('a form with problems is not sent', async () => {
		const driven = await several();
		driven.press('n', ...'amber', ...Array(7).fill('tab'), 'enter');
		expect(driven.effects.some(effect => effect.type === 'launch')).toBe(false);
		expect(driven.model.toast?.text).toMatch(/Name/);
	});

	test('a form that was edited asks before it is left', async () => {
		const driven = await several();
		driven.press('n', 'esc');
		expect(driven.top).toBeUndefined();
		driven.press('n', 'w', 'esc', 'n');
		expect(driven.top?.kind).toBe('form');
		driven.press('esc', 'y');
		expect(driven.top).toBeUndefined();
		driven.press('n', 'w', 'ctrl-c');
		expect(driven.effects.some(effect => effect.type === 'quit')).toBe(false);
		driven.press('y');
		expect(driven.effects.at(-1)).toEqual({type: 'quit'});
	});

	test('q goes one step back and quits at the table alone; Esc never quits', async () => {
		const driven = await several();
		driven.press('b', 'q');
		expect(driven.effects.some(effect => effect.type === 'quit')).toBe(false);
		driven.press('esc', 'esc', 'h', 'left');
		expect(driven.effects.some(effect => effect.type === 'quit')).toBe(false);
		driven.press('q');
		expect(driven.effects.at(-1)).toEqual({type: 'quit'});
	});

	test('the menu of a detail page does not open the page again', async () => {
		const driven = await several();
		driven.press('l', 'enter', 'enter');
		expect(driven.model.layers.map(layer => layer.kind)).toEqual(['detail']);
	});

	test('help runs what it shows', async () => {
		const driven = await several();
		driven.press('?', ...'launch an', 'enter');
		expect(driven.top?.kind).toBe('form');
	});

	test('the palette says why it does not run what cannot be run', async () => {
		const driven = await several();
		driven.press(':', ...'snapshot', 'enter');
		expect(driven.top?.kind).toBe('finder');
		expect(driven.model.toast?.text).toMatch(/not in this version/);
	});

	test('another driver shows its plan, and an unusable one says why', async () => {
		const driven = await several();
		driven.press('w').send({
			type: 'drivers',
			list: [
				fakeDriver('qemu'),
				fakeDriver('libvirt', {current: false}),
				fakeDriver('lxd', {
					current: false,
					health: {installed: false, usable: false, summary: 'LXD is not installed.', checkedAt: 0},
				}),
			],
		});
		driven.send({type: 'driver-chosen', index: 1});
		expect(driven.top).toMatchObject({kind: 'switch-plan', to: 'libvirt'});
		driven.press('esc').send({type: 'driver-chosen', index: 2});
		expect(driven.model.toast?.text).toMatch(/LXD is not installed/);
		expect(driven.requests).toEqual([]);
	});

	test('a terminal too small takes no key but q, and keeps everything', async () => {
		const driven = await several();
		driven.press('j', 'enter').send({type: 'resize', columns: 30, rows: 8}).press('t', 'y', 'esc');
		expect(driven.requests).toEqual([]);
		driven.send({type: 'resize', columns: 80, rows: 24});
		expect(driven.top).toMatchObject({kind: 'menu', ids: ['id-bison']});
	});

	test('paused, events change no row, and going on asks for everything', async () => {
		const driven = await several();
		driven.press('.').events({changed: [fakeInstance('amber', 'Stopped')]});
		expect(driven.model.roster.byId.get('id-amber')?.state).toBe('Running');
		driven.press('.');
		expect(driven.effects.at(-1)).toEqual({type: 'load-overview'});
	});

	test('alerts are counted until they are looked at, and kept to the last 200', async () => {
		const driven = await several();
		for (let number = 0; number < 250; number++) {
			driven.send({type: 'alert', alert: {id: `n${number}`, at: number, level: 'warning', text: `warning ${number}`}});
		}
		expect(driven.model.unseenAlerts).toBe(250);
		expect(driven.model.alerts).toHaveLength(200);
		expect(driven.model.alerts[0]?.text).toBe('warning 249');
		driven.press('!');
		expect(driven.model.unseenAlerts).toBe(0);
	});
});
