import {chmod, open, rename, rm} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import {syncDirectory, writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CreateInput} from '../driver.ts';
import type {MachineJob} from './context.ts';
import {diskInformation} from './disk-information.ts';
import type {InstanceFiles} from './files.ts';
import {keepCopy} from './flash.ts';
import {checkHardware} from './hardware.ts';
import {checkCancelled} from './lanes.ts';
import {lastLine, run} from './programs.ts';
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
		await makeOverlay(job, imageProgram, input);
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

/** What was written aside becomes the disk. */
export async function keepDisk({files, place}: Pick<MachineJob, 'files' | 'place'>, part: string): Promise<void> {
	await chmod(part, 0o600);
	const handle = await open(part, 'r');
	await handle.sync().finally(() => handle.close());
	await rename(part, files.disk);
	await syncDirectory(place.directory);
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

async function makeOverlay(
	job: MachineJob,
	imageProgram: string,
	{imagePath, imageFormat}: CreateInput,
): Promise<void> {
	const {files, record, place, signal} = job;
	const part = `${files.disk}.part`;
	await rm(part, {force: true});
	const result = await run(
		imageProgram,
		['create', '-q', '-f', 'qcow2', '-F', imageFormat, '-b', imagePath, part, String(record.hardware.disk)],
		{timeoutMs: 60_000, cwd: place.directory, signal},
	);
	if (signal.aborted || result.code !== 0) {
		await rm(part, {force: true});
		checkCancelled(signal);
		if (/No space left on device/.test(result.stderr)) {
			throw new DroverError('host.disk-full', 'There is no space left to make the disk.', {
				next: 'Free some disk space and try again.',
			});
		}
		throw new DroverError('driver.failed', `qemu-img could not make the disk: ${lastLine(result.stderr)}.`);
	}
	await keepDisk(job, part);
}

function unusable(why: string): DroverError {
	return new DroverError('image.unusable', `The image cannot be used: ${why}.`, {next: 'Choose another image.'});
}
