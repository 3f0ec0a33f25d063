import {DroverError} from '../../model/errors.ts';
import type {Nic} from '../../model/network.ts';
import {formatSize, limits} from '../../model/sizes.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CreateInput} from '../driver.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {findOwn, isOwn, type Job, keys, update} from './context.ts';
import {LxdError} from './errors.ts';
import {ensureImage, forgetImage} from './image.ts';
import {type Listed, parseListed} from './instance-state.ts';
import {nicDevice, nicName} from './nics.ts';
import {perform} from './operation.ts';
import {ensureScope, memberNames, type Scope} from './scope.ts';
import type {Server} from './server.ts';

/** Makes the instance on the server, stopped. What is there already is kept. */
export async function create(job: Job, input: CreateInput): Promise<void> {
	const {record, server, work, shared} = job;
	checkDisk(job, input);
	makePrivate(job.place.directory);
	const type = record.lxd?.type ?? (input.imageFormat === 'rootfs' ? 'container' : 'virtual-machine');
	work.progress('looking at the server');
	const scope = await ensureScope(server, {project: job.project, pool: shared.setting('local.lxd.pool')}, work);
	if (record.lxd?.project !== scope.project || record.lxd.type !== type) {
		await update(job, {
			lxd: {type, project: scope.project, ...(server.remote === '' ? {} : {remote: server.remote})},
		});
	}
	const here: Job = {...job, record: job.record, project: scope.project};
	const found = parseListed(await server.client.find(here.path, {project: scope.project}));
	if (found !== undefined) {
		if (isOwn(found, record)) return;
		throw taken(here);
	}
	const alias = await ensureImage(server.client, scope.project, input, record.hardware.arch, work);
	checkCancelled(job.signal);
	const target = await memberFor(server, record.target);
	work.progress('making the instance');
	try {
		await perform(server.client, 'POST', '/1.0/instances', {
			query: {project: scope.project, target},
			body: {
				name: record.name,
				type,
				architecture: record.hardware.arch,
				profiles: [],
				...(await description(here, scope, input, type)),
				source: {type: 'image', alias},
			},
			patienceMs: 30 * 60_000,
			signal: job.signal,
			onProgress: (stage, percent) => work.progress(stage, percent),
		});
	} catch (error) {
		// A crash, or another daemon, may have made it: then it is there.
		const made = error instanceof LxdError && error.problem !== 'aborted' ? await findOwn(here, undefined) : undefined;
		if (made === undefined) throw error;
	} finally {
		if (input.isOwn) await forgetImage(server.client, scope.project, input.imageHash);
	}
}

export function taken({record, project}: Job): DroverError {
	return new DroverError(
		'instance.exists',
		`the server has an instance "${record.name}" in the project ${project} that is not this drover's`,
		{next: 'Choose another name, or another project: drover set local.lxd.project=NAME.'},
	);
}

/** The size of a disk is known before anything is made; a pool that enforces none is told in `info`. */
function checkDisk({record}: Job, {imageFormat}: CreateInput): void {
	if (imageFormat === 'raw') {
		throw new DroverError('image.unusable', 'LXD takes disk images in the qcow2 format only.', {
			next: 'Convert it: qemu-img convert -O qcow2 IMAGE NEW.qcow2',
		});
	}
	if (record.hardware.disk < limits.diskMinimum) {
		throw new DroverError('instance.invalid', 'The disk is too small.', {
			next: `Ask for at least ${formatSize(limits.diskMinimum)}.`,
		});
	}
}

async function memberFor(server: Server, wanted: string | undefined): Promise<string | undefined> {
	if (wanted === undefined) return undefined;
	const names = await memberNames(server);
	if (names.includes(wanted)) return wanted;
	throw new DroverError(
		'instance.invalid',
		names.length === 0
			? 'There is no cluster, so no member can be chosen.'
			: `The cluster has no member "${wanted}" that is up, only ${names.join(', ')}.`,
	);
}

/** What the guest is told, as configuration. */
export function seedConfig({facts}: Server, seed: CreateInput['seed']): Record<string, string> {
	// Servers from before 5.0 read these under the older names.
	const prefix = facts.extensions.has('cloud_init') ? 'cloud-init' : 'user';
	return {
		[`${prefix}.user-data`]: seed['user-data'] ?? '',
		[`${prefix}.vendor-data`]: seed['vendor-data'] ?? '',
		[`${prefix}.network-config`]: seed['network-config'] ?? '',
	};
}

/** Configuration and devices of a new instance. */
async function description(
	job: Job,
	scope: Scope,
	{seed, imageHash}: CreateInput,
	type: Listed['type'],
): Promise<{config: Record<string, string>; devices: Record<string, Record<string, string>>}> {
	const {record, server, shared} = job;
	const {hardware} = record;
	const isMachine = type === 'virtual-machine';
	return {
		config: {
			'limits.cpu': String(hardware.cpus),
			'limits.memory': String(hardware.memory),
			// When the host boots, drover decides what runs again; the server would not know of restore policies.
			'boot.autostart': 'false',
			...(isMachine
				? {
						'security.secureboot': 'false',
						// An image that boots from a BIOS only, like micro.
						...(record.image.os === 'Micro' && server.facts.extensions.has('security_csm')
							? {'security.csm': 'true'}
							: {}),
					}
				: {}),
			...seedConfig(server, seed),
			[keys.id]: record.id,
			[keys.owner]: shared.owner,
			[keys.image]: imageHash,
		},
		devices: {
			root: {type: 'disk', path: '/', pool: scope.pool, size: String(hardware.disk)},
			eth0: {...scope.nic, name: 'eth0', hwaddr: hardware.mac},
			...(isMachine ? {config: {type: 'disk', source: 'cloud-init:config'}} : {}),
			...Object.fromEntries(
				await Promise.all(
					(hardware.nics ?? []).map(async (nic: Nic, index: number) => {
						const name = nicName(index + 1);
						return [name, await nicDevice(server, job.project, nic, name)] as const;
					}),
				),
			),
		},
	};
}
