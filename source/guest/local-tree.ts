import {constants} from 'node:fs';
import {type FileHandle, lstat, mkdir, open, stat, symlink, unlink} from 'node:fs/promises';
import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import type {CopyOptions} from './guest-files.ts';

/*
 * Writing down what a guest sends. Its names and links are its own to choose: inside a tree that is copied out of it
 * nothing is ever written through a link, or a guest could make a link of one copy the way to another file of the
 * next. The tree's root is the user's choice, and followed.
 */

type Place = {readonly isRoot: boolean};

/** Whether what is copied here goes into the target, as it is a directory. @throws DroverError where it has to be one */
export async function isInDirectory(target: string, {into, parents}: CopyOptions): Promise<boolean> {
	const found = await stat(target).catch(() => undefined);
	if (found?.isDirectory()) return true;
	if (!into) return false;
	if (found === undefined && parents) {
		await mkdir(target, {recursive: true});
		return true;
	}
	throw new DroverError('host.failed', `${plainLine(target).slice(0, 200)} is not a directory.`, {
		next: 'Several sources need a directory for their target; --parents makes it where there is nothing.',
	});
}

/** Whether a name can be one entry of a directory and leads nowhere else. */
export function isPlainName(name: string): boolean {
	return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

/** Opens a file to be written anew; a link in its place is replaced. */
export async function createFile(path: string, mode: number, {isRoot}: Place): Promise<FileHandle> {
	const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (isRoot ? 0 : constants.O_NOFOLLOW);
	// Never more than what permissions are; a guest's set-uid bit is not ours.
	const permissions = mode & 0o777;
	try {
		return await open(path, flags, permissions);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ELOOP' || isRoot) throw error;
		await unlink(path);
		return open(path, flags | constants.O_EXCL, permissions);
	}
}

/** Makes a directory; one that is there is kept, and what else is there is in the way. */
export async function createDirectory(path: string, {isRoot}: Place): Promise<void> {
	try {
		await mkdir(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		const found = await (isRoot ? stat(path) : lstat(path));
		if (!found.isDirectory()) throw inTheWay(path);
	}
}

/** Makes a link; a file or another link in its place is replaced. */
export async function createLink(path: string, to: string): Promise<void> {
	try {
		await symlink(to, path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		if ((await lstat(path)).isDirectory()) throw inTheWay(path);
		await unlink(path);
		await symlink(to, path);
	}
}

function inTheWay(path: string): DroverError {
	return new DroverError('host.failed', `${plainLine(path).slice(0, 200)} is there already, and is something else.`, {
		next: 'Move it away, or choose another target.',
	});
}
