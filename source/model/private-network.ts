import {isIpv4} from './forward.ts';

/*
 * The private network of a scope: its instances reach each other on it, by name and without anybody's rights on the host.
 * Addresses are IPv4, as numbers of 32 bits where they are counted with.
 */

/** An instance's card on the private network. The address is its own for as long as it lives. */
export type PrivateNic = {
	readonly mac: string;
	readonly address: string;
	/** Bits of the address that name the network. */
	readonly prefix: number;
};

/** An instance's place on the private network, as it is told to a person. */
export type PrivatePlace = PrivateNic & {
	/** What the others reach it by, beside its bare name: `web.drover`. */
	readonly name: string;
	/** Why it cannot be reached there, though it runs. */
	readonly problem?: string;
};

/** Names end with it on the private network, as they do for `ssh` on the host. */
export const privateDomain = 'drover';
/** Works as well, for scripts that were made for Multipass. */
export const otherDomain = 'multipass';

/** Networks are as large as this: a thousand instances each. */
export const privatePrefix = 22;

/** A network: its first address, and how many bits of it count. */
export type Subnet = {readonly base: number; readonly prefix: number};

export function addressNumber(text: string): number {
	return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function addressText(address: number): string {
	return [24, 16, 8, 0].map(shift => (address >>> shift) & 0xff).join('.');
}

function sizeOf({prefix}: Pick<Subnet, 'prefix'>): number {
	return 2 ** (32 - prefix);
}

export function subnetOf({address, prefix}: Pick<PrivateNic, 'address' | 'prefix'>): Subnet {
	const size = sizeOf({prefix});
	return {base: Math.floor(addressNumber(address) / size) * size, prefix};
}

export function subnetText({base, prefix}: Subnet): string {
	return `${addressText(base)}/${prefix}`;
}

export function overlaps(one: Subnet, other: Subnet): boolean {
	return one.base < other.base + sizeOf(other) && other.base < one.base + sizeOf(one);
}

/** Where drover itself answers on a network: it tells who has which name. */
export function gatewayOf(subnet: Subnet): string {
	return addressText(subnet.base + 1);
}

/** The names under which addresses of a network are looked up, one for each 256: `0.86.10.in-addr.arpa`. */
export function reverseZones({base, prefix}: Subnet): string[] {
	const zones = Math.max(1, sizeOf({prefix}) / 256);
	return Array.from({length: zones}, (_, index) => {
		const parts = addressText(base + index * 256).split('.');
		return `${parts[2]}.${parts[1]}.${parts[0]}.in-addr.arpa`;
	});
}

/** Why it cannot be one, in words. */
export function privateNicProblem({mac, address, prefix}: PrivateNic): string | undefined {
	if (!/^[\da-f]{2}(?::[\da-f]{2}){5}$/.test(mac)) return 'its private MAC address is not one';
	if (!Number.isInteger(prefix) || prefix < 8 || prefix > 30) return 'its private network is not one';
	if (!isIpv4(address)) return 'its private address is not one';
	const subnet = subnetOf({address, prefix});
	const host = addressNumber(address) - subnet.base;
	return host >= 2 && host < sizeOf(subnet) - 1 ? undefined : 'its private address is not an instance’s';
}

/**
 * Networks that are tried one after the other: parts of the private ranges that few use, and at last of those for tests
 * and for providers (RFC 1918, 2544, 6598).
 */
function* candidates(): Generator<Subnet> {
	for (let second = 86; second < 126; second++) yield {base: addressNumber(`10.${second}.0.0`), prefix: privatePrefix};
	for (const start of ['172.22.84.0', '172.29.84.0', '192.168.84.0', '192.168.212.0', '198.18.84.0', '100.86.84.0']) {
		yield {base: addressNumber(start), prefix: privatePrefix};
	}
}

/** What QEMU gives to each machine for itself: the way out. */
const userNetwork: Subnet = {base: addressNumber('10.0.2.0'), prefix: 24};

/**
 * The network for the next instance: that of the others, or, for the first one, one that is in the way of none of the
 * host's routes: what the host can reach, its instances must be able to reach as well.
 * @returns `undefined` when every network is in somebody's way
 */
export function chooseSubnet(nics: readonly PrivateNic[], routes: readonly Subnet[]): Subnet | undefined {
	const counts = new Map<string, {subnet: Subnet; count: number}>();
	for (const nic of nics) {
		const subnet = subnetOf(nic);
		const key = subnetText(subnet);
		counts.set(key, {subnet, count: (counts.get(key)?.count ?? 0) + 1});
	}
	const [most] = [...counts.values()].sort((a, b) => b.count - a.count);
	if (most !== undefined) return most.subnet;
	const taken = [...routes, userNetwork];
	for (const subnet of candidates()) {
		if (!taken.some(route => overlaps(route, subnet))) return subnet;
	}
	return undefined;
}

/**
 * An address of a network that nobody has, the first one after the last that was given: one that became free is not at
 * once another's, whom somebody might take for the one before.
 * @returns `undefined` when all are taken
 */
export function chooseAddress(subnet: Subnet, taken: ReadonlySet<string>, last?: string): string | undefined {
	const size = sizeOf(subnet);
	// Without the network's own, drover's and the one for all.
	const count = size - 3;
	const start = last === undefined ? 0 : addressNumber(last) - subnet.base - 1;
	for (let step = 0; step < count; step++) {
		const address = addressText(subnet.base + 2 + ((((start + step) % count) + count) % count));
		if (!taken.has(address)) return address;
	}
	return undefined;
}
