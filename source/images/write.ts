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

/** Writes pieces at the end, all of them. */
async function writePieces(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
	if (pieces.length === 0) return;
	const {bytesWritten} = await handle.writev([...pieces]);
	const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
	if (bytesWritten < size) await writeAll(handle, Buffer.concat(pieces).subarray(bytesWritten));
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

	/**
	 * Takes a piece, which must not be changed afterwards.
	 * @returns something to wait for before the next one, when enough has been gathered; it rejects when writing failed
	 */
	add(data: Uint8Array): Promise<void> | undefined {
		this.#gathered.push(data);
		this.#size += data.length;
		return this.#size >= batch ? this.#write() : undefined;
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
		this.#writing = writePieces(this.#handle, pieces);
		// It is looked at with the next piece; until then its failure is nobody's.
		this.#writing.catch(() => undefined);
	}
}
