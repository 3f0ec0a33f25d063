import {type FileHandle, open} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {plainLine} from '../../model/text.ts';
import {smallContent} from '../ext4/content.ts';
import {kindOf, lookUp} from '../ext4/directory.ts';
import {treeOf} from '../ext4/tree.ts';
import {BrokenVolume, type Bytes, isExt, rootInode, Volume} from '../ext4/volume.ts';
import {allocatedBytes} from '../file-source.ts';
import {readJson, unusable} from '../format.ts';
import type {CachedImage, ImageWork} from '../image.ts';
import {run, tryRun} from '../run.ts';
import {type ContainerImage, descriptionEntries, seedDirectory} from './metadata.ts';
import {writeArchive} from './pack.ts';
import {otherFileSystem, placesOn} from './partitions.ts';
import type {TarEntry} from './tar.ts';

/** Raise it when the same disk would be made into something else. */
export const conversion = 1;

const advice =
	'Launch it with a driver of virtual machines, or give an archive for containers (metadata.yaml and rootfs/).';

/** Room that a conversion takes, in bytes: the disk without compression, and about half of it for the archive. */
export async function conversionSpace(disk: CachedImage, signal: AbortSignal): Promise<number> {
	if (disk.format === 'raw') return (await allocatedBytes(disk.path)) / 2;
	// For raw it would say the whole disk, with its holes.
	const measure = ['measure', '-f', disk.format, '-O', 'qcow2', '--output=json', disk.path];
	const found = readJson((await tryRun('qemu-img', measure, {signal, purpose: 'measure the image'})).stdout);
	return 1.5 * (typeof found['required'] === 'number' ? found['required'] : disk.virtualSize);
}

const stage = 'converting the image for a container';

/** `/etc/fstab`: the disks it names are not there. */
const noMounts = {path: 'rootfs/etc/fstab', mode: 0o644, kind: 'file', size: 0, content: Buffer.alloc(0)} as const;

/**
 * Makes a container's root of the disk of a virtual machine, in an empty directory. The file system is read by drover
 * itself: `debugfs rdump` loses set-user-id, hard links and capabilities, needs root, and writes wherever the names in
 * a hostile image lead; mounting needs root, too, and trusts the image with the kernel.
 * @param name how the image is called in the errors
 * @returns the path of an archive
 * @throws DroverError `image.unusable` (no root that can be read), `host.failed`, `operation.cancelled`
 */
export async function convertDisk(
	disk: CachedImage,
	name: string,
	directory: string,
	work: ImageWork,
): Promise<string> {
	work.progress(stage);
	let raw = disk.path;
	if (disk.format !== 'raw') {
		raw = path.join(directory, 'disk.raw');
		await run('qemu-img', ['convert', '-f', disk.format, '-O', 'raw', disk.path, raw], {
			signal: work.signal,
			timeout: 3600,
			purpose: 'unpack the image',
		});
	}
	const handle = await open(raw, 'r');
	try {
		const {size} = await handle.stat();
		const {volume, image} = await findRoot(bytesOf(handle, size), name);
		const target = path.join(directory, 'root.tar.gz');
		await writeArchive(target, containerEntries(volume, image, work), 1, work.signal);
		return target;
	} catch (error) {
		if (error instanceof BrokenVolume) {
			throw unusable(name, `cannot be used for a container: its root file system ${error.message}`, advice);
		}
		throw error;
	} finally {
		await handle.close();
	}
}

/** @throws BrokenVolume, DroverError `image.unusable` that says what is there instead */
async function findRoot(disk: Bytes, name: string): Promise<{volume: Volume; image: ContainerImage}> {
	const others = new Set<string>();
	let broken: BrokenVolume | undefined;
	for (const {start, size} of await placesOn(disk)) {
		const place = partOf(disk, start, size);
		if (size >= 2048 && isExt(await place.read(1024, 1024))) {
			try {
				const volume = await Volume.open(place);
				const release = await releaseOf(volume);
				if (release !== undefined) return {volume, image: describe(release)};
			} catch (error) {
				if (!(error instanceof BrokenVolume)) throw error;
				broken ??= error;
			}
		} else {
			const other = await otherFileSystem(place);
			if (other !== undefined) others.add(other);
		}
	}
	if (others.size === 0 && broken !== undefined) throw broken;
	const why =
		others.size === 0
			? 'no Linux system on ext2, ext3 or ext4 was found on it'
			: `its system is on ${[...others].join(' or ')}, and only ext2, ext3 and ext4 can be read`;
	throw unusable(name, `cannot be used for a container: ${why}`, advice);
}

