import {chmod, link, open, rm} from 'node:fs/promises';
import path from 'node:path';
import {backingChain, hasContent} from '../../images/backing.ts';
import {DroverError} from '../../model/errors.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {layerIn, makePrivate} from '../../state/paths.ts';
import type {CloneSource, CreateInput} from '../driver.ts';
import {copyVariables, demandResting} from './clone-source.ts';
import type {MachineJob} from './context.ts';
import {writeSeed} from './create.ts';
import {diskInformation} from './disk-information.ts';
import {filesOf} from './files.ts';
import {checkHardware} from './hardware.ts';
import {checkCancelled} from './lanes.ts';
import {deepestLayers, planLink} from './link-plan.ts';
import {layOver} from './overlay.ts';
import {exists} from './saved-memory.ts';

const inFull = 'Clone it in full, without --linked';

/**
 * Makes a disk with what another instance's has now, and copies nothing: what that is, is a layer from then on which nobody
 * writes to, and both disks lie over it. The other's disk is whole at every moment, whatever breaks off in between: the
 * layer is a second name of its file first, and the empty disk over the layer takes its first name in one go.
 * @param layer the file that is to be the layer, chosen for this clone; one attempt after another is given the same
 */
export async function linkedClone(
	job: MachineJob,
	source: CloneSource,
	layer: string,
	seed: CreateInput['seed'],
): Promise<void> {
	const {files, place, record, work, signal} = job;
	checkHardware(record);
	const {imageProgram} = await job.host.require();
	makePrivate(place.directory);
	if (!(await exists(files.disk))) {
		work.progress('sharing the disk');
		const shared = await share(job, imageProgram, source, layer);
		checkCancelled(signal);
		const found = await diskInformation(imageProgram, shared, 'qcow2', signal);
		checkCancelled(signal);
		if (typeof found === 'string') {
			throw new DroverError('instance.broken', `The layer below the disk of "${source.record.name}": ${found}.`);
		}
		// The other may have been given a larger one since it was laid over this layer.
		const size = Math.max(found.size, record.hardware.disk);
		await layOver(files.disk, {imageProgram, base: {file: shared, format: 'qcow2'}, size, signal});
	}
	checkCancelled(signal);
	await copyVariables(files, source);
	await writeSeed(files, seed);
}

/** @returns the layer that has what the other's disk has */
async function share(job: MachineJob, imageProgram: string, source: CloneSource, wanted: string): Promise<string> {
	const {disk} = filesOf(source.place);
	const {name} = source.record;
	const {size, tags} = await demandResting(job, imageProgram, source);
	const layers = (await backingChain(disk)).filter(file => layerIn(file) !== undefined);
	if (tags.length > 0) {
		throw new DroverError(
			'instance.state',
			`The snapshots of "${name}" are inside the disk that a linked clone would share, where they could not be restored or deleted any more.`,
			{next: `${inFull}, or delete its snapshots first.`},
		);
	}
	const plan = planLink({layers, isUntouched: !(await hasContent(disk)), wanted});
	if (plan.kind === 'refuse') {
		throw new DroverError(
			'instance.state',
			`The disk of "${name}" lies over ${layers.length} shared layers already, and ${deepestLayers} are the most.`,
			{next: `${inFull}: that has none, and can be cloned linked again.`},
		);
	}
	if (plan.kind === 'make') {
		await giveName(disk, plan.layer);
		await layOver(disk, {imageProgram, base: {file: plan.layer, format: 'qcow2'}, size, signal: job.signal});
	}
	await chmod(plan.layer, 0o400);
	return plan.layer;
}

/** The second name of the disk's file is on stable storage before anything lies over it. */
async function giveName(disk: string, layer: string): Promise<void> {
	const directory = path.dirname(layer);
	makePrivate(path.dirname(directory));
	makePrivate(directory);
	// Of an attempt that broke off before anything lay over it.
	await rm(layer, {force: true});
	await link(disk, layer).catch((error: NodeJS.ErrnoException) => {
		throw new DroverError(
			'host.failed',
			`The disk cannot be shared: the file system does not let a file have two names (${error.code}).`,
			{next: `${inFull}.`, cause: error},
		);
	});
	const handle = await open(layer, 'r');
	await handle.sync().finally(() => handle.close());
	for (const each of [directory, path.dirname(directory), path.dirname(path.dirname(directory))]) {
		await syncDirectory(each);
	}
}
