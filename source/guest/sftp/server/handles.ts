import {closeSync, type Dir} from 'node:fs';
import type {Reader} from '../packets.ts';

export type OpenFile = {readonly kind: 'file'; readonly descriptor: number};
export type OpenDirectory = {
	readonly kind: 'directory';
	/** To look at what is in it. */
	readonly descriptor: number;
	readonly listing: Dir;
	/** Whether `.` and `..` were told already. */
	isBegun: boolean;
};
export type Open = OpenFile | OpenDirectory;

/** Far more than programs in a guest have open, and less than this process may have. */
const mostHandles = 2000;

/** What the guest has open. */
export class Handles {
	readonly #open = new Map<number, Open>();
	#next = 0;

	get size(): number {
		return this.#open.size;
	}

	/** Asked before something is opened. @throws Error `EMFILE` */
	demandRoom(): void {
		if (this.#open.size >= mostHandles) throw Object.assign(new Error('too many open files'), {code: 'EMFILE'});
	}

	add(open: Open): number {
		while (this.#open.has(this.#next)) this.#next = (this.#next + 1) % 2 ** 31;
		const handle = this.#next;
		this.#next = (this.#next + 1) % 2 ** 31;
		this.#open.set(handle, open);
		return handle;
	}

	/** @throws Error `EBADF` */
	get(reader: Reader): Open {
		return this.#open.get(handleIn(reader)) ?? fail();
	}

	/** @throws Error `EBADF` */
	file(reader: Reader): OpenFile {
		const open = this.get(reader);
		return open.kind === 'file' ? open : fail();
	}

	/** @throws Error `EBADF` */
	directory(reader: Reader): OpenDirectory {
		const open = this.get(reader);
		return open.kind === 'directory' ? open : fail();
	}

	/** @throws Error `EBADF`, and what the system says: a disk may be found full only now */
	close(reader: Reader): void {
		const handle = handleIn(reader);
		const open = this.#open.get(handle) ?? fail();
		this.#open.delete(handle);
		end(open);
	}

	closeAll(): void {
		for (const open of this.#open.values()) {
			try {
				end(open);
			} catch {
				// Nobody is left who could be told.
			}
		}
		this.#open.clear();
	}
}

function end(open: Open): void {
	if (open.kind === 'directory') open.listing.closeSync();
	closeSync(open.descriptor);
}

function handleIn(reader: Reader): number {
	const bytes = reader.bytes();
	return bytes.length === 4 ? bytes.readUInt32BE() : fail();
}

function fail(): never {
	throw Object.assign(new Error('no such handle'), {code: 'EBADF'});
}
