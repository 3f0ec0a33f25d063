import {gibibyte, mebibyte} from '../../model/sizes.ts';
import type {Signing} from '../signature.ts';
import type {ChecksumFile} from './entry.ts';

/** An image of a distribution, for each architecture that it is published for. */
export type Distribution = {
	readonly name: string;
	readonly aliases: readonly string[];
	readonly os: string;
	readonly release: string;
	/** Where the files are replaced under the same address: `latest`. */
	readonly version: string;
	readonly user: string;
	/** Bytes. */
	readonly memoryMinimum: number;
	/** Bytes. */
	readonly diskMinimum: number;
	readonly supported?: boolean;
	/** By architecture as catalogues write it: `amd64`, `arm64`. */
	readonly files: Readonly<Record<string, {readonly url: string; readonly checksum: ChecksumFile}>>;
};

/** The architectures as distributions of the RPM family write them. */
const machines = {amd64: 'x86_64', arm64: 'aarch64'} as const;

/** The same file for both architectures; `{arch}` and `{machine}` stand for their names. */
function files(
	url: string,
	checksum: string,
	signing?: Signing,
	architectures: ReadonlyArray<keyof typeof machines> = ['amd64', 'arm64'],
): Distribution['files'] {
	return Object.fromEntries(
		architectures.map(arch => {
			const fill = (text: string) => text.replaceAll('{arch}', arch).replaceAll('{machine}', machines[arch]);
			const filled = signing === undefined ? undefined : fillSigning(signing, fill);
			return [
				arch,
				{
					url: fill(url),
					checksum: {
						url: fill(checksum.replace('{url}', url)),
						...(filled === undefined ? {} : {signing: filled}),
					},
				},
			];
		}),
	);
}

function fillSigning(signing: Signing, fill: (text: string) => string): Signing {
	return {
		...signing,
		keyrings: signing.keyrings.map(fill),
		...(signing.url === undefined ? {} : {url: fill(signing.url)}),
	};
}

/** Keys as RPM distributions install their own, and as the package distribution-gpg-keys collects them. */
function rpmKeys(directory: string, file: string): Pick<Signing, 'keyrings' | 'keysFrom'> {
	return {
		keyrings: [`/usr/share/distribution-gpg-keys/${directory}/${file}`, `/etc/pki/rpm-gpg/${file}`],
		keysFrom: 'the package distribution-gpg-keys',
	};
}

const debian = (number: string, codename: string, aliases: readonly string[]): Distribution => ({
	name: `debian-${number}`,
	aliases: [...aliases, codename],
	os: 'Debian',
	release: `${number} (${codename})`,
	version: 'latest',
	user: 'debian',
	memoryMinimum: 256 * mebibyte,
	diskMinimum: 3 * gibibyte,
	// `generic`, not `genericcloud`: its kernel has the drivers for what is not virtio, too.
	files: files(
		`https://cloud.debian.org/images/cloud/${codename}/latest/debian-${number}-generic-{arch}.qcow2`,
		`https://cloud.debian.org/images/cloud/${codename}/latest/SHA512SUMS`,
	),
});

const fedora = (number: string, build: string, aliases: readonly string[]): Distribution => {
	const directory = `https://dl.fedoraproject.org/pub/fedora/linux/releases/${number}/Cloud/{machine}/images`;
	return {
		name: `fedora-${number}`,
		aliases,
		os: 'Fedora',
		release: number,
		version: build,
		user: 'fedora',
		memoryMinimum: 512 * mebibyte,
		diskMinimum: 5 * gibibyte,
		files: files(
			`${directory}/Fedora-Cloud-Base-Generic-${number}-${build}.{machine}.qcow2`,
			`${directory}/Fedora-Cloud-${number}-${build}-{machine}-CHECKSUM`,
			{kind: 'clear', ...rpmKeys('fedora', `RPM-GPG-KEY-fedora-${number}-primary`)},
		),
	};
};

