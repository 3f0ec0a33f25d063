import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {trimConsole} from '../machine/console.ts';
import {cancelled, checkCancelled} from '../machine/lanes.ts';
import {type Job, type Machine, requireMachine, stuck, update} from './context.ts';
import {checkHardware, requireParts} from './create.ts';
import {readSettings} from './files.ts';
import {parseRules, rulesBeforeStart, sshRule} from './forwards.ts';
import {ManageError} from './manage.ts';
import {attachedDisk, chipset, savedMemoryError, stampProblem} from './saved.ts';
import {startError} from './start-error.ts';
import {isOnline} from './states.ts';

/** How long VirtualBox may be in the middle of something before one gives up. Milliseconds. */
const settlePatienceMs = 120_000;
const startTimeoutMs = 10 * 60_000;
const attempts = 6;

/** Boots, or resumes when there is saved memory; returns when the guest's processors run. */
export async function start(job: Job): Promise<void> {
	checkHardware(job.record);
	for (let attempt = 1; ; attempt++) {
		checkCancelled(job.signal);
		const machine = await settled(job);
		if (machine.phase === 'running') return keepRunning(job, machine);
		if (machine.phase === 'broken') throw stuck(job.record.name);
		if (machine.phase === 'paused') {
			job.work.log('The machine was paused; it goes on.');
			await job.manage.work(['controlvm', job.record.id, 'resume']);
			return keepRunning(job, machine);
		}
		try {
			await launch(job, machine);
			return;
		} catch (error) {
			// Another daemon may be starting it in the same moment, or the last process may just be ending.
			if (!(error instanceof ManageError) || error.problem !== 'locked' || attempt >= attempts) throw error;
			await sleep(300);
		}
	}
}

/** The machine when VirtualBox is not in the middle of something with it. */
export async function settled(job: Job, patienceMs = settlePatienceMs): Promise<Machine> {
	for (const deadline = Date.now() + patienceMs; ; await sleep(200)) {
		const machine = await requireMachine(job);
		if (machine.phase !== 'busy') return machine;
		if (job.signal.aborted) throw cancelled();
		if (Date.now() > deadline) {
			throw new DroverError('driver.unresponsive', `VirtualBox does not get on with what it does: ${machine.state}.`, {
				next: 'Wait, or cut its power with stop --force.',
			});
		}
	}
}

async function launch(job: Job, machine: Machine): Promise<void> {
	const {manage, record, files, work, signal} = job;
	await requireParts(job);
	const isSaved = machine.phase === 'saved';
	if (isSaved) await demandLoadable(job, machine);
	else if (record.suspended !== undefined) {
		work.log('VirtualBox has no saved memory of it any more: it boots from its disk.');
		await update(job, {suspended: undefined});
	}
	const reservation = await job.ports.reserve(record.ssh.port);
	try {
		await rulesBeforeStart(job, machine, reservation.port);
		await keepIdentity(job, reservation.port);
		if (!isSaved) await trimConsole(files.console);
		work.progress(isSaved ? 'loading memory' : 'starting');
		// Without the signal: who lets go of it in the middle does not know whether it was started.
		await manage
			.work(['startvm', record.id, '--type', 'headless'], {timeoutMs: startTimeoutMs, lockPatienceMs: 0})
			.catch(async (error: unknown) => {
				if (!(error instanceof ManageError) || error.problem === 'locked') throw error;
				if (isSaved && error.problem !== 'gone' && error.problem !== 'silent') throw cannotLoad(error);
				throw startError(error);
			});
		const now = await settled(job);
		if (!isOnline(now.state)) {
			throw new DroverError('driver.failed', `VirtualBox says that it started the machine, and it is ${now.state}.`, {
				next: 'Look into Logs/VBox.log in the machine’s directory.',
			});
		}
		await keepRunning(job, now);
		checkCancelled(signal);
	} finally {
		reservation.release();
	}
}

function cannotLoad(error: ManageError): DroverError {
	const {message, next} = savedMemoryError(`VirtualBox cannot load it (${error.message})`);
	return new DroverError('instance.broken', message, {next, cause: error});
}

/** @throws DroverError `instance.broken` */
async function demandLoadable({record, place, work}: Job, {info}: Machine): Promise<void> {
	const stamp = record.suspended;
	if (stamp === undefined) {
		work.log('Saved memory was found that the record did not know of; it is loaded.');
		return;
	}
	const problem = await stampProblem(record, stamp, await readSettings(record, place), attachedDisk(info, place));
	if (problem !== undefined) throw savedMemoryError(problem);
}

async function keepIdentity(job: Job, port: number): Promise<void> {
	const {hardware, ssh} = job.record;
	if (hardware.machine === chipset && ssh.port === port) return;
	await update(job, {hardware: {...hardware, machine: chipset}, ssh: {...ssh, port}});
}

/** The guest runs: there is no saved memory any more, and the port is the one that the machine really has. */
async function keepRunning(job: Job, {info}: Machine): Promise<void> {
	if (job.record.suspended !== undefined) await update(job, {suspended: undefined});
	const port = parseRules(info).find(({name}) => name === sshRule)?.host;
	if (port !== undefined) await keepIdentity(job, port);
}
