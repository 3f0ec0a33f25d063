import {decode, encode} from 'dns-packet';
import fc from 'fast-check';
import {beforeEach, describe, expect, test} from 'vitest';
import {addressNumber, type PrivateNic} from '../../source/model/private-network.ts';
import {EthernetSwitch, gatewayMac} from '../../source/network/ethernet-switch.ts';
import {framed} from '../../source/network/frames.ts';
import {arp, checksum, ethernet, ipv4, macNumber, udp, udpPayload} from '../../source/network/packets.ts';

type Machine = PrivateNic & {readonly id: string; readonly got: Buffer[]};

const machine = (id: string, last: number): Machine => ({
	id,
	mac: `52:54:00:00:00:0${last}`,
	address: `10.86.0.${last}`,
	prefix: 22,
	got: [],
});
const gateway = {mac: gatewayMac, address: '10.86.0.1'};
const everybody = 'ff:ff:ff:ff:ff:ff';

let now: number;
let network: EthernetSwitch;
let web: Machine;
let db: Machine;
let mail: Machine;

const plug = (each: Machine) =>
	network.plug(each.id, each, {send: frame => each.got.push(Buffer.from(frame.subarray(4)))});

beforeEach(() => {
	now = 0;
	network = new EthernetSwitch(() => now);
	[web, db, mail] = [machine('web', 2), machine('db', 3), machine('mail', 4)];
	for (const each of [web, db, mail]) plug(each);
	network.names = new Map([['db', db.address]]);
});

function head(destination: string, source: string, type: number, size: number): Buffer {
	const frame = Buffer.alloc(size);
	frame.writeUIntBE(macNumber(destination), 0, 6);
	frame.writeUIntBE(macNumber(source), 6, 6);
	frame.writeUInt16BE(type, 12);
	return frame;
}

type End = Pick<PrivateNic, 'mac' | 'address'>;

function packet(from: End, to: End, protocol: number, payload: Buffer): Buffer {
	const frame = Buffer.concat([head(to.mac, from.mac, 0x0800, 34), payload]);
	frame[14] = 0x45;
	frame.writeUInt16BE(20 + payload.length, 16);
	frame[22] = 64;
	frame[23] = protocol;
	frame.writeUInt32BE(addressNumber(from.address), 26);
	frame.writeUInt32BE(addressNumber(to.address), 30);
	frame.writeUInt16BE(checksum(frame.subarray(14, 34)), 24);
	return frame;
}

function arpFrame(operation: number, from: End, target: string, to = everybody): Buffer {
	const frame = head(to, from.mac, 0x0806, 42);
	frame.writeUInt16BE(1, 14);
	frame.writeUInt16BE(0x0800, 16);
	frame[18] = 6;
	frame[19] = 4;
	frame.writeUInt16BE(operation, 20);
	frame.writeUIntBE(macNumber(from.mac), 22, 6);
	frame.writeUInt32BE(addressNumber(from.address), 28);
	frame.writeUInt32BE(addressNumber(target), 38);
	return frame;
}

const send = (from: Machine, frame: Buffer) => network.receive(from.id, framed(frame));

