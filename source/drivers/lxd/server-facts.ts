import {plainLine} from '../../model/text.ts';
import {asObject} from '../machine/json.ts';

/** What a server says of itself (`GET /1.0`). */
export type ServerFacts = {
	readonly flavour: 'lxd' | 'incus';
	readonly version: string;
	readonly isTrusted: boolean;
	readonly hasContainers: boolean;
	readonly hasMachines: boolean;
	readonly extensions: ReadonlySet<string>;
	readonly isClustered: boolean;
	/** This member's name, in a cluster. */
	readonly name: string;
	readonly architectures: readonly string[];
	/** Whether owners of mounted directories can be shifted into a container. */
	readonly canShift: boolean;
};

export const flavourTitles = {lxd: 'LXD', incus: 'Incus'} as const;

/** Reads the answer; what is missing counts as absent, so that an odd server is of little use rather than an error. */
export function parseFacts(metadata: unknown): ServerFacts {
	const answer = asObject(metadata);
	const environment = asObject(answer['environment']);
	const text = (value: unknown) => (typeof value === 'string' ? plainLine(value).slice(0, 100) : '');
	// `qemu | lxc`, in an order that changes from call to call.
	const drivers = text(environment['driver'])
		.split('|')
		.map(each => each.trim());
	const extensions = answer['api_extensions'];
	return {
		flavour: environment['server'] === 'incus' ? 'incus' : 'lxd',
		version: text(environment['server_version']),
		isTrusted: answer['auth'] === 'trusted',
		hasContainers: drivers.includes('lxc'),
		hasMachines: drivers.includes('qemu'),
		extensions: new Set(Array.isArray(extensions) ? extensions.filter(each => typeof each === 'string') : []),
		isClustered: environment['server_clustered'] === true,
		name: text(environment['server_name']),
		architectures: Array.isArray(environment['architectures']) ? environment['architectures'].map(text) : [],
		canShift: asObject(environment['kernel_features'])['idmapped_mounts'] === 'true',
	};
}

/** The server's own words on why virtual machines cannot run (`GET /1.0/warnings?recursion=1`). */
export function machineReason(warnings: unknown): string | undefined {
	for (const {type, message} of inForce(warnings)) {
		if (type !== 'Instance type not operational') continue;
		const words = plainLine(message).replace(/\.$/, '').slice(0, 200);
		if (words !== '') return words;
	}
	return undefined;
}

const limitWarnings = [
	// Without pinning the number of processors is not kept; their time is no limit of ours.
	['processors', "Couldn't find the CGroup CPU controller", /pinning/i],
	['memory', "Couldn't find the CGroup memory controller", /./],
] as const;

/**
 * Limits the server takes and does not hold containers to, because it finds no control groups for them on its host. It
 * says so nowhere but among its warnings, and counts nothing of these then: it tells a use of 0.
 */
export function looseLimits(warnings: unknown): string[] {
	const all = inForce(warnings);
	return limitWarnings
		.filter(([, type, message]) => all.some(each => each.type === type && message.test(each.message)))
		.map(([what]) => what);
}

/** The warnings that are not over. */
function inForce(warnings: unknown): Array<{type: string; message: string}> {
	return (Array.isArray(warnings) ? warnings : []).flatMap(entry => {
		const {type, last_message: message, status} = asObject(entry);
		return typeof type === 'string' && typeof message === 'string' && status !== 'resolved' ? [{type, message}] : [];
	});
}
