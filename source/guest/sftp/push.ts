import {lstat, open, readdir, readlink, stat} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import type {CopyOptions} from '../guest-files.ts';
import {type SftpClient, SftpRefusal} from './client.ts';
import {isDirectory, Mishaps, notDirectory, refusedAt, shown} from './mishaps.ts';
import {send} from './transfer.ts';

const silent = () => {};

export async function pushStream(
	client: SftpClient,
	source: NodeJS.ReadableStream,
	target: string,
	options: CopyOptions,
): Promise<void> {
	if ((await client.find(target))?.kind === 'directory') {
		throw new DroverError(
			'guest.failed',
			`${shown(target)} in the guest is a directory, and what is piped has no name.`,
			{
				next: 'Write the name of a file after it.',
			},
		);
	}
	if (options.parents) await makeParents(client, target);
	await writeFile(client, source as AsyncIterable<Buffer>, target, 0o644, options);
}

/** Copies a file or a directory. What cannot be copied of a directory is told in the end, and keeps nothing else back. */
export async function pushInto(
	client: SftpClient,
	source: string,
	target: string,
	options: CopyOptions,
): Promise<void> {
	const found = await client.find(target);
	if (options.into && found?.kind !== 'directory') {
		if (found !== undefined || !options.parents) throw notDirectory(target);
		await makeParents(client, path.posix.join(target, 'x'));
	}
	const isInside = options.into || found?.kind === 'directory';
	const end = isInside ? path.posix.join(target, path.basename(source)) : target;
	if (options.parents) await makeParents(client, end);
	// The user's own choice: a link to it is as good as itself.
	const real = await stat(source);
	const mishaps = new Mishaps();
	if (real.isDirectory()) {
		if (!options.recursive) throw isDirectory(source);
		await pushDirectory(client, source, end, real.mode, options, mishaps);
	} else if (real.isFile()) await pushFile(client, source, end, real.mode, options);
	else throw notCopied(source);
	mishaps.tell();
}

async function pushDirectory(
	client: SftpClient,
	source: string,
	target: string,
	mode: number,
	options: CopyOptions,
	mishaps: Mishaps,
): Promise<void> {
	const entries = await readdir(source);
	// Writable until it is full, whatever it is to be.
	await makeDirectory(client, target, mode | 0o700);
	for (const name of entries.sort()) {
		const from = path.join(source, name);
		const to = path.posix.join(target, name);
		await mishaps.note(async () => {
			const found = await lstat(from);
			if (found.isDirectory()) await pushDirectory(client, from, to, found.mode, options, mishaps);
			else if (found.isSymbolicLink()) await makeLink(client, await readlink(from), to);
			else if (found.isFile()) await pushFile(client, from, to, found.mode, options);
			else throw notCopied(from);
		});
	}
}

/** One that cannot be read leaves nothing in the guest. */
async function pushFile(
	client: SftpClient,
	source: string,
	target: string,
	mode: number,
	options: CopyOptions,
): Promise<void> {
	const file = await open(source, 'r');
	try {
		await writeFile(client, file.createReadStream({autoClose: false}), target, mode, options);
	} finally {
		await file.close();
	}
}

async function writeFile(
	client: SftpClient,
	content: AsyncIterable<Buffer | string>,
	target: string,
	mode: number,
	{onBytes = silent}: CopyOptions,
): Promise<void> {
	const handle = await refusedAt(target, client.openToWrite(target, mode & 0o777));
	try {
		await refusedAt(target, send(client, handle, content, onBytes));
	} finally {
		// Told by the first of them that failed.
		await client.closeHandle(handle).catch(silent);
	}
}

/** One that is there is kept, with the mode it has. */
async function makeDirectory(client: SftpClient, target: string, mode: number): Promise<void> {
	try {
		await client.mkdir(target, mode & 0o777);
	} catch (error) {
		if (!(error instanceof SftpRefusal)) throw error;
		// Version 3 has no word for "it is there already".
		const found = await client.find(target).catch(() => undefined);
		if (found === undefined) throw refused(target, error);
		if (found.kind !== 'directory') throw notDirectory(target);
	}
}

/** A link that says the same already is as good as a new one. */
async function makeLink(client: SftpClient, to: string, target: string): Promise<void> {
	try {
		await client.symlink(to, target);
	} catch (error) {
		if (!(error instanceof SftpRefusal)) throw error;
		if ((await client.readlink(target).catch(() => undefined)) !== to) throw refused(target, error);
	}
}

async function makeParents(client: SftpClient, target: string): Promise<void> {
	const parts = path.posix.dirname(target).split('/').filter(Boolean);
	const root = target.startsWith('/') ? '/' : '';
	for (let count = 1; count <= parts.length; count++) {
		const directory = `${root}${parts.slice(0, count).join('/')}`;
		if ((await client.find(directory))?.kind !== 'directory') await makeDirectory(client, directory, 0o755);
	}
}

function refused(target: string, error: SftpRefusal): DroverError {
	return new DroverError('guest.failed', `${shown(target)} in the guest: ${error.message}.`);
}

function notCopied(source: string): DroverError {
	return new DroverError('host.failed', `${shown(source)} is neither a file nor a directory.`);
}
