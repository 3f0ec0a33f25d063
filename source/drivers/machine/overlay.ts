import {chmod, open, rename, rm} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import {syncDirectory} from '../../state/atomic.ts';
import {checkCancelled} from './lanes.ts';
import {lastLine, run} from './programs.ts';

export type OverlayInput = {
	readonly imageProgram: string;
	/** What it is laid over. Absolute paths, like the disk's. */
	readonly base: {readonly file: string; readonly format: string};
	/** What the guest sees of it, in bytes. */
	readonly size: number;
	readonly signal: AbortSignal;
};

/**
 * Makes a disk that has of its own only what is written to it from now on. What is there under its name is replaced in
 * one go, or stays. @throws DroverError `host.disk-full`, `driver.failed`, `operation.cancelled`
 */
export async function layOver(disk: string, {imageProgram, base, size, signal}: OverlayInput): Promise<void> {
	const part = `${disk}.part`;
	await rm(part, {force: true});
	const result = await run(
		imageProgram,
		['create', '-q', '-f', 'qcow2', '-F', base.format, '-b', base.file, part, String(size)],
		{timeoutMs: 60_000, cwd: path.dirname(disk), signal},
	);
	if (signal.aborted || result.code !== 0) {
		await rm(part, {force: true});
		checkCancelled(signal);
		if (/No space left on device/.test(result.stderr)) {
			throw new DroverError('host.disk-full', 'There is no space left to make the disk.', {
				next: 'Free some disk space and try again.',
			});
		}
		throw new DroverError('driver.failed', `qemu-img could not make the disk: ${lastLine(result.stderr)}.`);
	}
	await keepDisk(part, disk);
}

/** What was written aside becomes the disk. */
export async function keepDisk(part: string, disk: string): Promise<void> {
	await chmod(part, 0o600);
	const handle = await open(part, 'r');
	await handle.sync().finally(() => handle.close());
	await rename(part, disk);
	await syncDirectory(path.dirname(disk));
}
