/* Ethernet, ARP, IPv4, UDP and ICMP, as far as the private network needs them. Sources: RFC 826, 791, 768, 792. */

export const etherTypes = {ipv4: 0x0800, arp: 0x0806} as const;
export const protocols = {icmp: 1, tcp: 6, udp: 17} as const;
export const ethernetBytes = 14;
const ipv4Bytes = 20;
const arpBytes = 28;
const udpBytes = 8;

/** The beginning of a frame. MAC addresses are as numbers, which 48 bits fit in. */
export function ethernet(frame: Buffer): {destination: number; source: number; type: number} {
	return {destination: frame.readUIntBE(0, 6), source: frame.readUIntBE(6, 6), type: frame.readUInt16BE(12)};
}

export function macNumber(mac: string): number {
	return Number.parseInt(mac.replaceAll(':', ''), 16);
}

/** Whether a frame is for more than one. */
export function isGroup(mac: number): boolean {
	return Math.floor(mac / 2 ** 40) % 2 === 1;
}

export type Arp = {operation: number; senderMac: number; senderAddress: number; targetAddress: number};

/** The question who has an address, or the answer to it; `undefined` when it is none for Ethernet and IPv4. */
export function arp(frame: Buffer): Arp | undefined {
	const at = ethernetBytes;
	if (frame.length < at + arpBytes) return undefined;
	if (frame.readUInt16BE(at) !== 1 || frame.readUInt16BE(at + 2) !== etherTypes.ipv4) return undefined;
	if (frame[at + 4] !== 6 || frame[at + 5] !== 4) return undefined;
	return {
		operation: frame.readUInt16BE(at + 6),
		senderMac: frame.readUIntBE(at + 8, 6),
		senderAddress: frame.readUInt32BE(at + 14),
		targetAddress: frame.readUInt32BE(at + 24),
	};
}

/** The answer to a question. */
export function arpReply(question: Buffer, mac: number): Buffer {
	const reply = Buffer.alloc(60);
	question.copy(reply, 0, 6, 12);
	reply.writeUIntBE(mac, 6, 6);
	reply.writeUInt16BE(etherTypes.arp, 12);
	const at = ethernetBytes;
	question.copy(reply, at, at, at + 6);
	reply.writeUInt16BE(2, at + 6);
	reply.writeUIntBE(mac, at + 8, 6);
	question.copy(reply, at + 14, at + 24, at + 28);
	question.copy(reply, at + 18, at + 8, at + 18);
	return reply;
}

export type Ipv4 = {source: number; destination: number; protocol: number; isWhole: boolean; payload: Buffer};

/** An IPv4 packet; `undefined` when it is none. */
export function ipv4(frame: Buffer): Ipv4 | undefined {
	const at = ethernetBytes;
	if (frame.length < at + ipv4Bytes || frame[at]! >> 4 !== 4) return undefined;
	const headerBytes = (frame[at]! & 0xf) * 4;
	const total = frame.readUInt16BE(at + 2);
	if (headerBytes < ipv4Bytes || total < headerBytes || at + total > frame.length) return undefined;
	return {
		source: frame.readUInt32BE(at + 12),
		destination: frame.readUInt32BE(at + 16),
		protocol: frame[at + 9]!,
		// Neither the beginning nor a later part of one that was cut.
		isWhole: (frame.readUInt16BE(at + 6) & 0x3fff) === 0,
		payload: frame.subarray(at + headerBytes, at + total),
	};
}

/** The answer to an IPv4 packet, back to where it came from. */
export function ipv4Reply(asked: Buffer, protocol: number, payload: Buffer): Buffer {
	const at = ethernetBytes;
	const reply = Buffer.alloc(at + ipv4Bytes + payload.length);
	asked.copy(reply, 0, 6, 12);
	asked.copy(reply, 6, 0, 6);
	reply.writeUInt16BE(etherTypes.ipv4, 12);
	reply[at] = 0x45;
	reply.writeUInt16BE(ipv4Bytes + payload.length, at + 2);
	reply.writeUInt16BE(0x4000, at + 6);
	reply[at + 8] = 64;
	reply[at + 9] = protocol;
	asked.copy(reply, at + 12, at + 16, at + 20);
	asked.copy(reply, at + 16, at + 12, at + 16);
	reply.writeUInt16BE(checksum(reply.subarray(at, at + ipv4Bytes)), at + 10);
	payload.copy(reply, at + ipv4Bytes);
	return reply;
}

export type Udp = {sourcePort: number; destinationPort: number; data: Buffer};

export function udp({protocol, isWhole, payload}: Ipv4): Udp | undefined {
	if (protocol !== protocols.udp || !isWhole || payload.length < udpBytes) return undefined;
	const length = payload.readUInt16BE(4);
	if (length < udpBytes || length > payload.length) return undefined;
	return {
		sourcePort: payload.readUInt16BE(0),
		destinationPort: payload.readUInt16BE(2),
		data: payload.subarray(udpBytes, length),
	};
}

/** Without a checksum, which over IPv4 may be left out: nothing on the way could damage it. */
export function udpPayload(sourcePort: number, destinationPort: number, data: Buffer): Buffer {
	const header = Buffer.alloc(udpBytes);
	header.writeUInt16BE(sourcePort, 0);
	header.writeUInt16BE(destinationPort, 2);
	header.writeUInt16BE(udpBytes + data.length, 4);
	return Buffer.concat([header, data]);
}

/** The answer to an ICMP echo request; `undefined` when it is none. */
export function echoReply({protocol, isWhole, payload}: Ipv4): Buffer | undefined {
	if (protocol !== protocols.icmp || !isWhole || payload.length < 8 || payload[0] !== 8) return undefined;
	const reply = Buffer.from(payload);
	reply[0] = 0;
	reply.writeUInt16BE(0, 2);
	reply.writeUInt16BE(checksum(reply), 2);
	return reply;
}

/** The one's complement of the sum of all 16-bit words. Source: RFC 1071. */
export function checksum(bytes: Buffer): number {
	let sum = 0;
	for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
	if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8;
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return ~sum & 0xffff;
}
