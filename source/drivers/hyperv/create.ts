import {DroverError} from '../../model/errors.ts';
import type {ImageReference, InstanceRecord} from '../../model/instance.ts';
import {formatSize, mebibyte} from '../../model/sizes.ts';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CreateInput} from '../driver.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {hypervMac, type Job, machineName} from './context.ts';
import {exists, makeDisk} from './disk.ts';
import {stateResult} from './messages.ts';

/** Making a machine takes a few seconds; more than this and something is wrong. */
const timeoutMs = 5 * 60_000;

/** Hyper-V gives memory in pieces of this many bytes. */
const memoryStep = 2 * mebibyte;

/** Makes disk, seed and machine. What is there already is kept. */
export async function create(job: Job, input: CreateInput): Promise<void> {
	const {files, place, record, work} = job;
	checkHardware(record);
	if (input.imageFormat === 'rootfs') {
		throw new DroverError('image.unusable', 'Hyper-V runs virtual machines, and this image is of a container.', {
			next: 'Choose a disk image.',
		});
	}
	if (record.image.os === 'Micro') {
		throw new DroverError(
			'image.unusable',
			'The micro image boots from a BIOS, which machines on Hyper-V do not have.',
			{
				next: 'Choose an image that boots by UEFI: drover launch lts.',
			},
		);
	}
	await job.host.require(job.scripts);
	makePrivate(place.directory);
	work.progress('making the disk');
	if (!(await exists(files.disk))) await makeDisk(job, input);
	checkCancelled(job.signal);
	await register(job, input.seed);
}

/** Makes the machine around the disk that is there, and the seed. */
export async function register(job: Job, seed: CreateInput['seed']): Promise<void> {
	const {files, place, record, work, signal} = job;
	work.progress('configuring');
	if (!(await exists(files.seed))) {
		const {nocloudIso} = await import('../../guest/iso.ts');
		await writeAtomic(files.seed, nocloudIso(seed));
	}
	checkCancelled(signal);
	const {hardware} = record;
	await job.scripts.work(
		stateResult,
		'create',
		{
			...job.mark,
			name: machineName(record),
			place: place.directory,
			disk: files.disk,
			seed: files.seed,
			cpus: hardware.cpus,
			memory: memoryBytes(hardware.memory),
			mac: hypervMac(hardware.mac),
			nics: (hardware.nics ?? []).map(nic => ({switch: nic.network, mac: hypervMac(nic.mac)})),
			secureBoot: bootsSecurely(record.image),
		},
		{timeoutMs, signal},
	);
}

/** @throws DroverError `instance.invalid` */
export function checkHardware({hardware}: Pick<InstanceRecord, 'hardware'>): void {
	const {cpus, memory, disk} = hardware;
	// Source: Microsoft, "Plan for Hyper-V scalability": generation 2 machines of Windows 10 and 11.
	if (!Number.isSafeInteger(cpus) || cpus < 1 || cpus > 240) {
		throw new DroverError('instance.invalid', `Hyper-V gives a machine 1 to 240 processors, not ${cpus}.`);
	}
	if (memory < 32 * mebibyte) {
		throw new DroverError('instance.invalid', `The memory of ${formatSize(memory)} is too small for Hyper-V.`, {
			next: 'Ask for at least 32M.',
		});
	}
	if (disk % 512 !== 0) {
		throw new DroverError('instance.invalid', 'The size of a disk must be a multiple of 512 bytes.');
	}
}

/** As many bytes as Hyper-V can give, never fewer than asked for. */
export function memoryBytes(wanted: number): number {
	return Math.ceil(wanted / memoryStep) * memoryStep;
}

/** Distributions whose boot loaders are signed by the authority that Hyper-V's template for Linux trusts. */
const signed = /^(?:ubuntu|debian|fedora|almalinux|rocky|centos|opensuse|suse|oracle|red hat)/i;

/**
 * Whether an image can boot with secure boot. What is not known to be able to boots without: it would not boot at all,
 * and Hyper-V tells nobody why.
 */
export function bootsSecurely({os}: Pick<ImageReference, 'os'>): boolean {
	return signed.test(os);
}
