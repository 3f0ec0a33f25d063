import type {InstanceRecord} from '../../model/instance.ts';
import type {ForwardFailure, InstancePlace} from '../driver.ts';
import {filesOf} from '../machine/files.ts';
import {forwardNotes, syncForwards} from '../machine/forwards.ts';
import {sshPortOf} from '../machine/process.ts';
import {findOwn, type Job, type Shared} from './context.ts';
import {monitorError} from './monitors.ts';

const timeoutMs = 5000;

/** Makes the forwards of a machine that runs those of its record. */
export async function forwards(job: Job): Promise<readonly ForwardFailure[]> {
	const found = await findOwn(job);
	if (!found) return [];
	try {
		return await job.monitors.use(job.files, {timeoutMs, signal: job.signal}, monitor =>
			syncForwards(job.record.forwards ?? [], sshPortOf(found), async line =>
				String(await monitor.execute('human-monitor-command', {'command-line': line}, {timeoutMs})),
			),
		);
	} catch (error) {
		throw monitorError(error, 'forwarding ports');
	}
}

/** What is to be known of the forwards of a machine that runs. */
export async function notesOf(shared: Shared, record: InstanceRecord, place: InstancePlace): Promise<string[]> {
	const files = filesOf(place);
	return forwardNotes(record.forwards, async line =>
		String(await shared.monitors.ask(files, 'human-monitor-command', {timeoutMs: 800}, {'command-line': line})),
	);
}
