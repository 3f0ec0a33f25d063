import {DroverError} from '../../model/errors.ts';
import {formatSize} from '../../model/sizes.ts';
import type {Resources} from '../driver.ts';
import {findOwn, type Job, missing} from './context.ts';
import {LxdError} from './errors.ts';

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
	const body = {
		config: {
			...(cpus === undefined ? {} : {'limits.cpu': String(cpus)}),
			...(memory === undefined ? {} : {'limits.memory': String(memory)}),
		},
		// One device is replaced as a whole.
		...(disk === undefined || root === undefined ? {} : {devices: {root: {...root, size: String(disk)}}}),
	};
	try {
		await server.client.ask('PATCH', path, {query: {project}, body, timeoutMs: 5 * 60_000});
	} catch (error) {
		if (!(error instanceof LxdError) || error.problem !== 'refused') throw error;
		throw new DroverError('driver.failed', `The server does not change it: ${error.message.replace(/\.$/, '')}.`, {
			next: 'Stop the instance and try again.',
			cause: error,
		});
	}
}
