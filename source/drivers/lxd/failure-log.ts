import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {textOf} from './client.ts';
import type {Job} from './context.ts';
import {type LxdError, trimmed} from './errors.ts';
import type {Listed} from './instance-state.ts';

/** Logs of an instance that can tell why it did not start, the likeliest first. */
const logs: Readonly<Record<Listed['type'], readonly string[]>> = {
	container: ['lxc.log'],
	'virtual-machine': ['qemu.log', 'qemu.early.log'],
};

const known: ReadonlyArray<readonly [RegExp, string]> = [
	[
		/vhost_vsock|\/dev\/kvm|KVM kernel module/i,
		'Virtual machines cannot run on this server; drover set local.lxd.type=container makes containers instead.',
	],
	[/no space left|disk quota/i, 'Free some space in the storage pool.'],
	[
		/MAC address already|already defined on another NIC/i,
		'Another instance has the same MAC address: remove or change that one.',
	],
	[
		/uid range|gid range|newuidmap|newgidmap/i,
		'The host’s /etc/subuid and /etc/subgid do not allow these owners for mounts: end the mount with drover umount.',
	],
	[
		/Missing source path|source path .* doesn.t exist/i,
		'A directory that is mounted is gone: bring it back, or end the mount with drover umount.',
	],
	[
		/network .*(not found|doesn.t exist|not available)|failed to load network/i,
		'A network it is on is gone: make it again on the server.',
	],
];

/** Why an instance did not start: the operation says little, its log more. */
export async function startFailure(job: Job, error: LxdError, type: Listed['type']): Promise<DroverError> {
	const lines = (await Promise.all(logs[type].map(name => errorLines(job, name)))).flat();
	for (const line of lines) job.work.log(line);
	const isTelling = !/exit status \d+$/.test(error.message.trim());
	const reason = isTelling ? trimmed(error.message) : (lines[0] ?? trimmed(error.message));
	const next = known.find(([pattern]) => [error.message, ...lines].some(text => pattern.test(text)))?.[1];
	return new DroverError('driver.failed', `LXD could not start it: ${reason.replace(/\.$/, '')}.`, {
		next: next ?? 'The operation’s log has more: drover operations --log.',
		cause: error,
	});
}

async function errorLines({server, path, project}: Job, name: string): Promise<string[]> {
	try {
		const {status, body} = await server.client.raw('GET', `${path}/logs/${name}`, {
			query: {project},
			signal: AbortSignal.timeout(5000),
		});
		const text = await textOf(body);
		return status === 200 ? pickErrors(text, name) : [];
	} catch {
		return [];
	}
}

/** The lines that name an error, the cause first, without what the log puts before each. */
export function pickErrors(text: string, name: string): string[] {
	const lines = text
		.slice(-200_000)
		.split('\n')
		.filter(line => line.trim() !== '');
	const chosen = name === 'lxc.log' ? lines.filter(line => /\sERROR\s/.test(line)) : lines;
	const plain = chosen.map(line =>
		plainLine(
			line
				.replace(/^.*?\sERROR\s+\S+\s+-\s+/, '')
				.replace(/^\S+:\d+ - /, '')
				.replace(/^\S*qemu-system-\S+: /, ''),
		).slice(0, 300),
	);
	// What comes last is mostly that everything before failed.
	return [...new Set(plain)].slice(0, 8);
}
