import {copyFile, open, readdir, readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import type {ImageWork} from '../image.ts';
import {run, searchPath} from '../run.ts';
import type {Packages} from './packages.ts';
import {masterBootRecord} from './partitions.ts';
import {recipe} from './recipe.ts';
import {packaged} from './root-tree.ts';

const sector = 512;
/** The first partition begins here, as usual, in bytes. */
const bootStart = 1024 * 1024;

/** What a disk is made of, with the sizes of its boot partition and of all of it in bytes. */
export type DiskParts = {
	readonly root: string;
	readonly initramfs: Buffer;
	readonly directory: string;
	readonly bootSize: number;
	readonly diskSize: number;
};

/**
 * Makes the disk: boot sector, a FAT partition with syslinux and the kernel, an ext4 partition with the root tree.
 * Neither root nor a mount is needed: each tool writes into the file at an offset.
 */
export async function assembleDisk(packages: Packages, parts: DiskParts, work: ImageWork): Promise<string> {
	const raw = path.join(parts.directory, 'disk.raw');
	const {bootSize, diskSize} = parts;
	const rootStart = bootStart + bootSize;
	const handle = await open(raw, 'wx');
	try {
		await handle.truncate(diskSize);
		const record = masterBootRecord(await readFile(packaged(packages, 'lib/syslinux/mbr/mbr.bin')), [
			{type: 0x0e, start: bootStart / sector, sectors: bootSize / sector, active: true},
			{type: 0x83, start: rootStart / sector, sectors: (diskSize - rootStart) / sector, active: false},
		]);
		await handle.write(record, 0, record.length, 0);
	} finally {
		await handle.close();
	}
	await makeBootPartition(packages, raw, parts, work);
	await makeRootPartition(raw, rootStart, parts, work);
	return raw;
}

async function makeBootPartition(packages: Packages, raw: string, parts: DiskParts, work: ImageWork): Promise<void> {
	const file = (name: string) => path.join(parts.directory, name);
	await copyFile(packaged(packages, `boot/vmlinuz-${packages.kernelVersion}`), file('vmlinuz'));
	await writeFile(file('initrd.img'), parts.initramfs);
	await writeFile(
		file('syslinux.cfg'),
		`DEFAULT micro\nPROMPT 0\nTIMEOUT 0\nLABEL micro\n KERNEL /vmlinuz\n INITRD /initrd.img\n APPEND ${recipe.kernelArguments}\n`,
	);
	const tools = path.dirname(packaged(packages, 'bin/mtools'));
	const options = {
		signal: work.signal,
		purpose: 'write the boot partition',
		// syslinux runs mcopy and mattrib itself, so they must be found.
		environment: {MTOOLS_SKIP_CHECK: '1', MTOOLSRC: '/dev/null', PATH: `${tools}:${searchPath()}`},
	};
	const image = `${raw}@@${bootStart}`;
	const geometry = ['-T', String(parts.bootSize / sector), '-h', '64', '-s', '32', '-H', String(bootStart / sector)];
	await run(path.join(tools, 'mformat'), ['-i', image, ...geometry, '-v', 'MICROBOOT', '::'], options);
	const files = ['vmlinuz', 'initrd.img', 'syslinux.cfg'].map(file);
	await run(path.join(tools, 'mcopy'), ['-i', image, ...files, '::'], options);
	const syslinux = packaged(packages, 'bin/syslinux');
	await run(syslinux, ['--install', '--offset', String(bootStart), raw], options);
}

async function makeRootPartition(raw: string, start: number, parts: DiskParts, work: ImageWork): Promise<void> {
	const block = 4096;
	await run(
		'mke2fs',
		[
			...['-q', '-F', '-t', 'ext4', '-L', recipe.rootLabel, '-b', String(block), '-m', '0'],
			// Features that older kernels or resize2fs of another release would not know.
			...['-O', '^metadata_csum_seed,^orphan_file'],
			...['-E', `offset=${start},root_owner=0:0,resize=4194304`],
			...['-d', parts.root, raw, String((parts.diskSize - start) / block)],
		],
		{signal: work.signal, purpose: 'write the root partition'},
	);
	if (process.getuid?.() === 0) return;
	// mke2fs keeps the owner of each file, which is whoever builds; in the guest everything belongs to root.
	const names = (await readdir(parts.root, {recursive: true})).sort();
	const commands = names.flatMap(name => [`sif "/${name}" uid 0`, `sif "/${name}" gid 0`]);
	await run('debugfs', ['-w', '-f', '-', `${raw}?offset=${start}`], {
		signal: work.signal,
		purpose: 'give the guest’s files to root',
		input: `${commands.join('\n')}\n`,
	});
}
