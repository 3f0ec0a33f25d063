import {statfs} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {humanSize, mebibyte} from '../../model/sizes.ts';
import type {MachineJob} from './context.ts';
import type {MachineProcess, Machines} from './process.ts';

/** Refused before the guest is touched. @throws DroverError `host.disk-full` */
export async function checkSpace(job: MachineJob, found: MachineProcess): Promise<void> {
	const needed = await residentMemory(job.machines, found, job.record);
	const free = await freeBytes(job.place.directory);
	if (free < needed) throw diskFull(needed, free);
}

/** Bytes that an image of a guest's memory needs at most: what it has ever touched, never more than it has. */
export async function residentMemory(
	machines: Machines,
	found: MachineProcess,
	record: InstanceRecord,
): Promise<number> {
	const resident = (await machines.usage(found).catch(() => undefined))?.sharedMemory ?? 0;
	const {memory} = record.hardware;
	// Some MiB for the states of devices and video memory.
	return Math.min(memory, resident > 0 ? resident : memory) + 24 * mebibyte;
}

export async function freeBytes(directory: string): Promise<number> {
	const {bavail, bsize} = await statfs(directory);
	return bavail * bsize;
}

export function diskFull(needed: number, free: number): DroverError {
	return new DroverError(
		'host.disk-full',
		`Saving the memory needs up to ${humanSize(needed)}, ${humanSize(free)} are free; the instance goes on running.`,
		{next: 'Free some disk space and suspend it again, or stop it instead.'},
	);
}

/** The hypervisor holds a guest still, as a write of the guest's did not fit onto the host's disk. */
export function diskStuck(what: string): DroverError {
	return new DroverError(
		'host.disk-full',
		`The guest waits for its disk to be written, most likely because the host’s disk is full, so it cannot ${what}.`,
		{next: 'Free some disk space and ask again, or cut its power with stop --force.'},
	);
}

/** Bytes a second that even a slow disk writes; what takes longer has failed. */
const slowestRate = 4 * mebibyte;

/** How long saving a guest's memory may take, milliseconds. */
export function savingTimeoutMs(memory: number): number {
	return 60_000 + (memory / slowestRate) * 1000;
}
