import {chmod, open, rename, rm, stat} from 'node:fs/promises';
import {inspectHead} from '../../images/format.ts';
import {DroverError} from '../../model/errors.ts';
import {formatSize, humanSize, mebibyte} from '../../model/sizes.ts';
import {syncDirectory} from '../../state/atomic.ts';
import type {CreateInput} from '../driver.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {freeBytes} from '../machine/space.ts';
import type {Job} from './context.ts';
import {ManageError} from './manage.ts';

/** Bytes a second that even a slow disk copies; what takes longer has failed. */
const slowestRate = 4 * mebibyte;
/** Kept free beside a copy, in bytes. */
const reserve = 64 * mebibyte;

/**
 * Has VirtualBox make the disk out of the image: a copy in its own format, which depends on nothing. (A differencing disk
 * over the image would be quicker, and be lost with VirtualBox's list of media.)
 * @throws DroverError `image.unusable`, `instance.invalid`, `host.disk-full`
 */
export async function makeDisk(job: Job, {imagePath, imageFormat}: CreateInput): Promise<void> {
	if (imageFormat === 'rootfs') {
		throw new DroverError('image.unusable', 'VirtualBox needs a disk image, and this is one for containers.', {
			next: 'Choose another image.',
		});
	}
	// What refers to other files of this host is refused before VirtualBox opens it.
	const {virtualSize, size} = await inspectHead(imagePath, 'The image');
	const {disk} = job.record.hardware;
	if (disk < virtualSize) {
		throw new DroverError(
			'instance.invalid',
			`The disk of ${formatSize(disk)} is smaller than the image, which has ${formatSize(virtualSize)}.`,
			{next: `Ask for a disk of at least ${formatSize(virtualSize)}.`},
		);
	}
	await demandSpace(job, size);
	const command =
		imageFormat === 'qcow2'
			? ['clonemedium', 'disk', imagePath, job.files.diskPart, '--format', 'VDI']
			: ['convertfromraw', imagePath, job.files.diskPart, '--format', 'VDI'];
	await copy(job, command, virtualSize, 'making the disk');
	// VirtualBox keeps what it has opened in its list of media. It stays there while others copy it at the same time.
	if (imageFormat === 'qcow2') await forgetMedium(job, imagePath);
	await keepDisk(job, disk);
}

/** Has VirtualBox copy another instance's disk, with all that it is based on. @param medium a path or an id */
export async function copyDisk(job: Job, medium: string, file: string): Promise<void> {
	const {size} = await stat(file);
	await demandSpace(job, size);
	await copy(
		job,
		['clonemedium', 'disk', medium, job.files.diskPart, '--format', 'VDI'],
		job.record.hardware.disk,
		'copying the disk',
	);
	await keepDisk(job, job.record.hardware.disk);
}

async function demandSpace({place}: Job, bytes: number): Promise<void> {
	const needed = bytes + reserve;
	const free = await freeBytes(place.directory);
	if (needed <= free) return;
	throw new DroverError(
		'host.disk-full',
		`The disk needs at least ${humanSize(needed)}, ${humanSize(free)} are free.`,
		{
			next: 'Free some disk space and try again.',
		},
	);
}

async function copy(job: Job, command: readonly string[], size: number, stage: string): Promise<void> {
	const {manage, signal, work} = job;
	await removePart(job);
	work.progress(stage, 0);
	try {
		await manage.work(command, {
			signal,
			timeoutMs: 60_000 + (size / slowestRate) * 1000,
			onProgress: percent => work.progress(stage, percent),
		});
	} catch (error) {
		await removePart(job);
		checkCancelled(signal);
		if (!(error instanceof ManageError) || !/VERR_(?:EOF|VD_|NOT_SUPPORTED)/.test(error.words)) throw error;
		throw new DroverError('image.unusable', `VirtualBox cannot read ${command.at(2)}: ${error.message}.`, {
			next: 'Choose another image, or write this one anew: qemu-img convert -O qcow2.',
			cause: error,
		});
	}
}

/** What was made aside becomes the disk. */
async function keepDisk(job: Job, size: number): Promise<void> {
	const {manage, files, place, signal} = job;
	try {
		await manage.work(['modifymedium', 'disk', files.diskPart, '--resizebyte', String(size)], {signal});
		await forgetMedium(job, files.diskPart);
		await chmod(files.diskPart, 0o600);
		const handle = await open(files.diskPart, 'r+');
		await handle.sync().finally(() => handle.close());
		await rename(files.diskPart, files.disk);
		await syncDirectory(place.directory);
	} catch (error) {
		await removePart(job);
		throw error;
	}
}

/** A disk that was being made when something broke, in VirtualBox's list of media and on the disk. */
async function removePart(job: Job): Promise<void> {
	const {files} = job;
	if (await stat(files.diskPart).catch(() => undefined)) await forgetMedium(job, files.diskPart);
	await rm(files.diskPart, {force: true});
}

/** Takes a file out of VirtualBox's list of media; one that is not there, or is used, is no error. */
export async function forgetMedium(
	{manage}: Pick<Job, 'manage'>,
	file: string,
	kind: 'disk' | 'dvd' = 'disk',
): Promise<void> {
	await manage.work(['closemedium', kind, file], {lockPatienceMs: 0}).catch(() => {});
}
