import {type MachineJob, update} from './context.ts';
import {type MachineProcess, sshPortOf} from './process.ts';

/** Puts port and machine type into the record before a machine is started with them. */
export async function keepIdentity(job: MachineJob, port: number): Promise<void> {
	const {hardware, ssh} = job.record;
	const machine = hardware.machine ?? (await job.host.newestMachine());
	if (machine === hardware.machine && port === ssh.port) return;
	await update(job, {hardware: {...hardware, machine}, ssh: {...ssh, port}});
}

/** A machine that somebody else has started may be reached by another port than the record says. */
export async function keepPort(job: MachineJob, found?: MachineProcess): Promise<void> {
	const running = found ?? (await job.machines.find(job.record.id, job.files));
	const port = running && sshPortOf(running);
	if (port !== undefined && port !== job.record.ssh.port) {
		await update(job, {ssh: {...job.record.ssh, port}});
	}
}
