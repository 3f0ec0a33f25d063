/** Part of a disk, by its own offsets in bytes. */
export type Bytes = {
	readonly size: number;
	/** Exactly `length` bytes. @throws BrokenVolume beyond the end */
	read(at: number, length: number): Promise<Buffer>;
};

/** The file system cannot be read: the end of a sentence that begins with its name, `is damaged`. */
export class BrokenVolume extends Error {}

/** An index node, as far as it matters. Source: Linux, Documentation/filesystems/ext4/inodes.rst. */
export type Inode = {
	readonly number: number;
	/** As in `stat`: kind and permissions. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	/** Bytes. */
	readonly size: number;
	/** Seconds since 1970. */
	readonly modified: number;
	readonly flags: number;
	/** The 60 bytes that lead to the content, or are it. */
	readonly map: Buffer;
	/** The block of attributes, or 0. */
	readonly attributeBlock: number;
	/** What is left of the record behind the known fields: attributes, too. */
	readonly rest: Buffer;
};

export const rootInode = 2;

const incompatible = {recover: 0x4, is64bit: 0x80};

/** Features that change nothing in what is read here, or are dealt with: the others would be read wrongly. */
const known = 0x2 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x20_000;

/** Of 128 MiB each, usually. */
const mostGroups = 2 ** 20;

/** As many pieces of the inode tables are kept, each of so many bytes. */
const kept = 256;
const pieceSize = 65_536;

/**
 * An ext2, ext3 or ext4 file system, read without mounting: a hostile one never meets the kernel, and no rights are
 * needed. Nothing in it is believed before it is checked.
 */
export class Volume {
	readonly blockSize: number;
	readonly blocks: number;
	/** Bytes that are in use. */
	readonly used: number;
	readonly #bytes: Bytes;
	readonly #inodes: number;
	readonly #inodesPerGroup: number;
	readonly #inodeSize: number;
	readonly #tables: readonly number[];
	readonly #pieces = new Map<number, Buffer>();

	private constructor(bytes: Bytes, superblock: Buffer, tables: readonly number[]) {
		const {blockSize, blocks, inodesPerGroup} = geometry(superblock);
		this.#bytes = bytes;
		this.blockSize = blockSize;
		this.blocks = blocks;
		this.used = Math.max(1, blocks - superblock.readUInt32LE(0x0c)) * blockSize;
		this.#inodes = superblock.readUInt32LE(0);
		this.#inodesPerGroup = inodesPerGroup;
		this.#inodeSize = superblock.readUInt32LE(0x4c) === 0 ? 128 : superblock.readUInt16LE(0x58);
		this.#tables = tables;
		if (this.#inodeSize < 128 || this.#inodeSize > blockSize) throw new BrokenVolume('is damaged');
	}

	/** @throws BrokenVolume when it is not such a file system, is damaged, or has features that are not known */
	static async open(bytes: Bytes): Promise<Volume> {
		const superblock = await bytes.read(1024, 1024);
		if (!isExt(superblock)) throw new BrokenVolume('is not ext2, ext3 or ext4');
		const features = superblock.readUInt32LE(0x60);
		if ((features & incompatible.recover) !== 0) throw new BrokenVolume('was not closed cleanly');
		if ((features & ~known) !== 0) {
			throw new BrokenVolume(`has features that are not known (${(features & ~known).toString(16)})`);
		}
		const {blockSize, blocks, blocksPerGroup, firstBlock} = geometry(superblock);
		const is64bit = (features & incompatible.is64bit) !== 0;
		const size = is64bit ? superblock.readUInt16LE(0xfe) : 32;
		const count = Math.ceil((blocks - firstBlock) / blocksPerGroup);
		if (size < 32 || size > 1024 || count < 1 || count > mostGroups) throw new BrokenVolume('is damaged');
		const descriptors = await bytes.read((firstBlock + 1) * blockSize, count * size);
		const tables = Array.from({length: count}, (_, group) => {
			const high = size >= 64 ? descriptors.readUInt32LE(group * size + 0x28) : 0;
			return high * 2 ** 32 + descriptors.readUInt32LE(group * size + 8);
		});
		return new Volume(bytes, superblock, tables);
	}

	async block(number: number, count = 1): Promise<Buffer> {
		if (number <= 0 || number + count > this.blocks) throw new BrokenVolume('is damaged');
		return this.#bytes.read(number * this.blockSize, count * this.blockSize);
	}

	async inode(number: number): Promise<Inode> {
		if (number < 1 || number > this.#inodes) throw new BrokenVolume('is damaged');
		const table = this.#tables[Math.floor((number - 1) / this.#inodesPerGroup)];
		if (table === undefined) throw new BrokenVolume('is damaged');
		const at = table * this.blockSize + ((number - 1) % this.#inodesPerGroup) * this.#inodeSize;
		return readInode(number, await this.#near(at, this.#inodeSize));
	}

	/** Index nodes are small and lie beside each other: read in pieces, some of which are kept. */
	async #near(at: number, length: number): Promise<Buffer> {
		const start = Math.floor(at / pieceSize) * pieceSize;
		if (at + length > start + pieceSize) return this.#bytes.read(at, length);
		let piece = this.#pieces.get(start);
		if (piece === undefined) {
			piece = await this.#bytes.read(start, Math.min(pieceSize, this.#bytes.size - start));
			if (this.#pieces.size >= kept) this.#pieces.delete(this.#pieces.keys().next().value!);
			this.#pieces.set(start, piece);
		}
		if (at + length > start + piece.length) throw new BrokenVolume('is damaged');
		return piece.subarray(at - start, at - start + length);
	}
}

/** Whether these are the 1024 bytes at 1024 of such a file system. */
export function isExt(superblock: Buffer): boolean {
	return superblock.length >= 1024 && superblock.readUInt16LE(0x38) === 0xef53;
}

function geometry(superblock: Buffer) {
	const shift = superblock.readUInt32LE(0x18);
	const high = (superblock.readUInt32LE(0x60) & incompatible.is64bit) === 0 ? 0 : superblock.readUInt32LE(0x150);
	const blocks = high * 2 ** 32 + superblock.readUInt32LE(4);
	const blocksPerGroup = superblock.readUInt32LE(0x20);
	const inodesPerGroup = superblock.readUInt32LE(0x28);
	if (shift > 6 || blocks === 0 || blocksPerGroup === 0 || inodesPerGroup === 0) throw new BrokenVolume('is damaged');
	return {
		blockSize: 1024 << shift,
		blocks,
		blocksPerGroup,
		inodesPerGroup,
		firstBlock: superblock.readUInt32LE(0x14),
	};
}

function readInode(number: number, record: Buffer): Inode {
	const u16 = (at: number) => record.readUInt16LE(at);
	const u32 = (at: number) => record.readUInt32LE(at);
	const extra = record.length > 128 ? u16(0x80) : 0;
	return {
		number,
		mode: u16(0),
		uid: u16(0x78) * 65_536 + u16(2),
		gid: u16(0x7a) * 65_536 + u16(0x18),
		size: u32(0x6c) * 2 ** 32 + u32(4),
		modified: u32(0x10),
		flags: u32(0x20),
		map: Buffer.from(record.subarray(0x28, 0x28 + 60)),
		attributeBlock: u16(0x76) * 2 ** 32 + u32(0x68),
		rest: Buffer.from(record.subarray(Math.min(record.length, 128 + extra))),
	};
}
