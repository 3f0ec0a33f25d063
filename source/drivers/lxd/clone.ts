import {DroverError} from '../../model/errors.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CloneSource, CreateInput} from '../driver.ts';
import {instancePath, isOwn, type Job, keys} from './context.ts';
import {seedConfig, taken} from './create.ts';
import {LxdError} from './errors.ts';
import {forwards} from './forwards.ts';
import {code, type Listed, parseListed} from './instance-state.ts';
import {perform} from './operation.ts';

/**
 * Has the server copy an instance, without its snapshots. What is not overridden here the copy has from the other: also
 * the addresses of its interfaces, with which the server would not start it. What is there already is kept.
 */
export async function clone(job: Job, source: CloneSource, seed: CreateInput['seed']): Promise<void> {
	const {record, server, project, path, signal, work} = job;
	makePrivate(job.place.directory);
	const here = async () => parseListed(await server.client.find(path, {project}));
	const made = await here();
	if (made !== undefined && !isOwn(made, record)) throw taken(job);
	if (made === undefined) {
		const from = await demandStopped(job, source);
		work.progress('copying the instance');
		try {
			await perform(server.client, 'POST', '/1.0/instances', {
				query: {project},
				body: {
					name: record.name,
					type: from.type,
					architecture: from.architecture,
					...changes(job, source, from, seed),
					source: {type: 'copy', source: from.name, project, instance_only: true},
				},
				patienceMs: 60 * 60_000,
				signal,
				onProgress: (stage, percent) => work.progress(stage, percent),
			});
		} catch (error) {
			// A crash, or another daemon, may have made it: then it is there.
			const isThere = error instanceof LxdError && error.problem !== 'aborted' ? await here() : undefined;
			if (isThere === undefined || !isOwn(isThere, record)) throw error;
		}
	}
	// Two cannot listen on one port of the host.
	await forwards(job);
}

/** @throws DroverError `instance.broken`, `instance.state` */
async function demandStopped({server, project}: Job, {record}: CloneSource): Promise<Listed> {
	const found = parseListed(await server.client.find(instancePath(record.name), {project}));
	if (found === undefined || !isOwn(found, record)) {
		throw new DroverError(
			'instance.broken',
			`The server has no instance ${record.name} of drover's in the project ${project} any more.`,
		);
	}
	if (found.status === code.stopped) return found;
	throw new DroverError('instance.state', `The instance "${record.name}" is not stopped, so it cannot be cloned.`, {
		next: 'Stop it first.',
	});
}

/** What is another one's in the copy: what drover and the guest know it by, and the addresses of its interfaces. */
function changes({record, server, shared}: Job, source: CloneSource, from: Listed, seed: CreateInput['seed']) {
	const {mac, nics = []} = record.hardware;
	const macs = new Map([
		[source.record.hardware.mac, mac],
		...(source.record.hardware.nics ?? []).flatMap((nic, index) => {
			const own = nics[index];
			return own === undefined ? [] : [[nic.mac, own.mac] as const];
		}),
	]);
	const devices = Object.entries(from.devices).flatMap(([name, device]) => {
		if (device['type'] !== 'nic') return [];
		// An interface that was made by others may have its address from the server: the copy is given a new one.
		const {hwaddr, ...rest} = device;
		const own = name === 'eth0' ? mac : macs.get(hwaddr?.toLowerCase() ?? '');
		return [[name, {...rest, ...(own === undefined ? {} : {hwaddr: own})}] as const];
	});
	const hasFirst = devices.some(([name]) => name === 'eth0');
	return {
		config: {
			...seedConfig(server, seed),
			...(hasFirst ? {} : {'volatile.eth0.hwaddr': mac}),
			[keys.id]: record.id,
			[keys.owner]: shared.owner,
		},
		devices: Object.fromEntries(devices),
	};
}
