import {createHash} from 'node:crypto';
import type {StreamRemote} from '../../../source/images/catalogue/stream.ts';
import type {Publisher} from './publisher.ts';

/** A product as a test writes it: a release with its versions, each with the bytes of its disk. */
export type TreeProduct = {
	readonly title: string;
	readonly codename: string;
	readonly aliases: string;
	readonly supported?: boolean;
	readonly arch?: string;
	/** Disks by version; `sha256` and `size` as the catalogue is to have them, when that is to be wrong. */
	readonly versions: Readonly<
		Record<string, {readonly disk: Buffer; readonly sha256?: string; readonly size?: number; readonly ftype?: string}>
	>;
};

export const disksDirectory = 'server';

/** Publishes a catalogue with its disks below a directory. @returns the remote that leads to it */
export function publishStream(
	publisher: Publisher,
	products: readonly TreeProduct[],
	options: {name?: string; directory?: string; sign?: (text: string) => string; isMirror?: boolean} = {},
): StreamRemote {
	const {name = 'release', directory = 'releases/', sign} = options;
	const path = 'streams/v1/com.ubuntu.cloud:released:download.json';
	const index = {
		format: 'index:1.0',
		index: {
			'com.ubuntu.cloud:released:azure': {datatype: 'image-ids', path: 'streams/v1/other.json'},
			'com.ubuntu.cloud:released:download': {datatype: 'image-downloads', format: 'products:1.0', path},
		},
	};
	const list = {
		format: 'products:1.0',
		datatype: 'image-downloads',
		products: Object.fromEntries(products.map(product => [idOf(product), productEntry(product)])),
	};
	for (const product of products) {
		for (const [version, {disk}] of Object.entries(product.versions)) {
			publisher.put(`${directory}${diskPath(product, version)}`, disk);
		}
	}
	publisher.put(`${directory}streams/v1/index.json`, JSON.stringify(index));
	publisher.put(`${directory}${path}`, JSON.stringify(list));
	if (sign !== undefined) {
		const signedIndex = JSON.stringify(index).replaceAll('.json"', '.sjson"');
		publisher.put(`${directory}streams/v1/index.sjson`, sign(signedIndex));
		publisher.put(`${directory}${path.replace(/\.json$/, '.sjson')}`, sign(JSON.stringify(list)));
	}
	return {name, base: publisher.origin, directory, hasMirrors: true};
}

export function diskPath(product: TreeProduct, version: string): string {
	return `${disksDirectory}/${product.codename}/${version}/disk.img`;
}

function idOf(product: TreeProduct): string {
	return `com.ubuntu.cloud:server:${product.title.split(' ')[0]}:${product.arch ?? 'amd64'}`;
}

function productEntry(product: TreeProduct) {
	return {
		arch: product.arch ?? 'amd64',
		os: 'ubuntu',
		release: product.codename,
		release_codename: product.codename,
		release_title: product.title,
		version: product.title.split(' ')[0],
		aliases: product.aliases,
		supported: product.supported ?? true,
		versions: Object.fromEntries(
			Object.entries(product.versions).map(([version, {disk, sha256, size, ftype = 'disk1.img'}]) => [
				version,
				{
					items: {
						manifest: {ftype: 'manifest', path: 'x.manifest', sha256: '0'.repeat(64), size: 5},
						[ftype]: {
							ftype,
							path: diskPath(product, version),
							sha256: sha256 ?? createHash('sha256').update(disk).digest('hex'),
							size: size ?? disk.length,
						},
					},
				},
			]),
		),
	};
}
