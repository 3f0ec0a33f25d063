import {stat} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CloneSource, CreateInput} from '../driver.ts';
import {findMachine, type Job} from './context.ts';
import {checkHardware, finish} from './create.ts';
import {copyDisk} from './disk.ts';
import {diskProblem} from './observe.ts';
import {attachedDisk} from './saved.ts';

/**
 * Makes a machine of its own around a full copy of another one's disk as it is now. VirtualBox's own clone would give it
 * rules and addresses of the other's; a linked one would go down with it.
 */
export async function clone(job: Job, source: CloneSource, seed: CreateInput['seed']): Promise<void> {
	checkHardware(job.record);
	makePrivate(job.place.directory);
	if ((await diskProblem(job.files.disk)) !== undefined) {
		const disk = await demandResting(job, source);
		await copyDisk(job, disk, disk);
	}
	await finish(job, seed);
}

/** @throws DroverError `instance.state` when it runs or has saved memory, `instance.broken` @returns its disk's file */
async function demandResting(job: Job, {record, place}: CloneSource): Promise<string> {
	const machine = await findMachine({manage: job.manage, record});
	if (machine === undefined) {
		throw new DroverError('instance.broken', `VirtualBox does not know the machine of "${record.name}" any more.`);
	}
	if (machine.phase !== 'off' || record.suspended !== undefined) {
		throw new DroverError('instance.state', `The instance "${record.name}" is not stopped, so it cannot be cloned.`, {
			next: 'Stop it first.',
		});
	}
	const disk = attachedDisk(machine.info, place);
	if (await stat(disk).catch(() => undefined)) return disk;
	throw new DroverError('instance.broken', `The disk of "${record.name}" cannot be cloned: it is missing.`);
}
