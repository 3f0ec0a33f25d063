import * as v from 'valibot';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';

/*
 * Catalogues as Canonical publishes them: an index that names files of products, a product with versions, a version with
 * items. Source: the simplestreams documentation, and the fields that Multipass uses.
 */

/** One version of a product, the item that can be launched from. */
export type StreamVersion = {
	readonly version: string;
	/** Below the catalogue's directory. */
	readonly path: string;
	/** 64 hexadecimal digits. */
	readonly sha256: string;
	/** Bytes. */
	readonly size: number;
};

export type StreamProduct = {
	readonly id: string;
	readonly aliases: readonly string[];
	readonly os: string;
	readonly release: string;
	readonly codename: string;
	readonly title: string;
	readonly supported: boolean;
	/** Newest first, at least one. */
	readonly versions: readonly StreamVersion[];
};

const word = v.pipe(v.string(), v.maxLength(200));
const path = v.pipe(
	word,
	v.maxLength(1000),
	v.regex(/^(?!\/)(?![^/]*:)(?!.*\/\/)(?!.*(?:^|\/)\.\.(?:\/|$))[\w./:+~-]+$/),
);

const index = v.object({
	index: v.record(word, v.unknown()),
});
const indexEntry = v.object({
	datatype: v.literal('image-downloads'),
	path,
});

const products = v.object({
	products: v.record(word, v.unknown()),
});
const product = v.object({
	arch: word,
	os: v.optional(word, ''),
	release: v.optional(word, ''),
	release_codename: v.optional(word, ''),
	release_title: v.optional(word, ''),
	version: v.optional(word, ''),
	aliases: v.optional(v.pipe(v.string(), v.maxLength(2000)), ''),
	supported: v.optional(v.boolean(), true),
	image_type: v.optional(word, ''),
	versions: v.record(word, v.unknown()),
});
const version = v.object({items: v.record(word, v.unknown())});
const item = v.object({
	ftype: v.optional(word, ''),
	path,
	sha256: v.pipe(v.string(), v.regex(/^[\da-fA-F]{64}$/)),
	size: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 45)),
});

/** The disks that can be launched from, the best first. */
const diskItems = ['disk1.img', 'disk.img', 'uefi1.img', 'disk-kvm.img', 'img.xz'];

/** More of them are not read. */
const productsAtMost = 5000;
const versionsAtMost = 1000;
const filesAtMost = 8;

/**
 * Which files list the products, below the catalogue's directory.
 * @throws DroverError `image.unusable` when it is not an index, or names none
 */
export function readIndex(text: string, name: string): readonly string[] {
	const read = v.safeParse(index, parseJson(text, name));
	const paths = read.success
		? Object.values(read.output.index).flatMap(entry => {
				const found = v.safeParse(indexEntry, entry);
				return found.success ? [found.output.path] : [];
			})
		: [];
	if (paths.length === 0) throw unreadable(name, 'names no list of images');
	return [...new Set(paths)].slice(0, filesAtMost);
}

/**
 * The products of one architecture. What does not have the shape is left out: one bad product must not hide the others.
 * @param imageType only products of this type, where they have one
 * @throws DroverError `image.unusable` when it is not a list of products at all
 */
export function readProducts(text: string, name: string, architecture: string, imageType?: string): StreamProduct[] {
	const read = v.safeParse(products, parseJson(text, name));
	if (!read.success) throw unreadable(name, 'is not a list of images');
	return Object.entries(read.output.products)
		.slice(0, productsAtMost)
		.flatMap(([id, value]) => {
			const found = v.safeParse(product, value);
			if (!found.success || found.output.arch !== architecture) return [];
			if (imageType !== undefined && found.output.image_type !== imageType) return [];
			const versions = readVersions(found.output.versions);
			if (versions.length === 0) return [];
			const {os, release, release_codename, release_title, supported, aliases} = found.output;
			return [
				{
					id: plainLine(id),
					aliases: aliases
						.split(',')
						.map(plainLine)
						.filter(alias => alias !== ''),
					os: plainLine(os),
					release: plainLine(release),
					codename: plainLine(release_codename),
					title: plainLine(release_title) || plainLine(found.output.version),
					supported,
					versions,
				},
			];
		});
}

function readVersions(entries: Readonly<Record<string, unknown>>): StreamVersion[] {
	return Object.entries(entries)
		.slice(-versionsAtMost)
		.flatMap(([name, value]) => {
			const found = v.safeParse(version, value);
			const items = found.success ? Object.values(found.output.items) : [];
			const disks = items.flatMap(entry => {
				const disk = v.safeParse(item, entry);
				return disk.success && diskItems.includes(disk.output.ftype) ? [disk.output] : [];
			});
			const [best] = disks.sort((a, b) => diskItems.indexOf(a.ftype) - diskItems.indexOf(b.ftype));
			if (best === undefined) return [];
			return [{version: plainLine(name), path: best.path, sha256: best.sha256.toLowerCase(), size: best.size}];
		})
		.sort((a, b) => compareVersions(b.version, a.version));
}

/** Dates with a number behind, compared part by part; a word such as `current` is newer than any date. */
export function compareVersions(a: string, b: string): number {
	const [x, y] = [a.split('.'), b.split('.')];
	for (let at = 0; at < Math.max(x.length, y.length); at++) {
		const [one = '', other = ''] = [x[at], y[at]];
		const areNumbers = /^\d{1,15}$/.test(one) && /^\d{1,15}$/.test(other);
		const difference = areNumbers ? Number(one) - Number(other) : one < other ? -1 : one > other ? 1 : 0;
		if (difference !== 0) return difference;
	}
	return 0;
}

function parseJson(text: string, name: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		throw unreadable(name, 'cannot be read', error);
	}
}

function unreadable(name: string, what: string, cause?: unknown): DroverError {
	return new DroverError('image.unusable', `The catalogue ${plainLine(name)} ${what}.`, {
		next: 'Try again later.',
		cause,
	});
}
