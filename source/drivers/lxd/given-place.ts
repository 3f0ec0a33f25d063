import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {asObject} from '../machine/json.ts';
import type {LxdClient} from './client.ts';
import {textValues} from './text-values.ts';

type Device = Readonly<Record<string, string>>;

/**
 * The wanted project where it may be used, else the user's own: servers name it after his number.
 * @param only the projects he may use; `undefined`: all, and new ones
 */
export function projectFor(wanted: string, only: readonly string[] | undefined): string {
	if (only === undefined || only.includes(wanted)) return wanted;
	return only.find(name => /^user-\d+$/.test(name)) ?? (only.length === 1 ? only[0]! : wanted);
}

/**
 * For a user who may use some projects and make none, as behind the restricted sockets: there whoever runs the server has
 * put a disk and a network into the default profile, and what that has is used.
 */
export async function givenPlace(
	client: LxdClient,
	only: readonly string[],
	wanted: {readonly project: string; readonly pool: string},
): Promise<{project: string; pool: string; nic: Device}> {
	const project = projectFor(wanted.project, only);
	if (!only.includes(project)) {
		const known = only.map(plainLine).join(', ');
		throw new DroverError(
			'driver.unusable',
			`This user may make no projects on the server, and may use ${known === '' ? 'none' : `only ${known}`}.`,
			{
				next:
					known === ''
						? 'Ask who runs it for a project, or for the right to make one.'
						: 'Choose one of them: drover set local.lxd.project=NAME.',
			},
		);
	}
	const {root, nic} = await profileDevices(client, project);
	const pool = wanted.pool || root?.['pool'];
	if (pool === undefined || nic === undefined) {
		throw new DroverError(
			'driver.unusable',
			`The default profile of the project ${project} has no ${pool === undefined ? 'disk' : 'network'}.`,
			{next: 'Ask who runs the server to give it both: then instances can be made in it.'},
		);
	}
	const {name: _, hwaddr: __, ...rest} = nic;
	return {project, pool, nic: rest};
}

/** The disk and the network that a project's default profile has. */
export async function profileDevices(
	client: LxdClient,
	project: string,
): Promise<{root: Device | undefined; nic: Device | undefined}> {
	const {devices} = asObject(await client.get('/1.0/profiles/default', {project}));
	const all = Object.values(asObject(devices)).map(device => textValues(device));
	return {
		root: all.find(device => device['type'] === 'disk' && device['path'] === '/'),
		nic: all.find(device => device['type'] === 'nic'),
	};
}
