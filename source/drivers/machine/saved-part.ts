import {open, rename, rm, stat} from 'node:fs/promises';
import type {InstanceRecord, SuspendStamp} from '../../model/instance.ts';
import {syncDirectory} from '../../state/atomic.ts';
import type {MachineJob} from './context.ts';
import {acceleratorIn, domainXml} from './domain-xml.ts';
import type {InstanceFiles} from './files.ts';
import {devicesDigest, machineMemory} from './hardware.ts';
import {hasStreamEnd, replaceXml, tailLength} from './save-format.ts';
import {diskStamp, readSavedMemory, type SavedMemory, stampProblem} from './saved-memory.ts';

/**
 * A memory image under its first name that is whole all the same: libvirt ends the machine before anybody can give the
 * image its name, and a daemon may die in between. `undefined` when there is none, or the disk has been used since.
 */
export async function wholePart(record: InstanceRecord, files: InstanceFiles): Promise<SavedMemory | undefined> {
	const found = await stat(files.statePart).catch(() => undefined);
	if (!found) return undefined;
	const saved = await readSavedMemory(files.statePart);
	if (typeof saved === 'string' || !(await endsWell(files.statePart, saved))) return undefined;
	const disk = await diskStamp(files);
	if (disk === undefined) return undefined;
	if (saved.stamp) return stampProblem(saved.stamp, record, disk, saved) === undefined ? saved : undefined;
	return disk.modifiedMs <= Math.trunc(found.mtimeMs) ? saved : undefined;
}

async function endsWell(file: string, {size, offset}: SavedMemory): Promise<boolean> {
	const handle = await open(file, 'r');
	try {
		const length = Math.min(tailLength, Math.max(0, size - offset));
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(length), 0, length, size - length);
		return hasStreamEnd(buffer.subarray(0, bytesRead));
	} finally {
		await handle.close();
	}
}

export type PartFacts = Pick<SuspendStamp, 'by' | 'driver' | 'version'>;

/**
 * Makes of a whole `state.part` a `state` that tells what it belongs to. The record does not know of it yet.
 * @returns its stamp, or a sentence when it is not whole
 */
export async function completePart(job: MachineJob, facts: PartFacts): Promise<SuspendStamp | string> {
	const {files, record, place} = job;
	const saved = await wholePart(record, files);
	const disk = await diskStamp(files);
	if (!saved || !disk) return 'it is not whole, or the disk has been used since';
	let {stamp} = saved;
	if (!stamp) {
		const {program} = await job.host.require();
		const accelerator = acceleratorIn(saved.xml) ?? 'tcg';
		stamp = {
			...facts,
			machine: record.hardware.machine ?? '',
			accelerator,
			cpus: record.hardware.cpus,
			memory: machineMemory(record),
			devices: devicesDigest(record),
			disk,
			size: saved.size,
			at: new Date().toISOString(),
		};
		const xml = domainXml({record, files, accelerator, emulator: program, name: saved.domain, stamp});
		const handle = await open(files.statePart, 'r+');
		try {
			// libvirt leaves room for this. Where it does not, the record alone has the stamp.
			const head = replaceXml(xml, saved.offset);
			if (head) await handle.write(head.bytes, 0, head.bytes.length, head.position);
			await handle.chmod(0o600);
			await handle.sync();
		} finally {
			await handle.close();
		}
	}
	await rename(files.statePart, files.state);
	await syncDirectory(place.directory);
	return stamp;
}

/** Takes a `state.part` up that is whole, and away that is not. @returns the stamp of the one taken up */
export async function settlePart(job: MachineJob, by: 'user' | 'switch'): Promise<SuspendStamp | undefined> {
	const {files, record} = job;
	if (record.suspended === undefined && (await wholePart(record, files))) {
		const {version} = await job.host.require();
		const stamp = await completePart(job, {by, driver: 'libvirt', version});
		if (typeof stamp !== 'string') return stamp;
	}
	await rm(files.statePart, {force: true});
	return undefined;
}
