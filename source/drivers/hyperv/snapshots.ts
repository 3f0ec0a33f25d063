import type {Job} from './context.ts';
import {restoreResult, stateResult} from './messages.ts';

/*
 * Checkpoints, each under a tag of drover's as its name. Of a machine that is off they are its disk alone; of one that
 * runs they would have its memory with them, or need a service in the guest, so that they are taken at rest.
 */

/** Hyper-V writes what the disk has not written yet, at most. */
const timeoutMs = 10 * 60_000;

/** One of that tag that is there already is no error. */
export async function takeSnapshot({scripts, mark, signal}: Job, tag: string): Promise<void> {
	await scripts.work(stateResult, 'snapshot-take', {...mark, tag}, {timeoutMs, signal});
}

/** @returns the size of the disk, which may have been another one */
export async function restoreSnapshot({scripts, mark, signal}: Job, tag: string): Promise<{readonly disk: number}> {
	const {disk} = await scripts.work(restoreResult, 'snapshot-restore', {...mark, tag}, {timeoutMs, signal});
	return {disk};
}

/** Frees what only this snapshot needs; Hyper-V merges the disks in its own time. One that is not there is no error. */
export async function removeSnapshot({scripts, mark, signal}: Job, tag: string): Promise<void> {
	await scripts.work(stateResult, 'snapshot-remove', {...mark, tag}, {timeoutMs, signal});
}
