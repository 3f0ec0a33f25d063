import type {Inode, Volume} from './volume.ts';

const magic = 0xea02_0000;
/** Names begin with one of these, by number. The others are left out: see {@link attributesOf}. */
const prefixes: Readonly<Record<number, string>> = {1: 'user.', 6: 'security.'};

/**
 * The extended attributes that mean something in a container: what programs may do (`security.capability`) and what
 * users wrote. Left out: SELinux' labels, access lists (their form on disk is another one), `trusted.*` (containers
 * must not have them), values that are so great that they have index nodes of their own.
 * Source: Linux, Documentation/filesystems/ext4/attributes.rst.
 */
export async function attributesOf(volume: Volume, inode: Inode): Promise<ReadonlyMap<string, Buffer>> {
	const found = new Map<string, Buffer>();
	if (inode.rest.length > 4 && inode.rest.readUInt32LE(0) === magic) {
		const area = inode.rest.subarray(4);
		collect(area, 0, found);
	}
	if (inode.attributeBlock !== 0) {
		const block = await volume.block(inode.attributeBlock);
		if (block.readUInt32LE(0) === magic) collect(block, 32, found);
	}
	return found;
}

/** Entries begin at `start`; the offsets of values are those of `area`. What does not fit in it is passed over. */
function collect(area: Buffer, start: number, found: Map<string, Buffer>): void {
	for (let at = start; at + 16 <= area.length && area.readUInt32LE(at) !== 0; ) {
		const nameEnd = at + 16 + area[at]!;
		const prefix = prefixes[area[at + 1]!];
		const offset = area.readUInt16LE(at + 2);
		const size = area.readUInt32LE(at + 8);
		const name = `${prefix}${area.toString('latin1', at + 16, nameEnd)}`;
		const isWanted = prefix === 'user.' || name === 'security.capability';
		if (isWanted && area.readUInt32LE(at + 4) === 0 && nameEnd <= area.length && offset + size <= area.length) {
			found.set(name, Buffer.from(area.subarray(offset, offset + size)));
		}
		at = Math.ceil(nameEnd / 4) * 4;
	}
}
