/** The beginning of a file in an archive. */
export type TarHeader = {
	/** As it is written there, without `./` before it and `/` after it; bytes as characters. */
	readonly path: string;
	/** `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` directory, `6` pipe, `S` sparse file. */
	readonly type: string;
	readonly size: number;
};

/** The bytes are not those of a tar archive, or end too early. */
export class BrokenArchive extends Error {}

const block = 512;

/** What a long name or pax records may have at most, in bytes: attributes are limited to 64 KiB each by Linux. */
const recordsMaximum = 2 ** 20;

/**
 * Reads the headers of an archive and passes over the content. Formats: ustar, pax, GNU.
 * Source: POSIX.1-2017, pax; GNU tar's manual, "Basic Tar Format".
 * @throws BrokenArchive
 */
export async function* tarHeaders(bytes: AsyncIterable<Buffer>): AsyncGenerator<TarHeader> {
	const reader = new BlockReader(bytes);
	let long: {path?: string; size?: number} = {};
	for (;;) {
		const header = await reader.take(block);
		if (header.every(byte => byte === 0)) return;
		if (!hasRightSum(header)) throw new BrokenArchive('is not a tar archive or is damaged');
		const type = String.fromCharCode(header[156] || 0x30);
		const size = number(header, 124, 12);
		if ('LKxg'.includes(type)) {
			if (size > recordsMaximum) throw new BrokenArchive('has a name that is too long');
			const data = await reader.take(size);
			await reader.skip(padding(size));
			if (type === 'L') long = {...long, path: untilZero(data)};
			if (type === 'x') long = {...long, ...paxRecords(data)};
			continue;
		}
		// A sparse file's map may need more blocks than one.
		for (let more = type === 'S' && header[482] !== 0; more; ) more = (await reader.take(block))[504] !== 0;
		const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? untilZero(header.subarray(345, 500)) : '';
		const name = untilZero(header.subarray(0, 100));
		const path = long.path ?? (prefix === '' ? name : `${prefix}/${name}`);
		const hasContent = '07S'.includes(type);
		const length = long.size ?? size;
		yield {path: path.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, ''), type, size: hasContent ? length : 0};
		if (hasContent) await reader.skip(length + padding(length));
		long = {};
	}
}

/** Whether a block can begin an archive. */
export function hasRightSum(header: Buffer): boolean {
	if (header.length < block) return false;
	let sum = 0;
	for (let at = 0; at < block; at++) sum += at >= 148 && at < 156 ? 0x20 : header[at]!;
	try {
		return sum === number(header, 148, 8);
	} catch {
		// Bytes of something else: a number no sum can be.
		return false;
	}
}

class BlockReader {
	readonly #pieces: AsyncIterator<Buffer>;
	#rest: Buffer = Buffer.alloc(0);

	constructor(bytes: AsyncIterable<Buffer>) {
		this.#pieces = bytes[Symbol.asyncIterator]();
	}

	async take(count: number): Promise<Buffer> {
		while (this.#rest.length < count) this.#rest = Buffer.concat([this.#rest, await this.#next()]);
		const taken = this.#rest.subarray(0, count);
		this.#rest = this.#rest.subarray(count);
		return taken;
	}

	async skip(count: number): Promise<void> {
		let left = count;
		while (left > this.#rest.length) {
			left -= this.#rest.length;
			this.#rest = await this.#next();
		}
		this.#rest = this.#rest.subarray(left);
	}

	async #next(): Promise<Buffer> {
		const {value, done} = await this.#pieces.next();
		if (done) throw new BrokenArchive('is cut short');
		return value;
	}
}

function padding(size: number): number {
	return (block - (size % block)) % block;
}

function untilZero(bytes: Buffer): string {
	const end = bytes.indexOf(0);
	return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}

/** Octal digits, or with the first bit set a binary number, as GNU tar writes great ones. */
function number(header: Buffer, at: number, length: number): number {
	if ((header[at]! & 0x80) === 0) {
		return Number.parseInt(header.toString('latin1', at, at + length).replace(/[^0-7]/g, ''), 8) || 0;
	}
	let value = header[at]! & 0x7f;
	for (let index = 1; index < length; index++) value = value * 256 + header[at + index]!;
	if (!Number.isSafeInteger(value)) throw new BrokenArchive('is damaged');
	return value;
}

function paxRecords(data: Buffer): {path?: string; size?: number} {
	const found: {path?: string; size?: number} = {};
	for (let at = 0; at < data.length; ) {
		const blank = data.indexOf(0x20, at);
		const length = Number(data.toString('latin1', at, blank));
		if (blank < 0 || !Number.isSafeInteger(length) || length < 5 || at + length > data.length) {
			throw new BrokenArchive('is damaged');
		}
		const record = data.toString('latin1', blank + 1, at + length - 1);
		const value = record.slice(record.indexOf('=') + 1);
		if (record.startsWith('path=')) found.path = value;
		if (record.startsWith('size=') && /^\d{1,15}$/.test(value)) found.size = Number(value);
		at += length;
	}
	return found;
}
