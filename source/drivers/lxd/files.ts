import {createReadStream, createWriteStream} from 'node:fs';
import {lstat, mkdir, readdir, readlink, stat} from 'node:fs/promises';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import type {CopyOptions} from '../../guest/guest-files.ts';
import {createDirectory, createFile, createLink, isInDirectory, isPlainName} from '../../guest/local-tree.ts';
import {DroverError} from '../../model/errors.ts';
import type {DirectAccess} from '../../model/guest-access.ts';
import {plainLine} from '../../model/text.ts';
import {LxdClient, parseAnswer, type RawAnswer, textOf} from './client.ts';
import {instancePath} from './context.ts';
import {LxdError, serverError} from './errors.ts';

type Place = {readonly client: LxdClient; readonly direct: DirectAccess};

/** Copies a file, a directory, or a stream into a guest, where drover's user owns what is made. */
export function pushPath(
	direct: DirectAccess,
	source: string | NodeJS.ReadableStream,
	target: string,
	options: CopyOptions = {},
): Promise<void> {
	return within(direct, async place => {
		const owner = await ownerOf(place);
		const full = fromHome(target, direct.user);
		if (typeof source !== 'string') {
			if (options.parents) await makeParents(place, full, owner);
			await pushFile(place, source, full, 0o644, owner, options);
			return;
		}
		const kind = await look(place, full);
		if (options.into && kind !== 'directory') {
			if (kind !== undefined || !options.parents) throw notDirectory(target);
			await makeParents(place, path.posix.join(full, 'x'), owner);
		}
		const isInside = options.into || kind === 'directory';
		const end = isInside ? path.posix.join(full, path.basename(source)) : full;
		if (options.parents) await makeParents(place, end, owner);
		await pushTree(place, source, end, owner, options);
	});
}

/** Copies a file or a directory out of a guest, to a path or a stream. */
export function pullPath(
	direct: DirectAccess,
	source: string,
	target: string | NodeJS.WritableStream,
	options: CopyOptions = {},
): Promise<void> {
	return within(direct, async place => {
		const full = fromHome(source, direct.user);
		if (typeof target !== 'string') {
			const answer = await read(place, full);
			if (kindOf(answer) === 'directory') throw isDirectoryError(source);
			for await (const part of answer.body as AsyncIterable<Buffer>) {
				if (!target.write(part)) await new Promise(resolve => target.once('drain', resolve));
				options.onBytes?.(part.length);
			}
			return;
		}
		const isInside = await isInDirectory(target, options);
		const end = isInside ? path.join(target, path.posix.basename(full)) : target;
		if (options.parents) await mkdir(path.dirname(end), {recursive: true});
		await pullTree(place, full, end, options, true);
	});
}

async function within(direct: DirectAccess, act: (place: Place) => Promise<void>): Promise<void> {
	const client = new LxdClient(direct.endpoint);
	try {
		await act({client, direct});
	} catch (error) {
		throw serverError(error, 'copying files');
	} finally {
		client.close();
	}
}

function fromHome(file: string, user: string): string {
	const home = user === 'root' ? '/root' : `/home/${user}`;
	return path.posix.resolve(home, file === '' ? '.' : file);
}

type Owner = {readonly uid: string; readonly gid: string};

/** The user's numbers in the guest; root where there is no such user. */
async function ownerOf({client, direct}: Place): Promise<Owner> {
	const {readGuestFile} = await import('./exec.ts');
	const target = {client, path: instancePath(direct.instance), project: direct.project};
	const text = (await readGuestFile(target, '/etc/passwd').catch(() => undefined)) ?? '';
	for (const line of text.split('\n')) {
		const [name, , uid = '', gid = ''] = line.split(':');
		if (name === direct.user && /^\d+$/.test(uid) && /^\d+$/.test(gid)) return {uid, gid};
	}
	return {uid: '0', gid: '0'};
}

function send(place: Place, method: string, file: string, options: Parameters<LxdClient['raw']>[2]) {
	const {client, direct} = place;
	return client.raw(method, `${instancePath(direct.instance)}/files`, {
		...options,
		query: {path: file, project: direct.project},
	});
}

/** Names are understood by both servers in LXD's spelling, and by newer ones in Incus's. */
function fileHeaders(type: string, mode: number, {uid, gid}: Owner): Record<string, string> {
	const values = {uid, gid, mode: `0${(mode & 0o7777).toString(8)}`, type, write: 'overwrite'};
	return Object.fromEntries(
		Object.entries(values).flatMap(([key, value]) => [
			[`x-lxd-${key}`, value],
			[`x-incus-${key}`, value],
		]),
	);
}

async function demandDone(answer: RawAnswer, file: string): Promise<void> {
	try {
		parseAnswer(answer.status, await textOf(answer.body));
	} catch (error) {
		throw fileError(error, file);
	}
}

