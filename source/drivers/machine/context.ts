import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {System} from '../../platform/system.ts';
import type {InstancePlace, WorkContext} from '../driver.ts';
import {filesOf, type InstanceFiles} from './files.ts';
import type {QemuHostProbe} from './host.ts';
import type {Lanes} from './lanes.ts';
import type {Ports} from './ports.ts';
import type {MachineProcess, Machines} from './process.ts';

/** What all pieces of work of one driver share, whoever runs the machines. */
export type MachineShared = {
	readonly host: QemuHostProbe;
	readonly lanes: Lanes;
	readonly ports: Ports;
	readonly machines: Machines;
	readonly system: System;
};

/** One piece of work on one instance. */
export type MachineJob = MachineShared & {
	/** As it is now: replaced by what an update returned. */
	record: InstanceRecord;
	readonly place: InstancePlace;
	readonly files: InstanceFiles;
	readonly work: WorkContext;
	/** Ends when the user cancels, the daemon ends or somebody cuts the power. */
	readonly signal: AbortSignal;
};

export function machineJob(
	{host, lanes, ports, machines, system}: MachineShared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): MachineJob {
	return {host, lanes, ports, machines, system, record, place, files: filesOf(place), work, signal};
}

/** Persists a change of the record; the job goes on with the new one. */
export async function update(job: MachineJob, change: Parameters<WorkContext['update']>[0]): Promise<void> {
	job.record = await job.work.update(change);
}

const forceHint = 'Cut its power with stop --force.';

export function notRunning(what: string): DroverError {
	return new DroverError('instance.state', `The instance is not running, so it cannot be ${what}.`, {
		next: 'Start it first.',
	});
}

export function unanswered(message: string, next = forceHint): DroverError {
	return new DroverError('guest.unanswered', message, {next});
}

/**
 * The same files can be run by two drivers, but a running machine is in the hands of one.
 * @throws DroverError `instance.state`
 */
export function refuseOther(found: MachineProcess, mine: MachineProcess['runner']): void {
	if (found.runner === mine) return;
	throw new DroverError('instance.state', `The instance runs under the ${found.runner} driver, not under ${mine}.`, {
		next: `Switch back to the ${found.runner} driver and suspend or stop it there, or cut its power with stop --force.`,
	});
}

/** What an observer says of such a machine. */
export function foreignReason(found: MachineProcess): string {
	return `it runs under the ${found.runner} driver: switch back to it, or cut its power with stop --force`;
}
