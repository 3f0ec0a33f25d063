import {readFile} from 'node:fs/promises';
import {isIP} from 'node:net';
import path from 'node:path';
import {DroverError} from '../model/errors.ts';
import type {InstanceRecord} from '../model/instance.ts';
import {nameProblem} from '../model/names.ts';
import type {SshAccess} from '../model/ssh-access.ts';
import {writeAtomic} from '../state/atomic.ts';
import {makePrivate, type Paths} from '../state/paths.ts';
import {clientKeyFile, sshDirectory} from './keys.ts';
import {isPublicKey} from './openssh-key.ts';
import {configPath} from './ssh-command.ts';

/** An instance as ssh needs to know it. */
export type SshHost = {
	readonly name: string;
	readonly id: string;
	readonly host: string;
	readonly port: number;
	readonly user: string;
	/** `ssh-ed25519 AAAA…`, the key the guest was given. */
	readonly hostKey: string;
};

/**
 * The name a guest's key is known under: by id, so that neither a new instance of an old name nor a port that another
 * guest had before ever looks like an attack. Lower case, because ssh compares it so.
 */
export function hostKeyAlias(id: string): string {
	return `${id.toLowerCase()}.drover`;
}

export function sshConfigFile(paths: Paths): string {
	return path.join(sshDirectory(paths), 'config');
}

export function knownHostsFile(paths: Paths): string {
	return path.join(sshDirectory(paths), 'known_hosts');
}

/** Whether nothing in it could be read by ssh as something else. It partly comes from records and hypervisors. */
function isSound(host: SshHost): boolean {
	return (
		nameProblem(host.name) === undefined &&
		/^[\dA-Za-z-]{1,64}$/.test(host.id) &&
		isIP(host.host) !== 0 &&
		Number.isInteger(host.port) &&
		host.port > 0 &&
		host.port < 65_536 &&
		/^[A-Za-z_][\w.-]{0,31}$/.test(host.user) &&
		isPublicKey(host.hostKey)
	);
}

/**
 * A configuration with which plain `ssh NAME.drover` works, for people to include in their own. What is unsound is left
 * out, so that one bad instance does not take the others with it.
 */
export function renderSshConfig(paths: Paths, hosts: readonly SshHost[]): string {
	const blocks = hosts.filter(isSound).map(
		host => `
Host ${host.name}.drover
	HostName ${host.host}
	Port ${host.port}
	User ${host.user}
	IdentityFile ${configPath(clientKeyFile(paths))}
	IdentitiesOnly yes
	UserKnownHostsFile ${configPath(knownHostsFile(paths))}
	HostKeyAlias ${hostKeyAlias(host.id)}
	StrictHostKeyChecking yes
	UpdateHostKeys no
`,
	);
	return `# Written by drover, and written anew whenever an instance changes.
# To use it, put this line at the top of ~/.ssh/config; then "ssh NAME.drover" works:
# Include ${configPath(sshConfigFile(paths))}
${blocks.join('')}`;
}

export function renderKnownHosts(hosts: readonly SshHost[]): string {
	return hosts
		.filter(isSound)
		.map(host => `${knownHostLine(host)}\n`)
		.join('');
}

function knownHostLine(host: SshHost): string {
	return `${hostKeyAlias(host.id)} ${host.hostKey}`;
}

/** Whoever writes these files waits for whoever wrote before: each starts from what is there. */
let lastWrite: Promise<unknown> = Promise.resolve();

function inTurn<T>(work: () => Promise<T>): Promise<T> {
	const turn = lastWrite.then(work, work);
	lastWrite = turn.catch(() => {});
	return turn;
}

/**
 * Brings both files up to date with the instances that can be reached; each is written only when it changes.
 * @throws DroverError `host.failed`, `host.disk-full`
 */
export function writeSshConfig(
	paths: Paths,
	hosts: readonly SshHost[],
	/** Asked when it is its turn. */
	isWanted = () => true,
): Promise<void> {
	return inTurn(async () => {
		if (!isWanted()) return;
		makePrivate(sshDirectory(paths));
		await writeWhenChanged(knownHostsFile(paths), renderKnownHosts(hosts));
		await writeWhenChanged(sshConfigFile(paths), renderSshConfig(paths, hosts));
	});
}

/**
 * How to reach an instance, with its key among the known ones even when {@link writeSshConfig} has not seen it yet.
 * @throws DroverError `instance.invalid`, `host.failed`, `host.disk-full`
 */
export async function sshAccess(paths: Paths, host: SshHost): Promise<SshAccess> {
	if (!isSound(host)) {
		throw new DroverError(
			'instance.invalid',
			`${host.name} cannot be reached: its address, user or key is not valid.`,
			{
				next: 'Stop and start it; if that does not help, its record is damaged.',
			},
		);
	}
	const file = knownHostsFile(paths);
	await inTurn(async () => {
		makePrivate(sshDirectory(paths));
		const lines = (await readIfThere(file)).split('\n').filter(line => line !== '');
		if (lines.includes(knownHostLine(host))) return;
		const others = lines.filter(line => !line.startsWith(`${hostKeyAlias(host.id)} `));
		await writeAtomic(file, `${[...others, knownHostLine(host)].join('\n')}\n`);
	});
	return {
		name: host.name,
		host: host.host,
		port: host.port,
		user: host.user,
		identityFile: clientKeyFile(paths),
		knownHostsFile: file,
		hostKeyAlias: hostKeyAlias(host.id),
	};
}

/** How to reach an instance's guest, which listens there. @throws DroverError as {@link sshAccess} */
export function sshAccessOf(
	paths: Paths,
	{name, id, ssh}: InstanceRecord,
	at: {readonly host: string; readonly port: number},
): Promise<SshAccess> {
	return sshAccess(paths, {name, id, host: at.host, port: at.port, user: ssh.user, hostKey: ssh.hostKey});
}

async function writeWhenChanged(file: string, content: string): Promise<void> {
	if ((await readIfThere(file)) !== content) await writeAtomic(file, content);
}

/** What cannot be read is written anew; writing says why when that cannot be done either. */
async function readIfThere(file: string): Promise<string> {
	return readFile(file, 'utf8').catch(() => '');
}
