import {rename, rm} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {notRunning, unanswered} from '../machine/context.ts';
import {cancelled} from '../machine/lanes.ts';
import type {Changes} from './changes.ts';
import {type Job, machineName} from './context.ts';
import {exists} from './disk.ts';
import {HypervError, isMissing} from './errors.ts';
import {anyResult, type Machine, stateResult} from './messages.ts';
import {isOff, isRunning, isSaved} from './states.ts';

/** Hyper-V starts a machine within seconds; a host that is short of memory takes longer. */
const powerTimeoutMs = 3 * 60_000;
/** Asking the guest is a question to a service in it. */
const askTimeoutMs = 30_000;
/** What a guest is given to end when it is to be rebooted. */
const rebootMs = 120_000;

/** Boots it, lets it go on when it was paused, and loads what somebody saved in Hyper-V's own window. */
export async function start(job: Job): Promise<void> {
	const {files, place, scripts, signal, mark, work} = job;
	if (!(await exists(files.disk))) {
		throw new DroverError('instance.broken', 'The disk of the instance is missing.', {
			next: `Put disk.vhdx back into ${place.directory}, or delete the instance.`,
		});
	}
	const found = await look(job);
	if (found && isRunning(found.state)) return;
	if (found && isSaved(found.state)) work.log('It was saved by somebody else; its saved memory is loaded.');
	work.progress('starting');
	try {
		const {state} = await scripts.work(stateResult, 'start', mark, {timeoutMs: powerTimeoutMs, signal});
		job.listing.note(job.record.id, state);
	} catch (error) {
		// Somebody else has started it in the same moment.
		const now = error instanceof HypervError && error.problem === 'refused' ? await look(job) : undefined;
		if (now === undefined || !isRunning(now.state)) throw error;
	}
}

/** Asks the guest to power off and waits until it has. */
export async function stop(job: Job, timeoutMs: number, changes: Changes): Promise<void> {
	const found = await look(job);
	if (found === undefined || isOff(found.state)) return;
	if (isSaved(found.state)) {
		throw new DroverError('instance.state', 'The instance was saved in Hyper-V, so its guest cannot be asked.', {
			next: 'Start it first, or throw its saved memory away with stop --force.',
		});
	}
	const deadline = performance.now() + timeoutMs;
	let asked = await ask(job);
	for (;;) {
		await changes.next(1000, job.signal);
		if (job.signal.aborted) throw cancelled();
		const now = await look(job);
		if (now === undefined || isOff(now.state)) return;
		if (performance.now() > deadline) {
			const why = asked instanceof HypervError ? ` (${asked.message.replace(/\.$/, '')})` : '';
			throw unanswered(`The guest has not powered off within ${Math.ceil(timeoutMs / 1000)} s${why}.`);
		}
		// A guest that is still booting cannot be asked yet.
		if (asked !== true) asked = await ask(job);
	}
}

/** @returns whether the guest was asked, or why it cannot be */
async function ask({scripts, mark, signal}: Job): Promise<true | HypervError> {
	try {
		await scripts.work(stateResult, 'shut-down', mark, {timeoutMs: askTimeoutMs, signal});
		return true;
	} catch (error) {
		if (error instanceof HypervError && error.id === 'drover.GuestSilent') return error;
		throw error;
	}
}

/** Ends it at once, and throws away what somebody saved of it. */
export async function powerOff({scripts, mark, signal, listing, record}: Job): Promise<void> {
	try {
		const {state} = await scripts.work(stateResult, 'turn-off', mark, {timeoutMs: powerTimeoutMs, signal});
		listing.note(record.id, state);
	} catch (error) {
		// What is not there is off.
		if (!isMissing(error)) throw error;
	}
}

/** Ends and boots it: Hyper-V itself only knows a hard reset. */
export async function reboot(job: Job, changes: Changes): Promise<void> {
	const found = await look(job);
	if (found === undefined || !isRunning(found.state)) throw notRunning('rebooted');
	await stop(job, rebootMs, changes);
	await start(job);
}

/** Removes what Hyper-V has of it; what is not drover's is left alone. */
export async function destroy({scripts, mark, signal, record, place, files}: Job): Promise<void> {
	const name = machineName(record);
	await scripts.work(anyResult, 'remove', {...mark, name, place: place.directory}, {timeoutMs: powerTimeoutMs, signal});
	// Its process goes a moment after it, and nothing can be removed before.
	for (const deadline = performance.now() + 10_000; performance.now() < deadline; await sleep(100)) {
		if (await isReleased(files.disk)) break;
	}
	await rm(place.sockets, {recursive: true, force: true});
}

/** Whether a file can be renamed, which Windows refuses while somebody has it open. */
function isReleased(file: string): Promise<boolean> {
	return rename(file, file).then(
		() => true,
		(error: NodeJS.ErrnoException) => error.code === 'ENOENT',
	);
}

async function look({listing, record}: Job): Promise<Machine | undefined> {
	return (await listing.get()).get(record.id);
}
