import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {ActionOptions} from '../../source/model/instance.ts';
import {type InstanceState, instanceStates, isInBetween, isUp} from '../../source/model/state.ts';
import {decide, type TransitionAction} from '../../source/model/transitions.ts';

const actions = ['start', 'stop', 'restart', 'suspend', 'delete', 'recover', 'purge'] as const;

const anyOptions: fc.Arbitrary<ActionOptions> = fc.record(
	{
		force: fc.boolean(),
		delayMinutes: fc.nat(60),
		cancelDelayed: fc.boolean(),
		purge: fc.boolean(),
		discardMemory: fc.boolean(),
	},
	{requiredKeys: []},
);

/** d: do; n: nothing to do; j: join; r: refuse. Columns in the order of `instanceStates`. */
const table: Readonly<Record<TransitionAction, string>> = {
	//        Run Stp Del Sta Rst Dly Sng Spd Unk Brk
	start: '  n   d   r   j   j   d   r   d   r   r',
	stop: '   d   n   r   r   r   d   r   r   d   r',
	restart: 'd   r   r   r   j   d   r   r   r   r',
	suspend: 'd   n   r   r   r   d   j   n   d   r',
	delete: ' d   d   n   r   r   d   r   d   d   r',
	recover: 'n   n   d   n   n   n   n   n   n   r',
	purge: '  r   r   d   r   r   r   r   r   r   r',
};

describe('decide', () => {
	test.each(actions)('%s, in every state', action => {
		const expected = table[action].trim().split(/\s+/);
		const actual = instanceStates.map(state => decide(action, state).kind.charAt(0));
		expect(Object.fromEntries(instanceStates.map((state, index) => [state, actual[index]]))).toEqual(
			Object.fromEntries(instanceStates.map((state, index) => [state, expected[index]])),
		);
	});

	test('has an answer with words for every state, action and options', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...actions),
				fc.constantFrom(...instanceStates),
				anyOptions,
				(action, state, options) => {
					const decision = decide(action, state, options);
					expect(['do', 'nothing', 'join', 'refuse']).toContain(decision.kind);
					if (decision.kind === 'nothing') expect(decision.note).toMatch(/^\S.*[^.]$/);
					if (decision.kind === 'refuse') {
						expect(decision.reason).toMatch(/^\S.*[^.]$/);
						expect(decision.next).toMatch(/^[A-Z"].*\.$|^info .*\.$/);
					}
					if (decision.kind === 'join') expect(isInBetween(state)).toBe(true);
				},
			),
			{numRuns: 1000},
		);
	});

	test('one that only stands still is set going by a start; nothing else is decided otherwise', () => {
		for (const action of actions) {
			for (const state of instanceStates) {
				const differs = action === 'start' && state === 'Unknown';
				const decision = decide(action, state, {}, {isPaused: true});
				expect(decision, `${action} ${state}`).toEqual(differs ? {kind: 'do'} : decide(action, state));
			}
		}
	});

	test('a broken instance is never acted upon, whatever is asked', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...actions),
				anyOptions,
				(action, options) => decide(action, 'Broken', options).kind === 'refuse',
			),
		);
	});

	test('a deleted instance is only recovered or purged', () => {
		for (const action of actions) {
			const acts = decide(action, 'Deleted').kind === 'do';
			expect(acts, action).toBe(action === 'recover' || action === 'purge');
		}
	});

	test('force ends what a plain stop does not', () => {
		for (const state of ['Suspended', 'Suspending', 'Starting', 'Restarting'] as const) {
			expect(decide('stop', state).kind).toBe('refuse');
			expect(decide('stop', state, {force: true}).kind).toBe('do');
		}
		// Nothing is made possible by it that has nothing to do with stopping.
		for (const state of instanceStates) {
			for (const action of actions) {
				if (action !== 'stop') expect(decide(action, state, {force: true})).toEqual(decide(action, state));
			}
		}
	});

	test('a delayed stop is called off only where one is pending', () => {
		for (const state of instanceStates) {
			const expected = state === 'Delayed Shutdown' ? 'do' : state === 'Broken' ? 'refuse' : 'nothing';
			expect(decide('stop', state, {cancelDelayed: true}).kind, state).toBe(expected);
		}
	});

	test('delete --purge takes an instance in any state but a broken one', () => {
		for (const state of instanceStates) {
			expect(decide('delete', state, {purge: true}).kind, state).toBe(state === 'Broken' ? 'refuse' : 'do');
		}
	});

	test('what a success leaves is a state in which the same asked again is no failure', () => {
		const after: Partial<Record<TransitionAction, InstanceState>> = {
			start: 'Running',
			stop: 'Stopped',
			suspend: 'Suspended',
			delete: 'Deleted',
			recover: 'Stopped',
		};
		for (const [action, state] of Object.entries(after)) {
			expect(decide(action as TransitionAction, state).kind, action).toBe('nothing');
		}
	});
});

test('states that are up and states in between are apart', () => {
	for (const state of instanceStates) expect(isUp(state) && isInBetween(state)).toBe(false);
	expect(instanceStates.filter(isUp)).toEqual(['Running', 'Delayed Shutdown']);
	expect(instanceStates.filter(isInBetween)).toEqual(['Starting', 'Restarting', 'Suspending']);
});
