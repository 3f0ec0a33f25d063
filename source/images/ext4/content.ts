import {BrokenVolume, type Inode, type Volume} from './volume.ts';

/** Neighbouring blocks. `start` 0 stands for a hole. */
type Run = {readonly at: number; readonly count: number; readonly start: number};

const flags = {encrypted: 0x800, extents: 0x80_000, inline: 0x10_000_000};
/** Bytes that are read at once. */
const chunk = 2 ** 20;
const zeros = Buffer.alloc(chunk);

/** All bytes of a file, in pieces; holes as zeros. @throws BrokenVolume */
export async function* contentOf(volume: Volume, inode: Inode): AsyncGenerator<Buffer> {
	if ((inode.flags & flags.inline) !== 0) throw new BrokenVolume('has files of a kind that is not known');
	if ((inode.flags & flags.encrypted) !== 0) throw new BrokenVolume('has encrypted files');
	const {blockSize} = volume;
	const step = Math.max(1, Math.floor(chunk / blockSize));
	let position = 0;
	for await (const run of runsOf(volume, inode)) {
		const from = run.at * blockSize;
		if (from < position || run.count === 0) throw new BrokenVolume('is damaged');
		if (from >= inode.size) break;
		yield* hole(from - position);
		position = from;
		for (let done = 0; done < run.count && position < inode.size; done += step) {
			const count = Math.min(step, run.count - done);
			const data = run.start === 0 ? zeros.subarray(0, count * blockSize) : await volume.block(run.start + done, count);
			const piece = data.subarray(0, Math.min(data.length, inode.size - position));
			yield piece;
			position += piece.length;
		}
	}
	yield* hole(inode.size - position);
}

function* hole(length: number): Generator<Buffer> {
	for (let left = length; left > 0; left -= chunk) yield zeros.subarray(0, Math.min(left, chunk));
}

/** The same in one piece, of something that must be small. */
export async function smallContent(volume: Volume, inode: Inode, maximum: number): Promise<Buffer> {
	if (inode.size > maximum) throw new BrokenVolume('is damaged');
	const pieces: Buffer[] = [];
	for await (const piece of contentOf(volume, inode)) pieces.push(piece);
	return Buffer.concat(pieces);
}

/** The target of a symbolic link, bytes as characters. A short one stands where the map of the content would be. */
export async function linkTarget(volume: Volume, inode: Inode): Promise<string> {
	const isShort = inode.size < 60 && (inode.flags & flags.extents) === 0;
	const bytes = isShort ? inode.map.subarray(0, inode.size) : await smallContent(volume, inode, 4096);
	return bytes.toString('latin1');
}

function runsOf(volume: Volume, inode: Inode): AsyncGenerator<Run> {
	return (inode.flags & flags.extents) === 0 ? blockRuns(volume, inode) : extentRuns(volume, inode.map);
}

/** ext4's way: a tree of extents. Source: Linux, Documentation/filesystems/ext4/ifork.rst. */
async function* extentRuns(volume: Volume, node: Buffer, expected?: number): AsyncGenerator<Run> {
	const count = node.readUInt16LE(2);
	const depth = node.readUInt16LE(6);
	const isWrong = node.readUInt16LE(0) !== 0xf30a || 12 + count * 12 > node.length;
	// Only the root may be empty: nodes without end could lead to nothing.
	if (isWrong || (expected === undefined ? depth > 5 : depth !== expected || count === 0)) {
		throw new BrokenVolume('is damaged');
	}
	for (let index = 1; index <= count; index++) {
		const entry = node.subarray(index * 12, index * 12 + 12);
		if (depth > 0) {
			const child = entry.readUInt16LE(8) * 2 ** 32 + entry.readUInt32LE(4);
			yield* extentRuns(volume, await volume.block(child), depth - 1);
			continue;
		}
		const length = entry.readUInt16LE(4);
		const start = entry.readUInt16LE(6) * 2 ** 32 + entry.readUInt32LE(8);
		// More than 32768 says: reserved, not written yet.
		const isWritten = length <= 32_768;
		yield {at: entry.readUInt32LE(0), count: isWritten ? length : length - 32_768, start: isWritten ? start : 0};
	}
}

/** The way of ext2 and ext3: twelve blocks, then blocks with the numbers of blocks, up to three deep. */
async function* blockRuns(volume: Volume, inode: Inode): AsyncGenerator<Run> {
	const blocks = Math.ceil(inode.size / volume.blockSize);
	const perBlock = volume.blockSize / 4;
	let at = 0;
	const below = async function* (number: number, depth: number): AsyncGenerator<Run> {
		const span = perBlock ** depth;
		if (number === 0 || depth === 0) {
			if (number !== 0) yield {at, count: 1, start: number};
			at += span;
			return;
		}
		const numbers = await volume.block(number);
		for (let index = 0; index < perBlock && at < blocks; index++)
			yield* below(numbers.readUInt32LE(index * 4), depth - 1);
	};
	for (let index = 0; index < 15 && at < blocks; index++) {
		yield* below(inode.map.readUInt32LE(index * 4), Math.max(0, index - 11));
	}
}
