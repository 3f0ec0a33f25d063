import {type DecodedPacket, decode, encode, type Question, RECURSION_DESIRED} from 'dns-packet';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {addressNumber, type Subnet} from '../../source/model/private-network.ts';
import {answerName} from '../../source/network/names.ts';

const subnet: Subnet = {base: addressNumber('10.86.0.0'), prefix: 22};
const names = new Map([
	['web', '10.86.0.2'],
	['db-clone1', '10.86.1.7'],
]);

function query(question: Partial<Question>, more: {rd?: boolean; edns?: boolean} = {}): Buffer {
	return encode({
		type: 'query',
		id: 4711,
		flags: more.rd === false ? 0 : RECURSION_DESIRED,
		questions: [{type: 'A', class: 'IN', name: 'web', ...question}],
		additionals:
			more.edns === true
				? [
						{
							type: 'OPT',
							name: '.',
							udpPayloadSize: 4096,
							extendedRcode: 0,
							ednsVersion: 0,
							flags: 0,
							flag_do: false,
							options: [],
						},
					]
				: [],
	});
}

function ask(question: Partial<Question>, more: {rd?: boolean; edns?: boolean} = {}) {
	const reply = answerName(query(question, more), names, subnet);
	if (reply === undefined) throw new Error('no reply');
	return decode(reply) as DecodedPacket & {rcode: string; flag_rd: boolean};
}

const addresses = (reply: DecodedPacket) => (reply.answers ?? []).map(answer => (answer as {data: unknown}).data);

describe('names of instances', () => {
	test.each(['web', 'WEB', 'web.drover', 'Web.Drover', 'web.multipass'])('%s is found', name => {
		const reply = ask({name});
		expect(reply).toMatchObject({id: 4711, type: 'response', rcode: 'NOERROR', flag_aa: true, flag_rd: true});
		// As it was asked, in the same letters: that is what resolvers compare.
		expect(reply.questions).toMatchObject([{name, type: 'A'}]);
		expect(reply.answers).toMatchObject([{name, type: 'A', data: '10.86.0.2'}]);
	});

	test('one that is not there: the domains are ours, a bare name may be somebody else’s', () => {
		for (const name of ['mail.drover', 'a.web.drover', 'mail.multipass']) {
			const reply = ask({name});
			expect(reply.rcode).toBe('NXDOMAIN');
			expect(reply.authorities).toMatchObject([{type: 'SOA'}]);
		}
		expect(ask({name: 'mail'}).rcode).toBe('REFUSED');
	});

	test('other names are refused at once, with the question', () => {
		for (const name of [
			'debian.org',
			'drover.example',
			'webdrover',
			'.',
			'7.7.7.7.in-addr.arpa',
			'1.4.86.10.in-addr.arpa',
		]) {
			const reply = ask({name});
			expect(reply).toMatchObject({id: 4711, rcode: 'REFUSED', answers: [], flag_qr: true});
			expect(reply.questions).toMatchObject([{name}]);
		}
	});

	test('what else is asked of a name that is there has no answer, which is not the same as no such name', () => {
		for (const type of ['AAAA', 'MX', 'TXT', 'SRV'] as const) {
			const reply = ask({name: 'web.drover', type});
			expect(reply).toMatchObject({rcode: 'NOERROR', answers: []});
			expect(reply.authorities).toMatchObject([{type: 'SOA', name: 'drover'}]);
		}
		// A kind that the library has no name for: HTTPS, which browsers ask for.
		const https = query({name: 'web.drover'});
		https.writeUInt16BE(65, https.length - 4);
		expect(decode(answerName(https, names, subnet)!)).toMatchObject({rcode: 'NOERROR', answers: []});
		expect(ask({name: 'drover', type: 'SOA'}).rcode).toBe('NOERROR');
	});

	test('addresses have names, too', () => {
		expect(addresses(ask({type: 'PTR', name: '7.1.86.10.in-addr.arpa'}))).toEqual(['db-clone1.drover']);
		expect(ask({type: 'PTR', name: '8.1.86.10.in-addr.arpa'}).rcode).toBe('NXDOMAIN');
		expect(ask({type: 'PTR', name: '86.10.in-addr.arpa'}).rcode).toBe('REFUSED');
	});

	test('options are answered with options, and only then', () => {
		expect(ask({name: 'web'}, {edns: true}).additionals).toMatchObject([{type: 'OPT', udpPayloadSize: 1232}]);
		expect(ask({name: 'web'}).additionals).toEqual([]);
		expect(ask({name: 'web'}, {rd: false}).flag_rd).toBe(false);
	});
});

describe('what is no question', () => {
	test('an answer gets none', () => {
		expect(answerName(encode({type: 'response', id: 1, questions: []}), names, subnet)).toBeUndefined();
		expect(answerName(Buffer.alloc(11), names, subnet)).toBeUndefined();
	});

	test('two questions, none, another kind of request', () => {
		const one: Question = {type: 'A', name: 'web', class: 'IN'};
		const codeOf = (packet: Buffer) => answerName(packet, names, subnet)![3]! & 0xf;
		expect(codeOf(encode({type: 'query', questions: [one, one]}))).toBe(1);
		expect(codeOf(encode({type: 'query', questions: []}))).toBe(1);
		const update = query({});
		update[2] = 5 << 3;
		expect(codeOf(update)).toBe(4);
	});

	test('what makes much work of few bytes is not taken apart', () => {
		const counts = Buffer.alloc(12, 0xff);
		counts[2] = 0;
		expect(answerName(counts, names, subnet)).toEqual(Buffer.from('ffff8001'.padEnd(24, '0'), 'hex'));
		const long = Buffer.concat([query({}), Buffer.alloc(1300)]);
		expect(answerName(long, names, subnet)).toHaveLength(12);
		// Names that point at one another.
		const many = Buffer.concat([query({}), ...Array.from({length: 200}, () => Buffer.from('c00c00010001', 'hex'))]);
		many.writeUInt16BE(201, 4);
		expect(answerName(many, names, subnet)).toHaveLength(12);
	});

	test('any bytes: it neither throws nor says more than it was asked', () => {
		const damaged = fc
			.tuple(fc.array(fc.tuple(fc.nat(60), fc.nat(255)), {maxLength: 8}), fc.nat(60))
			.map(([changes, cut]) => {
				const bytes = query({name: 'web.drover'}, {edns: true});
				for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
				return bytes.subarray(0, Math.max(0, bytes.length - (cut > 40 ? cut - 40 : 0)));
			});
		const any = fc.uint8Array({maxLength: 200}).map(bytes => Buffer.from(bytes));
		fc.assert(
			fc.property(fc.oneof(damaged, any), bytes => {
				const before = Buffer.from(bytes);
				const reply = answerName(bytes, names, subnet);
				expect(bytes.equals(before)).toBe(true);
				if (reply === undefined) return;
				expect(reply.readUInt16BE(0)).toBe(bytes.readUInt16BE(0));
				expect(reply[2]! & 0x80).toBe(0x80);
				expect(reply.length).toBeLessThan(bytes.length + 120);
			}),
			{numRuns: 2000},
		);
	});
});
