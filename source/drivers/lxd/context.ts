import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {InstancePlace, SettingReader, WorkContext} from '../driver.ts';
import type {Lanes} from '../machine/lanes.ts';
import {serverError} from './errors.ts';
import type {Events} from './events.ts';
import {projectFor} from './given-place.ts';
import {type Listed, parseListed} from './instance-state.ts';
import type {Listing} from './listing.ts';
import type {Server, ServerDesk} from './server.ts';

/** What all pieces of work share. */
export type Shared = {
	readonly desk: ServerDesk;
	readonly lanes: Lanes;
	readonly listing: Listing;
	readonly events: Events;
	readonly setting: SettingReader;
	/** Marks what this home made, so that two homes on one server do not take each other's instances for their own. */
	readonly owner: string;
};

/** One piece of work on one instance. */
export type Job = {
	readonly shared: Shared;
	readonly server: Server;
	record: InstanceRecord;
	readonly place: InstancePlace;
	readonly work: WorkContext;
	/** Ends when the user cancels, the daemon ends or somebody cuts the power. */
	readonly signal: AbortSignal;
	readonly project: string;
	/** `/1.0/instances/NAME`. */
	readonly path: string;
};

/** Keys of ours in an instance's configuration. */
export const keys = {id: 'user.drover.id', owner: 'user.drover.owner', image: 'user.drover.image'} as const;

export function instancePath(name: string): string {
	return `/1.0/instances/${encodeURIComponent(name)}`;
}

/** The project an instance is in, or would be made in. `only`: those this user may use, when not all. */
export function projectOf(record: InstanceRecord, setting: SettingReader, only?: readonly string[]): string {
	return record.lxd?.project || projectFor(setting('local.lxd.project'), only);
}

/** Why an instance is not on the server in force, or `undefined` when it is. */
export function elsewhereReason(record: InstanceRecord, remote: string): string | undefined {
	const own = record.lxd?.remote ?? '';
	if (record.lxd === undefined || own === remote) return undefined;
	return own === ''
		? `it is on this host's own server, and local.lxd.remote names ${remote}: drover set local.lxd.remote= shows it again`
		: `it is on ${own}: drover set local.lxd.remote=${own} shows it again`;
}

/** @throws DroverError `driver.*` when there is no server, or the instance is on another one */
export async function jobOf(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): Promise<Job> {
	const server = await shared.desk.require();
	const elsewhere = elsewhereReason(record, server.remote);
	if (elsewhere !== undefined) {
		throw new DroverError('driver.unusable', `The instance cannot be reached: ${elsewhere}.`);
	}
	return {
		shared,
		server,
		record,
		place,
		work,
		signal,
		project: projectOf(record, shared.setting, server.only),
		path: instancePath(record.name),
	};
}

/** Persists a change of the record; the job goes on with the new one. */
export async function update(job: Job, change: Parameters<WorkContext['update']>[0]): Promise<void> {
	job.record = await job.work.update(change);
}

/** The instance as the server has it now, if it is ours. @throws LxdError */
export async function findOwn(job: Job, signal: AbortSignal | undefined = job.signal): Promise<Listed | undefined> {
	const found = parseListed(await job.server.client.find(job.path, {project: job.project}, {signal}));
	return found !== undefined && isOwn(found, job.record) ? found : undefined;
}

export function isOwn(found: Listed, record: InstanceRecord): boolean {
	return found.config[keys.id] === record.id;
}

/** The server does not have it any more, whoever removed it. */
export function missing(job: Job): DroverError {
	return new DroverError(
		'instance.broken',
		`The server has no instance ${job.record.name} of drover's in the project ${job.project} any more.`,
		{
			next: `It was removed there by somebody else. drover forget ${job.record.name} lets go of it.`,
		},
	);
}

/** Runs a piece of work whose errors are told as what they are for a person. */
export async function telling<Result>(doing: string, run: () => Promise<Result>): Promise<Result> {
	try {
		return await run();
	} catch (error) {
		throw serverError(error, doing);
	}
}
