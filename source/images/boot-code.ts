import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import type {DiskFormat} from './foreign-disk.ts';
import {tryRun} from './run.ts';

/** Bytes of the first sector that a BIOS runs; behind them is the table of partitions. */
const codeBytes = 440;

/**
 * Whether a disk has a boot loader in its first sector: without one only a hypervisor that is given the kernel itself can
 * start it. The disk is only read. @throws DroverError `operation.cancelled`, `host.failed`
 */
export async function hasBootCode(file: string, format: DiskFormat, signal: AbortSignal): Promise<boolean> {
	const directory = await mkdtemp(path.join(tmpdir(), 'drover-boot-'));
	try {
		const sector = path.join(directory, 'sector');
		const result = await tryRun(
			'qemu-img',
			['dd', '-f', format, '-O', 'raw', 'bs=512', 'count=1', `if=${file}`, `of=${sector}`],
			{signal, timeout: 60, purpose: 'look at the disk'},
		);
		if (result.exitCode !== 0) return false;
		const bytes = await readFile(sector);
		return bytes[510] === 0x55 && bytes[511] === 0xaa && bytes.subarray(0, codeBytes).some(byte => byte !== 0);
	} finally {
		await rm(directory, {recursive: true, force: true});
	}
}
