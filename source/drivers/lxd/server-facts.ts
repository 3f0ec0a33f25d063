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
	for (const entry of Array.isArray(warnings) ? warnings : []) {
		const {type, last_message: message} = asObject(entry);
		if (type !== 'Instance type not operational' || typeof message !== 'string') continue;
		const words = plainLine(message).replace(/\.$/, '').slice(0, 200);
		if (words !== '') return words;
	}
	return undefined;
}
