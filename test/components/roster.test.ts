import {array, assert, boolean, constantFrom, property, record, tuple} from 'fast-check';
import {expect, test} from 'vitest';
import {filterTest} from '../../source/components/store/filter.ts';
import {
	applyChanges,
	emptyRoster,
	type Order,
	orders,
	replaceAll,
	settle,
	withFilter,
	withOrder,
} from '../../source/components/store/roster.ts';
import type {InstanceView} from '../../source/model/instance.ts';
import type {InstanceState} from '../../source/model/state.ts';
import {fakeInstance} from '../support/fake-engine.ts';

const names = ['amber', 'bison', 'cod', 'dove', 'egret', 'fox'];
const instance = record({
	name: constantFrom(...names),
	state: constantFrom<InstanceState>('Running', 'Stopped', 'Broken', 'Suspended'),
	memory: constantFrom(1, 2, 3),
}).map(({name, state, memory}) => fakeInstance(name, state, {memory}));
const change = record({
	changed: array(instance, {maxLength: 4}),
	removed: array(constantFrom(...names.map(name => `id-${name}`)), {maxLength: 2}),
});

test('changes applied one by one end where sorting everything anew would', () => {
	void assert(
		property(
			tuple(
				array(instance),
				array(change, {maxLength: 8}),
				constantFrom<Order>(...orders),
				constantFrom('', 'run', '!stop'),
			),
			([start, changes, order, filter]) => {
				let roster = withOrder(withFilter(replaceAll(emptyRoster, start), filter), order);
				for (const {changed, removed} of changes) roster = applyChanges(roster, changed, removed, false);
				const anew = settle(roster);
				expect(roster.shown).toEqual(anew.shown);
				expect(roster.up).toBe(anew.up);
			},
		),
		{numRuns: 500},
	);
});

test('while somebody aims no row that stays changes its place', () => {
	void assert(
		property(tuple(array(instance), array(tuple(change, boolean()), {maxLength: 6})), ([start, changes]) => {
			let roster = replaceAll(emptyRoster, start);
			for (const [{changed, removed}] of changes) {
				const before = roster.shown.filter(id => !removed.includes(id));
				roster = applyChanges(roster, changed, removed, true);
				const reborn = new Set(changed.map(next => next.id).filter(id => removed.includes(id)));
				expect(roster.shown.filter(id => !reborn.has(id)).slice(0, before.length)).toEqual(before);
			}
			expect(new Set(settle(roster).shown)).toEqual(new Set(roster.shown));
		}),
		{numRuns: 500},
	);
});

test('a change that moves nothing keeps the very list of rows', () => {
	const roster = replaceAll(
		emptyRoster,
		names.map(name => fakeInstance(name)),
	);
	expect(applyChanges(roster, [fakeInstance('cod', 'Stopped')], [], false).shown).toBe(roster.shown);
});

test('one change among ten thousand does not sort ten thousand', () => {
	let comparisons = 0;
	const counted = (name: string): InstanceView => {
		const view = fakeInstance(name);
		return Object.defineProperty({...view}, 'name', {
			enumerable: true,
			get: () => {
				comparisons++;
				return name;
			},
		}) as InstanceView;
	};
	const many = Array.from({length: 10_000}, (_, index) => counted(`vm-${String(index).padStart(5, '0')}`));
	const roster = replaceAll(emptyRoster, many);
	comparisons = 0;
	const next = applyChanges(roster, [fakeInstance('vm-05000-new')], [], false);
	expect(next.shown[5001]).toBe('id-vm-05000-new');
	expect(comparisons).toBeLessThan(100);
});

const web = fakeInstance('web-front', 'Running', {ipv4: ['10.84.3.40'], member: 'node-1'});

test.each([
	['', true],
	['web', true],
	['WEB run', true],
	['web stop', false],
	['!stop', true],
	['!web', false],
	['state:run', true],
	['state:front', false],
	['ip:10.84', true],
	['image:micro', true],
	['name:micro', false],
	['!state:run', false],
	['member:node-1', true],
	['member:node-2', false],
	['node-1', true],
	['127.0.0.1:40000', true],
])('filter "%s" shows it: %s', (filter, isShown) => {
	expect(filterTest(filter)(web)).toBe(isShown);
});
