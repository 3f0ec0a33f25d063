import {DroverError} from '../../model/errors.ts';
import type {HostNetwork, Nic} from '../../model/network.ts';
import {plainLine} from '../../model/text.ts';
import {asObject} from '../machine/json.ts';
import {findOwn, type Job, missing} from './context.ts';
import {profileDevices, projectFor} from './given-place.ts';
import {bridgeName} from './scope.ts';
import type {Server} from './server.ts';
import {textValues} from './text-values.ts';

export function nicName(index: number): string {
	return `eth${index}`;
}

type Network = {
	readonly name: string;
	readonly type: string;
	readonly isManaged: boolean;
	readonly description: string;
};

/** Networks of the host, as far as an instance can be put on them; who may use one project only is shown those of it. */
async function all({client, only}: Server, project: string): Promise<Network[]> {
	const list = await client.get('/1.0/networks', {recursion: 1, ...(only === undefined ? {} : {project})});
	return (Array.isArray(list) ? list : []).flatMap(entry => {
		const {name = '', type = '', description = ''} = textValues(entry);
		const isManaged = asObject(entry)['managed'] === true;
		return name === '' ? [] : [{name, type, isManaged, description}];
	});
}

/** Loopback, the other ends of instances' interfaces and the kernel's helpers are no networks to a person. */
const internal = /^(?:lo|ifb|veth|tap|mac|docker_gwbridge|dummy|tunl|sit|gre|ip6|teql|bond0$)/;

/**
 * What `networks` lists: bridges, the server's own networks, and the host's network cards. The one that every instance
 * is on is left out.
 */
export async function hostNetworks(server: Server, wanted: string): Promise<HostNetwork[]> {
	const project = projectFor(wanted, server.only);
	const first = await firstNetwork(server, project);
	return (await all(server, project)).flatMap(({name, type, isManaged, description}) => {
		if (name === first || internal.test(name)) return [];
		const shown = {name: plainLine(name), description: plainLine(description)};
		if (type === 'bridge') {
			return [
				{
					...shown,
					type: 'bridge',
					description: shown.description || (isManaged ? 'network of the server' : 'bridge of the host'),
				},
			];
		}
		if (type === 'physical')
			return [{...shown, type: 'ethernet', description: shown.description || 'network card of the host'}];
		if (isManaged) return [{...shown, type, description: shown.description || 'network of the server'}];
		return [];
	});
}

async function firstNetwork({client, only}: Server, project: string): Promise<string | undefined> {
	return only === undefined ? bridgeName : (await profileDevices(client, project)).nic?.['network'];
}

/** A further interface as a device of the server's. @throws DroverError `instance.invalid` when there is no such network */
export async function nicDevice(
	server: Server,
	project: string,
	nic: Nic,
	name: string,
): Promise<Record<string, string>> {
	const networks = await all(server, project);
	const found = networks.find(network => network.name === nic.network);
	if (found === undefined || internal.test(found.name)) {
		throw new DroverError('instance.invalid', `There is no network "${plainLine(nic.network).slice(0, 60)}".`, {
			next: 'drover networks lists those there are.',
		});
	}
	const common = {type: 'nic', name, hwaddr: nic.mac};
	if (found.name === (await firstNetwork(server, project))) {
		throw new DroverError('instance.invalid', `Every instance is on ${plainLine(found.name)} already.`, {
			next: 'Choose another network: drover networks lists them.',
		});
	}
	if (found.isManaged) return {...common, network: found.name};
	if (found.type === 'bridge') return {...common, nictype: 'bridged', parent: found.name};
	return {...common, nictype: 'macvlan', parent: found.name};
}

/** Gives an instance a further interface, while it runs too. One that is there already is no error. */
export async function addNic(job: Job, nic: Nic): Promise<void> {
	const {server, project, path, signal} = job;
	const found = await findOwn(job);
	if (found === undefined) throw missing(job);
	if (Object.values(found.devices).some(device => device['hwaddr'] === nic.mac)) return;
	const taken = new Set(Object.keys(found.devices));
	let index = 1;
	while (taken.has(nicName(index))) index++;
	const name = nicName(index);
	const device = await nicDevice(server, project, nic, name);
	await server.client.ask('PATCH', path, {
		query: {project},
		body: {devices: {[name]: device}},
		signal,
		timeoutMs: 60_000,
	});
}
