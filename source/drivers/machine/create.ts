import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CreateInput} from '../driver.ts';
import type {MachineJob} from './context.ts';
import {diskInformation} from './disk-information.ts';
import type {InstanceFiles} from './files.ts';
import {keepCopy} from './flash.ts';
import {checkHardware} from './hardware.ts';
import {checkCancelled} from './lanes.ts';
import {keepDisk, layOver} from './overlay.ts';
import {lastLine, run} from './programs.ts';
import {exists} from './saved-memory.ts';

/** Makes the disk, an overlay over the cached image or the image itself, and the seed. What is there already is kept. */
export async function create(job: MachineJob, input: CreateInput): Promise<void> {
	const {files, place, record, work} = job;
	checkHardware(record);
	const {imageProgram} = await job.host.require();
	await demandKind(job);
	makePrivate(place.directory);
	work.progress('making the disk');
	if (!(await exists(files.disk))) {
		await checkImage(job, imageProgram, input);
		if (input.isOwn) {
			await takeDisk(job, imageProgram, input);
		} else {
			const base = {file: input.imagePath, format: input.imageFormat};
			await layOver(files.disk, {imageProgram, base, size: record.hardware.disk, signal: job.signal});
		}
	}
	checkCancelled(job.signal);
	work.progress('configuring');
	await keepVariables(job);
	await writeSeed(files, input.seed);
}

/** Guests run only on a host with processors as theirs. @throws DroverError `instance.invalid` */
export async function demandKind({host, record}: MachineJob): Promise<void> {
	const {kind} = await host.require();
	if (kind.arch === record.hardware.arch) return;
	throw new DroverError(
		'instance.invalid',
		`The instance is for ${record.hardware.arch} processors, and this host runs ${kind.arch} guests.`,
		{next: 'Launch one from an image for this host.'},
	);
}

/** Gives a guest that boots by UEFI variables of its own, unless it has some. */
export async function keepVariables({files, host}: MachineJob): Promise<void> {
	const {flash} = await host.require();
	if (flash !== undefined) await keepCopy(flash.variables, files.variables);
}

/** Makes the seed unless it is there. */
export async function writeSeed(files: InstanceFiles, seed: CreateInput['seed']): Promise<void> {
	if (await exists(files.seed)) return;
	const {nocloudIso} = await import('../../guest/iso.ts');
	await writeAtomic(files.seed, nocloudIso(seed));
}

/** @throws DroverError `image.unusable`, `instance.invalid` */
async function checkImage(job: MachineJob, imageProgram: string, {imagePath, imageFormat}: CreateInput): Promise<void> {
	const found = await diskInformation(imageProgram, imagePath, imageFormat, job.signal);
	checkCancelled(job.signal);
	if (typeof found === 'string') throw unusable(found);
	const {size} = found;
	// An image that refers to other files would let its maker read this host's.
	if (found.backing !== undefined || found.hasDataFile) throw unusable('it refers to another file');
	if (job.record.hardware.disk < size) {
		throw new DroverError(
			'instance.invalid',
			`The disk of ${formatSize(job.record.hardware.disk)} is smaller than the image, which has ${formatSize(size)}.`,
			{next: `Ask for a disk of at least ${formatSize(size)}.`},
		);
	}
}

/** The image becomes the disk, grown to the size that was asked for. */
async function takeDisk(job: MachineJob, imageProgram: string, {imagePath, imageFormat}: CreateInput): Promise<void> {
	if (imageFormat !== 'qcow2') throw unusable('a disk that is taken over must be a qcow2');
	const {files, place, record, signal} = job;
	const result = await run(imageProgram, ['resize', '-q', '-f', 'qcow2', imagePath, String(record.hardware.disk)], {
		timeoutMs: 60_000,
		cwd: place.directory,
		signal,
	});
	checkCancelled(signal);
	if (result.code !== 0) {
		throw new DroverError('driver.failed', `qemu-img could not grow the disk: ${lastLine(result.stderr)}.`);
	}
	await keepDisk(imagePath, files.disk);
}

function unusable(why: string): DroverError {
	return new DroverError('image.unusable', `The image cannot be used: ${why}.`, {next: 'Choose another image.'});
}
