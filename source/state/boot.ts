import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {writeAtomic} from './atomic.ts';
import type {Paths} from './paths.ts';

/**
 * Whether the host has been booted since the last time this was asked; remembers the answer's base. The first time ever
 * is no reboot.
 */
export async function wasRebooted(paths: Paths, bootId: string | undefined): Promise<boolean> {
	if (bootId === undefined) return false;
	const file = path.join(paths.data, 'host-boot');
	const before = await readFile(file, 'utf8').catch(() => undefined);
	if (before?.trim() === bootId) return false;
	await writeAtomic(file, `${bootId}\n`);
	return before !== undefined;
}
