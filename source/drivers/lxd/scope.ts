import {BlockList, isIP} from 'node:net';
import {networkInterfaces} from 'node:os';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import type {WorkContext} from '../driver.ts';
import {asObject} from '../machine/json.ts';
import type {LxdClient} from './client.ts';
import {isMissing, LxdError} from './errors.ts';
import {givenPlace} from './given-place.ts';
import {perform} from './operation.ts';
import type {Server} from './server.ts';
import {textValues} from './text-values.ts';

/** drover's bridge: bridges belong to the whole server, whatever project instances are in. */
export const bridgeName = 'droverbr0';

/** Where instances of the scope are made, and from what. */
export type Scope = {
	readonly project: string;
	readonly pool: string;
	/** The pool's kind: on `dir` the size of a container's disk is not enforced. */
	readonly poolDriver: string;
	/** The first interface of an instance, without its address. */
	readonly nic: Readonly<Record<string, string>>;
};

type Wanted = {readonly project: string; readonly pool: string};

/**
 * Makes sure that project, pool and network are there; makes what is missing, and changes nothing of others'.
 * May be called again after a crash, and by several at once.
 * @throws LxdError, DroverError `driver.unusable` when the pool that was asked for does not exist
 */
export function ensureScope(server: Server, wanted: Wanted, work: WorkContext): Promise<Scope> {
	// Launches at the same time share one look: each would make what is missing, and all but one fail.
	const key = JSON.stringify([server.client.endpoint, wanted]);
	const found = looks.get(key);
	if (found) return found;
	const look = makeScope(server, wanted, work).finally(() => looks.delete(key));
	looks.set(key, look);
	return look;
}

const looks = new Map<string, Promise<Scope>>();

async function makeScope(server: Server, wanted: Wanted, work: WorkContext): Promise<Scope> {
	const {client} = server;
	if (server.only !== undefined) {
		const place = await givenPlace(client, server.only, wanted);
		work.log(`Only the project ${place.project} may be used.`);
		return {...place, poolDriver: await poolDriver(client, place.pool)};
	}
	await ensureProject(client, wanted.project, work);
	const pool = await ensurePool(server, wanted.pool, work);
	await ensureBridge(server, work);
	return {
		project: wanted.project,
		...pool,
		nic: {type: 'nic', network: bridgeName},
	};
}

async function ensureProject(client: LxdClient, name: string, work: WorkContext): Promise<void> {
	const path = `/1.0/projects/${encodeURIComponent(name)}`;
	try {
		if ((await client.find(path)) !== undefined) return;
		work.log(`Making the project ${name}.`);
		await client.ask('POST', '/1.0/projects', {
			body: {
				name,
				description: 'Instances of drover',
				// Images, profiles and volumes of its own: nothing of other projects is touched or depended on.
				config: {
					'features.images': 'true',
					'features.profiles': 'true',
					'features.storage.volumes': 'true',
				},
			},
		});
	} catch (error) {
		// Somebody else made it in the meantime, which each server tells in its own way.
		if (error instanceof LxdError && error.problem === 'refused' && (await client.find(path)) !== undefined) return;
		throw error;
	}
}

async function ensurePool(
	server: Server,
	wanted: string,
	work: WorkContext,
): Promise<{pool: string; poolDriver: string}> {
	const {client} = server;
	const choose = async () => {
		const list = await client.get('/1.0/storage-pools', {recursion: 1});
		const pools = (Array.isArray(list) ? list : []).map(entry => textValues(entry));
		const named = wanted === '' ? undefined : pools.find(pool => pool['name'] === wanted);
		const chosen = named ?? (wanted === '' ? (pools.find(pool => pool['name'] === 'default') ?? pools[0]) : undefined);
		return {
			pools,
			chosen: chosen?.['name'] === undefined ? undefined : {pool: chosen['name'], poolDriver: chosen['driver'] ?? ''},
		};
	};
	const {pools, chosen} = await choose();
	if (chosen) return chosen;
	if (wanted !== '') {
		const known = pools.map(pool => plainLine(pool['name'] ?? '')).join(', ');
		throw new DroverError(
			'driver.unusable',
			`There is no storage pool ${wanted} on the server${known === '' ? '' : `, only ${known}`}.`,
			{next: 'drover set local.lxd.pool= lets drover choose one.'},
		);
	}
	work.log('Making a storage pool: the server has none yet.');
	try {
		await onEveryMember(server, target =>
			client.ask('POST', '/1.0/storage-pools', {
				query: {target},
				body: {name: 'default', driver: 'dir', config: {}},
				timeoutMs: 60_000,
			}),
		);
	} catch (error) {
		// Another drover may have made it in the meantime.
		const now = error instanceof LxdError ? (await choose()).chosen : undefined;
		if (now) return now;
		throw error;
	}
	return {pool: 'default', poolDriver: 'dir'};
}

