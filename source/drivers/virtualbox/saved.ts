import {createHash} from 'node:crypto';
import {open, stat} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord, SuspendStamp} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';
import {filesOf, type MachineSettings, readSettings} from './files.ts';

/** The machine type that goes into records and stamps. */
export const chipset = 'piix3';

/** Source: VirtualBox's strings, SSM file headers of the versions 1.1 to 2.0. */
const magic = '\x7fVirtualBox SavedState V';

/** A digest over everything the guest finds plugged in. */
export function devicesDigest({hardware}: InstanceRecord): string {
	const nics = (hardware.nics ?? []).map(({mac}, index) => `virtio-net@${index + 2}:${mac}`);
	const devices = ['piix4-ide@0:disk', 'piix4-ide@1:seed', 'uart@0', `virtio-net@1:${hardware.mac}`, ...nics];
	return createHash('sha256').update(devices.join('\n')).digest('hex');
}

/** The file the guest's disk is in now: with a snapshot that somebody took in VirtualBox's window it is another. */
export function attachedDisk(info: ReadonlyMap<string, string>, place: InstancePlace): string {
	const found = info.get(`${controller}-0-0`);
	return found === undefined || found === 'none' || found === 'emptydrive' ? filesOf(place).disk : found;
}

/**
 * The name of the storage controller. It is IDE’s: kernels that are made for the cloud leave out the driver of the SATA
 * controller that VirtualBox has, and all have the one for this.
 */
export const controller = 'IDE';

export async function diskStamp(disk: string): Promise<SuspendStamp['disk'] | undefined> {
	const found = await stat(disk).catch(() => undefined);
	return found && {bytes: found.size, modifiedMs: Math.trunc(found.mtimeMs)};
}

/** What is known of saved memory without loading it. */
export type Saved = {readonly file: string; readonly size: number};

/** Looks at the outside of saved memory. @returns a sentence when it is missing or none */
export async function readSaved(settings: MachineSettings | undefined): Promise<Saved | string> {
	if (settings?.stateFile === undefined) return 'VirtualBox has none of it any more';
	const file = settings.stateFile;
	const handle = await open(file, 'r').catch(() => undefined);
	if (!handle) return 'its file is missing';
	try {
		const {size} = await handle.stat();
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(magic.length), 0, magic.length, 0);
		// Its size is looked at first by whoever has a stamp.
		if (bytesRead < magic.length || buffer.toString('latin1') !== magic) return 'its file is not a saved memory image';
		return {file, size};
	} finally {
		await handle.close();
	}
}

/** Why saved memory must not be loaded by the record's stamp; `undefined` when it may. Looks only. */
export async function stampProblem(
	record: InstanceRecord,
	stamp: SuspendStamp,
	settings: MachineSettings | undefined,
	disk: string,
): Promise<string | undefined> {
	const size =
		settings?.stateFile === undefined ? undefined : (await stat(settings.stateFile).catch(() => undefined))?.size;
	if (size !== undefined && size !== stamp.size) return `its file has ${size} bytes, ${stamp.size} were written`;
	const saved = await readSaved(settings);
	if (typeof saved === 'string') return saved;
	const now = await diskStamp(disk);
	if (now === undefined) return 'the disk is missing';
	if (now.bytes !== stamp.disk.bytes || now.modifiedMs !== stamp.disk.modifiedMs)
		return 'the disk has been changed since';
	const {cpus, memory} = record.hardware;
	if (stamp.cpus !== cpus || stamp.memory !== memory || stamp.devices !== devicesDigest(record)) {
		return 'the machine has been changed since';
	}
	return undefined;
}

/** Why an instance's saved memory could not be loaded; `undefined` when nothing speaks against it, or there is none. */
export async function loadProblem(
	find: () => Promise<{readonly info: ReadonlyMap<string, string>} | undefined>,
	record: InstanceRecord,
	place: InstancePlace,
): Promise<string | undefined> {
	const stamp = record.suspended;
	if (stamp === undefined) return undefined;
	try {
		const machine = await find();
		if (machine === undefined) return 'VirtualBox does not know its machine any more';
		return await stampProblem(record, stamp, await readSettings(record, place), attachedDisk(machine.info, place));
	} catch (error) {
		return (error as Error).message.replace(/\.$/, '');
	}
}

export function savedMemoryError(problem: string): DroverError {
	return new DroverError('instance.broken', `The saved memory cannot be used: ${problem}.`, {
		next: 'It is kept. Start the instance with its memory discarded (start --discard-memory): the disk then boots as after a power cut.',
	});
}
