import {expect, test} from 'vitest';
import {Upkeep} from '../../source/engine/mounting/mount-upkeep.ts';
import type {MountSession} from '../../source/guest/mount/session.ts';
import {DroverError} from '../../source/model/errors.ts';

/** A session that notes how it is ended. */
function session(more: Partial<MountSession> = {}) {
	const how: string[] = [];
	const made: MountSession = {
		ended: new Promise(() => {}),
		problem: undefined,
		end: async () => void how.push('ended'),
		kill: () => void how.push('killed'),
		...more,
	};
	return {made, how};
}

function upkeepOf(open: (signal: AbortSignal) => Promise<MountSession>) {
	return new Upkeep({open: ({signal}) => open(signal), onChange() {}, tell() {}, isLasting: () => true});
}

test('what outlasts drover is left as it is when drover ends, and all else is ended', async () => {
	for (const [outlasts, expected] of [
		[true, 'killed'],
		[false, 'ended'],
	] as const) {
		const {made, how} = session({outlasts});
		const upkeep = upkeepOf(async () => made);
		await upkeep.make();
		await upkeep.leave();
		expect(how).toEqual([expected]);
	}
});

test('one that the guest does not let go of is told of, to who wants it ended and not to who leaves', async () => {
	const busy = new DroverError('instance.busy', 'The guest does not let go of it');
	const {made} = session({
		end: async () => {
			throw busy;
		},
	});
	const asked = upkeepOf(async () => made);
	await asked.make();
	await expect(asked.end()).rejects.toBe(busy);
	const left = upkeepOf(async () => made);
	await left.make();
	await left.leave();
});

test('an attempt that is called off has ended before the mount has', async () => {
	const steps: string[] = [];
	const upkeep = upkeepOf(
		signal =>
			new Promise((_, reject) => {
				signal.addEventListener('abort', () => {
					// What it had begun is taken back first.
					setTimeout(() => {
						steps.push('taken back');
						reject(signal.reason);
					}, 20);
				});
			}),
	);
	upkeep.begin();
	expect(await upkeep.end()).toBe(false);
	steps.push('ended');
	expect(steps).toEqual(['taken back', 'ended']);
	await expect(upkeep.make()).rejects.toMatchObject({code: 'operation.cancelled'});
});
