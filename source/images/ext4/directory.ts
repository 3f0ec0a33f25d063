import {contentOf} from './content.ts';
import {BrokenVolume, type Inode, type Volume} from './volume.ts';

/** A name in a directory; bytes as characters. */
export type Name = {readonly name: string; readonly inode: number};

export function kindOf(inode: Inode): 'directory' | 'file' | 'symlink' | 'character' | 'block' | 'pipe' | undefined {
	return ({4: 'directory', 8: 'file', 10: 'symlink', 2: 'character', 6: 'block', 1: 'pipe'} as const)[
		(inode.mode >> 12) as 1
	];
}

/** Of a directory, in bytes: some millions of files. All its names are in memory at once. */
const largest = 64 * 2 ** 20;

/**
 * The names in a directory, sorted, without `.` and `..`. Its blocks are read one after another: an index in it looks
 * like blocks without names. Source: Linux, Documentation/filesystems/ext4/directory.rst.
 * @throws BrokenVolume also for names that would lead elsewhere
 */
export async function namesIn(volume: Volume, directory: Inode): Promise<Name[]> {
	if (directory.size > largest) throw new BrokenVolume('has directories that are too large');
	const names: Name[] = [];
	for await (const piece of contentOf(volume, directory)) {
		for (let at = 0; at < piece.length; at += volume.blockSize) {
			names.push(...namesInBlock(piece.subarray(at, at + volume.blockSize)));
		}
	}
	return names.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesInBlock(block: Buffer): Name[] {
	const names: Name[] = [];
	for (let at = 0; at + 8 <= block.length; ) {
		const inode = block.readUInt32LE(at);
		// In blocks of 64 KiB the length of a whole block does not fit and is written as 0 or 65535.
		const written = block.readUInt16LE(at + 4);
		const length = block.length === 65_536 && (written === 0 || written === 65_535) ? block.length - at : written;
		const nameEnd = at + 8 + block[at + 6]!;
		if (length < 8 || length % 4 !== 0 || at + length > block.length) throw new BrokenVolume('is damaged');
		if (inode !== 0) {
			const name = block.toString('latin1', at + 8, nameEnd);
			if (nameEnd > at + length || name === '' || /[/\0]/.test(name)) throw new BrokenVolume('is damaged');
			if (name !== '.' && name !== '..') names.push({name, inode});
		}
		at += length;
	}
	return names;
}

/** What a path without symbolic links leads to. */
export async function lookUp(volume: Volume, start: Inode, path: string): Promise<Inode | undefined> {
	let current = start;
	for (const part of path.split('/')) {
		if (kindOf(current) !== 'directory') return undefined;
		const found = (await namesIn(volume, current)).find(({name}) => name === part);
		if (found === undefined) return undefined;
		current = await volume.inode(found.inode);
	}
	return current;
}
