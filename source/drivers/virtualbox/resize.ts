import {open} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import type {Resources} from '../driver.ts';
import {type Job, requireMachine} from './context.ts';
import {checkHardware, memoryMebibytes, requireParts} from './create.ts';
import {demandRest} from './nics.ts';
import {attachedDisk} from './saved.ts';

/**
 * Makes a machine at rest follow its record. Doing it again after a crash changes nothing.
 * @param job its record has the wanted hardware already
 * @throws DroverError `instance.state` while it runs or has saved memory, `instance.invalid` for a disk that would shrink
 */
export async function resize(job: Job, {disk}: Resources): Promise<void> {
	const {manage, record, place} = job;
	checkHardware(record);
	const machine = await requireMachine(job);
	demandRest(machine);
	await requireParts(job);
	const file = attachedDisk(machine.info, place);
	const present = disk === undefined ? undefined : await diskSize(file);
	if (disk !== undefined && present !== undefined && present > disk) {
		throw new DroverError(
			'instance.invalid',
			`The disk has ${formatSize(present)}, and cannot shrink to ${formatSize(disk)}.`,
			{next: 'Disks only grow.'},
		);
	}
	// Without the signal: it takes milliseconds, and the record follows only when it is done.
	await manage.work([
		...['modifyvm', record.id, '--cpus', String(record.hardware.cpus)],
		...['--memory', String(memoryMebibytes(record))],
	]);
	if (disk !== undefined && present !== disk) {
		await manage.work(['modifymedium', 'disk', file, '--resizebyte', String(disk)], {timeoutMs: 120_000});
	}
}

/** The virtual size of a disk in bytes. Source: the VDI header of version 1.1, `cbDisk`. */
export async function diskSize(file: string): Promise<number | undefined> {
	const handle = await open(file, 'r');
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(384), 0, 384, 0);
		if (bytesRead < 384 || buffer.readUInt32LE(64) !== 0xbe_da_10_7f) return undefined;
		return Number(buffer.readBigUInt64LE(368));
	} finally {
		await handle.close();
	}
}
