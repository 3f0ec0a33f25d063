import type {FileHandle} from 'node:fs/promises';

/** Gathered before it is written: small pieces cost a system call each. */
const batch = 2 ** 20;

/** Writes all of it: a single write may take less than it is given, as when the disk is nearly full. */
export async function writeAll(handle: FileHandle, data: Uint8Array, at?: number): Promise<void> {
	let offset = 0;
	while (offset < data.length) {
		const position = at === undefined ? null : at + offset;
		const {bytesWritten} = await handle.write(data, offset, data.length - offset, position);
		offset += bytesWritten;
	}
}

/** Appends to a file in large pieces, one being written while the next is gathered. */
export class Appender {
	readonly #handle: FileHandle;
	#gathered: Uint8Array[] = [];
	#size = 0;
	#writing: Promise<void> = Promise.resolve();

	constructor(handle: FileHandle) {
		this.#handle = handle;
	}

	/** @throws what writing an earlier piece threw */
	async add(data: Uint8Array): Promise<void> {
		this.#gathered.push(data);
		this.#size += data.length;
		if (this.#size >= batch) await this.#write();
	}

	/** Returns when everything is written. */
	async end(): Promise<void> {
		await this.#write();
		await this.#writing;
	}

	async #write(): Promise<void> {
		const pieces = this.#gathered;
		this.#gathered = [];
		this.#size = 0;
		await this.#writing;
		this.#writing = writeAll(this.#handle, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
		// It is looked at with the next piece; until then its failure is nobody's.
		this.#writing.catch(() => undefined);
	}
}
