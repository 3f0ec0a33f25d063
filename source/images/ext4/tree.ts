import type {TarEntry} from '../rootfs/tar.ts';
import {attributesOf} from './attributes.ts';
import {contentOf, linkTarget} from './content.ts';
import {kindOf, namesIn} from './directory.ts';
import {BrokenVolume, type Inode, rootInode, type Volume} from './volume.ts';

export type TreeOptions = {
	/** Before each path: `rootfs`. */
	readonly prefix: string;
	/** Directories that stay empty, without the prefix: `boot`. */
	readonly emptied: ReadonlySet<string>;
	/** What is left out altogether. */
	readonly omitted: ReadonlySet<string>;
	/** Told of each file that cannot be taken along, and why. */
	readonly onLeftOut: (path: string, why: string) => void;
};

/** Linux' own limit of a path, in bytes; a hostile tree could be deeper. */
const longest = 4096;

/**
 * All files of a file system as entries of an archive: owners, permissions, times, links and attributes as they are
 * (see {@link attributesOf} for those that are not). Sockets are left out: they mean nothing without who listens.
 * @throws BrokenVolume
 */
export async function* treeOf(volume: Volume, options: TreeOptions): AsyncGenerator<TarEntry> {
	const directories = new Set<number>();
	const linked = new Map<number, string>();
	const visit = async function* (inode: Inode, path: string): AsyncGenerator<TarEntry> {
		if (path.length > longest) throw new BrokenVolume('has paths that are too long');
		const at = path === '' ? options.prefix : `${options.prefix}/${path}`;
		const common = {path: at, mode: inode.mode & 0o7777, uid: inode.uid, gid: inode.gid, modified: inode.modified};
		const attributes = await attributesOf(volume, inode);
		const entry = {...common, ...(attributes.size === 0 ? {} : {attributes})};
		const kind = kindOf(inode);
		if (kind === 'directory') {
			// A directory is in one place only: a second one would lead in a circle.
			if (directories.has(inode.number)) throw new BrokenVolume('is damaged');
			directories.add(inode.number);
			yield {...entry, kind};
			if (options.emptied.has(path)) return;
			for (const {name, inode: number} of await namesIn(volume, inode)) {
				const below = path === '' ? name : `${path}/${name}`;
				if (!options.omitted.has(below)) yield* visit(await volume.inode(number), below);
			}
			return;
		}
		// Whatever it says of the number of its names: its content is there once.
		const first = linked.get(inode.number);
		if (first !== undefined) {
			yield {...common, kind: 'hardlink', target: first};
			return;
		}
		if (kind === 'file' && inode.size > volume.blocks * volume.blockSize) {
			options.onLeftOut(path, 'it claims to be greater than the disk');
			return;
		}
		linked.set(inode.number, at);
		if (kind === 'file') yield {...entry, kind, size: inode.size, content: contentOf(volume, inode)};
		else if (kind === 'symlink') yield {...entry, kind, target: await linkTarget(volume, inode)};
		else if (kind === 'pipe') yield {...entry, kind};
		else if (kind === 'character' || kind === 'block') yield {...entry, kind, ...deviceOf(inode)};
	};
	yield* visit(await volume.inode(rootInode), '');
}

/** Old numbers of devices are in the first word of the map, new ones in the second. */
function deviceOf(inode: Inode): {major: number; minor: number} {
	const old = inode.map.readUInt32LE(0);
	if (old !== 0) return {major: (old >> 8) & 0xff, minor: old & 0xff};
	const device = inode.map.readUInt32LE(4);
	return {major: (device >> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xff_f00)};
}