function fileError(error: unknown, file: string): unknown {
	if (!(error instanceof LxdError) || error.problem !== 'refused') return error;
	const shown = plainLine(file).slice(0, 200);
	const reason = error.status === 404 ? 'there is no such file or directory' : error.message.replace(/\.$/, '');
	return new DroverError('guest.failed', `${shown} in the guest: ${reason}.`, {cause: error});
}

function notDirectory(file: string): DroverError {
	return new DroverError('guest.failed', `${plainLine(file).slice(0, 200)} in the guest is not a directory.`, {
		next: 'Several sources need a directory for their target; --parents makes it where there is nothing.',
	});
}

function isDirectoryError(file: string): DroverError {
	return new DroverError('usage.invalid', `${plainLine(file).slice(0, 200)} is a directory.`, {
		next: 'Use --recursive to copy it.',
	});
}

async function pushFile(
	place: Place,
	content: Buffer | NodeJS.ReadableStream,
	target: string,
	mode: number,
	owner: Owner,
	{onBytes}: CopyOptions,
): Promise<void> {
	if (!Buffer.isBuffer(content)) content.on('data', (part: Buffer) => onBytes?.(part.length));
	else onBytes?.(content.length);
	const answer = await send(place, 'POST', target, {
		headers: {...fileHeaders('file', mode, owner), 'content-type': 'application/octet-stream'},
		stream: content,
	});
	await demandDone(answer, target);
}

async function makeDirectory(place: Place, target: string, mode: number, owner: Owner): Promise<void> {
	if ((await look(place, target)) === 'directory') return;
	await demandDone(await send(place, 'POST', target, {headers: fileHeaders('directory', mode, owner)}), target);
}

async function makeParents(place: Place, target: string, owner: Owner): Promise<void> {
	const parts = path.posix.dirname(target).split('/').filter(Boolean);
	for (let count = 1; count <= parts.length; count++) {
		await makeDirectory(place, `/${parts.slice(0, count).join('/')}`, 0o755, owner);
	}
}

async function pushTree(
	place: Place,
	source: string,
	target: string,
	owner: Owner,
	options: CopyOptions,
): Promise<void> {
	const found = await lstat(source);
	if (found.isSymbolicLink() && options.recursive) {
		const answer = await send(place, 'POST', target, {
			headers: fileHeaders('symlink', 0o777, owner),
			stream: Buffer.from(await readlink(source)),
		});
		await demandDone(answer, target);
		return;
	}
	const real = found.isSymbolicLink() ? await stat(source) : found;
	if (real.isDirectory()) {
		if (!options.recursive) throw isDirectoryError(source);
		await makeDirectory(place, target, real.mode, owner);
		for (const name of await readdir(source)) {
			await pushTree(place, path.join(source, name), path.posix.join(target, name), owner, options);
		}
		return;
	}
	if (!real.isFile()) {
		throw new DroverError('usage.invalid', `${plainLine(source).slice(0, 200)} is neither a file nor a directory.`);
	}
	await pushFile(place, createReadStream(source, {highWaterMark: 2 ** 20}), target, real.mode, owner, options);
}

function kindOf({headers}: RawAnswer): string {
	return String(headers['x-lxd-type'] ?? headers['x-incus-type'] ?? 'file');
}

async function read(place: Place, file: string): Promise<RawAnswer> {
	const answer = await send(place, 'GET', file, {});
	if (answer.status === 200) return answer;
	await demandDone(answer, file);
	throw new LxdError('malformed', `status ${answer.status}`);
}

async function look(place: Place, file: string): Promise<string | undefined> {
	const answer = await send(place, 'GET', file, {});
	answer.body.destroy();
	return answer.status === 200 ? kindOf(answer) : undefined;
}

async function pullTree(
	place: Place,
	source: string,
	target: string,
	options: CopyOptions,
	isRoot: boolean,
): Promise<void> {
	const answer = await read(place, source);
	const kind = kindOf(answer);
	if (kind === 'directory') {
		if (!options.recursive) throw isDirectoryError(source);
		const {metadata} = parseAnswer(answer.status, await textOf(answer.body));
		await createDirectory(target, {isRoot});
		for (const name of new Set(Array.isArray(metadata) ? metadata : [])) {
			// A name comes from the guest: it must not lead out of the target.
			if (typeof name !== 'string' || !isPlainName(name)) continue;
			await pullTree(place, path.posix.join(source, name), path.join(target, name), options, false);
		}
		return;
	}
	if (kind === 'symlink') {
		await createLink(target, await textOf(answer.body));
		return;
	}
	const mode = Number.parseInt(String(answer.headers['x-lxd-mode'] ?? answer.headers['x-incus-mode'] ?? '0644'), 8);
	const file = await createFile(target, Number.isNaN(mode) ? 0o644 : mode, {isRoot});
	// Listening makes it flow: not before there is somewhere to flow to.
	answer.body.on('data', (part: Buffer) => options.onBytes?.(part.length));
	await pipeline(answer.body, createWriteStream('', {fd: file}));
}
