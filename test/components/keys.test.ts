import {describe, expect, test} from 'vitest';
import {burst, keyPresses, type RawKey} from '../../source/components/keys/key-name.ts';
import {
	actionFor,
	actionsOn,
	isHarmless,
	keyActions,
	keyTable,
	reservedKeys,
	textual,
	type Where,
} from '../../source/components/keys/registry.ts';

const everywhere = [...new Set(keyActions.flatMap(action => action.where))].filter(
	where => where !== 'everywhere' && where !== 'list',
) as Where[];

describe('the registry', () => {
	test('has every action once, with a title', () => {
		expect(new Set(keyActions.map(action => action.id)).size).toBe(keyActions.length);
		for (const action of keyActions) expect(action.title.length, action.id).toBeGreaterThan(1);
	});

	for (const where of everywhere) {
		test(`gives no key on the ${where} screen two meanings of its own`, () => {
			const own = keyActions.filter(action => action.where.includes(where)).flatMap(action => action.keys);
			expect(own.filter((key, index) => own.indexOf(key) !== index)).toEqual([]);
		});
	}

	test('lets keys that end torn sequences change nothing', () => {
		for (const action of keyActions) {
			for (const key of action.keys) {
				if (reservedKeys.includes(key)) expect(isHarmless(action), `${key} ${action.id}`).toBe(true);
			}
		}
	});

	test('uses no key that terminals, multiplexers or ssh keep for themselves', () => {
		const taken = ['h', 'i', 'j', 'm', '[', 's', 'q', 'a', 'b', 'g', 'p', 't', 'n', 'o', 'w', '\\', ']'].map(
			letter => `ctrl-${letter}`,
		);
		expect(keyActions.flatMap(action => action.keys).filter(key => taken.includes(key))).toEqual([]);
	});

	test('gives the keys of movement one meaning on all screens', () => {
		for (const where of ['table', 'menu', 'operations', 'alerts', 'detail'] as const) {
			expect(actionFor(where, 'j')?.id).toBe('list.down');
			expect(actionFor(where, 'up')?.id).toBe('list.up');
			expect(actionFor(where, 'esc')?.id).toBe('session.back');
		}
	});

	test('never takes a letter for an action where text is typed', () => {
		for (const where of textual) {
			for (const key of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:?!/*. '.split('')) {
				expect(actionFor(where, key === ' ' ? 'space' : key), `${where} ${key}`).toBeUndefined();
			}
		}
	});

	test('is what drover help keys prints', () => {
		expect(keyTable()).toHaveLength(keyActions.length);
		expect(keyTable()[0]).toEqual({
			id: 'list.up',
			keys: ['up', 'k'],
			title: 'row up',
			where: ['list', 'finder', 'form'],
		});
	});

	test('offers help and palette wherever no text is typed', () => {
		for (const where of everywhere.filter(name => !textual.includes(name) && name !== 'confirm')) {
			expect(actionsOn(where).map(action => action.id)).toEqual(
				expect.arrayContaining(['screen.help', 'screen.palette']),
			);
		}
	});
});

const plain: RawKey = {
	upArrow: false,
	downArrow: false,
	leftArrow: false,
	rightArrow: false,
	pageDown: false,
	pageUp: false,
	home: false,
	end: false,
	return: false,
	escape: false,
	ctrl: false,
	shift: false,
	tab: false,
	backspace: false,
	delete: false,
	meta: false,
};

describe('key presses', () => {
	test('have names', () => {
		expect(keyPresses('', {...plain, upArrow: true})).toEqual([{name: 'up', text: ''}]);
		expect(keyPresses('r', {...plain, ctrl: true})).toEqual([{name: 'ctrl-r', text: ''}]);
		expect(keyPresses('', {...plain, tab: true, shift: true})).toEqual([{name: 'shift-tab', text: ''}]);
		expect(keyPresses(' ', plain)).toEqual([{name: 'space', text: ' '}]);
	});

	test('with Alt mean nothing', () => {
		expect(keyPresses('x', {...plain, meta: true})).toEqual([]);
	});

	test('that come at once are taken apart', () => {
		expect(keyPresses('jjk', plain).map(key => key.name)).toEqual(['j', 'j', 'k']);
		// A slow line delivers what clears a field together with what is typed next.
		expect(keyPresses('\u00152G\t', plain).map(key => key.name)).toEqual(['ctrl-u', '2', 'G', 'tab']);
		expect(keyPresses('a\u001A\u0012b', plain).map(key => key.name)).toEqual(['a', 'b']);
	});

	test('in a burst are obeyed only when they move', () => {
		expect(burst(keyPresses('jjjjj', plain)).obeyed).toHaveLength(5);
		expect(burst(keyPresses('xy', plain))).toEqual({obeyed: [], dropped: 2});
		expect(burst(keyPresses('x', plain)).obeyed).toHaveLength(1);
	});
});
