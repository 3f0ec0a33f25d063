import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import type {Resources} from '../driver.ts';
import {type Balloon, changeMemory} from './balloon.ts';
import type {MachineJob} from './context.ts';
import {diskInformation} from './disk-information.ts';
import {checkHardware} from './hardware.ts';
import {lastLine, run} from './programs.ts';
import {requireDisk} from './rest.ts';
import {exists} from './saved-memory.ts';
import {wholePart} from './saved-part.ts';

/** Growing writes a table of a few KiB; what takes longer is stuck. */
const timeoutMs = 60_000;

/**
 * Makes the disk of an instance at rest as large as is wanted. Processors and memory need nothing then: every start tells
 * the hypervisor what the record says. While it runs its memory alone can be changed. Doing it again after a crash changes
 * nothing.
 * @param job its record has the wanted hardware already
 * @throws DroverError `instance.state` while it runs or has saved memory, `instance.invalid` for a disk that would shrink;
 * what the balloon throws
 */
export async function resize(job: MachineJob, {cpus, memory, disk}: Resources, balloon: Balloon): Promise<void> {
	const {files, record} = job;
	checkHardware(record);
	if (memory !== undefined && cpus === undefined && disk === undefined && (await isRunning(job))) {
		return changeMemory(job, memory, balloon);
	}
	await demandRest(job);
	await requireDisk(job);
	if (disk === undefined) return;
	const {imageProgram} = await job.host.require();
	const information = await diskInformation(imageProgram, files.disk, 'qcow2');
	if (typeof information === 'string') throw refusal(information);
	const present = information.size;
	if (present === disk) return;
	if (present > disk) {
		throw new DroverError(
			'instance.invalid',
			`The disk has ${formatSize(present)}, and cannot shrink to ${formatSize(disk)}.`,
			{next: 'Disks only grow.'},
		);
	}
	// Without the signal: it takes milliseconds, and the record follows only when it is done.
	const result = await run(imageProgram, ['resize', '-q', '-f', 'qcow2', files.disk, String(disk)], {timeoutMs});
	if (result.code !== 0) throw refusal(result.stderr);
}

async function isRunning({files, machines, record}: MachineJob): Promise<boolean> {
	return (await machines.search(record.id, files)) !== undefined;
}

/**
 * Saved memory has the processors, the memory and the disk that it was saved with, and no others.
 * @throws DroverError `instance.state`
 */
export async function demandRest(job: MachineJob): Promise<void> {
	const {files, record} = job;
	if (await isRunning(job)) {
		throw new DroverError('instance.state', 'The instance runs, so its hardware cannot be changed.', {
			next: 'Stop it first.',
		});
	}
	const isSaved =
		record.suspended !== undefined || (await exists(files.state)) || (await wholePart(record, files)) !== undefined;
	if (!isSaved) return;
	throw new DroverError('instance.state', 'The instance is suspended: its memory belongs to the hardware it has.', {
		next: 'Start it and stop it first.',
	});
}

function refusal(stderr: string): DroverError {
	if (/failed to get (?:shared )?"write" lock/i.test(stderr)) {
		return new DroverError('driver.failed', 'The disk is in use by another program.', {
			next: 'End the program that has it open (another virtual machine, or qemu-img) and try again.',
		});
	}
	if (/No space left on device/.test(stderr)) {
		return new DroverError('host.disk-full', 'There is no space left to make the disk larger.', {
			next: 'Free some disk space and try again.',
		});
	}
	return new DroverError('driver.failed', `qemu-img could not change the disk: ${lastLine(stderr)}.`);
}