async function poolDriver(client: LxdClient, name: string): Promise<string> {
	const pool = await client.find(`/1.0/storage-pools/${encodeURIComponent(name)}`).catch(() => undefined);
	return textValues(pool)['driver'] ?? '';
}

async function ensureBridge(server: Server, work: WorkContext): Promise<void> {
	const {client} = server;
	const path = `/1.0/networks/${bridgeName}`;
	const status = async () => textValues(await client.find(path))['status'];
	// `undefined` of a server that tells none; what was cut short or failed is tried once more.
	const isReady = (found: string | undefined) => found === 'Created' || found === 'Unknown';
	const before = await client.find(path);
	if (before !== undefined && asObject(before)['managed'] === false) {
		throw new DroverError(
			'driver.unusable',
			`The host has a network ${bridgeName} already, and it is not this server's.`,
			{
				next: `Another LXD or Incus has made it: end that one, or remove what it left with sudo ip link delete ${bridgeName}.`,
			},
		);
	}
	if (before !== undefined && !['Pending', 'Errored'].includes(textValues(before)['status'] ?? '')) return;
	work.progress('making the network');
	const make = (subnet: string) =>
		onEveryMember(server, target =>
			client.ask('POST', '/1.0/networks', {
				query: {target},
				body: {
					name: bridgeName,
					type: 'bridge',
					description: 'Network of drover’s instances',
					// Members have nothing of their own to say about it.
					config: target === undefined ? {'ipv4.address': subnet, 'ipv4.nat': 'true', 'ipv6.address': 'none'} : {},
				},
				timeoutMs: 60_000,
			}),
		);
	try {
		await make('auto').catch(async (error: unknown) => {
			// The server looks for a free network with the host's own means, which not every host has.
			if (!(error instanceof LxdError) || !/unused IPv4 subnet/i.test(error.message)) throw error;
			const subnet = freeSubnet(networkInterfaces());
			work.log(`The server finds no free network: taking ${subnet}.`);
			await make(subnet);
		});
	} catch (error) {
		// Somebody else made it in the meantime.
		if (error instanceof LxdError && isReady(await status())) return;
		throw error;
	}
}

/** A network of 254 addresses that none of the host's interfaces is in, as the bridge's address in it. */
export function freeSubnet(interfaces: NodeJS.Dict<ReadonlyArray<{readonly cidr: string | null}>>): string {
	const taken = new BlockList();
	for (const {cidr} of Object.values(interfaces).flatMap(each => each ?? [])) {
		const [address = '', bits = ''] = (cidr ?? '').split('/');
		if (isIP(address) === 4) taken.addSubnet(address, Number(bits), 'ipv4');
	}
	for (let second = 217; second > 64; second--) {
		if (!taken.check(`10.${second}.71.1`)) return `10.${second}.71.1/24`;
	}
	return '192.168.217.1/24';
}

/** In a cluster pools and networks are made ready on each member first, and then as a whole. */
async function onEveryMember(server: Server, make: (target: string | undefined) => Promise<unknown>): Promise<void> {
	if (server.facts.isClustered) {
		for (const name of await memberNames(server)) {
			await make(name).catch((error: unknown) => {
				// Made ready by a launch that was cut short.
				if (!(error instanceof LxdError) || !/already|UNIQUE/i.test(error.message)) throw error;
			});
		}
	}
	await make(undefined);
}

/** Names of the cluster's members that are up; empty where there is no cluster. */
export async function memberNames({client, facts}: Server): Promise<string[]> {
	if (!facts.isClustered) return [];
	const list = await client.get('/1.0/cluster/members', {recursion: 1});
	return (Array.isArray(list) ? list : [])
		.map(entry => textValues(entry))
		.filter(member => member['status'] === undefined || member['status'] === 'Online')
		.flatMap(member => member['server_name'] ?? [])
		.sort();
}

/** Removes an empty project; one that is not empty stays. */
export async function dropProject(client: LxdClient, name: string): Promise<void> {
	await perform(client, 'DELETE', `/1.0/projects/${encodeURIComponent(name)}`).catch((error: unknown) => {
		if (!isMissing(error)) throw error;
	});
}
