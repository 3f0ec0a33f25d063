/*
 * The messages of SFTP, version 3, as OpenSSH speaks it. Source: draft-ietf-secsh-filexfer-02, and for the order of a
 * link's two paths OpenSSH's own PROTOCOL file.
 */

export const types = {
	init: 1,
	version: 2,
	open: 3,
	close: 4,
	read: 5,
	write: 6,
	lstat: 7,
	fstat: 8,
	setstat: 9,
	fsetstat: 10,
	opendir: 11,
	readdir: 12,
	remove: 13,
	mkdir: 14,
	rmdir: 15,
	realpath: 16,
	stat: 17,
	rename: 18,
	readlink: 19,
	symlink: 20,
	status: 101,
	handle: 102,
	data: 103,
	name: 104,
	attributes: 105,
	extended: 200,
	extendedReply: 201,
} as const;

export const statuses = {ok: 0, end: 1, missing: 2, denied: 3, failure: 4, malformed: 5, unsupported: 8} as const;

export const openFlags = {read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32} as const;

/** Which attributes a message has. */
export const attributeFlags = {size: 1, owner: 2, mode: 4, times: 8, extended: 0x80_00_00_00} as const;

/** Bytes; servers send 256 KiB at most. */
const mostBytes = 2 ** 20;

export type Attributes = {
	readonly kind: 'file' | 'directory' | 'link' | 'other';
	/** Bytes, where it is told. */
	readonly size?: number;
	/** Permission bits. */
	readonly mode: number;
};

/** Attributes as they are in a message: those that are there. Times in seconds since the epoch. */
export type RawAttributes = {
	readonly size?: bigint;
	readonly owner?: {readonly uid: number; readonly gid: number};
	/** Permission bits, and in answers the kind of file. */
	readonly mode?: number;
	readonly times?: {readonly accessed: number; readonly modified: number};
};

/** What came is not SFTP. */
export class Malformed extends Error {}

/** Puts a message together. */
export class Writer {
	readonly #parts: Buffer[] = [];

	constructor(type: number) {
		this.#parts.push(Buffer.from([type]));
	}

	number(value: number): this {
		const part = Buffer.alloc(4);
		part.writeUInt32BE(value);
		this.#parts.push(part);
		return this;
	}

	/** A place in a file. */
	offset(value: number | bigint): this {
		const part = Buffer.alloc(8);
		part.writeBigUInt64BE(BigInt(value));
		this.#parts.push(part);
		return this;
	}

	bytes(value: Buffer | string): this {
		const content = typeof value === 'string' ? Buffer.from(value) : value;
		this.number(content.length);
		this.#parts.push(content);
		return this;
	}

	/** Attributes with permissions only. */
	mode(value: number): this {
		return this.number(4).number(value & 0o7777);
	}

	/** With its length before it. */
	end(): Buffer {
		const content = Buffer.concat(this.#parts);
		const head = Buffer.alloc(4);
		head.writeUInt32BE(content.length);
		return Buffer.concat([head, content]);
	}
}

/** Takes a message apart. What it holds comes from a guest: every length is checked. @throws Malformed */
export class Reader {
	readonly #buffer: Buffer;
	#at = 0;

	constructor(buffer: Buffer) {
		this.#buffer = buffer;
	}

	get isAtEnd(): boolean {
		return this.#at >= this.#buffer.length;
	}

	number(): number {
		return this.#take(4).readUInt32BE();
	}

	byte(): number {
		return this.#take(1).readUInt8();
	}

	bytes(): Buffer {
		return this.#take(this.number());
	}

	text(): string {
		return this.bytes().toString('utf8');
	}

	/** A place in a file, or a size. */
	long(): bigint {
		return this.#take(8).readBigUInt64BE();
	}

	rawAttributes(): RawAttributes {
		const flags = this.number();
		const size = flags & attributeFlags.size ? this.long() : undefined;
		const owner = flags & attributeFlags.owner ? {uid: this.number(), gid: this.number()} : undefined;
		const mode = flags & attributeFlags.mode ? this.number() : undefined;
		const times = flags & attributeFlags.times ? {accessed: this.number(), modified: this.number()} : undefined;
		if (flags & attributeFlags.extended) {
			const count = this.number();
			for (let index = 0; index < count; index++) {
				this.bytes();
				this.bytes();
			}
		}
		return {
			...(size === undefined ? {} : {size}),
			...(owner === undefined ? {} : {owner}),
			...(mode === undefined ? {} : {mode}),
			...(times === undefined ? {} : {times}),
		};
	}

	attributes(): Attributes {
		const {size: long, mode} = this.rawAttributes();
		const size = long === undefined ? undefined : Number(long);
		return {
			kind: kindOf(mode),
			mode: (mode ?? 0o644) & 0o7777,
			...(size === undefined || !Number.isSafeInteger(size) ? {} : {size}),
		};
	}

	#take(count: number): Buffer {
		const end = this.#at + count;
		if (end > this.#buffer.length) throw new Malformed('a message is shorter than it says');
		const part = this.#buffer.subarray(this.#at, end);
		this.#at = end;
		return part;
	}
}

function kindOf(mode: number | undefined): Attributes['kind'] {
	switch (mode === undefined ? undefined : mode & 0o170000) {
		case 0o040000:
			return 'directory';
		case 0o100000:
			return 'file';
		case 0o120000:
			return 'link';
		default:
			return 'other';
	}
}

/** Cuts what arrives into messages. */
export class Unpacker {
	#chunks: Buffer[] = [];
	#length = 0;

	push(chunk: Buffer): void {
		this.#chunks.push(chunk);
		this.#length += chunk.length;
	}

	/** The next whole message, without its length; `undefined`: not here yet. @throws Malformed */
	next(): Buffer | undefined {
		if (this.#length < 4) return undefined;
		if (this.#chunks[0]!.length < 4) this.#join();
		const size = this.#chunks[0]!.readUInt32BE();
		if (size === 0 || size > mostBytes) throw new Malformed(`a message of ${size} bytes`);
		if (this.#length < 4 + size) return undefined;
		if (this.#chunks[0]!.length < 4 + size) this.#join();
		const [first, ...rest] = this.#chunks as [Buffer, ...Buffer[]];
		const left = first.subarray(4 + size);
		this.#chunks = left.length === 0 ? rest : [left, ...rest];
		this.#length -= 4 + size;
		return first.subarray(4, 4 + size);
	}

	#join(): void {
		this.#chunks = [Buffer.concat(this.#chunks)];
	}
}