/** What the system says of itself, or `undefined` when this is not a system's root. */
async function releaseOf(volume: Volume): Promise<string | undefined> {
	const root = await volume.inode(rootInode);
	for (const file of ['usr/lib/os-release', 'etc/os-release']) {
		const found = await lookUp(volume, root, file);
		if (found && kindOf(found) === 'file') return (await smallContent(volume, found, 65_536)).toString();
	}
	return undefined;
}

/** Source: man page os-release(5). */
function describe(release: string): ContainerImage {
	const value = (key: string) =>
		new RegExp(`^${key}=(["']?)(.*)\\1\\s*$`, 'm').exec(release)?.[2]?.replace(/\\(.)/g, '$1') ?? '';
	return {
		// It must be the host's, as that of a machine must.
		architecture: {x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l'}[process.arch as string] ?? process.arch,
		os: value('NAME') || value('ID') || 'Linux',
		release: value('VERSION_ID'),
		description: value('PRETTY_NAME') || 'Linux',
	};
}

/** The files of the disk as those of a container. */
async function* containerEntries(volume: Volume, image: ContainerImage, work: ImageWork): AsyncGenerator<TarEntry> {
	const created = new Date();
	yield* descriptionEntries(image, created);
	const owned = {uid: 0, gid: 0, modified: Math.floor(created.getTime() / 1000)};
	const seeds = seedDirectory.split('/').map((_, index, parts) => `rootfs/${parts.slice(0, index + 1).join('/')}`);
	const hidden = new Set(seeds.slice(-2));
	const kinds = new Map<string, TarEntry['kind']>();
	let done = 0;
	const tree = treeOf(volume, {
		prefix: 'rootfs',
		// What a kernel, its boot loader and the host's file systems have there is nothing to a container.
		emptied: new Set(['boot', 'dev', 'proc', 'sys', 'run']),
		omitted: new Set(['lost+found']),
		onLeftOut: (file, why) => work.log(`${plainLine(file)} is left out: ${why}.`),
	});
	for await (const entry of tree) {
		if (seeds.includes(entry.path)) kinds.set(entry.path, entry.kind);
		if (entry.path === noMounts.path) yield {...owned, ...noMounts};
		// The seed holds the key the guest shows to SSH clients.
		else yield hidden.has(entry.path) ? {...entry, mode: 0o700} : entry;
		done += entry.kind === 'file' ? entry.size : 0;
		work.progress(stage, Math.min(100, (100 * done) / volume.used));
	}
	for (const path of seeds) {
		const kind = kinds.get(path);
		if (kind === undefined) yield {...owned, path, mode: hidden.has(path) ? 0o700 : 0o755, kind: 'directory'};
		// A link leads where the image wants: nothing is put there.
		else if (kind !== 'directory') return;
	}
}

function bytesOf(handle: FileHandle, size: number): Bytes {
	return {
		size,
		async read(at, length) {
			if (at < 0 || length < 0 || at + length > size) throw new BrokenVolume('is damaged or cut short');
			const {buffer, bytesRead} = await handle.read(Buffer.allocUnsafe(length), 0, length, at);
			if (bytesRead !== length) throw new BrokenVolume('is damaged or cut short');
			return buffer;
		},
	};
}

function partOf(disk: Bytes, start: number, size: number): Bytes {
	return {
		size,
		async read(at, length) {
			if (at < 0 || at + length > size) throw new BrokenVolume('is damaged or cut short');
			return disk.read(start + at, length);
		},
	};
}
