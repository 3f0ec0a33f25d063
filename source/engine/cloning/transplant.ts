import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {mkdir, readdir, rm} from 'node:fs/promises';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import type {CreateInput, Driver, InstancePlace, WorkContext} from '../../drivers/driver.ts';
import {copyFlat} from '../../images/flat-copy.ts';
import type {DiskFormat} from '../../images/foreign-disk.ts';
import type {ImageForm} from '../../images/image.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {cloudInitName, hostKeyName} from '../launching/launch.ts';

export type Transplant = {
	readonly driver: Driver;
	readonly record: InstanceRecord;
	readonly place: InstancePlace;
	/** The disk it is to have a copy of; nobody writes to it meanwhile. */
	readonly disk: {readonly file: string; readonly format: DiskFormat};
	readonly form: ImageForm;
	/** Made when the size of the disk is known. */
	readonly seed: (record: InstanceRecord) => Promise<CreateInput['seed']>;
};

const incomingName = 'incoming';

/**
 * Makes an instance of a driver's out of a disk that another driver or software has: a copy, checked, which becomes the
 * disk, or the root of a container. What is under way is in a directory beside the record, and gone at the end.
 * @throws DroverError `image.unusable`, `host.disk-full`, `driver.*`, `operation.cancelled`
 */
export async function transplant(
	{driver, place, disk, form, seed, ...given}: Transplant,
	work: WorkContext,
): Promise<void> {
	const incoming = path.join(place.directory, incomingName);
	await rm(incoming, {recursive: true, force: true});
	await mkdir(incoming, {mode: 0o700});
	await mkdir(place.sockets, {recursive: true, mode: 0o700});
	let {record} = given;
	try {
		const copy = path.join(incoming, 'disk.qcow2');
		const {virtualSize} = await copyFlat(disk, copy, work);
		if (record.hardware.disk < virtualSize) {
			record = await work.update({hardware: {...record.hardware, disk: virtualSize}});
		}
		const image = await inForm(form, copy, {name: record.name, virtualSize, directory: incoming}, work);
		await driver.create(record, place, {...image, isOwn: true, seed: await seed(record)}, work);
	} finally {
		await rm(incoming, {recursive: true, force: true});
	}
}

async function inForm(
	form: ImageForm,
	copy: string,
	{name, virtualSize, directory}: {name: string; virtualSize: number; directory: string},
	work: WorkContext,
): Promise<Pick<CreateInput, 'imagePath' | 'imageFormat' | 'imageHash'>> {
	if (form === 'disk') {
		// Nobody else has this disk, so that it need not be read once more to be known by its content.
		const imageHash = `sha256:${createHash('sha256').update(copy).update(String(Date.now())).digest('hex')}`;
		return {imagePath: copy, imageFormat: 'qcow2', imageHash};
	}
	const {convertDisk} = await import('../../images/rootfs/convert.ts');
	const own = path.join(directory, 'root');
	await mkdir(own, {mode: 0o700});
	const disk = {path: copy, format: 'qcow2', hash: '', virtualSize} as const;
	const imagePath = await convertDisk(disk, `The disk of "${name}"`, own, work);
	await rm(copy, {force: true});
	const hash = createHash('sha256');
	await pipeline(createReadStream(imagePath), hash, {signal: work.signal});
	return {imagePath, imageFormat: 'rootfs', imageHash: `sha256:${hash.digest('hex')}`};
}

const kept = new Set([hostKeyName, cloudInitName]);

/** Removes what an attempt that was cut short has made of an instance; its record and its keys stay. */
export async function clearAttempt(
	driver: Driver,
	record: InstanceRecord,
	place: InstancePlace,
	work: WorkContext,
): Promise<void> {
	await driver.destroy(record, place, work);
	for (const name of await readdir(place.directory)) {
		if (kept.has(name) || name.startsWith('instance.json') || name.startsWith('events.jsonl')) continue;
		await rm(path.join(place.directory, name), {recursive: true, force: true});
	}
}
