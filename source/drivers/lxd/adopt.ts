import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {nameProblem} from '../../model/names.ts';
import {parseSize} from '../../model/sizes.ts';
import type {Adoptable, AdoptSeed} from '../driver.ts';
import {instancePath, keys} from './context.ts';
import {exec, readGuestFile} from './exec.ts';
import {code, type Listed, parseListed, powerOf} from './instance-state.ts';
import type {Server} from './server.ts';

/** The project that Multipass kept its instances in, while it had an LXD driver. */
const project = 'multipass';

/** Instances that Multipass made on this server. Looks only. */
export async function adoptables({client, only}: Server, owner: string): Promise<Adoptable[]> {
	if (only !== undefined && !only.includes(project)) return [];
	if ((await client.find(`/1.0/projects/${project}`)) === undefined) return [];
	const list = await client.get('/1.0/instances', {recursion: 1, project});
	return (Array.isArray(list) ? list : []).flatMap(entry => {
		const found = parseListed(entry);
		if (found === undefined) return [];
		const problem = problemOf(found, owner);
		const id = found.config[keys.id];
		return [
			{
				name: found.name,
				from: 'multipass',
				state:
					powerOf(found.status).power === 'running' ? 'Running' : found.status === code.stopped ? 'Stopped' : 'Unknown',
				...(id === undefined ? {} : {id}),
				...(problem === undefined ? {} : {problem}),
			},
		];
	});
}

function problemOf(found: Listed, owner: string): string | undefined {
	const {[keys.id]: id, [keys.owner]: other} = found.config;
	if (id !== undefined && other !== owner) return 'it belongs to another drover';
	const name = nameProblem(found.name);
	if (name !== undefined) return `its name cannot be used here: ${name}`;
	return macOf(found) === undefined ? 'it has no network interface' : undefined;
}

function macOf({devices, config}: Listed): string | undefined {
	const mac = (devices['eth0']?.['hwaddr'] ?? config['volatile.eth0.hwaddr'])?.toLowerCase();
	return mac !== undefined && /^[\da-f]{2}(?::[\da-f]{2}){5}$/.test(mac) ? mac : undefined;
}

/**
 * The record of an instance of Multipass's, which stays where it is and gets a mark that it is drover's. When it runs,
 * drover's key is let in and its host key is read, so that it can be reached with SSH; otherwise by way of the server.
 */
export async function adopt(server: Server, name: string, seed: AdoptSeed, owner: string): Promise<InstanceRecord> {
	const {client} = server;
	const path = instancePath(name);
	const found = parseListed(await client.get(path, {project}));
	const problem = found === undefined ? 'the server does not describe it' : problemOf(found, owner);
	if (found === undefined || problem !== undefined) {
		throw new DroverError('instance.invalid', `"${name}" cannot be taken over: ${problem}.`);
	}
	await client.ask('PATCH', path, {query: {project}, body: {config: {[keys.id]: seed.id, [keys.owner]: owner}}});
	const user = 'ubuntu';
	const hostKey = found.status === code.running ? await letIn(server, path, user, seed.clientKey) : '';
	return {
		schema: 1,
		id: seed.id,
		name,
		scope: 'lxd',
		createdAt: seed.now,
		createdBy: seed.by,
		phase: 'ready',
		image: {
			query: 'multipass',
			release: found.config['image.description'] ?? found.config['image.release'] ?? '',
			os: found.config['image.os'] ?? '',
			hash: found.config['volatile.base_image'] === undefined ? '' : `sha256:${found.config['volatile.base_image']}`,
		},
		hardware: {
			arch: found.architecture === 'aarch64' ? 'aarch64' : 'x86_64',
			cpus: Number.parseInt(found.config['limits.cpu'] ?? '1', 10) || 1,
			memory: parseSize(found.config['limits.memory'] ?? '') ?? 2 ** 30,
			disk: parseSize(found.devices['root']?.['size'] ?? '') ?? 5 * 2 ** 30,
			mac: macOf(found)!,
		},
		ssh: {user, hostKey},
		desired: found.status === code.running ? 'running' : 'stopped',
		lxd: {type: found.type, project, ...(server.remote === '' ? {} : {remote: server.remote})},
	};
}

/** @returns the guest's host key; empty when the guest cannot be reached that way */
async function letIn(server: Server, path: string, user: string, key: string): Promise<string> {
	const target = {client: server.client, path, project};
	try {
		const script =
			'set -e; home=$(getent passwd "$1" | cut -d: -f6); umask 077; mkdir -p "$home/.ssh"; file="$home/.ssh/authorized_keys"; line=$(cat); grep -qxF "$line" "$file" 2>/dev/null || echo "$line" >> "$file"; chown -R "$1": "$home/.ssh"';
		const {code: result} = await exec(target, ['sh', '-c', script, 'sh', user], {
			timeoutMs: 10_000,
			input: `${key} drover\n`,
		});
		if (result !== 0) return '';
		const text = (await readGuestFile(target, '/etc/ssh/ssh_host_ed25519_key.pub')) ?? '';
		return /^ssh-ed25519 [\w+/=]+/.exec(text)?.[0] ?? '';
	} catch {
		return '';
	}
}
