import {type Forward, forwardText} from '../model/forward.ts';
import type {InstanceRecord} from '../model/instance.ts';
import type {ForwardFailure, WorkContext} from './driver.ts';

/**
 * Makes the forwards of an instance that has just been started. It runs, so nothing of this is a reason to say that it
 * does not: what could not be made is logged.
 */
export async function forwardsAfterStart(
	record: InstanceRecord,
	work: WorkContext,
	make: () => Promise<readonly ForwardFailure[]>,
): Promise<void> {
	if (record.forwards === undefined) return;
	try {
		for (const {forward, reason} of await make()) {
			work.log(`The port ${forwardText(forward)} could not be forwarded: ${reason}.`);
		}
	} catch (error) {
		work.log(`The ports could not be forwarded: ${(error as Error).message}`);
	}
}

/** What is to be known of a forward that could not be made when its instance was started. */
export function forwardNote(forward: Forward): string {
	return `${forwardText(forward)} is not in force: another program had the port when the instance was started. Asking for it again tries again.`;
}
