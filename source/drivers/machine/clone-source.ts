import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import type {CloneSource} from '../driver.ts';
import type {MachineJob} from './context.ts';
import {type DiskInformation, diskInformation} from './disk-information.ts';
import {filesOf, type InstanceFiles} from './files.ts';
import {keepCopy} from './flash.ts';
import {checkCancelled} from './lanes.ts';
import {diskProblem} from './rest.ts';
import {exists} from './saved-memory.ts';
import {hasUnrecorded} from './settle.ts';

/** How long a disk that is in use is waited for, milliseconds: what a daemon that died had set going may still be at work. */
const patienceMs = 5000;

/**
 * The disk that a clone is made from, which nobody writes to.
 * @throws DroverError `instance.state` when it runs or has saved memory, `instance.broken`, `driver.failed`
 */
export async function demandResting(
	job: MachineJob,
	imageProgram: string,
	{record, place}: CloneSource,
): Promise<DiskInformation> {
	const files = filesOf(place);
	if (
		record.suspended !== undefined ||
		(await job.machines.search(record.id, files)) ||
		(await hasUnrecorded(record, files))
	) {
		throw new DroverError('instance.state', `The instance "${record.name}" is not stopped, so it cannot be cloned.`, {
			next: 'Stop it first.',
		});
	}
	const problem = await diskProblem(files.disk);
	const found = problem ?? (await look(job, imageProgram, files.disk));
	if (typeof found !== 'string') return found;
	if (isLocked(found)) {
		throw new DroverError('driver.failed', `The disk of "${record.name}" is in use by another program.`, {
			next: 'End the program that has it open (another virtual machine, or qemu-img) and try again.',
			cause: found,
		});
	}
	throw new DroverError('instance.broken', `The disk of "${record.name}" cannot be cloned: ${found}.`);
}

/** The variables of its UEFI, where it has any. */
export async function copyVariables(files: InstanceFiles, {place}: CloneSource): Promise<void> {
	const {variables} = filesOf(place);
	if (await exists(variables)) await keepCopy(variables, files.variables);
}

async function look({signal}: MachineJob, imageProgram: string, disk: string): Promise<DiskInformation | string> {
	for (const deadline = Date.now() + patienceMs; ; await sleep(100)) {
		const found = await diskInformation(imageProgram, disk, 'qcow2', signal);
		checkCancelled(signal);
		if (typeof found !== 'string' || !isLocked(found) || Date.now() > deadline) return found;
	}
}

function isLocked(reason: string): boolean {
	return /another process|failed to get (?:shared )?"write" lock/i.test(reason);
}
