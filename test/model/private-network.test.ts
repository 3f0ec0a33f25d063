import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
	addressNumber,
	addressText,
	chooseAddress,
	chooseSubnet,
	gatewayOf,
	overlaps,
	type PrivateNic,
	privateNicProblem,
	reverseZones,
	type Subnet,
	subnetOf,
	subnetText,
} from '../../source/model/private-network.ts';
import {parseRoutes} from '../../source/network/host-routes.ts';

const net = (text: string): Subnet => {
	const [address = '', prefix = ''] = text.split('/');
	return {base: addressNumber(address), prefix: Number(prefix)};
};
const nic = (address: string, prefix = 22): PrivateNic => ({mac: '52:54:00:00:00:01', address, prefix});

describe('addresses', () => {
	test('are numbers and texts', () => {
		fc.assert(
			fc.property(fc.nat(0xffff_ffff), address => {
				expect(addressNumber(addressText(address))).toBe(address);
			}),
		);
		expect(subnetText(subnetOf(nic('10.86.3.200')))).toBe('10.86.0.0/22');
		expect(subnetText(subnetOf(nic('192.168.84.9', 24)))).toBe('192.168.84.0/24');
		expect(gatewayOf(net('10.86.0.0/22'))).toBe('10.86.0.1');
		expect(reverseZones(net('10.86.0.0/22'))).toEqual([0, 1, 2, 3].map(part => `${part}.86.10.in-addr.arpa`));
	});

	test('the network’s own, drover’s and the one for all are no instance’s', () => {
		for (const address of ['10.86.0.0', '10.86.0.1', '10.86.3.255', '10.86.0', '10.86.0.256', '010.86.0.2']) {
			expect(privateNicProblem(nic(address)), address).toBeDefined();
		}
		expect(privateNicProblem(nic('10.86.0.2'))).toBeUndefined();
		expect(privateNicProblem(nic('10.86.3.254'))).toBeUndefined();
		expect(privateNicProblem({...nic('10.86.0.2'), mac: 'x'})).toMatch(/MAC/);
		expect(privateNicProblem(nic('10.86.0.2', 31))).toMatch(/network/);
	});
});

describe('the choice of a network', () => {
	test('is in nobody’s way', () => {
		expect(subnetText(chooseSubnet([], [])!)).toBe('10.86.0.0/22');
		expect(subnetText(chooseSubnet([], [net('10.86.0.0/16'), net('10.87.2.0/24')])!)).toBe('10.88.0.0/22');
		expect(subnetText(chooseSubnet([], [net('10.0.0.0/8')])!)).toBe('172.22.84.0/22');
		const all = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15'].map(net);
		expect(subnetText(chooseSubnet([], all)!)).toBe('100.86.84.0/22');
		expect(chooseSubnet([], [...all, net('100.64.0.0/10')])).toBeUndefined();
		fc.assert(
			fc.property(
				fc
					.array(fc.tuple(fc.nat(0xffff_ffff), fc.integer({min: 1, max: 32})), {maxLength: 30})
					.map(found => found.map(([address, prefix]) => subnetOf({address: addressText(address), prefix}))),
				routes => {
					const subnet = chooseSubnet([], routes);
					if (subnet) expect(routes.some(route => overlaps(route, subnet))).toBe(false);
				},
			),
		);
	});

	test('stays that of the instances there are, whatever the host’s routes are now', () => {
		const nics = [nic('10.90.0.2'), nic('10.90.0.3'), nic('10.86.0.2')];
		expect(subnetText(chooseSubnet(nics, [net('10.90.0.0/16')])!)).toBe('10.90.0.0/22');
	});
});

describe('the choice of an address', () => {
	const subnet = net('10.86.0.0/29');

	test('is the next after the last one, round and round, until there is none', () => {
		expect(chooseAddress(subnet, new Set())).toBe('10.86.0.2');
		expect(chooseAddress(subnet, new Set(), '10.86.0.2')).toBe('10.86.0.3');
		expect(chooseAddress(subnet, new Set(['10.86.0.2']), '10.86.0.6')).toBe('10.86.0.3');
		// The last one was of another network.
		expect(chooseAddress(subnet, new Set(), '10.90.0.9')).toMatch(/^10\.86\.0\.[2-6]$/);
		const taken = new Set<string>();
		for (let count = 0; count < 5; count++) taken.add(chooseAddress(subnet, taken)!);
		expect([...taken].sort()).toEqual([2, 3, 4, 5, 6].map(part => `10.86.0.${part}`));
		expect(chooseAddress(subnet, taken)).toBeUndefined();
	});

	test('is always one that an instance can have', () => {
		fc.assert(
			fc.property(fc.array(fc.nat(1100)), fc.nat(1100), (hosts, last) => {
				const wide = net('10.86.0.0/22');
				const taken = new Set(hosts.map(host => addressText(wide.base + host)));
				const found = chooseAddress(wide, taken, addressText(wide.base + last))!;
				expect(taken.has(found)).toBe(false);
				expect(privateNicProblem(nic(found))).toBeUndefined();
			}),
		);
	});
});

test('the kernel’s routes: the way to everything else is none', () => {
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100000A	0003	0	0	0	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	0	00F0FFFF	0	0	0
tun0	0056A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
`;
	expect(parseRoutes(table).map(subnetText)).toEqual(['10.0.0.0/20', '192.168.86.0/24']);
	expect(parseRoutes('')).toEqual([]);
	expect(parseRoutes('x y\nz')).toEqual([]);
});
