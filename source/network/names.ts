import {
	AUTHORITATIVE_ANSWER,
	type DecodedPacket,
	decode,
	encode,
	type OptAnswer,
	type Packet,
	RECURSION_AVAILABLE,
	RECURSION_DESIRED,
} from 'dns-packet';
import {otherDomain, privateDomain, reverseZones, type Subnet} from '../model/private-network.ts';

/** Who has which address on the private network, by name in lower case. */
export type Names = ReadonlyMap<string, string>;

/** Seconds an answer may be kept. A name that is not there now may be there in a moment. */
const keepSeconds = {found: 10, missing: 2} as const;

const codes = {none: 0, malformed: 1, missing: 3, unknownKind: 4, refused: 5} as const;
const headerBytes = 12;
/** What DNS servers have agreed to send in one datagram; a question is far smaller. */
const mostBytes = 1232;

/**
 * Answers a question about names. `NAME`, `NAME.drover` and `NAME.multipass` are instances; all other names are refused at
 * once, which sends a resolver on to the next server it knows. A bare name that no instance has is refused as well: it
 * may be somebody else's.
 * @param subnet the network of the one who asks
 * @returns `undefined` when it is not a question
 */
export function answerName(query: Buffer, names: Names, subnet: Subnet): Buffer | undefined {
	if (query.length < headerBytes || (query[2]! & 0x80) !== 0) return undefined;
	// Before it is decoded: names that point at names, and counts of nothing, make much work of few bytes.
	if (!isShort(query)) return echoed(query.subarray(0, headerBytes), codes.malformed);
	let asked: DecodedPacket;
	try {
		asked = decode(query);
	} catch {
		return echoed(query, codes.malformed);
	}
	if ((query[2]! & 0x78) !== 0) return echoed(query, codes.unknownKind);
	const [question, ...others] = asked.questions ?? [];
	if (question === undefined || others.length > 0) return echoed(query, codes.malformed);
	// What cannot be written back as it was read is no name of ours.
	if (!/^[\x21-\x7e]{1,253}$/.test(question.name) || question.class !== 'IN') return echoed(query, codes.refused);
	const found = find(question.name.toLowerCase(), names, subnet);
	if (found === undefined) return echoed(query, codes.refused);
	const isFound = found.kind === 'address' || found.kind === 'name';
	const hasAnswer =
		(found.kind === 'address' && (question.type === 'A' || String(question.type) === 'ANY')) ||
		(found.kind === 'name' && question.type === 'PTR');
	const record = {name: question.name, class: 'IN', ttl: keepSeconds.found} as const;
	const hasOptions = asked.additionals?.some(({type}) => type === 'OPT') === true;
	const packet: Packet = {
		type: 'response',
		id: asked.id ?? 0,
		flags:
			AUTHORITATIVE_ANSWER |
			RECURSION_AVAILABLE |
			((asked.flags ?? 0) & RECURSION_DESIRED) |
			(isFound || found.kind === 'zone' ? codes.none : codes.missing),
		questions: [question],
		answers: !hasAnswer
			? []
			: found.kind === 'address'
				? [{...record, type: 'A', data: found.address}]
				: [{...record, type: 'PTR', data: (found as {name: string}).name}],
		authorities: hasAnswer ? [] : [startOf(found.zone)],
		additionals: hasOptions ? [ownOptions()] : [],
	};
	try {
		return encode(packet);
	} catch {
		return echoed(query, codes.refused);
	}
}

/** One question, no answers, and no more beside it than options and a signature. */
function isShort(query: Buffer): boolean {
	const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map(at => query.readUInt16BE(at)) as [
		number,
		number,
		number,
		number,
	];
	return query.length <= mostBytes && questions === 1 && answers === 0 && authorities === 0 && additionals <= 2;
}

type Found =
	| {readonly kind: 'address'; readonly zone: string; readonly address: string}
	| {readonly kind: 'name'; readonly zone: string; readonly name: string}
	| {readonly kind: 'zone' | 'missing'; readonly zone: string};

/** What is known of a name; `undefined` when it is none of ours. */
function find(name: string, names: Names, subnet: Subnet): Found | undefined {
	if (!name.includes('.')) {
		const address = names.get(name);
		if (address !== undefined) return {kind: 'address', zone: privateDomain, address};
	}
	for (const zone of [privateDomain, otherDomain]) {
		if (name === zone) return {kind: 'zone', zone};
		if (!name.endsWith(`.${zone}`)) continue;
		const address = names.get(name.slice(0, -zone.length - 1));
		return address === undefined ? {kind: 'missing', zone} : {kind: 'address', zone, address};
	}
	const reverse = reverseZones(subnet).find(zone => name === zone || name.endsWith(`.${zone}`));
	if (reverse === undefined) return undefined;
	if (name === reverse) return {kind: 'zone', zone: reverse};
	const address = name
		.replace(/\.in-addr\.arpa$/, '')
		.split('.')
		.reverse()
		.join('.');
	const owner = [...names].find(([, each]) => each === address)?.[0];
	return owner === undefined
		? {kind: 'missing', zone: reverse}
		: {kind: 'name', zone: reverse, name: `${owner}.${privateDomain}`};
}

/** Beside an answer that holds nothing: how long that may be believed. */
function startOf(zone: string) {
	return {
		type: 'SOA',
		name: zone,
		class: 'IN',
		ttl: keepSeconds.missing,
		data: {
			mname: privateDomain,
			rname: `hostmaster.${privateDomain}`,
			serial: 1,
			refresh: 3600,
			retry: 600,
			expire: 86_400,
			minimum: keepSeconds.missing,
		},
	} as const;
}

/** Source: RFC 6891; the size is the one that DNS servers have agreed on. */
function ownOptions(): OptAnswer {
	return {
		type: 'OPT',
		name: '.',
		udpPayloadSize: mostBytes,
		extendedRcode: 0,
		ednsVersion: 0,
		flags: 0,
		flag_do: false,
		options: [],
	};
}

/** The question as it came, or its head alone, with the word that it is not answered. */
function echoed(query: Buffer, code: number): Buffer {
	const reply = Buffer.from(query);
	if (reply.length === headerBytes) reply.fill(0, 4);
	reply[2] = (reply[2]! & 0x79) | 0x80;
	reply[3] = code;
	return reply;
}
