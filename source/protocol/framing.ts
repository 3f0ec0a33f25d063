/**
 * How messages are laid into a stream of bytes: a `Content-Length` header and JSON, as editors and language servers
 * do it, so that any JSON-RPC library can talk to the daemon. Our own, because it must bound what a peer can make us
 * keep, and because loading a library for it would make every command a fifth slower to start.
 */

/** Bytes. A request carries at most a cloud-config. */
export const requestLimit = 4 * 2 ** 20;
/** Bytes. An answer carries at most all instances: 10,000 of them take 8 MiB. */
export const answerLimit = 256 * 2 ** 20;
const headerLimit = 1024;

/** The bytes that came are not a message. Nothing after them can be understood either. */
export class FramingError extends Error {
	override readonly name = 'FramingError';
}

export function encodeMessage(message: object): string {
	const body = JSON.stringify(message);
	return `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Cuts a stream into messages. Bytes are put in with `push`; `next` is called until it answers `undefined`. */
export class MessageDecoder {
	readonly #limit: number;
	#chunks: Buffer[] = [];
	#length = 0;
	#expected: number | undefined;

	/** @param limit bytes a message may have */
	constructor(limit: number) {
		this.#limit = limit;
	}

	push(chunk: Buffer) {
		this.#chunks.push(chunk);
		this.#length += chunk.length;
	}

	/**
	 * The next whole message, or `undefined` until more has come.
	 * @throws FramingError when what came is not a message or is over the limit; then the stream is of no more use
	 */
	next(): unknown {
		this.#expected ??= this.#header();
		if (this.#expected === undefined || this.#length < this.#expected) return undefined;
		const all = this.#joined();
		const body = all.toString('utf8', 0, this.#expected);
		this.#keep(all.subarray(this.#expected));
		this.#expected = undefined;
		try {
			return JSON.parse(body);
		} catch {
			throw new FramingError('a message is not JSON');
		}
	}

	#header(): number | undefined {
		if (this.#length === 0) return undefined;
		const all = this.#joined();
		const end = all.subarray(0, headerLimit).indexOf('\r\n\r\n');
		if (end === -1) {
			if (all.length >= headerLimit) throw new FramingError('a message has no header');
			return undefined;
		}
		const match = /^content-length: *(\d{1,15})$/im.exec(all.toString('latin1', 0, end));
		if (!match) throw new FramingError('a header has no length');
		const length = Number(match[1]);
		if (length > this.#limit) throw new FramingError(`a message has ${length} bytes, ${this.#limit} are allowed`);
		this.#keep(all.subarray(end + 4));
		return length;
	}

	#joined(): Buffer {
		const [first] = this.#chunks;
		const all = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
		this.#chunks = [all];
		return all;
	}

	#keep(rest: Buffer) {
		this.#chunks = rest.length === 0 ? [] : [rest];
		this.#length = rest.length;
	}
}
