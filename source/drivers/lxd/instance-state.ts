import type {Observation} from '../../model/instance.ts';
import {asObject} from '../machine/json.ts';
import {textValues} from './text-values.ts';

/** An instance as a listing has it, with what is used of it. */
export type Listed = {
	readonly name: string;
	readonly status: number;
	readonly type: 'container' | 'virtual-machine';
	/** The member it lives on; empty where there is no cluster. */
	readonly location: string;
	readonly config: Readonly<Record<string, string>>;
	readonly devices: Readonly<Record<string, Readonly<Record<string, string>>>>;
	readonly architecture: string;
	readonly description: string;
	readonly profiles: readonly string[];
	readonly isEphemeral: boolean;
	/** Milliseconds since the epoch; `undefined`: never. */
	readonly lastUsedAt: number | undefined;
	readonly createdAt: string;
};

/** Codes of the state of an instance. Source: the API of LXD 5.0 and Incus 6.0. */
export const code = {
	started: 101,
	stopped: 102,
	running: 103,
	starting: 106,
	stopping: 107,
	aborting: 108,
	freezing: 109,
	frozen: 110,
	thawed: 111,
	error: 112,
	ready: 113,
} as const;

/** Reads one entry of a listing. @returns `undefined` when it makes no sense; the others are used all the same */
export function parseListed(value: unknown): Listed | undefined {
	const entry = asObject(value);
	const {name, status_code: status, type} = entry;
	if (typeof name !== 'string' || typeof status !== 'number') return undefined;
	const text = (key: string) => (typeof entry[key] === 'string' ? entry[key] : '');
	const lastUsed = Date.parse(text('last_used_at'));
	const location = text('location');
	return {
		name,
		status,
		type: type === 'virtual-machine' ? 'virtual-machine' : 'container',
		location: location === 'none' ? '' : location,
		config: textValues(entry['config']),
		devices: Object.fromEntries(
			Object.entries(asObject(entry['devices'])).map(([device, values]) => [device, textValues(values)]),
		),
		architecture: text('architecture'),
		description: text('description'),
		profiles: Array.isArray(entry['profiles']) ? entry['profiles'].filter(each => typeof each === 'string') : [],
		isEphemeral: entry['ephemeral'] === true,
		lastUsedAt: Number.isFinite(lastUsed) && lastUsed > 0 ? lastUsed : undefined,
		createdAt: text('created_at'),
	};
}

/** The server's word for the state as one of ours. */
export function powerOf(status: number): Pick<Observation, 'power' | 'reason'> {
	switch (status) {
		case code.started:
		case code.running:
		case code.thawed:
		case code.ready:
		case code.stopping:
			return {power: 'running'};
		case code.stopped:
			return {power: 'off'};
		case code.starting:
			return {power: 'loading', reason: 'the server is starting it'};
		case code.freezing:
		case code.frozen:
			return {power: 'paused', reason: 'its processes are frozen; starting it lets them go on'};
		case code.error:
			return {power: 'unresponsive', reason: 'the server says that it is in an error'};
		default:
			return {power: 'unresponsive', reason: `the server tells a state that is not known (${status})`};
	}
}

/** MAC address -> IPv4 address, from the leases of a network. */
export function parseLeases(value: unknown): Map<string, string> {
	const leases = new Map<string, string>();
	for (const entry of Array.isArray(value) ? value : []) {
		const {hwaddr, address} = asObject(entry);
		if (typeof hwaddr !== 'string' || typeof address !== 'string') continue;
		if (isIpv4(address)) leases.set(hwaddr.toLowerCase(), address);
	}
	return leases;
}

export function isIpv4(text: string): boolean {
	return /^(?:\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every(part => Number(part) <= 255);
}

/** The IPv4 addresses an instance has, by its state: those of the outside, the first interface's first. */
export function addressesOf(state: unknown): string[] {
	const found: string[] = [];
	const networks = Object.entries(asObject(asObject(state)['network'])).sort(([a], [b]) => (a < b ? -1 : 1));
	for (const [name, value] of networks) {
		if (name === 'lo') continue;
		const {addresses} = asObject(value);
		for (const each of Array.isArray(addresses) ? addresses : []) {
			const {family, address, scope} = asObject(each);
			if (family === 'inet' && scope === 'global' && typeof address === 'string' && isIpv4(address))
				found.push(address);
		}
	}
	return found;
}
