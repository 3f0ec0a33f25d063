import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import type {Resources} from '../driver.ts';
import type {Job} from './context.ts';
import {checkHardware, memoryBytes} from './create.ts';
import {exists} from './disk.ts';
import {HypervError} from './errors.ts';
import {stateResult} from './messages.ts';

const timeoutMs = 5 * 60_000;

/**
 * Makes Hyper-V follow what the record says, of a machine that is off. The script looks at the disk before it changes
 * anything, and doing it again after a crash changes nothing.
 * @param job its record has the wanted hardware already
 */
export async function resize(job: Job, {cpus, memory, disk}: Resources): Promise<void> {
	const {scripts, mark, signal, files} = job;
	checkHardware(job.record);
	if (!(await exists(files.disk))) {
		throw new DroverError('instance.broken', 'The disk of the instance is missing.');
	}
	const wanted = {
		...(cpus === undefined ? {} : {cpus}),
		...(memory === undefined ? {} : {memory: memoryBytes(memory)}),
		...(disk === undefined ? {} : {disk}),
	};
	try {
		await scripts.work(stateResult, 'resize', {...mark, ...wanted}, {timeoutMs, signal});
	} catch (error) {
		if (error instanceof HypervError && error.id === 'drover.NotOff') {
			throw new DroverError('instance.state', 'The instance is not off, so its hardware cannot be changed.', {
				next: 'Stop it first.',
			});
		}
		if (!(error instanceof HypervError) || error.id !== 'drover.DiskShrinks' || disk === undefined) throw error;
		throw new DroverError(
			'instance.invalid',
			`The disk has ${formatSize(Number(error.message))}, and cannot shrink to ${formatSize(disk)}.`,
			{next: 'Disks only grow.'},
		);
	}
}
