import {DroverError} from './errors.ts';
import {plainLine} from './text.ts';

export const forwardProtocols = ['tcp', 'udp'] as const;
export type ForwardProtocol = (typeof forwardProtocols)[number];

/** A port of the host that leads to one of an instance, while the instance runs. */
export type Forward = {
	readonly protocol: ForwardProtocol;
	/** IPv4 address of the host on which it listens: `127.0.0.1` for this host only, `0.0.0.0` for all there are. */
	readonly address: string;
	readonly host: number;
	readonly guest: number;
};

/** What a forward is known by: of two programs only one can have a port. */
export type ForwardKey = Pick<Forward, 'protocol' | 'host'>;

const standardAddress = '127.0.0.1';

export function isSameKey(one: ForwardKey, other: ForwardKey): boolean {
	return one.protocol === other.protocol && one.host === other.host;
}

export function isSameForward(one: Forward, other: Forward): boolean {
	return isSameKey(one, other) && one.address === other.address && one.guest === other.guest;
}

export function isPort(value: number): boolean {
	return Number.isInteger(value) && value >= 1 && value <= 65_535;
}

export function isIpv4(text: string): boolean {
	const parts = text.split('.');
	return parts.length === 4 && parts.every(part => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** Why it cannot be one, in words. */
export function forwardProblem({protocol, address, host, guest}: Forward): string | undefined {
	if (!forwardProtocols.includes(protocol)) return 'the protocol must be tcp or udp';
	if (!isIpv4(address)) return 'the address must be an IPv4 address of this host';
	return isPort(host) && isPort(guest) ? undefined : 'a port is a number from 1 to 65535';
}

/** `[<address>:]<host port>:<guest port>[/tcp|/udp]`. @throws DroverError `usage.invalid` */
export function parseForward(text: string): Forward {
	const match = /^(?:([^:/]+):)?(\d{1,6}):(\d{1,6})(?:\/(\w+))?$/.exec(text.trim());
	const forward: Forward | undefined = match
		? {
				protocol: (match[4] ?? 'tcp').toLowerCase() as ForwardProtocol,
				address: match[1] ?? standardAddress,
				host: Number(match[2]),
				guest: Number(match[3]),
			}
		: undefined;
	const problem = forward === undefined ? 'two ports are needed' : forwardProblem(forward);
	if (forward !== undefined && problem === undefined) return forward;
	throw new DroverError('usage.invalid', `Invalid forward ${shown(text)}: ${problem}.`, {
		next: 'Write it as [<address>:]<host port>:<guest port>[/udp], for example 8080:80.',
	});
}

/** `<host port>[/tcp|/udp]`. @throws DroverError `usage.invalid` */
export function parseForwardKey(text: string): ForwardKey {
	const match = /^(\d{1,6})(?:\/(tcp|udp))?$/i.exec(text.trim());
	const host = Number(match?.[1]);
	if (match && isPort(host)) return {host, protocol: (match[2]?.toLowerCase() ?? 'tcp') as ForwardProtocol};
	throw new DroverError('usage.invalid', `Invalid port ${shown(text)}.`, {
		next: 'Name the port of the host, and the protocol if it is udp: 8080 or 8080/udp.',
	});
}

/** `127.0.0.1:8080 -> 80/tcp`. */
export function forwardText({address, host, guest, protocol}: Forward): string {
	return `${address}:${host} -> ${guest}/${protocol}`;
}

function shown(text: string): string {
	return JSON.stringify(plainLine(text).slice(0, 80));
}
