import {addressNumber, gatewayOf, type PrivateNic, type Subnet, subnetOf} from '../model/private-network.ts';
import {framed, lengthBytes} from './frames.ts';
import {answerName, type Names} from './names.ts';
import {
	arp,
	arpReply,
	echoReply,
	ethernet,
	etherTypes,
	ipv4,
	ipv4Reply,
	isGroup,
	macNumber,
	protocols,
	udp,
	udpPayload,
} from './packets.ts';

/** What takes the frames for one machine; each has its length before it and is the receiver's to copy. */
export type Outlet = {send(frame: Buffer): void};

/** drover's own, on every private network. */
export const gatewayMac = '02:64:72:6f:76:01';
const ownMac = macNumber(gatewayMac);
const dnsPort = 53;

/** Frames a second that one machine may send to all others or to drover, and how many of them at once. */
const limits = {rate: 2000, burst: 500} as const;
/** A frame of up to so many bytes counts as one; a larger one as more. */
const usualBytes = 1514;

type Port = {
	readonly mac: number;
	readonly address: number;
	readonly subnet: Subnet;
	readonly gateway: number;
	readonly outlet: Outlet;
	tokens: number;
	refilledAt: number;
};

/**
 * Passes frames between machines whose addresses are known beforehand: nothing has to be learnt, and a machine cannot
 * speak in another's name. IPv4 and ARP only. At the first address of each network it answers itself: who has which
 * name. All in memory; how frames come and go is not its business.
 */
export class EthernetSwitch {
	readonly #ports = new Map<string, Port>();
	readonly #byMac = new Map<number, Port>();
	readonly #byAddress = new Map<number, Port>();
	readonly #now: () => number;
	/** Who has which address; those that do not run are in it, too. */
	names: Names = new Map();

	/** @param now milliseconds that only grow */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** @throws RangeError when another machine has the MAC or the address */
	plug(id: string, nic: PrivateNic, outlet: Outlet): void {
		this.unplug(id);
		const subnet = subnetOf(nic);
		const port: Port = {
			mac: macNumber(nic.mac),
			address: addressNumber(nic.address),
			subnet,
			gateway: addressNumber(gatewayOf(subnet)),
			outlet,
			tokens: limits.burst,
			refilledAt: this.#now(),
		};
		if (port.mac === ownMac || this.#byMac.has(port.mac)) throw new RangeError('another instance has its MAC address');
		if (this.#byAddress.has(port.address)) throw new RangeError('another instance has its private address');
		this.#ports.set(id, port);
		this.#byMac.set(port.mac, port);
		this.#byAddress.set(port.address, port);
	}

	unplug(id: string): void {
		const port = this.#ports.get(id);
		if (port === undefined) return;
		this.#ports.delete(id);
		this.#byMac.delete(port.mac);
		this.#byAddress.delete(port.address);
	}

	/**
	 * A machine has sent a frame. What is not in order is dropped, as on a wire.
	 * @param packet the frame with its length before it
	 */
	receive(id: string, packet: Buffer): void {
		const from = this.#ports.get(id);
		if (from === undefined) return;
		const frame = packet.subarray(lengthBytes);
		const {destination, source, type} = ethernet(frame);
		if (source !== from.mac) return;
		if (type === etherTypes.ipv4) this.#receiveIpv4(from, destination, packet, frame);
		else if (type === etherTypes.arp) this.#receiveArp(from, destination, packet, frame);
	}

	#receiveIpv4(from: Port, destination: number, packet: Buffer, frame: Buffer): void {
		// Its sender stands at a fixed place: most frames need no more than this.
		if (frame.length < 34 || frame[14]! >> 4 !== 4 || frame.readUInt32BE(26) !== from.address) return;
		if (destination === ownMac) this.#answer(from, frame);
		else if (isGroup(destination)) this.#toAll(from, packet);
		else this.#byMac.get(destination)?.outlet.send(packet);
	}

	/** A question goes to the one who can answer it and to nobody else. */
	#receiveArp(from: Port, destination: number, packet: Buffer, frame: Buffer): void {
		const found = arp(frame);
		if (found === undefined || found.senderMac !== from.mac) return;
		const isProbe = found.operation === 1 && found.senderAddress === 0;
		if (found.senderAddress !== from.address && !isProbe) return;
		if (!isGroup(destination)) {
			if (destination === ownMac) this.#answerArp(from, found.targetAddress, frame, found.operation);
			else this.#byMac.get(destination)?.outlet.send(packet);
		} else if (found.targetAddress === from.gateway) {
			this.#answerArp(from, found.targetAddress, frame, found.operation);
		} else if (found.targetAddress === from.address) this.#toAll(from, packet);
		else if (this.#mayPass(from, packet.length)) this.#byAddress.get(found.targetAddress)?.outlet.send(packet);
	}

	#answerArp(from: Port, target: number, frame: Buffer, operation: number): void {
		if (operation !== 1 || target !== from.gateway || !this.#mayPass(from, frame.length)) return;
		from.outlet.send(framed(arpReply(frame, ownMac)));
	}

	/** What is sent to drover itself. */
	#answer(from: Port, frame: Buffer): void {
		if (!this.#mayPass(from, frame.length)) return;
		const packet = ipv4(frame);
		if (packet === undefined || packet.destination !== from.gateway) return;
		const echo = echoReply(packet);
		if (echo !== undefined) {
			from.outlet.send(framed(ipv4Reply(frame, protocols.icmp, echo)));
			return;
		}
		const question = udp(packet);
		if (question?.destinationPort !== dnsPort) return;
		const answer = answerName(question.data, this.names, from.subnet);
		if (answer === undefined) return;
		const payload = udpPayload(dnsPort, question.sourcePort, answer);
		from.outlet.send(framed(ipv4Reply(frame, protocols.udp, payload)));
	}

	#toAll(from: Port, packet: Buffer): void {
		if (!this.#mayPass(from, packet.length)) return;
		for (const port of this.#ports.values()) if (port !== from) port.outlet.send(packet);
	}

	/** What makes work beyond its own way is rationed, so that one machine cannot keep the others from being served. */
	#mayPass(port: Port, bytes: number): boolean {
		const now = this.#now();
		port.tokens = Math.min(limits.burst, port.tokens + ((now - port.refilledAt) * limits.rate) / 1000);
		port.refilledAt = now;
		const cost = Math.max(1, bytes / usualBytes);
		if (port.tokens < cost) return false;
		port.tokens -= cost;
		return true;
	}
}
