import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {type MachineJob, notRunning, unanswered} from '../machine/context.ts';
import {removeTraces} from '../machine/files.ts';
import {cancelled, checkCancelled} from '../machine/lanes.ts';
import type {MachineProcess} from '../machine/process.ts';
import {discardSavedMemory, settleSavedMemory} from '../machine/settle.ts';
import {diskStuck} from '../machine/space.ts';
import {destroyDomain, findOwn, type Job, jobOf, type Shared, stateOf, waitForgotten} from './context.ts';
import {keyOf} from './domains.ts';
import {VirshError, virshError} from './virsh.ts';

/** When a guest has not begun to power off by then, its agent is asked as well. */
const firstPatienceMs = 3000;
/** The power button is pressed again: a guest that is still booting does not notice the first time. */
const pressAgainMs = 5000;

/** Asks the guest to power off, and waits until its machine is really gone. */
export async function stop(job: Job, timeoutMs: number): Promise<void> {
	try {
		const found = await findOwn(job);
		if (!found) {
			await settleSavedMemory(job);
			if (job.record.suspended) throw notRunning('stopped');
			return await removeTraces(job.files);
		}
		const state = await stateOf(job);
		if (state === 'starting' || state === 'saving') throw notRunning('stopped');
		if (state === 'paused' || state === 'io-error') await job.virsh.ask(['resume', job.record.id]);
		job.work.progress('asking the guest to power off');
		if (!(await persuade(job, found, Date.now() + timeoutMs))) {
			throw unanswered(
				`The guest has not powered off within ${Math.round(timeoutMs / 1000)} s.`,
				'It may be busy: ask again, or cut its power with stop --force.',
			);
		}
		await waitForgotten(job);
		await discardSavedMemory(job);
		await removeTraces(job.files);
	} catch (error) {
		throw virshError(error, 'powering off');
	}
}

async function persuade(job: Job, found: MachineProcess, deadline: number): Promise<boolean> {
	const {id} = job.record;
	const begun = Date.now();
	const patience = Math.min(firstPatienceMs, (deadline - begun) / 3);
	let pressedAt = 0;
	let isAgentAsked = false;
	const ask = (mode: 'acpi' | 'agent') =>
		job.virsh.ask(['shutdown', id, '--mode', mode], {timeoutMs: 5000, signal: job.signal}).catch((error: Error) => {
			if (error instanceof VirshError && error.problem === 'unreachable') throw error;
			// It may be gone already, or libvirt busy with it: the next round sees.
			if (!job.signal.aborted && mode === 'agent') job.work.log(`The guest’s agent was not reached: ${error.message}.`);
		});
	let agent: Promise<unknown> = Promise.resolve();
	try {
		while (await job.machines.isAlive(found, id)) {
			checkCancelled(job.signal);
			const now = Date.now();
			if (now >= deadline) return false;
			if (now - pressedAt >= pressAgainMs) {
				if (pressedAt > 0 && (await stateOf(job).catch(() => undefined)) === 'io-error') throw diskStuck('power off');
				pressedAt = now;
				await ask('acpi');
			}
			if (!isAgentAsked && now - begun >= patience) {
				isAgentAsked = true;
				job.work.log('The guest does not react to the power button; its agent is asked.');
				// Beside the waiting: an agent that does not answer must not hold it up.
				agent = ask('agent').catch(() => {});
			}
			await job.machines.waitGone(found, id, Math.min(200, Math.max(1, deadline - Date.now())), job.signal);
		}
		return true;
	} finally {
		await agent;
	}
}

/**
 * Cuts the power and throws saved memory away; also of a machine that another driver runs, and of what is off when
 * libvirt cannot be used.
 */
export async function powerOff(shared: Shared, machine: MachineJob): Promise<void> {
	const {id} = machine.record;
	const found = await machine.machines.search(id, machine.files);
	const job = await jobOf(shared, machine).catch((error: unknown) => {
		if (found?.runner === 'libvirt') throw error;
	});
	try {
		if (found) {
			machine.work.progress('cutting the power');
			const isGone = job !== undefined && found.runner === 'libvirt' && (await destroyDomain(job, found));
			if (!isGone && !(await machine.machines.end(found, id))) {
				throw new DroverError('host.failed', `QEMU (process ${found.pid}) cannot be ended.`, {
					next: 'The host’s disk or kernel holds it; look into the kernel’s log.',
				});
			}
		}
		if (job) await waitForgotten(job);
		await discardSavedMemory(machine);
		await removeTraces(machine.files);
	} catch (error) {
		throw virshError(error, 'cutting the power');
	}
}

const agentRebootMs = 15_000;
const buttonRebootMs = 60_000;

/**
 * Reboots gracefully. The agent is asked first. A guest without one is powered off by its power button, and libvirt
 * resets the machine when it is off instead of ending it. Returns when the reboot has begun.
 */
export async function reboot(job: Job): Promise<void> {
	try {
		const found = await findOwn(job);
		if (!found || (await stateOf(job)) !== 'running') throw notRunning('rebooted');
		job.work.progress('asking the guest to reboot');
		let hasReset = false;
		const subscription = job.events.listen(
			async () => job.virsh,
			event => {
				if (event !== 'lost' && event.key === keyOf(job.record) && event.name === 'reboot') hasReset = true;
			},
		);
		const waitReset = async (timeoutMs: number) => {
			for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(50)) {
				if (hasReset) return true;
				if (job.signal.aborted) throw cancelled();
				if (!(await job.machines.isAlive(found, job.record.id))) throw notRunning('rebooted');
			}
			return false;
		};
		try {
			await job.events.ready();
			if ((await askReboot(job, 'agent')) && (await waitReset(agentRebootMs))) return;
			job.work.log('The guest is rebooted by its power button.');
			await askReboot(job, 'acpi');
			if (await waitReset(buttonRebootMs)) return;
			throw unanswered(
				'The guest does not react to being asked to reboot.',
				'Cut its power with stop --force and start it again.',
			);
		} finally {
			subscription.close();
		}
	} catch (error) {
		throw virshError(error, 'rebooting');
	}
}

/** @returns whether the request was taken */
async function askReboot(job: Job, mode: 'agent' | 'acpi'): Promise<boolean> {
	try {
		await job.virsh.ask(['reboot', job.record.id, '--mode', mode], {timeoutMs: 8000, signal: job.signal});
		return true;
	} catch (error) {
		if (mode === 'acpi' || (error instanceof VirshError && error.problem === 'aborted')) throw error;
		job.work.log(`The guest’s agent was not reached: ${(error as Error).message}.`);
		return false;
	}
}
