import {open, rm, stat} from 'node:fs/promises';
import {DroverError} from '../model/errors.ts';
import {mebibyte} from '../model/sizes.ts';
import type {DiskFormat} from './foreign-disk.ts';
import {readJson} from './format.ts';
import type {ImageWork} from './image.ts';
import {lastLine, tryRun} from './run.ts';

/** Bytes a second that even a slow disk copies; what takes longer has failed. */
const slowestRate = 4 * mebibyte;

const stage = 'copying the disk';

/**
 * Copies a disk into a qcow2 that stands alone: as it is now, without its snapshots. The other is opened for reading
 * only, and whoever would write to it is kept from it meanwhile where its format knows locks. The copy is checked, and
 * it is made sure that the other was not changed under it; what is not good is removed.
 * @param to a file that is not there yet
 * @throws DroverError `image.unusable`, `host.disk-full`, `host.failed`, `operation.cancelled`
 */
export async function copyFlat(
	from: {readonly file: string; readonly format: DiskFormat},
	to: string,
	work: ImageWork,
): Promise<{readonly virtualSize: number}> {
	const before = await fingerprint(from.file);
	const timeout = Math.min(10 ** 6, Math.ceil(120 + before.size / slowestRate));
	try {
		work.progress(stage, 0);
		const result = await tryRun('qemu-img', ['convert', '-p', '-f', from.format, '-O', 'qcow2', from.file, to], {
			signal: work.signal,
			timeout,
			purpose: 'copy the disk',
			onOutput(text) {
				const percent = /\((\d{1,3})\.\d+\/100%\)\s*$/.exec(text)?.[1];
				if (percent !== undefined) work.progress(stage, Number(percent));
			},
		});
		if (result.exitCode !== 0) throw copyError(result.stderr);
		work.progress('checking the copy');
		const [virtualSize, original] = await Promise.all([
			checked(to, work.signal, timeout),
			sizeOf(from.file, from.format, work.signal),
		]);
		const after = await fingerprint(from.file);
		if (after.text !== before.text || virtualSize !== original) {
			throw new DroverError('image.unusable', 'The disk was changed while it was copied.', {
				next: 'Stop what uses it and try again.',
			});
		}
		await sync(to);
		return {virtualSize};
	} catch (error) {
		await rm(to, {force: true});
		throw error;
	}
}

/** @returns the size that a guest sees, in bytes */
async function checked(file: string, signal: AbortSignal, timeout: number): Promise<number> {
	const check = await tryRun('qemu-img', ['check', '-f', 'qcow2', file], {
		signal,
		timeout,
		purpose: 'check the copy',
	});
	if (check.exitCode !== 0) {
		throw new DroverError(
			'host.failed',
			`The copy of the disk is not whole: ${lastLine(check.stderr || check.stdout)}.`,
			{
				next: 'Check the host’s disk and memory, and try again.',
			},
		);
	}
	return sizeOf(file, 'qcow2', signal);
}

async function sizeOf(file: string, format: DiskFormat, signal: AbortSignal): Promise<number> {
	const options = {signal, timeout: 60, purpose: 'look at the disk'};
	const {stdout} = await tryRun('qemu-img', ['info', '-f', format, '--output=json', file], options);
	const size = readJson(stdout)['virtual-size'];
	return typeof size === 'number' ? size : -1;
}

function copyError(stderr: string): DroverError {
	if (/no space left|quota exceeded/i.test(stderr)) {
		return new DroverError('host.disk-full', 'There is no space left to copy the disk.', {
			next: 'Free some disk space and try again.',
		});
	}
	return new DroverError(
		'image.unusable',
		`The disk could not be copied: ${lastLine(stderr) || 'no reason was given'}.`,
		{
			next: 'It was not touched; see whether it still starts where it is.',
		},
	);
}

/** By what one sees that a file is still the same. */
async function fingerprint(file: string): Promise<{readonly size: number; readonly text: string}> {
	const found = await stat(file, {bigint: true});
	return {size: Number(found.size), text: `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`};
}

async function sync(file: string): Promise<void> {
	const handle = await open(file, 'r+');
	await handle.sync().finally(() => handle.close());
}
