import path from 'node:path';
import type {InstanceRecord} from '../../model/instance.ts';
import type {InstancePlace, WorkContext} from '../driver.ts';
import type {Lanes} from '../machine/lanes.ts';
import {hypervError} from './errors.ts';
import type {HypervHost} from './host.ts';
import type {Listing} from './listing.ts';
import type {Scripts} from './scripts.ts';

/** What all pieces of work share. */
export type Shared = {
	readonly host: HypervHost;
	readonly scripts: Scripts;
	readonly listing: Listing;
	readonly lanes: Lanes;
	/** Marks what this home made, so that two homes on one host do not take each other's machines for their own. */
	readonly owner: string;
};

/** One piece of work on one instance. */
export type Job = Shared & {
	record: InstanceRecord;
	readonly place: InstancePlace;
	readonly files: InstanceFiles;
	readonly work: WorkContext;
	/** Ends when the user cancels, the daemon ends or somebody cuts the power. */
	readonly signal: AbortSignal;
	/** What tells the script which machine is meant. */
	readonly mark: {readonly owner: string; readonly machine: string};
};

/** The files of an instance. Checkpoints add others beside the disk, which stand on it and are Hyper-V's. */
export type InstanceFiles = {
	readonly disk: string;
	/** A disk that is being made. Convert-VHD goes by the end of its name. */
	readonly diskPart: string;
	readonly seed: string;
};

export function filesOf({directory}: InstancePlace): InstanceFiles {
	return {
		disk: path.join(directory, 'disk.vhdx'),
		diskPart: path.join(directory, 'disk.part.vhdx'),
		seed: path.join(directory, 'seed.iso'),
	};
}

export function jobOf(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
	signal: AbortSignal,
): Job {
	const mark = {owner: shared.owner, machine: record.id};
	return {...shared, record, place, files: filesOf(place), work, signal, mark};
}

/** What Hyper-V calls it: for people who look there; drover itself goes by the mark in its notes. */
export function machineName(record: InstanceRecord): string {
	return `drover-${record.name}-${record.id.slice(0, 8)}`;
}

/** `52:54:00:12:34:56` as Hyper-V writes it. */
export function hypervMac(mac: string): string {
	return mac.replaceAll(':', '').toUpperCase();
}

/** Runs a piece of work whose errors are told as what they are for a person. */
export async function telling<Result>(doing: string, run: () => Promise<Result>): Promise<Result> {
	try {
		return await run();
	} catch (error) {
		throw hypervError(error, doing);
	}
}
