import {readdir, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import {mebibyte} from '../../model/sizes.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CloneSource, CreateInput} from '../driver.ts';
import {checkCancelled} from '../machine/lanes.ts';
import type {Job} from './context.ts';
import {checkHardware, register} from './create.ts';
import {demandSpace, exists, keepDisk} from './disk.ts';
import {stateResult} from './messages.ts';
import {isOff} from './states.ts';

const slowestRate = 4 * mebibyte;

/** Makes a machine with a copy of another one's disk, which depends on nothing of the other's. */
export async function clone(job: Job, source: CloneSource, seed: CreateInput['seed']): Promise<void> {
	const {files, place, work, scripts, signal, record, owner} = job;
	checkHardware(record);
	await job.host.require(scripts);
	makePrivate(place.directory);
	if (!(await exists(files.disk))) {
		const found = (await job.listing.get()).get(source.record.id);
		if (found !== undefined && !isOff(found.state)) {
			throw new DroverError(
				'instance.state',
				`The instance "${source.record.name}" is not stopped, so it cannot be cloned.`,
				{next: 'Stop it first.'},
			);
		}
		const bytes = await chainBytes(source.place.directory);
		await demandSpace(job, bytes);
		work.progress('copying the disk');
		await rm(files.diskPart, {force: true});
		try {
			await scripts.work(
				stateResult,
				'copy-disk',
				{owner, machine: source.record.id, to: files.diskPart},
				{timeoutMs: 60_000 + (bytes / slowestRate) * 1000, signal, lane: record.id},
			);
			await keepDisk(job);
		} catch (error) {
			await rm(files.diskPart, {force: true}).catch(() => {});
			throw error;
		}
	}
	checkCancelled(signal);
	await register(job, seed);
}

/** Bytes of a disk and of what stands on it: a copy never has more. */
async function chainBytes(directory: string): Promise<number> {
	const names = (await readdir(directory, {recursive: true})).filter(name => /\.a?vhdx$/i.test(name));
	const sizes = await Promise.all(
		names.map(name =>
			stat(path.join(directory, name)).then(
				found => found.size,
				() => 0,
			),
		),
	);
	return sizes.reduce((sum, size) => sum + size, 0);
}
