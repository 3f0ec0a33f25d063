import {rm, stat} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import {humanSize, mebibyte} from '../../model/sizes.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CloneSource, CreateInput} from '../driver.ts';
import type {MachineJob} from './context.ts';
import {keepDisk, writeSeed} from './create.ts';
import {type DiskInformation, diskInformation} from './disk-information.ts';
import {filesOf} from './files.ts';
import {keepCopy} from './flash.ts';
import {checkHardware} from './hardware.ts';
import {checkCancelled} from './lanes.ts';
import {lastLine, run} from './programs.ts';
import {diskProblem} from './rest.ts';
import {exists} from './saved-memory.ts';
import {freeBytes} from './space.ts';

/** Bytes a second that even a slow disk copies; what takes longer has failed. */
const slowestRate = 4 * mebibyte;

/** Kept free beside the copy, in bytes. */
const reserve = 64 * mebibyte;

/**
 * Makes a disk with what another instance's has now, and the seed. Both disks are overlays over the same image in the
 * cache, so that only what the other instance has written itself is copied; its snapshots are not. An overlay over the
 * other's disk would be quicker still, and damaged by the first byte that the other writes.
 */
export async function clone(job: MachineJob, source: CloneSource, seed: CreateInput['seed']): Promise<void> {
	const {files, place, record, work} = job;
	checkHardware(record);
	const {imageProgram} = await job.host.require();
	makePrivate(place.directory);
	if (!(await exists(files.disk))) {
		work.progress('looking at the disk');
		const disk = await demandResting(job, imageProgram, source);
		await demandSpace(job, filesOf(source.place).disk);
		await copy(job, imageProgram, filesOf(source.place).disk, disk);
	}
	checkCancelled(job.signal);
	const variables = filesOf(source.place).variables;
	if (await exists(variables)) await keepCopy(variables, files.variables);
	await writeSeed(files, seed);
}

/** @throws DroverError `instance.state` when it runs or has saved memory, `instance.broken` */
async function demandResting(
	job: MachineJob,
	imageProgram: string,
	{record, place}: CloneSource,
): Promise<DiskInformation> {
	const files = filesOf(place);
	if (record.suspended !== undefined || (await job.machines.search(record.id, files))) {
		throw new DroverError('instance.state', `The instance "${record.name}" is not stopped, so it cannot be cloned.`, {
			next: 'Stop it first.',
		});
	}
	const problem = await diskProblem(files.disk);
	const found = problem ?? (await diskInformation(imageProgram, files.disk, 'qcow2', job.signal));
	checkCancelled(job.signal);
	if (typeof found === 'string') {
		throw new DroverError('instance.broken', `The disk of "${record.name}" cannot be cloned: ${found}.`);
	}
	return found;
}

/** @throws DroverError `host.disk-full` */
async function demandSpace({place}: MachineJob, disk: string): Promise<void> {
	const {blocks} = await stat(disk);
	// What its snapshots need is in it and is not copied: never less than what is needed.
	const needed = blocks * 512 + reserve;
	const free = await freeBytes(place.directory);
	if (needed <= free) return;
	throw new DroverError('host.disk-full', `The copy needs up to ${humanSize(needed)}, ${humanSize(free)} are free.`, {
		next: 'Free some disk space and clone it again.',
	});
}

async function copy(job: MachineJob, imageProgram: string, disk: string, {backing}: DiskInformation): Promise<void> {
	const {files, place, signal, work} = job;
	const part = `${files.disk}.part`;
	await rm(part, {force: true});
	work.progress('copying the disk', 0);
	const {size} = await stat(disk);
	const result = await run(
		imageProgram,
		[
			...['convert', '-p', '-f', 'qcow2', '-O', 'qcow2'],
			...(backing === undefined ? [] : ['-B', backing.file, '-F', backing.format]),
			...[disk, part],
		],
		{
			timeoutMs: 60_000 + (size / slowestRate) * 1000,
			cwd: place.directory,
			signal,
			onOutput(text) {
				const percent = /\((\d{1,3})\.\d+\/100%\)\s*$/.exec(text)?.[1];
				if (percent !== undefined) work.progress('copying the disk', Number(percent));
			},
		},
	);
	if (signal.aborted || result.code !== 0) {
		await rm(part, {force: true});
		checkCancelled(signal);
		if (/no space left|quota exceeded/i.test(result.stderr)) {
			throw new DroverError('host.disk-full', 'There is no space left to copy the disk.', {
				next: 'Free some disk space and clone it again.',
			});
		}
		const why = result.timedOut ? 'it takes too long' : lastLine(result.stderr);
		throw new DroverError('driver.failed', `qemu-img could not copy the disk: ${why}.`);
	}
	await keepDisk(job, part);
}