describe('from machine to machine', () => {
	test('a frame for one goes to that one, unchanged', () => {
		const frame = packet(web, db, 6, Buffer.from('hello'));
		send(web, frame);
		expect(db.got).toEqual([frame]);
		expect([...web.got, ...mail.got]).toEqual([]);
	});

	test('one for all goes to all others', () => {
		const frame = packet(web, {mac: everybody, address: '10.86.3.255'}, 17, Buffer.from('x'));
		send(web, frame);
		expect([web.got.length, db.got.length, mail.got.length]).toEqual([0, 1, 1]);
		send(web, packet(web, {mac: '01:00:5e:00:00:fb', address: '224.0.0.251'}, 17, Buffer.from('x')));
		expect(db.got).toHaveLength(2);
	});

	test('one for a machine that is not there, or no longer, goes nowhere', () => {
		send(web, packet(web, machine('gone', 9), 6, Buffer.alloc(0)));
		network.unplug('db');
		send(web, packet(web, db, 6, Buffer.alloc(0)));
		send(db, packet(db, web, 6, Buffer.alloc(0)));
		expect([...web.got, ...db.got, ...mail.got]).toEqual([]);
	});

	test('who has an address: only that one is asked', () => {
		send(web, arpFrame(1, web, db.address));
		expect([db.got.length, mail.got.length]).toEqual([1, 0]);
		send(db, arpFrame(2, db, web.address, web.mac));
		expect(web.got).toHaveLength(1);
		// After a move or a resume a machine tells all where it is.
		send(web, arpFrame(1, web, web.address));
		expect([db.got.length, mail.got.length]).toEqual([2, 1]);
	});

	test('two machines with one address: the second stays outside', () => {
		expect(() => plug({...machine('twin', 5), address: web.address})).toThrow(/private address/);
		expect(() => plug({...machine('twin', 5), mac: web.mac})).toThrow(/MAC/);
		expect(() => plug({...machine('twin', 5), mac: gatewayMac})).toThrow(/MAC/);
		send(db, packet(db, web, 6, Buffer.alloc(0)));
		expect(web.got).toHaveLength(1);
		plug(web);
		send(db, packet(db, web, 6, Buffer.alloc(0)));
		expect(web.got).toHaveLength(2);
	});
});

describe('a machine that speaks in another’s name is not heard', () => {
	const forged: ReadonlyArray<readonly [string, () => Buffer]> = [
		['another’s MAC address', () => packet({...web, mac: mail.mac}, db, 6, Buffer.alloc(0))],
		['another’s address', () => packet({...web, address: mail.address}, db, 6, Buffer.alloc(0))],
		['drover’s address', () => packet({...web, address: gateway.address}, db, 17, Buffer.alloc(0))],
		[
			'no address',
			() => packet({...web, address: '0.0.0.0'}, {mac: everybody, address: '255.255.255.255'}, 17, Buffer.alloc(0)),
		],
		['an answer about another', () => arpFrame(2, {...web, address: mail.address}, db.address, db.mac)],
		['an answer about drover', () => arpFrame(2, {...web, address: gateway.address}, db.address, db.mac)],
		['a question with another’s address', () => arpFrame(1, {...web, address: mail.address}, db.address)],
		[
			'a question with another’s MAC inside',
			() => {
				const frame = arpFrame(1, web, db.address);
				frame.writeUIntBE(macNumber(mail.mac), 22, 6);
				return frame;
			},
		],
		['an answer that pretends to be a probe', () => arpFrame(2, {...web, address: '0.0.0.0'}, db.address, db.mac)],
		['IPv6', () => head(db.mac, web.mac, 0x86dd, 60)],
		['another network in a tag', () => head(db.mac, web.mac, 0x8100, 60)],
		['nothing behind its head', () => head(db.mac, web.mac, 0x0800, 14)],
	];
	test.each(forged)('%s', (_what, frame) => {
		send(web, frame());
		expect([...web.got, ...db.got, ...mail.got]).toEqual([]);
	});

	test('a question before it has an address is allowed', () => {
		send(web, arpFrame(1, {...web, address: '0.0.0.0'}, db.address));
		expect(db.got).toHaveLength(1);
	});
});

