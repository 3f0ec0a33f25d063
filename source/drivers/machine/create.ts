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
import {layOver} from './overlay.ts';
import {exists} from './saved-memory.ts';

/** Makes the disk, an overlay over the cached image, and the seed. What is there already is kept. */
export async function create(job: MachineJob, input: CreateInput): Promise<void> {
	const {files, place, record, work} = job;
	checkHardware(record);
	const {imageProgram} = await job.host.require();
	await demandKind(job);
	makePrivate(place.directory);
	work.progress('making the disk');
	if (!(await exists(files.disk))) {
		await checkImage(job, imageProgram, input);
		const base = {file: input.imagePath, format: input.imageFormat};
		await layOver(files.disk, {imageProgram, base, size: record.hardware.disk, signal: job.signal});
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

function unusable(why: string): DroverError {
	return new DroverError('image.unusable', `The image cannot be used: ${why}.`, {next: 'Choose another image.'});
}
