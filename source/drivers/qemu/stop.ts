import {DroverError} from '../../model/errors.ts';
import {notRunning, unanswered} from '../machine/context.ts';
import {removeTraces} from '../machine/files.ts';
import {cancelled, checkCancelled} from '../machine/lanes.ts';
import type {MachineProcess} from '../machine/process.ts';
import {discardSavedMemory, settleSavedMemory} from '../machine/settle.ts';
import {diskStuck} from '../machine/space.ts';
import {findOwn, type Job} from './context.ts';
import {withAgent} from './guest.ts';
import {monitorError} from './monitors.ts';
import {endAllServing} from './mounts/serving.ts';
import {type Qmp, QmpError} from './qmp.ts';
import {goOn, isHeldByDisk, runState, until} from './waiting.ts';

/** When a guest has not begun to power off by then, its agent is asked as well. */
const firstPatienceMs = 3000;
/** The power button is pressed again: a guest that is still booting does not notice the first time. */
const pressAgainMs = 5000;

/** Asks the guest to power off, and waits until QEMU is really gone. */
export async function stop(job: Job, timeoutMs: number): Promise<void> {
	const found = await findOwn(job);
	if (!found) {
		await settleSavedMemory(job);
		if (job.record.suspended) throw notRunning('stopped');
		return removeTraces(job.files);
	}
	const deadline = Date.now() + timeoutMs;
	job.work.progress('asking the guest to power off');
	const isGone = await job.monitors
		.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			const state = await runState(monitor);
			if (state === 'inmigrate' || state === 'postmigrate') throw notRunning('stopped');
			if (state === 'paused' || state === 'io-error') await goOn(monitor);
			return persuade(job, found, monitor, deadline);
		})
		.catch(async error => {
			// The connection ends when QEMU does.
			if (error instanceof QmpError && error.problem === 'closed') {
				return job.machines.waitGone(found, job.record.id, Math.max(1000, deadline - Date.now()), job.signal);
			}
			throw monitorError(error, 'powering off');
		});
	checkCancelled(job.signal);
	if (!isGone) {
		throw unanswered(
			`The guest has not powered off within ${Math.round(timeoutMs / 1000)} s.`,
			'It may be busy: ask again, or cut its power with stop --force.',
		);
	}
	await discardSavedMemory(job);
	await endAllServing(job.place);
	await removeTraces(job.files);
}

async function persuade(job: Job, found: MachineProcess, monitor: Qmp, deadline: number): Promise<boolean> {
	const begun = Date.now();
	let pressedAt = 0;
	let isAgentAsked = false;
	let isPoweringOff = false;
	let isStuck = false;
	const subscription = monitor.onEvent(event => {
		if (event.name === 'SHUTDOWN') isPoweringOff = true;
		if (isHeldByDisk(event)) isStuck = true;
	});
	try {
		return await until(
			monitor,
			async () => {
				if (!(await job.machines.isAlive(found, job.record.id))) return true;
				// It will not see the power button until somebody makes room.
				if (isStuck) throw diskStuck('power off');
				if (isPoweringOff || monitor.isClosed) return job.machines.waitGone(found, job.record.id, 1000, job.signal);
				const now = Date.now();
				if (now - pressedAt >= pressAgainMs) {
					pressedAt = now;
					await monitor.execute('system_powerdown');
				}
				const patience = Math.min(firstPatienceMs, (deadline - begun) / 3);
				if (!isAgentAsked && now - begun >= patience) {
					isAgentAsked = true;
					job.work.log('The guest does not react to the power button; its agent is asked.');
					// Beside the waiting: an agent that does not answer must not hold it up.
					void askAgent(job, 'powerdown', Math.max(500, deadline - now));
				}
				return false;
			},
			{
				events: ['SHUTDOWN', 'BLOCK_IO_ERROR'],
				everyMs: 200,
				timeoutMs: Math.max(1, deadline - begun),
				signal: job.signal,
			},
		);
	} finally {
		subscription.close();
	}
}

/** @returns whether the agent took the request; a failure is noted in the log */
async function askAgent(job: Job, mode: 'powerdown' | 'reboot', timeoutMs: number): Promise<boolean> {
	try {
		await withAgent(job.files, {timeoutMs: Math.min(3000, timeoutMs), signal: job.signal}, agent =>
			agent.send('guest-shutdown', {mode}),
		);
		return true;
	} catch (error) {
		job.work.log(`The guest's agent was not reached: ${(error as Error).message}.`);
		return false;
	}
}

/** Cuts the power and throws saved memory away. */
export async function powerOff(job: Job): Promise<void> {
	const {id} = job.record;
	const found = await job.machines.search(id, job.files);
	if (found) {
		job.work.progress('cutting the power');
		await job.monitors
			.use(job.files, {timeoutMs: 1000}, monitor => monitor.execute('quit', undefined, {timeoutMs: 1000}))
			// One that does not answer is ended by its pid.
			.catch(() => {});
		if (!(await job.machines.waitGone(found, id, 1000)) && !(await job.machines.end(found, id))) {
			throw new DroverError('host.failed', `QEMU (process ${found.pid}) cannot be ended.`, {
				next: 'The host’s disk or kernel holds it; look into the kernel’s log.',
			});
		}
	}
	await discardSavedMemory(job);
	await endAllServing(job.place);
	await removeTraces(job.files);
}

const agentRebootMs = 15_000;
const buttonRebootMs = 60_000;

/**
 * Reboots gracefully. The agent is asked first. A guest without one is powered off by its power button, while QEMU is
 * told to hold the machine instead of ending; then it is reset. (Ctrl-Alt-Del, and a reset alone, would be a power cut
 * for most guests.) Returns when the reboot has begun.
 */
export async function reboot(job: Job): Promise<void> {
	const found = await findOwn(job);
	if (!found) throw notRunning('rebooted');
	job.work.progress('asking the guest to reboot');
	try {
		await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			if ((await runState(monitor)) !== 'running') throw notRunning('rebooted');
			let hasReset = false;
			const subscription = monitor.onEvent(event => {
				if (event.name === 'RESET') hasReset = true;
			});
			const waitReset = (timeoutMs: number) =>
				until(monitor, async () => hasReset, {events: ['RESET'], everyMs: 1000, timeoutMs, signal: job.signal});
			try {
				if ((await askAgent(job, 'reboot', 3000)) && (await waitReset(agentRebootMs))) return;
				await rebootByButton(job, monitor);
			} finally {
				subscription.close();
			}
		});
	} catch (error) {
		throw monitorError(error, 'rebooting');
	}
}

async function rebootByButton(job: Job, monitor: Qmp): Promise<void> {
	job.work.log('The guest is rebooted by its power button.');
	await monitor.execute('set-action', {shutdown: 'pause'});
	try {
		await monitor.execute('system_powerdown');
		const isOff = await until(monitor, async () => (await runState(monitor)) === 'shutdown', {
			events: ['SHUTDOWN', 'STOP'],
			everyMs: 1000,
			timeoutMs: buttonRebootMs,
			signal: job.signal,
		});
		if (!isOff) {
			throw unanswered(
				'The guest does not react to being asked to reboot.',
				'Cut its power with stop --force and start it again.',
			);
		}
		await monitor.execute('system_reset');
		await goOn(monitor);
	} finally {
		await monitor.execute('set-action', {shutdown: 'poweroff'}).catch(() => {});
	}
	if (job.signal.aborted) throw cancelled();
}