const almalinux = (number: string, aliases: readonly string[]): Distribution => {
	const directory = `https://repo.almalinux.org/almalinux/${number}/cloud/{machine}/images`;
	return {
		name: `almalinux-${number}`,
		aliases,
		os: 'AlmaLinux',
		release: number,
		version: 'latest',
		user: 'almalinux',
		memoryMinimum: 512 * mebibyte,
		diskMinimum: 10 * gibibyte,
		files: files(`${directory}/AlmaLinux-${number}-GenericCloud-latest.{machine}.qcow2`, `${directory}/CHECKSUM`, {
			kind: 'detached',
			url: `${directory}/CHECKSUM.asc`,
			...rpmKeys('alma', `RPM-GPG-KEY-AlmaLinux-${number}`),
		}),
	};
};

const rocky = (number: string, aliases: readonly string[]): Distribution => ({
	name: `rocky-${number}`,
	aliases,
	os: 'Rocky Linux',
	release: number,
	version: 'latest',
	user: 'rocky',
	memoryMinimum: 512 * mebibyte,
	diskMinimum: 10 * gibibyte,
	files: files(
		`https://dl.rockylinux.org/pub/rocky/${number}/images/{machine}/Rocky-${number}-GenericCloud-Base.latest.{machine}.qcow2`,
		'{url}.CHECKSUM',
	),
});

const leap = (number: string, prefix: string, aliases: readonly string[]): Distribution => ({
	name: `opensuse-${number}`,
	aliases,
	os: 'openSUSE',
	release: `Leap ${number}`,
	version: 'latest',
	user: 'opensuse',
	memoryMinimum: 512 * mebibyte,
	diskMinimum: 5 * gibibyte,
	files: files(
		`https://download.opensuse.org/distribution/leap/${number}/appliances/${prefix}Leap-${number}-Minimal-VM.{machine}-Cloud.qcow2`,
		'{url}.sha256',
	),
});

/** Alpine publishes an image for each way to boot; drover boots amd64 by BIOS and arm64 by UEFI. */
const alpine = (number: string, aliases: readonly string[]): Distribution => {
	const branch = number.split('.').slice(0, 2).join('.');
	const url = (boot: string) =>
		`https://dl-cdn.alpinelinux.org/alpine/v${branch}/releases/cloud/nocloud_alpine-${number}-{machine}-${boot}-cloudinit-r0.qcow2`;
	return {
		name: `alpine-${branch}`,
		aliases,
		os: 'Alpine Linux',
		release: branch,
		version: number,
		user: 'alpine',
		memoryMinimum: 256 * mebibyte,
		diskMinimum: 512 * mebibyte,
		files: {
			...files(url('bios'), '{url}.sha512', undefined, ['amd64']),
			...files(url('uefi'), '{url}.sha512', undefined, ['arm64']),
		},
	};
};

/**
 * Distributions that publish images with cloud-init and their hashes, the newest release of each first. Addresses,
 * names and signatures as the distributions document them; what is `latest` is replaced by its publisher.
 */
export const distributions: readonly Distribution[] = [
	debian('13', 'trixie', ['debian']),
	debian('12', 'bookworm', []),
	fedora('44', '1.7', ['fedora']),
	fedora('43', '1.6', []),
	almalinux('10', ['almalinux', 'alma', 'alma-10']),
	almalinux('9', ['alma-9']),
	rocky('10', ['rocky', 'rockylinux']),
	rocky('9', []),
	leap('16.0', '', ['opensuse', 'leap', 'leap-16.0']),
	leap('15.6', 'openSUSE-', ['leap-15.6']),
	{
		name: 'arch',
		aliases: ['archlinux'],
		os: 'Arch Linux',
		release: 'rolling',
		version: 'latest',
		user: 'arch',
		memoryMinimum: 512 * mebibyte,
		diskMinimum: 2 * gibibyte,
		files: files(
			'https://geo.mirror.pkgbuild.com/images/latest/Arch-Linux-{machine}-cloudimg.qcow2',
			'{url}.SHA256',
			undefined,
			['amd64'],
		),
	},
	alpine('3.23.4', ['alpine']),
];
