import {generateKeyPairSync, type KeyObject, randomBytes, sign} from 'node:crypto';
import tls from 'node:tls';

/*
 * Certificates for servers of the tests, with nothing but Node: an authority and what it signs, as X.509 has them in DER.
 * Source: RFC 5280, RFC 5480.
 */

export type Authority = {readonly certificate: string; readonly issue: (options?: Validity) => Issued};
export type Issued = {readonly key: string; readonly cert: string};
type Validity = {readonly from?: Date; readonly to?: Date};

const day = 24 * 3600 * 1000;

/** An authority that nobody knows yet. */
export function makeAuthority(): Authority {
	const keys = generateKeyPairSync('ec', {namedCurve: 'P-256'});
	const name = distinguishedName(`drover tests ${randomBytes(4).toString('hex')}`);
	const around = {from: new Date(Date.now() - day), to: new Date(Date.now() + 365 * day)};
	const constraint = sequence(oid('2.5.29.19'), boolean(true), octets(sequence(boolean(true))));
	const certificate = certify({
		subject: name,
		publicKey: keys.publicKey,
		extensions: [constraint],
		issuer: name,
		key: keys.privateKey,
		...around,
	});
	return {
		certificate,
		issue(validity = {}) {
			const own = generateKeyPairSync('ec', {namedCurve: 'P-256'});
			const names = sequence(tagged(0x87, Buffer.from([127, 0, 0, 1])), tagged(0x82, Buffer.from('localhost')));
			const cert = certify({
				subject: distinguishedName('127.0.0.1'),
				publicKey: own.publicKey,
				extensions: [sequence(oid('2.5.29.17'), octets(names))],
				issuer: name,
				key: keys.privateKey,
				...around,
				...validity,
			});
			return {key: own.privateKey.export({type: 'pkcs8', format: 'pem'}).toString(), cert};
		},
	};
}

/** Makes this process trust an authority, besides those it knows. */
export function trust(authority: Authority): void {
	tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.certificate]);
}

function certify(parts: {
	subject: Buffer;
	publicKey: KeyObject;
	extensions: readonly Buffer[];
	issuer: Buffer;
	key: KeyObject;
	from: Date;
	to: Date;
}): string {
	const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
	const content = sequence(
		tagged(0xa0, tagged(0x02, Buffer.from([2]))),
		// A first byte below 0x80: the number is positive.
		tagged(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(12)])),
		algorithm,
		parts.issuer,
		sequence(time(parts.from), time(parts.to)),
		parts.subject,
		parts.publicKey.export({type: 'spki', format: 'der'}),
		tagged(0xa3, sequence(...parts.extensions)),
	);
	const signature = sign('sha256', content, parts.key);
	const der = sequence(content, algorithm, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
	const lines = der.toString('base64').match(/.{1,64}/g)!;
	return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName(commonName: string): Buffer {
	const attribute = sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(commonName)));
	return sequence(tagged(0x31, attribute));
}

function tagged(tag: number, content: Buffer): Buffer {
	const {length} = content;
	if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
	const bytes = length < 0x1_00 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
	return tagged(0x30, Buffer.concat(parts));
}

function octets(content: Buffer): Buffer {
	return tagged(0x04, content);
}

function boolean(value: boolean): Buffer {
	return tagged(0x01, Buffer.from([value ? 0xff : 0]));
}

function oid(text: string): Buffer {
	const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
	const bytes = [first * 40 + second];
	for (const part of rest) {
		const digits = [part & 0x7f];
		for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
		bytes.push(...digits);
	}
	return tagged(0x06, Buffer.from(bytes));
}

function time(at: Date): Buffer {
	return tagged(0x18, Buffer.from(`${at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`));
}