describe('drover’s own address', () => {
	test('is told', () => {
		send(web, arpFrame(1, web, gateway.address));
		expect(arp(web.got[0]!)).toMatchObject({
			operation: 2,
			senderMac: macNumber(gatewayMac),
			senderAddress: addressNumber(gateway.address),
			targetAddress: addressNumber(web.address),
		});
		expect(ethernet(web.got[0]!)).toMatchObject({destination: macNumber(web.mac), source: macNumber(gatewayMac)});
		expect(db.got).toEqual([]);
	});

	test('answers questions about names', () => {
		const question = encode({type: 'query', id: 9, questions: [{type: 'A', name: 'db.drover'}]});
		send(web, packet(web, gateway, 17, udpPayload(4444, 53, question)));
		const reply = ipv4(web.got[0]!)!;
		expect(reply).toMatchObject({source: addressNumber(gateway.address), destination: addressNumber(web.address)});
		expect(checksum(web.got[0]!.subarray(14, 34))).toBe(0);
		const {sourcePort, destinationPort, data} = udp(reply)!;
		expect([sourcePort, destinationPort]).toEqual([53, 4444]);
		expect(decode(data).answers).toMatchObject([{data: db.address}]);
	});

	test('answers a ping, and nothing else', () => {
		const echo = Buffer.from('0800f7fd00010001', 'hex');
		send(web, packet(web, gateway, 1, echo));
		const {payload} = ipv4(web.got[0]!)!;
		expect(payload[0]).toBe(0);
		expect(checksum(payload)).toBe(0);
		send(web, packet(web, gateway, 6, Buffer.alloc(20)));
		send(web, packet(web, gateway, 17, udpPayload(1, 67, Buffer.alloc(10))));
		// On the way to somewhere else: there is no way out here.
		send(web, packet(web, {mac: gatewayMac, address: '1.1.1.1'}, 1, echo));
		expect(web.got).toHaveLength(1);
		expect([...db.got, ...mail.got]).toEqual([]);
	});
});

describe('a machine that sends without end', () => {
	test('to all: so many go through, and later more', () => {
		const frame = packet(web, {mac: everybody, address: '10.86.3.255'}, 17, Buffer.from('x'));
		for (let count = 0; count < 5000; count++) send(web, frame);
		expect(db.got).toHaveLength(500);
		// The others are not the worse for it.
		send(mail, packet(mail, {mac: everybody, address: '10.86.3.255'}, 17, Buffer.from('y')));
		expect(db.got).toHaveLength(501);
		now += 100;
		for (let count = 0; count < 5000; count++) send(web, frame);
		expect(db.got).toHaveLength(701);
	});

	test('to drover: so many are answered', () => {
		for (let count = 0; count < 5000; count++) send(web, arpFrame(1, web, gateway.address));
		expect(web.got).toHaveLength(500);
	});

	test('to one: that one alone has to do with it', () => {
		const frame = packet(web, db, 6, Buffer.from('x'));
		for (let count = 0; count < 5000; count++) send(web, frame);
		expect([db.got.length, mail.got.length]).toEqual([5000, 0]);
	});
});

test('any bytes: nothing throws, and nothing arrives under another’s name', () => {
	const bytes = fc.uint8Array({minLength: 14, maxLength: 120});
	const start = fc.constantFrom(
		() => packet(web, db, 17, Buffer.alloc(30)),
		() => packet(web, gateway, 17, udpPayload(1, 53, Buffer.alloc(30))),
		() => arpFrame(1, web, db.address),
		() => arpFrame(1, web, gateway.address),
	);
	const changed = fc.tuple(start, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), {maxLength: 6}), fc.nat(90));
	fc.assert(
		fc.property(fc.oneof(bytes, changed), input => {
			now += 1000;
			let frame: Buffer;
			if (input instanceof Uint8Array) frame = Buffer.from(input);
			else {
				const [make, changes, length] = input;
				frame = make();
				for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
				frame = frame.subarray(0, Math.max(14, length));
			}
			for (const each of [web, db, mail]) each.got.length = 0;
			send(web, frame);
			for (const got of [...db.got, ...mail.got]) {
				expect(ethernet(got).source).toBe(macNumber(web.mac));
				const sender = ethernet(got).type === 0x0800 ? got.readUInt32BE(26) : arp(got)!.senderAddress;
				expect([addressNumber(web.address), 0]).toContain(sender);
			}
			for (const got of web.got) expect(ethernet(got).source).toBe(macNumber(gatewayMac));
		}),
		{numRuns: 3000},
	);
});
