import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {formatSize, mebibyte} from '../../model/sizes.ts';
import {type MachineJob, update} from './context.ts';
import {cancelled} from './lanes.ts';

/** The balloon of a running machine: what it takes up, the guest cannot use. Bytes. */
export type Balloon = {
	/** What the machine has, and what the guest has of it now. */
	readonly look: () => Promise<{readonly built: number; readonly actual: number}>;
	/** Asks the guest to come to so much; it takes its time, or does nothing. */
	readonly set: (bytes: number) => Promise<void>;
};

/** A guest that wants to gives its pages back at some hundreds of MiB in a second. */
const patienceMs = 15_000;
/** A guest without the balloon's driver does not move at all. */
const firstMoveMs = 3000;
const pauseMs = 100;

/**
 * Gives a running instance less memory, or back what it was started with. The machine stays as large as it was built,
 * which is written down: saved memory loads into that and no other.
 * @param wanted bytes
 * @throws DroverError `instance.state` for more than it was started with, `guest.unanswered` when the guest does not give
 * it up, and what it had is given back then
 */
export async function changeMemory(job: MachineJob, wanted: number, balloon: Balloon): Promise<void> {
	const {built, actual: before} = await balloon.look();
	if (wanted > built) {
		throw new DroverError(
			'instance.state',
			`While it runs it can have at most the ${formatSize(built)} that it was started with.`,
			{next: 'Stop it first to give it more.'},
		);
	}
	const target = Math.floor(wanted / mebibyte) * mebibyte;
	await balloon.set(target);
	const reached = await follow(job, balloon, {target, before});
	if (reached !== undefined) {
		await balloon.set(before);
		throw new DroverError(
			'guest.unanswered',
			`The guest does not come to ${formatSize(target)} of memory: it has ${formatSize(reached)}.`,
			{next: 'It keeps what it had. End programs in it, or stop it to change its memory.'},
		);
	}
	const {builtMemory: _, ...hardware} = job.record.hardware;
	await update(job, {hardware: {...hardware, memory: wanted, ...(built === wanted ? {} : {builtMemory: built})}});
}

/** @returns `undefined` when the guest has come to what is wanted; else the bytes that it has */
async function follow(
	job: MachineJob,
	balloon: Balloon,
	{target, before}: {readonly target: number; readonly before: number},
): Promise<number | undefined> {
	const began = Date.now();
	for (;;) {
		const {actual} = await balloon.look();
		if (Math.abs(actual - target) < mebibyte) return undefined;
		const waited = Date.now() - began;
		if (waited > patienceMs || (actual === before && waited > firstMoveMs)) return actual;
		if (job.signal.aborted) {
			await balloon.set(before);
			throw cancelled();
		}
		await sleep(pauseMs);
	}
}

/** A machine that boots is built as the record says. */
export async function buildAnew(job: MachineJob): Promise<void> {
	const {builtMemory, ...hardware} = job.record.hardware;
	if (builtMemory !== undefined) await update(job, {hardware});
}
