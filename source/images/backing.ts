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
