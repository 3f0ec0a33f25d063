import {readFile} from 'node:fs/promises';
import {networkInterfaces} from 'node:os';
import {addressNumber, type Subnet} from '../model/private-network.ts';

/** Networks that the host reaches by a route of their own; not the way to everything else. */
export async function hostRoutes(): Promise<Subnet[]> {
	const table = await readFile('/proc/net/route', 'utf8').catch(() => '');
	return [...parseRoutes(table), ...ownNetworks()];
}

/** The kernel's table: addresses are in hexadecimal, their bytes in the order of this machine's memory, least first. */
export function parseRoutes(table: string): Subnet[] {
	return table.split('\n').flatMap(line => {
		const [, destination = '', , , , , , mask = ''] = line.split(/\s+/);
		if (!/^[\dA-F]{8}$/i.test(destination) || !/^[\dA-F]{8}$/i.test(mask)) return [];
		const prefix = bits(swapped(mask));
		return prefix === 0 ? [] : [{base: swapped(destination), prefix}];
	});
}

function swapped(text: string): number {
	return Buffer.from(text, 'hex').readUInt32LE();
}

function bits(mask: number): number {
	return mask.toString(2).replaceAll('0', '').length;
}

function ownNetworks(): Subnet[] {
	return Object.values(networkInterfaces()).flatMap(addresses =>
		(addresses ?? []).flatMap(({family, address, netmask}) => {
			if (family !== 'IPv4') return [];
			const prefix = bits(addressNumber(netmask));
			const size = 2 ** (32 - prefix);
			return [{base: Math.floor(addressNumber(address) / size) * size, prefix}];
		}),
	);
}
