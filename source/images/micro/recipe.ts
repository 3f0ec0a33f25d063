import {createHash} from 'node:crypto';
import {mebibyte} from '../../model/sizes.ts';
import type {ImageForm} from '../image.ts';
import {metadataText} from '../rootfs/metadata.ts';
import {containerFiles, machineFiles} from './guest/files.ts';

/** What the micro image is made of. A change of anything here, or of a file for the guest, makes a new image. */
export const recipe = {
	/** Raise it when the steps that put an image together change without a change of this data. */
	revision: 2,
	/** Shown as the image's release: `Micro 1`. */
	version: '1',
	/** The package whose dependency is the newest kernel. */
	kernelPackage: 'linux-image-cloud-amd64',
	/** Programs for the guest and for the build; the libraries they need are found by their dependencies. */
	packages: [
		'busybox-static',
		'dropbear-bin',
		'qemu-guest-agent',
		'openssh-sftp-server',
		'sshfs',
		'e2fsprogs',
		'mtools',
		'syslinux',
		'syslinux-common',
	],
	/** A container needs no kernel, and nothing to make or grow a disk. */
	containerPackages: ['busybox-static', 'dropbear-bin', 'openssh-sftp-server', 'sshfs'],
	/** Kernel modules needed to find the root file system: virtio first, the others for other hypervisors. */
	bootModules: ['virtio_pci', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'ata_piix', 'ahci', 'crc32c_generic', 'ext4'],
	/** Kernel modules that are useful once it is up. What this kernel does not have is left out. */
	rootModules: [
		'virtio_net',
		'virtio_console',
		'virtio_rng',
		'virtio_balloon',
		'button',
		'evdev',
		'isofs',
		'sr_mod',
		'fuse',
		'virtiofs',
		'vmw_vsock_virtio_transport',
		'9p',
		'9pnet_virtio',
		'overlay',
		'e1000',
		'af_packet',
		'rtc_cmos',
	],
	/** What is left out here (a random place for the kernel, self-tests) is time until SSH under software emulation. */
	kernelArguments: 'console=ttyS0 quiet loglevel=3 panic=1 nokaslr cryptomgr.notests 8250.nr_uarts=1',
	/** Virtual size in bytes; the root file system grows with the disk at boot. */
	diskSize: 160 * mebibyte,
	/** The first partition, with the kernel, in bytes. */
	bootSize: 24 * mebibyte,
	rootLabel: 'micro-root',
} as const;

/**
 * What a machine's kernel can be. Debian's for clouds is small and quick, and has virtiofs; the one for all machines has
 * 9p as well, and takes half as long again to boot under emulation.
 */
export const kernels = {
	cloud: {package: recipe.kernelPackage, bootSize: recipe.bootSize, diskSize: recipe.diskSize},
	generic: {package: 'linux-image-amd64', bootSize: 40 * mebibyte, diskSize: 200 * mebibyte},
} as const;
export type Kernel = (typeof kernels)[keyof typeof kernels];

/** What the container calls itself to LXD and Incus. */
export const micro = {
	architecture: 'x86_64',
	os: 'Micro',
	release: recipe.version,
	description: `Micro ${recipe.version}, a small Debian-based guest`,
} as const;

/** The name of what this recipe makes, as hexadecimal digits: an image with another one is out of date. */
export function recipeHash(form: ImageForm = 'disk'): string {
	const content = form === 'disk' ? machineFiles('') : [containerFiles(), metadataText(micro, 0)];
	return createHash('sha256')
		.update(JSON.stringify([recipe, content]))
		.digest('hex');
}
