import {
	chmodSync,
	closeSync,
	constants,
	fchmodSync,
	fchownSync,
	fstatSync,
	ftruncateSync,
	futimesSync,
	lchownSync,
	lstatSync,
	lutimesSync,
	openSync,
	type Stats,
} from 'node:fs';
import type {RawAttributes} from '../packets.ts';
import type {Owners} from './answers.ts';
import {handlePath, pathOnly} from './fence.ts';

/** Whoever may run a file as its owner: on the host that would be more than a guest can give away. */
const asOwner = 0o6000;

/**
 * Permission bits as a guest may set them. A file of the host's that runs as its owner would hand on the rights of
 * whoever runs drover; for directories the bits mean something else.
 */
export function allowedMode(mode: number, isDirectory: boolean): number {
	const bits = mode & 0o7777;
	return isDirectory ? bits : bits & ~asOwner;
}

/** Changes what a path names, never what a link there leads to. @throws what the system says */
export function changeAt(path: Buffer, {size, owner, mode, times}: RawAttributes, owners: Owners): void {
	const stats = lstatSync(path);
	if (size !== undefined) {
		const descriptor = openRegular(path, constants.O_WRONLY);
		try {
			ftruncateSync(descriptor, wholeNumber(size));
		} finally {
			closeSync(descriptor);
		}
	}
	if (mode !== undefined && !stats.isSymbolicLink()) {
		withPlace(path, held => chmodSync(handlePath(held), allowedMode(mode, fstatSync(held).isDirectory())));
	}
	if (times !== undefined) lutimesSync(path, times.accessed, times.modified);
	if (owner !== undefined) changeOwner(owner, owners, stats, (uid, gid) => lchownSync(path, uid, gid));
}

/** The same for an open file. */
export function changeOpen(descriptor: number, {size, owner, mode, times}: RawAttributes, owners: Owners): void {
	const stats = fstatSync(descriptor);
	if (size !== undefined) ftruncateSync(descriptor, wholeNumber(size));
	if (mode !== undefined) fchmodSync(descriptor, allowedMode(mode, stats.isDirectory()));
	if (times !== undefined) futimesSync(descriptor, times.accessed, times.modified);
	if (owner !== undefined) changeOwner(owner, owners, stats, (uid, gid) => fchownSync(descriptor, uid, gid));
}

function changeOwner(
	{uid, gid}: NonNullable<RawAttributes['owner']>,
	{users, groups}: Owners,
	stats: Stats,
	change: (uid: number, gid: number) => void,
): void {
	// Whom it belongs to already, it may be given, also where that is nobody the guest knows.
	const newUser = uid === users.toGuest(stats.uid) ? stats.uid : users.toHost(uid);
	const newGroup = gid === groups.toGuest(stats.gid) ? stats.gid : groups.toHost(gid);
	if (newUser === undefined || newGroup === undefined) {
		throw Object.assign(new Error('no such owner'), {code: 'EPERM'});
	}
	const [toUser, toGroup] = [
		newUser === 'unchanged' ? stats.uid : newUser,
		newGroup === 'unchanged' ? stats.gid : newGroup,
	];
	if (toUser !== stats.uid || toGroup !== stats.gid) change(toUser, toGroup);
}

/**
 * Opens a regular file and nothing else: a pipe would keep the server waiting, and opening a device does things. What is
 * opened is what was looked at. @throws Error `EISDIR`, `EINVAL` for what is no file, and what the system says
 */
export function openRegular(path: Buffer, flags: number): number {
	return withPlace(path, held => {
		const stats = fstatSync(held);
		if (!stats.isFile()) {
			const code = stats.isDirectory() ? 'EISDIR' : stats.isSymbolicLink() ? 'ELOOP' : 'EINVAL';
			throw Object.assign(new Error('not a file'), {code});
		}
		return openSync(handlePath(held), flags | constants.O_NONBLOCK);
	});
}

/** Holds what a path names, also a link itself, while something is done with it. */
function withPlace<Result>(path: Buffer, act: (descriptor: number) => Result): Result {
	const held = openSync(path, pathOnly | constants.O_NOFOLLOW);
	try {
		return act(held);
	} finally {
		closeSync(held);
	}
}

/** @throws Error `EFBIG` */
export function wholeNumber(value: bigint): number {
	if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw Object.assign(new Error('too far'), {code: 'EFBIG'});
	return Number(value);
}
