import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord, SuspendStamp} from '../../model/instance.ts';
import {type MachineJob, update} from './context.ts';
import type {InstanceFiles} from './files.ts';
import type {Accelerator} from './hardware.ts';
import type {QemuHostProbe} from './host.ts';
import {diskStamp, readSavedMemory, type SavedMemory, savedMemoryError, stampProblem} from './saved-memory.ts';

/** A driver's own objection to saved memory. */
export type Judge = (stamp: SuspendStamp) => string | undefined | Promise<string | undefined>;

/** A guest must not find another kind of processor when it wakes up. @param reason why there is no better accelerator */
export function acceleratorProblem(stamp: SuspendStamp, usable: Accelerator, reason?: string): string | undefined {
	if (stamp.accelerator === 'tcg' || stamp.accelerator === usable) return undefined;
	return `it was saved with ${stamp.accelerator}, which cannot be used now${reason === undefined ? '' : ` (${reason})`}`;
}

/** Everything that speaks against loading saved memory without trying it; else what is known of its file. */
async function look(
	host: QemuHostProbe,
	record: InstanceRecord,
	files: InstanceFiles,
	stamp: SuspendStamp,
	judge: Judge,
): Promise<SavedMemory | string> {
	const saved = await readSavedMemory(files.state);
	if (typeof saved === 'string') return saved;
	const problem =
		stampProblem(stamp, record, await diskStamp(files), saved) ??
		((await host.hasMachine(stamp.machine))
			? undefined
			: `this QEMU does not know its machine type ${stamp.machine}`) ??
		(await judge(stamp));
	return problem ?? saved;
}

/** Why saved memory could not be loaded here; `undefined` when nothing speaks against it, or there is none. */
export async function loadProblem(
	host: QemuHostProbe,
	record: InstanceRecord,
	files: InstanceFiles,
	judge: Judge,
): Promise<string | undefined> {
	if (record.suspended === undefined) return undefined;
	try {
		const found = await look(host, record, files, record.suspended, judge);
		return typeof found === 'string' ? found : undefined;
	} catch (error) {
		if (error instanceof DroverError) return error.message.replace(/\.$/, '');
		throw error;
	}
}

/**
 * Looks whether saved memory can be loaded, and gives the record the machine type it was saved with: no other can.
 * @throws DroverError `instance.broken`
 */
export async function checkLoadable(job: MachineJob, stamp: SuspendStamp, judge: Judge): Promise<SavedMemory> {
	const found = await look(job.host, job.record, job.files, stamp, judge);
	if (typeof found === 'string') throw savedMemoryError(found);
	const {hardware} = job.record;
	if (hardware.machine !== stamp.machine) await update(job, {hardware: {...hardware, machine: stamp.machine}});
	return found;
}

/** Bytes a second that even a slow disk reads; what takes longer has failed. */
const slowestRate = 4 * 2 ** 20;

/** How long loading a memory image may take, milliseconds. */
export function loadingTimeoutMs(size: number): number {
	return 60_000 + (size / slowestRate) * 1000;
}
