import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import type {Resources} from '../driver.ts';
import {findOwn, type Job, missing} from './context.ts';
import {LxdError} from './errors.ts';
import {code, type Listed} from './instance-state.ts';

/** Makes the server follow: processors and memory at once in a container that runs; a disk grows and never shrinks. */
export async function resize(job: Job, {cpus, memory, disk}: Resources): Promise<void> {
	const {server, path, project, record} = job;
	const found = await findOwn(job);
	if (found === undefined) throw missing(job);
	if (disk !== undefined && disk < record.hardware.disk) {
		throw new DroverError(
			'instance.invalid',
			`A disk of ${formatSize(record.hardware.disk)} cannot shrink to ${formatSize(disk)}.`,
			{
				next: 'Disks only grow.',
			},
		);
	}
	const root = found.devices['root'];
	const patch = (config: Record<string, string>, devices?: Listed['devices']) =>
		server.client.ask('PATCH', path, {
			query: {project},
			body: {config, ...(devices === undefined ? {} : {devices})},
			timeoutMs: 5 * 60_000,
		});
	const isLive = found.type === 'container' && found.status !== code.stopped;
	try {
		await patch(
			{
				...(cpus === undefined ? {} : {'limits.cpu': isLive ? `0${cpus}` : String(cpus)}),
				...(memory === undefined ? {} : {'limits.memory': String(memory)}),
			},
			// One device is replaced as a whole.
			disk === undefined || root === undefined ? undefined : {root: {...root, size: String(disk)}},
		);
		// Both servers hand processors out anew before they have written the new number down, and may then go by the old one
		// for good. The same number in other words makes them do it again, when either is right.
		if (cpus !== undefined && isLive) await patch({'limits.cpu': String(cpus)});
	} catch (error) {
		if (!(error instanceof LxdError) || error.problem !== 'refused') throw error;
		throw new DroverError('driver.failed', `The server does not change it: ${error.message.replace(/\.$/, '')}.`, {
			next: 'Stop the instance and try again.',
			cause: error,
		});
	}
}
