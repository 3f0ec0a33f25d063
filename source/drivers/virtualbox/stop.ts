import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {findMachine, type Job, type Machine, notRunning, stuck, update} from './context.ts';
import {readSettings} from './files.ts';
import {ManageError} from './manage.ts';
import {findProcess, isProcessOf, waitProcessGone} from './process.ts';
import {settled, start} from './start.ts';
import {isOnline} from './states.ts';

/** The power button is pressed again: a guest that is still booting does not notice the first time. */
const pressAgainMs = 5000;
const lookEveryMs = 200;
const askEveryMs = 3000;
const rebootPatienceMs = 60_000;

/** Asks the guest to power off, and waits until its process is really gone. */
export async function stop(job: Job, timeoutMs: number): Promise<void> {
	const machine = await settled(job);
	if (machine.phase === 'saved') throw notRunning('stopped');
	if (machine.phase !== 'off') await persuade(job, machine, timeoutMs);
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
}

/** @throws DroverError `guest.unanswered` when it has not powered off within the time */
async function persuade(job: Job, machine: Machine, timeoutMs: number): Promise<void> {
	const {manage, record, work, signal} = job;
	const deadline = Date.now() + timeoutMs;
	if (machine.phase === 'broken') throw stuck(record.name);
	if (machine.phase === 'paused') await manage.work(['controlvm', record.id, 'resume']);
	const running = await processOf(job);
	work.progress('asking the guest to power off');
	let [pressedAt, lookedAt] = [0, 0];
	for (; ; await sleep(lookEveryMs)) {
		checkCancelled(signal);
		// Asking the system whether a process lives costs nothing; asking VirtualBox starts one, for each that is waited for.
		const isThere = running !== undefined && (await isProcessOf(running, record.id));
		if (!isThere || Date.now() - lookedAt > (running === undefined ? lookEveryMs : askEveryMs)) {
			lookedAt = Date.now();
			const now = await findMachine(job);
			if (now === undefined || !isOnline(now.state)) break;
		}
		if (Date.now() > deadline) {
			throw new DroverError(
				'guest.unanswered',
				`The guest has not powered off within ${Math.round(timeoutMs / 1000)} s.`,
				{
					next: 'It may be busy: ask again, or cut its power with stop --force.',
				},
			);
		}
		if (Date.now() - pressedAt < pressAgainMs) continue;
		pressedAt = Date.now();
		await press(job, 'acpipowerbutton');
	}
	if (running !== undefined) await waitProcessGone(running, record.id, 10_000);
}

/** What is refused because it has just ended is no error: it is looked at next. */
async function press({manage, record}: Job, button: 'acpipowerbutton' | 'poweroff'): Promise<void> {
	try {
		await manage.work(['controlvm', record.id, button], {timeoutMs: 10_000, lockPatienceMs: 1000});
	} catch (error) {
		const isPassing = error instanceof ManageError && ['state', 'locked', 'refused'].includes(error.problem);
		if (!isPassing) throw error;
	}
}

async function processOf({record, place}: Job): Promise<number | undefined> {
	const settings = await readSettings(record, place);
	return settings === undefined ? undefined : (await findProcess(settings.directory, record.id))?.pid;
}

const powerOffAttempts = 40;
/** After so many in vain VirtualBox is told to end the machine's process, which loses what it has not written. */
const gentleAttempts = 3;

/** Cuts the power and throws saved memory away. */
export async function powerOff(job: Job): Promise<void> {
	const {manage, record, work} = job;
	for (let attempt = 1; ; attempt++) {
		const machine = await findMachine(job).catch((error: unknown) => {
			// One whose process hangs cannot be described: its power is cut all the same.
			if (error instanceof ManageError && error.problem === 'silent') return hung;
			throw error;
		});
		if (machine === undefined || machine.phase === 'off') break;
		if (attempt > powerOffAttempts) {
			throw new DroverError('host.failed', `VirtualBox cannot end the machine: it stays ${machine.state}.`, {
				next: 'End its process (VBoxHeadless), or restart this computer.',
			});
		}
		if (machine.phase === 'saved') {
			await manage.work(['discardstate', record.id]).catch(unlessPassing);
			continue;
		}
		work.progress('cutting the power');
		const running = await processOf(job);
		if (attempt <= gentleAttempts) await press(job, 'poweroff').catch(unlessSilent);
		else await manage.work(['startvm', record.id, '--type', 'emergencystop'], {timeoutMs: 10_000}).catch(unlessPassing);
		if (running !== undefined) await waitProcessGone(running, record.id, 3000);
		else await sleep(250);
	}
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
}

const hung: Machine = {state: 'running', phase: 'running', info: new Map()};

function unlessSilent(error: unknown): void {
	if (!(error instanceof ManageError) || error.problem !== 'silent') throw error;
}

/** It has come to another state meanwhile, which is looked at next. */
function unlessPassing(error: unknown): void {
	if (error instanceof ManageError && ['state', 'locked', 'silent'].includes(error.problem)) return;
	throw error;
}

/**
 * Powers the guest off by its power button and starts it again. VirtualBox has no gentler way without its own programs in
 * the guest: a reset is a power cut.
 */
export async function reboot(job: Job): Promise<void> {
	const machine = await settled(job);
	if (machine.phase !== 'running') throw notRunning('rebooted');
	try {
		await persuade(job, machine, rebootPatienceMs);
	} catch (error) {
		if (!(error instanceof DroverError) || error.code !== 'guest.unanswered') throw error;
		throw new DroverError('guest.unanswered', 'The guest does not react to being asked to reboot.', {
			next: 'Cut its power with stop --force and start it again.',
		});
	}
	await start(job);
}
