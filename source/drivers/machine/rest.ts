import {open} from 'node:fs/promises';
import {backingChain} from '../../images/backing.ts';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord, Observation} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import {layerIn} from '../../state/paths.ts';
import type {DiskFile} from '../driver.ts';
import type {MachineJob} from './context.ts';
import type {InstanceFiles} from './files.ts';
import {exists} from './saved-memory.ts';
import {hasUnrecorded} from './settle.ts';

export type Power = Pick<Observation, 'power' | 'reason'>;

/** @throws DroverError `instance.broken` when there is nothing to boot from */
export async function requireDisk({files, place}: MachineJob): Promise<void> {
	if (await exists(files.disk)) return;
	throw new DroverError('instance.broken', 'The disk of the instance is missing.', {
		next: `Put disk.qcow2 back into ${place.directory}, or delete the instance.`,
	});
}

/** What is so of an instance that no process runs, from its files. */
export async function atRest(record: InstanceRecord, files: InstanceFiles): Promise<Power> {
	const problem = await diskProblem(files.disk);
	if (problem !== undefined) return {power: 'unusable', reason: problem};
	if (record.suspended) return {power: 'suspended'};
	// Written completely, but a crash kept it from being recorded.
	if (await hasUnrecorded(record, files)) return {power: 'suspended'};
	return {power: 'off'};
}

/** The disk of a machine that is off; a text: why there is none to be copied. */
export async function diskFile({disk}: InstanceFiles): Promise<DiskFile | string> {
	return (await diskProblem(disk)) ?? {file: disk, format: 'qcow2'};
}

/** Why a disk could not be run from: missing, not a qcow2 image, or what it lies over is gone. */
export async function diskProblem(disk: string): Promise<string | undefined> {
	const handle = await open(disk, 'r').catch((error: NodeJS.ErrnoException) => error.code ?? 'unreadable');
	if (typeof handle === 'string') {
		return handle === 'ENOENT' ? 'its disk is missing' : `its disk cannot be read (${handle})`;
	}
	try {
		const header = Buffer.alloc(32);
		const {bytesRead} = await handle.read(header, 0, header.length, 0);
		if (bytesRead < header.length || header.toString('latin1', 0, 3) !== 'QFI') return 'its disk is damaged';
		// Source: QEMU, `docs/interop/qcow2.txt`: at most 1023 bytes.
		if (header.readBigUInt64BE(8) !== 0n && header.readUInt32BE(16) > 1023) return 'its disk is damaged';
	} finally {
		await handle.close();
	}
	const chain = await backingChain(disk).catch((error: NodeJS.ErrnoException) => error);
	if (chain instanceof Error) return `what its disk is based on cannot be read (${chain.code ?? chain.message})`;
	const last = chain.at(-1);
	if (last === undefined || (await exists(last))) return undefined;
	return layerIn(last) === undefined
		? 'the image its disk was made from is no longer in the cache'
		: `the layer that its disk shares with linked clones is missing (${plainLine(last)})`;
}
