import {createHash, type Hash} from 'node:crypto';

/** What a publisher says a file's content is. */
export type Digest = {
	readonly algorithm: 'sha256' | 'sha512';
	/** Lower case. */
	readonly hex: string;
};

const lengths: Readonly<Record<number, Digest['algorithm']>> = {64: 'sha256', 128: 'sha512'};

/** Reads `sha256:…`, `sha512:…`, or the digits alone, by whose number the algorithm is known. */
export function parseDigest(text: string): Digest | undefined {
	const match = /^(?:(sha256|sha512):)?([\da-f]+)$/i.exec(text.trim());
	const hex = match?.[2]?.toLowerCase() ?? '';
	const algorithm = lengths[hex.length];
	if (algorithm === undefined || (match?.[1] !== undefined && match[1].toLowerCase() !== algorithm)) return undefined;
	return {algorithm, hex};
}

export function digestText({algorithm, hex}: Digest): string {
	return `${algorithm}:${hex}`;
}

export function isSameDigest(a: Digest, b: Digest): boolean {
	return a.algorithm === b.algorithm && a.hex === b.hex;
}

/** SHA-256, which everything in the cache is named by, and what else a publisher wants it compared with. */
export class Hashes {
	readonly #sha256: Hash = createHash('sha256');
	readonly #sha512: Hash | undefined;

	constructor(wanted?: Digest) {
		this.#sha512 = wanted?.algorithm === 'sha512' ? createHash('sha512') : undefined;
	}

	update(data: Uint8Array): void {
		this.#sha256.update(data);
		this.#sha512?.update(data);
	}

	/** Ends it. */
	finish(): {readonly sha256: string; readonly sha512?: string} {
		return {
			sha256: this.#sha256.digest('hex'),
			...(this.#sha512 === undefined ? {} : {sha512: this.#sha512.digest('hex')}),
		};
	}
}
