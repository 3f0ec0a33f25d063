import {stat} from 'node:fs/promises';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {type MachineJob, type MachineShared, refuseOther} from '../machine/context.ts';
import {domainName, domainXml} from '../machine/domain-xml.ts';
import type {Accelerator} from '../machine/hardware.ts';
import type {QemuHost} from '../machine/host.ts';
import {hasStream} from '../machine/private-nic.ts';
import type {MachineProcess} from '../machine/process.ts';
import {isSystem} from './connection.ts';
import type {DomainState, Domains} from './domains.ts';
import type {Events} from './events.ts';
import type {LibvirtHostProbe} from './host.ts';
import type {Stats} from './stats.ts';
import {type Virsh, VirshError} from './virsh.ts';

/** What all pieces of work of one driver share. */
export type Shared = MachineShared & {
	readonly libvirt: LibvirtHostProbe;
	readonly domains: Domains;
	readonly events: Events;
	readonly stats: Stats;
};

/** One piece of work on one instance. */
export type Job = MachineJob & Shared & {readonly virsh: Virsh};

export async function jobOf(shared: Shared, machine: MachineJob): Promise<Job> {
	const {virsh} = await shared.libvirt.require();
	return {...shared, ...machine, virsh};
}

/** The machine that runs an instance under libvirt. @throws DroverError `instance.state` when another driver runs it */
export async function findOwn(job: Job): Promise<MachineProcess | undefined> {
	const found = await job.machines.search(job.record.id, job.files);
	if (found) refuseOther(found, 'libvirt');
	return found;
}

export async function stateOf(job: Job): Promise<DomainState | undefined> {
	return job.domains.state(job.virsh, job.record);
}

/**
 * Waits until libvirt knows an instance no more. It keeps a machine for a second or two after its process is gone, and
 * refuses to start it meanwhile.
 */
export async function waitForgotten(job: Job, timeoutMs = 30_000): Promise<void> {
	const deadline = Date.now() + timeoutMs;
	for (let pause = 20; ; pause = Math.min(250, pause * 2)) {
		try {
			// Answered only when libvirt is done with what it is doing to the machine.
			const text = (await job.virsh.ask(['domstate', job.record.id])).trim();
			if (text === 'shut off') return;
		} catch (error) {
			if (error instanceof VirshError && error.problem === 'absent') return;
			throw error;
		}
		if (Date.now() > deadline) {
			throw new DroverError('driver.unresponsive', 'The machine has ended, but libvirt does not let go of it.', {
				next: 'Wait a moment, or restart libvirt’s daemon.',
			});
		}
		await sleep(pause);
	}
}

/** Ends a machine by libvirt. @returns whether its process is gone */
export async function destroyDomain(job: Job, found: MachineProcess | undefined, timeoutMs = 30_000): Promise<boolean> {
	await job.virsh.ask(['destroy', job.record.id], {timeoutMs}).catch(() => {});
	return found === undefined || job.machines.waitGone(found, job.record.id, 1000);
}

/**
 * The machine in libvirt's words, for the current connection.
 * @param name the domain's name in the saved memory that it is for: it must be the same
 */
export function xmlFor(
	job: Job,
	accelerator: Accelerator,
	{program, version}: QemuHost,
	name = domainName(job.record),
): string {
	const {record, files} = job;
	const owner = {uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0};
	return domainXml({
		record,
		files,
		accelerator,
		emulator: program,
		isPlugged: hasStream(version),
		name,
		...(isSystem(job.virsh.uri) ? {owner} : {}),
	});
}

/** When libvirt was last told to start it: the file was written just before. Milliseconds since the epoch. */
export async function startedAt(file: string): Promise<number | undefined> {
	return stat(file).then(
		found => Math.trunc(found.mtimeMs),
		() => undefined,
	);
}
