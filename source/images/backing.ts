import {open} from 'node:fs/promises';
import {isQcow2} from './format.ts';

/**
 * The file a qcow2 disk is based on; `undefined` when it is based on none, or is no qcow2.
 * Source: QEMU's docs/interop/qcow2.txt.
 * @throws what reading throws
 */
export async function backingFileOf(disk: string): Promise<string | undefined> {
	const handle = await open(disk, 'r');
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(24), 0, 24, 0);
		if (bytesRead < 20 || !isQcow2(buffer)) return undefined;
		const offset = Number(buffer.readBigUInt64BE(8));
		const length = buffer.readUInt32BE(16);
		if (offset === 0 || length === 0 || length > 1023 || !Number.isSafeInteger(offset)) return undefined;
		const name = await handle.read(Buffer.alloc(length), 0, length, offset);
		return name.buffer.toString('utf8', 0, name.bytesRead);
	} finally {
		await handle.close();
	}
}

/** No disk of drover's lies over so many files; a longer chain leads in a circle. */
const longestChain = 64;

/**
 * The files that a disk is based on, the nearest first; a file that is missing ends the chain and is its last.
 * @throws what reading throws, and an Error for a chain without an end
 */
export async function backingChain(disk: string): Promise<readonly string[]> {
	const chain: string[] = [];
	for (let file = await backingFileOf(disk); file !== undefined; ) {
		if (chain.push(file) > longestChain) throw new Error('the disk is based on too many files');
		file = await backingFileOf(file).catch((error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT') return undefined;
			throw error;
		});
	}
	return chain;
}

/** No disk has a table of more clusters than that: 32 MiB. Source: QEMU, `block/qcow2.h`, `QCOW_MAX_L1_SIZE`. */
const longestTable = 32 * 2 ** 20;

/**
 * Whether a qcow2 disk has anything of its own: data, or zeros that hide what is below. One that had and was emptied may
 * count as having. Source: QEMU's docs/interop/qcow2.txt.
 * @throws what reading throws, and an Error for what is no qcow2
 */
export async function hasContent(disk: string): Promise<boolean> {
	const handle = await open(disk, 'r');
	try {
		const {buffer, bytesRead} = await handle.read(Buffer.alloc(48), 0, 48, 0);
		if (bytesRead < 48 || !isQcow2(buffer)) throw new Error('it is not a qcow2 disk');
		const length = buffer.readUInt32BE(36) * 8;
		const offset = Number(buffer.readBigUInt64BE(40));
		if (length > longestTable || !Number.isSafeInteger(offset)) throw new Error('its tables are damaged');
		const table = Buffer.alloc(length);
		const {bytesRead: read} = await handle.read(table, 0, length, offset);
		return table.subarray(0, read).some(byte => byte !== 0);
	} finally {
		await handle.close();
	}
}
