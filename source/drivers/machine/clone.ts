import {rm, stat} from 'node:fs/promises';
import {backingChain} from '../../images/backing.ts';
import {DroverError} from '../../model/errors.ts';
import {humanSize, mebibyte} from '../../model/sizes.ts';
import {layerIn, makePrivate} from '../../state/paths.ts';
import type {CloneSource, CreateInput} from '../driver.ts';
import {copyVariables, demandResting} from './clone-source.ts';
import type {MachineJob} from './context.ts';
import {writeSeed} from './create.ts';
import {type DiskInformation, diskInformation} from './disk-information.ts';
import {filesOf} from './files.ts';
import {checkHardware} from './hardware.ts';
import {checkCancelled} from './lanes.ts';
import {keepDisk} from './overlay.ts';
import {lastLine, run} from './programs.ts';
import {exists} from './saved-memory.ts';
import {freeBytes} from './space.ts';

/** Bytes a second that even a slow disk copies; what takes longer has failed. */
const slowestRate = 4 * mebibyte;

/** Kept free beside the copy, in bytes. */
const reserve = 64 * mebibyte;

/**
 * Makes a disk with what another instance's has now, and the seed. Both disks are overlays over the same image in the
 * cache, so that only what the other instance has written itself is copied, whether it shares some of it with linked
 * clones or not; its snapshots are not.
 */
export async function clone(job: MachineJob, source: CloneSource, seed: CreateInput['seed']): Promise<void> {
	const {files, place, record, work} = job;
	checkHardware(record);
	const {imageProgram} = await job.host.require();
	makePrivate(place.directory);
	if (!(await exists(files.disk))) {
		work.progress('looking at the disk');
		const {disk} = filesOf(source.place);
		const found = await demandResting(job, imageProgram, source);
		const layers = (await backingChain(disk)).filter(file => layerIn(file) !== undefined);
		await demandSpace(job, [disk, ...layers]);
		await copy(job, imageProgram, disk, await baseOf(job, imageProgram, found, layers));
	}
	checkCancelled(job.signal);
	await copyVariables(files, source);
	await writeSeed(files, seed);
}

/** @throws DroverError `host.disk-full` */
async function demandSpace({place}: MachineJob, disks: readonly string[]): Promise<void> {
	const found = await Promise.all(disks.map(disk => stat(disk)));
	// What its snapshots need is in it and is not copied: never less than what is needed.
	const needed = found.reduce((sum, {blocks}) => sum + blocks * 512, reserve);
	const free = await freeBytes(place.directory);
	if (needed <= free) return;
	throw new DroverError('host.disk-full', `The copy needs up to ${humanSize(needed)}, ${humanSize(free)} are free.`, {
		next: 'Free some disk space and clone it again.',
	});
}

/** What a disk lies over, and what the copy is to lie over: the image below all layers. */
type Bases = {readonly near?: DiskInformation['backing']; readonly far?: DiskInformation['backing']};

async function baseOf(
	job: MachineJob,
	imageProgram: string,
	{backing}: DiskInformation,
	layers: readonly string[],
): Promise<Bases> {
	const lowest = layers.at(-1);
	if (backing === undefined || lowest === undefined) return backing === undefined ? {} : {near: backing, far: backing};
	const found = await diskInformation(imageProgram, lowest, 'qcow2', job.signal);
	checkCancelled(job.signal);
	if (typeof found === 'string') {
		throw new DroverError('instance.broken', `The disk cannot be cloned: the layer below it cannot be read: ${found}.`);
	}
	// A layer that lies over nothing has all that there is: then all of it is copied.
	return found.backing === undefined ? {} : {near: backing, far: found.backing};
}

/**
 * `qemu-img convert -B` leaves out all that the disk has not itself, whatever it is given for a base: first it is given the
 * one that the disk has, and what the layers in between have is taken over then.
 */
async function copy(job: MachineJob, imageProgram: string, disk: string, {near, far}: Bases): Promise<void> {
	const {files} = job;
	const part = `${files.disk}.part`;
	await rm(part, {force: true});
	const base = near === undefined ? [] : ['-B', near.file, '-F', near.format];
	await image(job, {
		imageProgram,
		args: ['convert', '-p', '-f', 'qcow2', '-O', 'qcow2', ...base, disk, part],
		part,
		stage: 'copying the disk',
	});
	if (far !== undefined && far.file !== near?.file) {
		await image(job, {
			imageProgram,
			args: ['rebase', '-p', '-f', 'qcow2', '-b', far.file, '-F', far.format, part],
			part,
			stage: 'copying what it shares',
		});
	}
	await keepDisk(part, files.disk);
}

type ImageWork = {
	readonly imageProgram: string;
	readonly args: readonly string[];
	/** What is being made; it is gone when that fails. */
	readonly part: string;
	readonly stage: string;
};

async function image({place, record, signal, work}: MachineJob, {imageProgram, args, part, stage}: ImageWork) {
	work.progress(stage, 0);
	const result = await run(imageProgram, args, {
		timeoutMs: 60_000 + (record.hardware.disk / slowestRate) * 1000,
		cwd: place.directory,
		signal,
		onOutput(text) {
			const percent = /\((\d{1,3})\.\d+\/100%\)\s*$/.exec(text)?.[1];
			if (percent !== undefined) work.progress(stage, Number(percent));
		},
	});
	if (!signal.aborted && result.code === 0) return;
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
