const algorithm = 'ssh-ed25519';
const magic = 'openssh-key-v1\0';
const head = '-----BEGIN OPENSSH PRIVATE KEY-----';
const tail = '-----END OPENSSH PRIVATE KEY-----';

/** An ed25519 key pair in OpenSSH's own forms. */
export type KeyPair = {
	/** PEM, unencrypted, ends with a line break. */
	readonly private: string;
	/** `ssh-ed25519 AAAA…`, without a comment. */
	readonly public: string;
};

/**
 * Writes a key pair as `ssh-keygen` would. Format: PROTOCOL.key of OpenSSH.
 * @param seed the 32 bytes of the private key
 * @param point the 32 bytes of the public key
 * @param check any number; it stands twice in the file so that a wrong passphrase shows
 */
export function encodeKeyPair(seed: Buffer, point: Buffer, check: number, comment: string): KeyPair {
	const publicBlob = Buffer.concat([text(algorithm), text(point)]);
	const secret = Buffer.concat([
		uint32(check),
		uint32(check),
		publicBlob,
		text(Buffer.concat([seed, point])),
		text(comment),
	]);
	const padding = Buffer.from(Array.from({length: (8 - (secret.length % 8)) % 8}, (_, index) => index + 1));
	const body = Buffer.concat([
		Buffer.from(magic, 'latin1'),
		text('none'),
		text('none'),
		text(''),
		uint32(1),
		text(publicBlob),
		text(Buffer.concat([secret, padding])),
	]);
	const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
	return {private: `${[head, ...lines, tail].join('\n')}\n`, public: `${algorithm} ${publicBlob.toString('base64')}`};
}

/** The public half of an unencrypted ed25519 key file, or `undefined` when it is not one. */
export function publicKeyOf(pem: string): string | undefined {
	const content = pem.trim();
	if (!content.startsWith(head) || !content.endsWith(tail)) return undefined;
	const body = Buffer.from(content.slice(head.length, -tail.length), 'base64');
	if (body.toString('latin1', 0, magic.length) !== magic) return undefined;
	const reader = new Reader(body, magic.length);
	const [cipher, derivation] = [reader.text(), reader.text()];
	reader.text();
	const count = reader.number();
	const publicBlob = reader.text();
	const secret = reader.text();
	if (!publicBlob || !secret || count !== 1) return undefined;
	if (cipher?.toString() !== 'none' || derivation?.toString() !== 'none') return undefined;
	const line = `${algorithm} ${publicBlob.toString('base64')}`;
	// The secret part repeats the public one: a file that was cut short or mixed up does not.
	const repeated = secret.subarray(8, 8 + publicBlob.length).equals(publicBlob);
	return repeated && isPublicKey(line) ? line : undefined;
}

/** Whether a text is an ed25519 public key line as drover writes it: nothing before, nothing after. */
export function isPublicKey(line: string): boolean {
	const match = /^ssh-ed25519 ([A-Za-z0-9+/]+={0,2})$/.exec(line);
	if (!match) return false;
	const blob = Buffer.from(match[1]!, 'base64');
	const reader = new Reader(blob, 0);
	return reader.text()?.toString() === algorithm && reader.text()?.length === 32 && reader.isAtEnd();
}

/** Reads length-prefixed fields; `undefined` from the first one that is not wholly there. */
class Reader {
	readonly #bytes: Buffer;
	#at: number;

	constructor(bytes: Buffer, at: number) {
		this.#bytes = bytes;
		this.#at = at;
	}

	number(): number | undefined {
		if (this.#at + 4 > this.#bytes.length) return undefined;
		const value = this.#bytes.readUInt32BE(this.#at);
		this.#at += 4;
		return value;
	}

	text(): Buffer | undefined {
		const length = this.number();
		if (length === undefined || this.#at + length > this.#bytes.length) {
			this.#at = Number.MAX_SAFE_INTEGER;
			return undefined;
		}
		const value = this.#bytes.subarray(this.#at, this.#at + length);
		this.#at += length;
		return value;
	}

	isAtEnd(): boolean {
		return this.#at === this.#bytes.length;
	}
}

function uint32(value: number): Buffer {
	const field = Buffer.alloc(4);
	field.writeUInt32BE(value >>> 0);
	return field;
}

function text(value: string | Buffer): Buffer {
	const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
	return Buffer.concat([uint32(bytes.length), bytes]);
}
