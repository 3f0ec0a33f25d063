import {createHash} from 'node:crypto';
import {DroverError} from '../../model/errors.ts';
import type {Mount} from '../../model/mount.ts';
import {plainLine} from '../../model/text.ts';
import {asObject} from '../machine/json.ts';
import {findOwn, type Job, missing} from './context.ts';
import {LxdError} from './errors.ts';
import type {Listed} from './instance-state.ts';
import {perform} from './operation.ts';
import {textValues} from './text-values.ts';

/** Short, because some servers allow 27 characters only, and the same for the same target. */
export function mountDevice(target: string): string {
	return `mnt-${createHash('sha256').update(target).digest('hex').slice(0, 8)}`;
}

/**
 * Shows a directory of the host in an instance, at once when it runs. Owners: in a container they are shifted, so that
 * they are the same inside and outside, where the kernel and the server can; else files of the host belong to nobody
 * inside. @returns a sentence about the owners when they are not shifted
 */
export async function mount(job: Job, {source, target, uidMap, gidMap}: Mount): Promise<string | undefined> {
	const {server, path, project, work} = job;
	if (server.remote !== '') {
		throw new DroverError('driver.incapable', 'A directory of this host cannot be mounted on a remote server.', {
			next: 'Copy it instead: drover transfer --recursive.',
		});
	}
	if ([...uidMap, ...gidMap].some(({host, guest}) => guest !== -1 && guest !== host)) {
		throw new DroverError(
			'driver.incapable',
			'LXD’s native mounts keep owners as they are or shift them all; they map no single ones.',
			{
				next: 'Leave --uid-map and --gid-map out.',
			},
		);
	}
	const found = await findOwn(job);
	if (found === undefined) throw missing(job);
	const device = mountDevice(target);
	if (found.devices[device]?.['source'] === source && found.devices[device]?.['path'] === target) return undefined;
	const plain = {type: 'disk', source, path: target};
	const put = (values: Record<string, string>) =>
		server.client.ask('PATCH', path, {query: {project}, body: {devices: {[device]: values}}, timeoutMs: 60_000});
	try {
		if (found.type === 'virtual-machine') {
			await put(plain);
			return undefined;
		}
		try {
			await put({...plain, shift: 'true'});
			return undefined;
		} catch (error) {
			if (!(error instanceof LxdError) || !/idmap|shift/i.test(error.message)) throw error;
			work.log(`The server cannot shift owners: ${error.message}`);
			await put(plain);
			return unshifted;
		}
	} catch (error) {
		if (error instanceof LxdError && /missing source path|doesn.t exist/i.test(error.message)) {
			throw new DroverError('instance.invalid', `The server does not see the directory ${source}.`, {
				next: 'A server from the snap store sees no hidden directories and not /tmp: choose another directory.',
				cause: error,
			});
		}
		if (error instanceof LxdError && /source .*not allowed/i.test(error.message))
			throw await notAllowed(job, source, error);
		throw error;
	}
}

/** A project can be limited to some directories, as those of the restricted sockets are to the user's home. */
async function notAllowed({server, project}: Job, source: string, error: LxdError): Promise<DroverError> {
	const found = await server.client.find(`/1.0/projects/${encodeURIComponent(project)}`).catch(() => undefined);
	const allowed = plainLine(textValues(asObject(found)['config'])['restricted.devices.disk.paths'] ?? '');
	return new DroverError('driver.unusable', `The server lets instances of the project ${project} see no ${source}.`, {
		next:
			allowed === ''
				? 'Copy it instead: drover transfer --recursive.'
				: `Choose a directory below ${allowed.split(',').join(' or ')}.`,
		cause: error,
	});
}

export const unshifted =
	'This server cannot shift owners: files of the host belong to nobody (65534) inside, and can be written only where everybody may.';

/** Ends a mount. What is not there is no error. */
export async function unmount(job: Job, {target}: Mount): Promise<void> {
	await removeDevice(job, mountDevice(target));
}

/** Takes a device out; one that is not there is no error. The whole description is sent back, as one device alone cannot be removed by a change. */
export async function removeDevice(job: Job, device: string): Promise<void> {
	const {server, path, project} = job;
	for (let attempt = 1; ; attempt++) {
		const {metadata, etag} = await server.client.ask('GET', path, {query: {project}});
		const found = await findOwn(job);
		if (found === undefined || found.devices[device] === undefined) return;
		const {[device]: _, ...devices} = found.devices;
		try {
			await perform(server.client, 'PUT', path, {
				query: {project},
				body: writable(found, metadata, devices),
				...(etag === undefined ? {} : {headers: {'if-match': etag}}),
			});
			return;
		} catch (error) {
			// Somebody changed it in between: look again.
			if (error instanceof LxdError && error.status === 412 && attempt < 5) continue;
			if (error instanceof LxdError && /busy|in use/i.test(error.message)) {
				throw new DroverError(
					'instance.busy',
					`The directory is in use in the guest: ${error.message.replace(/\.$/, '')}.`,
					{
						next: 'End what uses it, or stop the instance first.',
					},
				);
			}
			throw error;
		}
	}
}

function writable(found: Listed, metadata: unknown, devices: Listed['devices']): Record<string, unknown> {
	const {config} = metadata as {config?: unknown};
	return {
		architecture: found.architecture,
		config: config ?? found.config,
		description: found.description,
		devices,
		ephemeral: found.isEphemeral,
		profiles: found.profiles,
	};
}
