import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {restorePolicies} from '../../source/model/instance.ts';
import {instanceStates} from '../../source/model/state.ts';
import {type Member, type PlanInput, planSwitch} from '../../source/model/switch.ts';
import {beginStory, progressOf, recovery, switchPhases, withLine} from '../../source/model/switch-story.ts';

const member: fc.Arbitrary<Member> = fc.record(
	{
		id: fc.uuid(),
		name: fc.stringMatching(/^[a-z]{1,8}$/),
		state: fc.constantFrom(...instanceStates),
		memory: fc.integer({min: 1, max: 2 ** 35}),
		wasRunning: fc.boolean(),
		savedBytes: fc.integer({min: 1, max: 2 ** 35}),
		policy: fc.constantFrom(...restorePolicies),
		cannotLoad: fc.constant('another machine type'),
		busyWith: fc.constant('launch'),
	},
	{requiredKeys: ['id', 'name', 'state', 'memory', 'wasRunning', 'policy']},
);

const input: fc.Arbitrary<PlanInput> = fc
	.record({
		leaving: fc.uniqueArray(member, {selector: each => each.id, maxLength: 8}),
		others: fc.uniqueArray(member, {selector: each => each.id, maxLength: 8}),
		isShared: fc.boolean(),
		canSuspend: fc.boolean(),
		freeBytes: fc.integer({min: 0, max: 2 ** 38}),
		hostMemory: fc.integer({min: 0, max: 2 ** 38}),
		leavingProblem: fc.option(fc.constant('its daemon is down'), {nil: undefined}),
	})
	.map(({others, isShared, leavingProblem, ...rest}) => ({
		...rest,
		...(leavingProblem === undefined ? {} : {leavingProblem}),
		isShared,
		entering: isShared ? [] : others,
		from: 'qemu' as const,
		to: isShared ? ('libvirt' as const) : ('lxd' as const),
		fromTitle: 'QEMU',
		toTitle: isShared ? 'libvirt' : 'LXD',
	}));

describe('a plan', () => {
	test('has every instance of both scopes exactly once', () => {
		fc.assert(
			fc.property(input, each => {
				const plan = planSwitch(each);
				expect(plan.park.map(line => line.id)).toEqual(each.leaving.map(one => one.id));
				expect(plan.restore.map(line => line.id)).toEqual(
					(each.isShared ? each.leaving : each.entering).map(one => one.id),
				);
			}),
		);
	});

	test('parks what runs and nothing else, and says whose memory is lost', () => {
		fc.assert(
			fc.property(input, each => {
				const plan = planSwitch(each);
				plan.park.forEach((line, at) => {
					const {state} = each.leaving[at]!;
					// What a hypervisor that is down may run can be neither saved nor ended, and must not keep one from leaving.
					const isOutOfReach = state === 'Unknown' && each.leavingProblem !== undefined;
					const runs = ['Running', 'Delayed Shutdown', 'Unknown'].includes(state) && !isOutOfReach;
					if (isOutOfReach) expect(plan.warnings.join(' ')).toContain('may run on');
					expect(line.method).toBe(runs ? (each.canSuspend ? 'suspend' : 'stop') : 'leave');
					expect(plan.losesMemory.includes(line.name) || line.method !== 'stop').toBe(true);
				});
				if (each.canSuspend) expect(plan.losesMemory).toEqual([]);
			}),
		);
	});

	test('never boots what has saved memory, and never touches what is deleted or broken', () => {
		fc.assert(
			fc.property(input, each => {
				const members = new Map([...each.leaving, ...each.entering].map(one => [one.id, one]));
				for (const line of planSwitch(each).restore) {
					const {state} = members.get(line.id)!;
					if (state === 'Suspended') expect(line.method).not.toBe('start');
					if (state === 'Deleted' || state === 'Broken') expect(line.method).toBe('leave');
				}
			}),
		);
	});

	test('brings back what ran and leaves what did not, unless the policy says otherwise', () => {
		const one = (more: Partial<Member>): Member => ({
			id: '1',
			name: 'web',
			state: 'Suspended',
			memory: 1,
			wasRunning: true,
			policy: 'as-it-was',
			...more,
		});
		const method = (more: Partial<Member>) =>
			planSwitch({
				from: 'lxd',
				to: 'qemu',
				isShared: false,
				canSuspend: false,
				fromTitle: 'LXD',
				toTitle: 'QEMU',
				leaving: [],
				entering: [one(more)],
				freeBytes: 0,
				hostMemory: 10,
			}).restore[0]?.method;
		expect(method({})).toBe('resume');
		expect(method({state: 'Stopped'})).toBe('start');
		expect(method({wasRunning: false})).toBe('leave');
		expect(method({wasRunning: false, state: 'Stopped', policy: 'always'})).toBe('start');
		expect(method({policy: 'never'})).toBe('leave');
		expect(method({policy: 'suspended'})).toBe('leave');
		expect(method({policy: 'suspended', state: 'Stopped'})).toBe('start');
	});

	test('is refused with the figures when the memory images do not fit, and while work is under way', () => {
		fc.assert(
			fc.property(input, each => {
				const plan = planSwitch(each);
				const codes = plan.problems.map(problem => problem.code);
				expect(codes.includes('host.disk-full')).toBe(plan.needsBytes > each.freeBytes);
				expect(codes.includes('instance.busy')).toBe(each.leaving.some(one => one.busyWith !== undefined));
			}),
		);
	});

	test('warns before memory is lost', () => {
		const plan = planSwitch({
			from: 'lxd',
			to: 'qemu',
			isShared: false,
			canSuspend: false,
			fromTitle: 'LXD',
			toTitle: 'QEMU',
			leaving: ['a', 'b', 'c'].map(name => ({
				id: name,
				name,
				state: 'Running',
				memory: 1,
				wasRunning: false,
				policy: 'as-it-was',
			})),
			entering: [],
			freeBytes: 0,
			hostMemory: 10,
		});
		expect(plan.warnings).toEqual([
			'LXD cannot suspend: 3 running instances shut down and boot fresh when you come back; unsaved memory is lost.',
		]);
		expect(plan.losesMemory).toEqual(['a', 'b', 'c']);
	});
});

describe('a story', () => {
	test('that a dead daemon left goes back before the commit and on after it', () => {
		fc.assert(
			fc.property(input, fc.constantFrom(...switchPhases), fc.boolean(), (each, phase, isCommitted) => {
				const story = {...beginStory(planSwitch(each), 'x', 'kim', 0), phase};
				const what = recovery(story, isCommitted ? each.to : each.from);
				if (phase === 'done') expect(what).toBe('nothing');
				else if (phase === 'restore' || (phase === 'commit' && isCommitted)) expect(what).toBe('restore');
				else expect(what).toBe('undo');
			}),
		);
	});

	test('counts lines, never goes backwards and ends at 100', () => {
		fc.assert(
			fc.property(input, each => {
				let story = beginStory(planSwitch(each), 'x', 'kim', 0);
				let last = progressOf(story).percent;
				for (const side of ['park', 'restore'] as const) {
					for (const line of story[side]) {
						if (line.method === 'leave') continue;
						story = withLine(story, side, line.id, {result: 'done'});
						expect(progressOf(story).percent).toBeGreaterThanOrEqual(last);
						last = progressOf(story).percent;
					}
				}
				expect(last).toBe(100);
			}),
		);
	});
});
