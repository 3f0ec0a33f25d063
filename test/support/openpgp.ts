import {createHash, generateKeyPairSync, type KeyObject, sign} from 'node:crypto';

/*
 * Enough of OpenPGP to sign documents in tests: a version 4 RSA key with its own signature, clearsigned documents and
 * detached signatures. Source: RFC 4880.
 */

export type Signer = {
	/** The key as `gpgv` reads it. */
	readonly keyring: Buffer;
	/** The same as text. */
	readonly armoredKeyring: string;
	/** 40 hexadecimal digits, upper case. */
	readonly fingerprint: string;
	clearsign(text: string): string;
	/** Armored, as `.asc` files are. */
	detach(document: Buffer | string): string;
};

export function makeSigner(name = 'drover tests'): Signer {
	const {publicKey, privateKey} = generateKeyPairSync('rsa', {modulusLength: 2048});
	const created = Math.floor(Date.now() / 1000) - 3600;
	const keyBody = publicKeyBody(publicKey, created);
	const hashed = Buffer.concat([Buffer.from([0x99]), short(keyBody.length), keyBody]);
	const fingerprint = createHash('sha1').update(hashed).digest();
	const user = Buffer.from(`${name} <tests@example.invalid>`);
	const signature = (type: number, content: Buffer) =>
		signaturePacket(privateKey, {type, content, created, fingerprint});
	const certified = Buffer.concat([hashed, Buffer.from([0xb4]), long(user.length), user]);
	const keyring = Buffer.concat([packet(6, keyBody), packet(13, user), signature(0x13, certified)]);
	return {
		keyring,
		armoredKeyring: armor('PUBLIC KEY BLOCK', keyring),
		fingerprint: fingerprint.toString('hex').toUpperCase(),
		clearsign(text) {
			const lines = text.replace(/\n$/, '').split('\n');
			// Lines end with CR LF and without blanks where they are signed; the last line's end is not signed.
			const content = Buffer.from(lines.map(line => line.replace(/[ \t]+$/, '')).join('\r\n'));
			const shown = lines.map(line => (line.startsWith('-') ? `- ${line}` : line)).join('\n');
			const block = armor('SIGNATURE', signature(0x01, content));
			return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${shown}\n${block}`;
		},
		detach: document => armor('SIGNATURE', signature(0x00, Buffer.from(document))),
	};
}

function publicKeyBody(key: KeyObject, created: number): Buffer {
	const {n = '', e = ''} = key.export({format: 'jwk'});
	const numbers = [n, e].map(text => multiprecision(Buffer.from(text, 'base64url')));
	// Version 4, RSA.
	return Buffer.concat([Buffer.from([4]), long(created), Buffer.from([1]), ...numbers]);
}

function signaturePacket(
	key: KeyObject,
	{type, content, created, fingerprint}: {type: number; content: Buffer; created: number; fingerprint: Buffer},
): Buffer {
	const subpackets = Buffer.concat([
		subpacket(2, long(created)),
		subpacket(33, Buffer.concat([Buffer.from([4]), fingerprint])),
		// What the key may be used for: to certify and to sign.
		...(type === 0x13 ? [subpacket(27, Buffer.from([0x03]))] : []),
	]);
	// Version 4, RSA, SHA-512.
	const head = Buffer.concat([Buffer.from([4, type, 1, 10]), short(subpackets.length), subpackets]);
	const trailer = Buffer.concat([Buffer.from([4, 0xff]), long(head.length)]);
	const signed = Buffer.concat([content, head, trailer]);
	const digest = createHash('sha512').update(signed).digest();
	const issuer = subpacket(16, fingerprint.subarray(-8));
	return packet(
		2,
		Buffer.concat([
			head,
			short(issuer.length),
			issuer,
			digest.subarray(0, 2),
			multiprecision(sign('sha512', signed, key)),
		]),
	);
}

function packet(tag: number, body: Buffer): Buffer {
	return Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), long(body.length), body]);
}

function subpacket(type: number, body: Buffer): Buffer {
	return Buffer.concat([Buffer.from([body.length + 1, type]), body]);
}

function multiprecision(bytes: Buffer): Buffer {
	const first = bytes.findIndex(byte => byte !== 0);
	const number = bytes.subarray(first);
	return Buffer.concat([short((number.length - 1) * 8 + (32 - Math.clz32(number[0]!))), number]);
}

function short(value: number): Buffer {
	return Buffer.from([value >> 8, value & 0xff]);
}

function long(value: number): Buffer {
	const buffer = Buffer.alloc(4);
	buffer.writeUInt32BE(value);
	return buffer;
}

function armor(kind: string, body: Buffer): string {
	const lines = body.toString('base64').match(/.{1,64}/g)!;
	const sum = Buffer.alloc(4);
	sum.writeUInt32BE(crc24(body));
	const check = `=${sum.subarray(1).toString('base64')}`;
	return `-----BEGIN PGP ${kind}-----\n\n${lines.join('\n')}\n${check}\n-----END PGP ${kind}-----\n`;
}

function crc24(bytes: Buffer): number {
	let crc = 0xb7_04_ce;
	for (const byte of bytes) {
		crc ^= byte << 16;
		for (let bit = 0; bit < 8; bit++) {
			crc <<= 1;
			if (crc & 0x1_00_00_00) crc ^= 0x1_86_4c_fb;
		}
	}
	return crc & 0xff_ff_ff;
}
