import {DroverError} from '../../model/errors.ts';
import type {Digest} from '../digest.ts';
import type {Signing} from '../signature.ts';

/** A file that lists the hashes of others. */
export type ChecksumFile = {readonly url: string; readonly signing?: Signing};

/** An image that can be downloaded, for this machine's architecture. */
export type CatalogueEntry = {
	/** The catalogue it is of; empty for those without a name. */
	readonly remote: string;
	readonly name: string;
	/** All it can be asked for by, besides its name. */
	readonly aliases: readonly string[];
	/** `Ubuntu` */
	readonly os: string;
	/** `24.04 LTS` */
	readonly release: string;
	/** `20260115`; `latest` where what is there is replaced under the same address. */
	readonly version: string;
	/** The user of the image that cloud-init gives the key to. */
	readonly user: string;
	readonly supported: boolean;
	readonly url: string;
	/** What its bytes must be: the hash itself, or where it is written. */
	readonly checksum: Digest | ChecksumFile;
	/** Bytes, when that is known before. */
	readonly size?: number;
	/** Smallest memory and disk it is known to work with, in bytes. */
	readonly memoryMinimum?: number;
	readonly diskMinimum?: number;
	/** How its catalogue calls it: by this it is found again there, and on a mirror. */
	readonly product?: string;
};

/** The entries of a catalogue as far as they match something, and what a person should know about them. */
export type Found = {readonly entries: readonly CatalogueEntry[]; readonly notes: readonly string[]};

export function isDigest(checksum: CatalogueEntry['checksum']): checksum is Digest {
	return 'hex' in checksum;
}

const architectures: Readonly<Record<string, string>> = {
	x64: 'amd64',
	arm64: 'arm64',
	arm: 'armhf',
	ia32: 'i386',
	ppc64: 'ppc64el',
	riscv64: 'riscv64',
	s390x: 's390x',
};

/** Node's name of an architecture as catalogues write it: `x64` is `amd64`. */
export function catalogueArchitecture(architecture: string): string {
	return architectures[architecture] ?? architecture;
}

/** @throws DroverError `image.unknown` for an image that was not found in a catalogue */
export function entryOf(image: {readonly query: string; readonly entry?: CatalogueEntry}): CatalogueEntry {
	if (image.entry !== undefined) return image.entry;
	throw new DroverError('image.unknown', 'The image was not looked up in a catalogue.', {next: 'Launch it again.'});
}
