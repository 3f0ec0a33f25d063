import type {InstanceRecord} from '../../model/instance.ts';
import type {ForwardFailure} from '../driver.ts';
import {forwardNotes, type Hmp, syncForwards} from '../machine/forwards.ts';
import {sshPortOf} from '../machine/process.ts';
import {findOwn, type Job, type Shared} from './context.ts';
import {type Virsh, virshError} from './virsh.ts';

/** libvirt leads to QEMU's monitor for people as well. */
function speaker(virsh: Virsh, id: string, timeoutMs: number): Hmp {
	return line => virsh.ask(['qemu-monitor-command', id, '--hmp', line], {timeoutMs});
}

/** Makes the forwards of a machine that runs those of its record. */
export async function forwards(job: Job): Promise<readonly ForwardFailure[]> {
	const found = await findOwn(job);
	if (!found) return [];
	try {
		return await syncForwards(job.record.forwards ?? [], sshPortOf(found), speaker(job.virsh, job.record.id, 10_000));
	} catch (error) {
		throw virshError(error, 'forwarding ports');
	}
}

/** What is to be known of the forwards of a machine that runs. */
export async function notesOf(shared: Shared, record: InstanceRecord): Promise<string[]> {
	const {virsh} = await shared.libvirt.require();
	return forwardNotes(record.forwards, speaker(virsh, record.id, 1000));
}
