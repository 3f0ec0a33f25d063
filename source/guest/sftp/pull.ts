import {createWriteStream} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {DroverError} from '../../model/errors.ts';
import type {CopyOptions} from '../guest-files.ts';
import {createDirectory, createFile, createLink, isInDirectory, isPlainName} from '../local-tree.ts';
import type {SftpClient} from './client.ts';
import {isDirectory, Mishaps, refusedAt, shown} from './mishaps.ts';
import type {Attributes} from './packets.ts';
import {receive} from './transfer.ts';

const silent = () => {};

export async function pullStream(
	client: SftpClient,
	source: string,
	target: NodeJS.WritableStream,
	options: CopyOptions,
): Promise<void> {
	const found = await refusedAt(source, client.stat(source));
	if (found.kind === 'directory') throw isDirectory(source);
	await reading(client, source, found, options, async content => {
		for await (const piece of content) {
			if (!target.write(piece)) await new Promise(resolve => target.once('drain', resolve));
		}
	});
}

/** Copies a file or a directory. What cannot be copied of a directory is told in the end, and keeps nothing else back. */
export async function pullInto(
	client: SftpClient,
	source: string,
	target: string,
	options: CopyOptions,
): Promise<void> {
	// The user's own choice: a link to it is as good as itself.
	const found = await refusedAt(source, client.stat(source));
	const isInside = await isInDirectory(target, options);
	const end = isInside ? path.join(target, await ownName(client, source)) : target;
	if (options.parents) await mkdir(path.dirname(end), {recursive: true});
	const mishaps = new Mishaps();
	if (found.kind === 'directory') {
		if (!options.recursive) throw isDirectory(source);
		await pullDirectory(client, source, end, options, mishaps, true);
	} else if (found.kind === 'file') await pullFile(client, source, found, end, options, true);
	else throw notCopied(source);
	mishaps.tell();
}

/** What it is called where it is; `.` and the like have to be asked for. */
async function ownName(client: SftpClient, source: string): Promise<string> {
	const name = path.posix.basename(source);
	if (isPlainName(name)) return name;
	const real = path.posix.basename(await client.realpath(source));
	if (isPlainName(real)) return real;
	throw new DroverError('usage.invalid', `${shown(source)} has no name that a copy of it could have here.`, {
		next: 'Name a target that is not there yet.',
	});
}

async function pullDirectory(
	client: SftpClient,
	source: string,
	target: string,
	options: CopyOptions,
	mishaps: Mishaps,
	isRoot: boolean,
): Promise<void> {
	const entries = await refusedAt(source, client.list(source));
	await createDirectory(target, {isRoot});
	const seen = new Set<string>();
	for (const {name, isText, attributes} of entries) {
		if (name === '.' || name === '..') continue;
		await mishaps.note(async () => {
			// Names are the guest's: one that leads elsewhere, or comes twice, is not a file system's.
			if (!isText || !isPlainName(name) || seen.has(name)) {
				throw new DroverError(
					'guest.failed',
					`${shown(`${source}/${name}`)} in the guest has a name that cannot be used.`,
				);
			}
			seen.add(name);
			const from = path.posix.join(source, name);
			const to = path.join(target, name);
			if (attributes.kind === 'directory') await pullDirectory(client, from, to, options, mishaps, false);
			else if (attributes.kind === 'link') await createLink(to, await refusedAt(from, client.readlink(from)));
			else if (attributes.kind === 'file') await pullFile(client, from, attributes, to, options, false);
			else throw notCopied(from);
		});
	}
}

async function pullFile(
	client: SftpClient,
	source: string,
	found: Attributes,
	target: string,
	options: CopyOptions,
	isRoot: boolean,
): Promise<void> {
	await reading(client, source, found, options, async content => {
		const file = await createFile(target, found.mode, {isRoot});
		await pipeline(content, createWriteStream('', {fd: file}));
	});
}

/** Opens a file of the guest, lets it be read, and closes it whatever happens. */
async function reading(
	client: SftpClient,
	source: string,
	{size = 0}: Attributes,
	{onBytes = silent}: CopyOptions,
	read: (content: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
	const handle = await refusedAt(source, client.openToRead(source));
	async function* counted() {
		for await (const piece of receive(client, handle, size)) {
			onBytes(piece.length);
			yield piece;
		}
	}
	try {
		await refusedAt(source, read(counted()));
	} finally {
		await client.closeHandle(handle).catch(silent);
	}
}

function notCopied(source: string): DroverError {
	return new DroverError('guest.failed', `${shown(source)} in the guest is neither a file nor a directory.`);
}
