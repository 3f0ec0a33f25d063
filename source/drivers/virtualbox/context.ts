import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Paths} from '../../state/paths.ts';
import type {InstancePlace, WorkContext} from '../driver.ts';
import type {Lanes} from '../machine/lanes.ts';
import type {Ports} from '../machine/ports.ts';
import {filesOf, type InstanceFiles} from './files.ts';
import type {HostProbe} from './host.ts';
import type {Listings} from './listing.ts';
import {type Manage, ManageError} from './manage.ts';
import type {Sampler} from './metrics.ts';
import {parseInfo} from './parse.ts';
import {type Phase, phaseOf} from './states.ts';

/** What all pieces of work share. */
export type Shared = {
	readonly paths: Paths;
	readonly host: HostProbe;
	readonly lanes: Lanes;
	readonly ports: Ports;
	readonly listings: Listings;
	readonly sampler: Sampler;
};

/** One piece of work on one instance. */
export type Job = Shared & {
	readonly manage: Manage;
	readonly version: string;
	/** As it is now: replaced by what an update returned. */
	record: InstanceRecord;
	readonly place: InstancePlace;
	readonly files: InstanceFiles;
	readonly work: WorkContext;
	/** Ends when the user cancels, the daemon ends or somebody cuts the power. */
	readonly signal: AbortSignal;
};

export async function jobOf(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): Promise<Job> {
	return {...shared, ...(await shared.host.require()), record, place, files: filesOf(place), work, signal};
}

/** Persists a change of the record; the job goes on with the new one. */
export async function update(job: Job, change: Parameters<WorkContext['update']>[0]): Promise<void> {
	job.record = await job.work.update(change);
}

/** A machine as VirtualBox describes it in full. */
export type Machine = {
	/** In VirtualBox's word. */
	readonly state: string;
	readonly phase: Phase;
	readonly info: ReadonlyMap<string, string>;
};

/** How long a full description is waited for; one of a machine whose process hangs never comes. */
const infoTimeoutMs = 15_000;

/** @returns `undefined` when VirtualBox does not know it. @throws DroverError `instance.broken`; ManageError */
export async function findMachine(job: Pick<Job, 'manage' | 'record'>): Promise<Machine | undefined> {
	try {
		const text = await job.manage.look(['showvminfo', job.record.id, '--machinereadable'], {
			timeoutMs: infoTimeoutMs,
			lockPatienceMs: 3000,
		});
		const info = parseInfo(text);
		const state = info.get('VMState') ?? '';
		return {state, phase: phaseOf(state), info};
	} catch (error) {
		if (error instanceof ManageError && error.problem === 'missing') return undefined;
		// While its service is starting VirtualBox says so for a moment; it was waited for longer than that.
		if (error instanceof ManageError && error.problem === 'locked' && error.words.includes('(0x80070005)')) {
			throw new DroverError('instance.broken', 'VirtualBox cannot read the settings of the instance’s machine.', {
				next: 'Put the machine’s directory back into the instance’s, or delete the instance.',
				cause: error,
			});
		}
		throw error;
	}
}

/** @throws DroverError `instance.broken` when VirtualBox does not know it; ManageError */
export async function requireMachine(job: Job): Promise<Machine> {
	const machine = await findMachine(job);
	if (machine) return machine;
	throw new DroverError('instance.broken', `VirtualBox does not know the machine of "${job.record.name}" any more.`, {
		next: `It was removed there by somebody else. drover forget ${job.record.name} lets go of it.`,
	});
}

export function notRunning(what: string): DroverError {
	return new DroverError('instance.state', `The instance is not running, so it cannot be ${what}.`, {
		next: 'Start it first.',
	});
}

export function stuck(name: string): DroverError {
	return new DroverError(
		'instance.state',
		`VirtualBox has stopped "${name}" over an error of its own (guru meditation).`,
		{
			next: `Cut its power with drover stop --force ${name}, and start it again.`,
		},
	);
}
