import {createReadStream, createWriteStream} from 'node:fs';
import {chmod, open, readdir, rm, stat, statfs} from 'node:fs/promises';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {DroverError} from '../../model/errors.ts';
import {formatSize, humanSize, mebibyte} from '../../model/sizes.ts';
import {lastLine, type RunOptions, run} from '../../platform/programs.ts';
import {replace, syncDirectory} from '../../state/atomic.ts';
import type {CreateInput, DiskFile, InstancePlace} from '../driver.ts';
import {diskInformation} from '../machine/disk-information.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {filesOf, type Job} from './context.ts';

/** Bytes a second that even a slow disk converts; what takes longer has failed. */
const slowestRate = 4 * mebibyte;
/** Kept free beside what is made, in bytes. */
const reserve = 64 * mebibyte;

export function exists(file: string): Promise<boolean> {
	return stat(file).then(
		() => true,
		() => false,
	);
}

/**
 * The whole disk of an instance that is off; a text when it is in several files. What stands on a checkpoint is beside it
 * until Hyper-V has merged it.
 */
export async function diskFile(place: InstancePlace): Promise<DiskFile | string> {
	const {disk} = filesOf(place);
	if (!(await exists(disk))) return 'its disk is missing';
	const names = await readdir(place.directory, {recursive: true}).catch(() => []);
	const hasLayers = names.some(name => /\.avhdx$/i.test(name));
	return hasLayers ? 'its disk is in several files, since it has snapshots' : {file: disk, format: 'vhdx'};
}

/** What was written aside becomes the disk. */
export async function keepDisk({files, place}: Job): Promise<void> {
	await chmod(files.diskPart, 0o600);
	const handle = await open(files.diskPart, 'r+');
	await handle.sync().finally(() => handle.close());
	await replace(files.diskPart, files.disk);
	await syncDirectory(place.directory);
}

/** @throws DroverError `host.disk-full` */
export async function demandSpace({place}: Job, bytes: number): Promise<void> {
	const {bavail, bsize} = await statfs(place.directory);
	const free = bavail * bsize;
	if (bytes + reserve <= free) return;
	throw new DroverError(
		'host.disk-full',
		`The disk needs up to ${humanSize(bytes + reserve)}, ${humanSize(free)} are free.`,
		{next: 'Free some disk space and try again.'},
	);
}

/**
 * Makes a dynamic VHDX of the wanted size out of an image. An overlay of that size is converted, as qemu-img cannot make a
 * VHDX larger. On Windows qemu-img makes sparse files, which Hyper-V refuses: what it made is copied as plain bytes.
 * @throws DroverError `image.unusable`, `instance.invalid`, `host.disk-full`, `driver.*`
 */
export async function makeDisk(job: Job, input: CreateInput): Promise<void> {
	const {files, place, work, signal} = job;
	const program = await job.host.imageProgram();
	await checkImage(job, program, input);
	const {size: packed} = await stat(input.imagePath);
	await demandSpace(job, 3 * packed);
	const overlay = path.join(place.directory, 'disk.part.qcow2');
	const sparse = path.join(place.directory, 'disk.sparse.vhdx');
	const {environment} = job.host;
	const options: RunOptions = {
		timeoutMs: 60_000 + (packed / slowestRate) * 8000,
		cwd: place.directory,
		signal,
		environment,
	};
	try {
		await image(
			program,
			[
				...['create', '-q', '-f', 'qcow2', '-F', input.imageFormat, '-b', input.imagePath],
				...[overlay, String(job.record.hardware.disk)],
			],
			options,
		);
		work.progress('making the disk', 0);
		await image(program, ['convert', '-p', '-f', 'qcow2', '-O', 'vhdx', '-o', 'subformat=dynamic', overlay, sparse], {
			...options,
			onOutput(text) {
				const percent = /\((\d{1,3})\.\d+\/100%\)\s*$/.exec(text)?.[1];
				if (percent !== undefined) work.progress('making the disk', Number(percent) * 0.9);
			},
		});
		await pipeline(createReadStream(sparse), createWriteStream(files.diskPart, {mode: 0o600}), {signal});
		await keepDisk(job);
	} catch (error) {
		await rm(files.diskPart, {force: true});
		checkCancelled(signal);
		if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw noSpace();
		throw error;
	} finally {
		for (const file of [overlay, sparse]) await rm(file, {force: true});
	}
}

async function image(program: string, args: readonly string[], options: RunOptions): Promise<void> {
	const result = await run(program, args, options);
	if (options.signal) checkCancelled(options.signal);
	if (result.code === 0) return;
	if (/no space left|not enough space|quota exceeded/i.test(result.stderr)) throw noSpace();
	const why = result.timedOut ? 'it takes too long' : lastLine(result.stderr);
	throw new DroverError('driver.failed', `qemu-img could not make the disk: ${why}.`);
}

function noSpace(): DroverError {
	return new DroverError('host.disk-full', 'There is no space left to make the disk.', {
		next: 'Free some disk space and try again.',
	});
}

async function checkImage(job: Job, program: string, {imagePath, imageFormat}: CreateInput): Promise<void> {
	const found = await diskInformation(program, imagePath, imageFormat, job.signal);
	checkCancelled(job.signal);
	if (typeof found === 'string') throw unusable(found);
	// An image that refers to other files would let its maker read this host's.
	if (found.backing !== undefined || found.hasDataFile) throw unusable('it refers to another file');
	const {disk} = job.record.hardware;
	if (disk < found.size) {
		throw new DroverError(
			'instance.invalid',
			`The disk of ${formatSize(disk)} is smaller than the image, which has ${formatSize(found.size)}.`,
			{next: `Ask for a disk of at least ${formatSize(found.size)}.`},
		);
	}
}

function unusable(why: string): DroverError {
	return new DroverError('image.unusable', `The image cannot be used: ${why}.`, {next: 'Choose another image.'});
}
