import {
	gatewayOf,
	otherDomain,
	type PrivateNic,
	privateDomain,
	reverseZones,
	subnetOf,
} from '../model/private-network.ts';

/** QEMU's own name server, which asks those of the host. Source: QEMU, `-netdev user`. */
const ordinaryServer = '10.0.2.3';

/** Their images come with systemd-resolved, and have the network configuration by way of netplan, word for word. */
const splitting = /^(?:Ubuntu|Debian|Micro)\b/;

/**
 * The settings of the card on the private network. Where each link has name servers of its own, drover is asked for
 * instances alone (`~`: only for those names). Elsewhere all servers may end in one list, and cloud-init may make ours
 * the only one (RHEL and its kin, by way of sysconfig): there the ordinary one stands beside it, since drover refuses all
 * other names, and a resolver then goes on to the next.
 * Sources: systemd, resolved.conf(5), "Domains="; cloud-init, `cloudinit/net/network_state.py` and `sysconfig.py`.
 */
export function privateCard(nic: PrivateNic, os: string) {
	const subnet = subnetOf(nic);
	const server = gatewayOf(subnet);
	const splits = splitting.test(os);
	return {
		match: {macaddress: nic.mac},
		addresses: [`${nic.address}/${nic.prefix}`],
		nameservers: {
			addresses: splits ? [server] : [server, ordinaryServer],
			search: [privateDomain, ...(splits ? [otherDomain, ...reverseZones(subnet)].map(zone => `~${zone}`) : [])],
		},
		// A boot does not wait for it.
		optional: true,
	};
}
