import type {Signing} from '../signature.ts';
import type {CatalogueEntry} from './entry.ts';
import {compareVersions, type StreamProduct, type StreamVersion} from './simplestreams.ts';
import type {StreamRemote} from './stream.ts';

const signing: Signing = {
	kind: 'clear',
	keyrings: [
		'/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg',
		'/snap/maas/current/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg',
	],
	keysFrom: 'the package ubuntu-keyring, or ubuntu-cloudimage-keyring.gpg in /usr/share/keyrings',
};

/** The catalogues of Ubuntu, in the order they are searched. Addresses as Multipass has them. */
export const ubuntuRemotes: readonly StreamRemote[] = [
	{
		name: 'release',
		base: 'https://cloud-images.ubuntu.com/',
		directory: 'releases/',
		hasMirrors: true,
		signing,
	},
	{
		name: 'daily',
		base: 'https://cloud-images.ubuntu.com/',
		directory: 'daily/',
		hasMirrors: true,
		signing,
	},
	{
		name: 'core',
		base: 'https://cdimage.ubuntu.com/',
		directory: 'ubuntu-core/',
		hasMirrors: false,
		imageType: 'stable',
	},
];

/** What a product is called, and by what else it can be asked for. */
type Naming = {
	readonly name: string;
	readonly aliases: readonly string[];
	readonly os: string;
	readonly release: string;
};

/** The newest version of each product as an entry, the newest release first. */
export function newestEntries(
	remote: StreamRemote,
	products: readonly StreamProduct[],
	urlOf: (path: string) => string,
): CatalogueEntry[] {
	const lts = products.some(({aliases}) => aliases.includes('lts')) ? undefined : newestLts(products);
	return [...products]
		.sort((a, b) => compareVersions(b.title, a.title))
		.map(product =>
			entryOf(
				remote,
				product === lts ? {...product, aliases: [...product.aliases, 'default', 'lts']} : product,
				product.versions[0]!,
				urlOf,
			),
		);
}

/** Every version whose hash begins so, by whatever name. */
export function entriesByHash(
	remote: StreamRemote,
	products: readonly StreamProduct[],
	digits: string,
	urlOf: (path: string) => string,
): CatalogueEntry[] {
	return products.flatMap(product =>
		product.versions
			.filter(version => version.sha256.startsWith(digits))
			.map(version => entryOf(remote, product, version, urlOf)),
	);
}

function entryOf(
	remote: StreamRemote,
	product: StreamProduct,
	version: StreamVersion,
	urlOf: (path: string) => string,
): CatalogueEntry {
	const naming = remote.name === 'core' ? coreNaming(product) : cloudNaming(product);
	return {
		...naming,
		remote: remote.name,
		version: version.version,
		user: 'ubuntu',
		supported: product.supported,
		url: urlOf(version.path),
		checksum: {algorithm: 'sha256', hex: version.sha256},
		size: version.size,
		product: product.id,
	};
}

function cloudNaming({aliases, title, release, os}: StreamProduct): Naming {
	const name = title.split(' ')[0] || release;
	return {
		name,
		aliases: unique([...aliases, ...(aliases.includes('lts') ? ['ubuntu'] : []), release]).filter(
			alias => alias !== name,
		),
		os: titleCase(os),
		release: title,
	};
}

/** Products are called by their number only: `22`. */
function coreNaming({release, title}: StreamProduct): Naming {
	const number = release || (title.split(' ')[0] ?? '');
	return {name: `core${number}`, aliases: [], os: 'Ubuntu', release: `Core ${number}`};
}

function newestLts(products: readonly StreamProduct[]): StreamProduct | undefined {
	return products
		.filter(({title, supported}) => supported && /\bLTS\b/.test(title))
		.sort((a, b) => compareVersions(b.title, a.title))[0];
}

function titleCase(os: string): string {
	return os === '' ? '' : os[0]!.toUpperCase() + os.slice(1);
}

function unique(words: readonly string[]): string[] {
	return [...new Set(words)].filter(word => word !== '');
}
