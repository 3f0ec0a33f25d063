import {
	closeSync,
	constants,
	fchownSync,
	fstatSync,
	fsyncSync,
	lchownSync,
	linkSync,
	lstatSync,
	mkdirSync,
	opendirSync,
	openSync,
	type PathLike,
	readlinkSync,
	readSync,
	renameSync,
	rmdirSync,
	statfsSync,
	symlinkSync,
	unlinkSync,
	writeSync,
} from 'node:fs';
import process from 'node:process';
import {openFlags, type Reader, statuses, types, Writer} from '../packets.ts';
import {
	attributesAnswer,
	dataAnswer,
	handleAnswer,
	type Named,
	namesAnswer,
	type Owners,
	statusAnswer,
} from './answers.ts';
import {allowedMode, changeAt, changeOpen, openRegular, wholeNumber} from './changes.ts';
import {below, type Fence, handlePath, namesIn, type Place} from './fence.ts';
import type {Handles, OpenDirectory} from './handles.ts';

/** Bytes of one answer at most: as OpenSSH's server has it. */
const mostRead = 256 * 1024;
/** Names of one answer. */
const mostNames = 128;
/** Bytes of a link's text. */
const mostLink = 4095;

export type Scope = {readonly fence: Fence; readonly handles: Handles; readonly owners: Owners};

type Answerer = (scope: Scope, id: number, reader: Reader) => Buffer;

const ok = (id: number) => statusAnswer(id, statuses.ok);

/** What each request does. All of it in turn, as the system's own SFTP servers do it: what is behind it is a local disk. */
export const answerers: Readonly<Record<number, Answerer>> = {
	[types.open]: open,
	[types.close]({handles}, id, reader) {
		handles.close(reader);
		return ok(id);
	},
	[types.read]({handles}, id, reader) {
		const {descriptor} = handles.file(reader);
		const offset = wholeNumber(reader.long());
		const length = Math.min(reader.number(), mostRead);
		const read = (into: Buffer) => readSync(descriptor, into, 0, into.length, offset);
		return dataAnswer(id, length, read) ?? statusAnswer(id, statuses.end);
	},
	[types.write]({handles}, id, reader) {
		const {descriptor} = handles.file(reader);
		const offset = wholeNumber(reader.long());
		const content = reader.bytes();
		for (let done = 0; done < content.length; ) {
			done += writeSync(descriptor, content, done, content.length - done, offset + done);
		}
		return ok(id);
	},
	[types.lstat]({fence, owners}, id, reader) {
		return fence.at(reader.bytes(), ({path}) => attributesAnswer(id, lstatSync(path), owners));
	},
	// Links are the guest's to follow: a server that followed one would have to know the guest's tree.
	[types.stat]({fence, owners}, id, reader) {
		return fence.at(reader.bytes(), ({path}) => attributesAnswer(id, lstatSync(path), owners));
	},
	[types.fstat]({handles, owners}, id, reader) {
		return attributesAnswer(id, fstatSync(handles.get(reader).descriptor), owners);
	},
	[types.setstat]({fence, owners}, id, reader) {
		const path = reader.bytes();
		const change = reader.rawAttributes();
		fence.at(path, place => changeAt(place.path, change, owners));
		return ok(id);
	},
	[types.fsetstat]({handles, owners}, id, reader) {
		const {descriptor} = handles.file(reader);
		changeOpen(descriptor, reader.rawAttributes(), owners);
		return ok(id);
	},
	[types.opendir]({fence, handles}, id, reader) {
		handles.demandRoom();
		return fence.at(reader.bytes(), ({path}) => {
			const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
			try {
				// Names are bytes; latin1 keeps each.
				const listing = opendirSync(handlePath(descriptor), {encoding: 'latin1', bufferSize: mostNames});
				return handleAnswer(id, handles.add({kind: 'directory', descriptor, listing, isBegun: false}));
			} catch (error) {
				closeSync(descriptor);
				throw error;
			}
		});
	},
	[types.readdir]({handles, owners}, id, reader) {
		const names = nextNames(handles.directory(reader));
		return names.length === 0 ? statusAnswer(id, statuses.end) : namesAnswer(id, names, owners);
	},
	[types.remove]({fence}, id, reader) {
		fence.at(reader.bytes(), ({path}) => unlinkSync(path));
		return ok(id);
	},
	[types.mkdir]({fence, owners}, id, reader) {
		const path = reader.bytes();
		const {mode = 0o777} = reader.rawAttributes();
		fence.at(path, place => {
			mkdirSync(place.path, {mode: allowedMode(mode, true)});
			giveAway(owners, (uid, gid) => lchownSync(place.path, uid, gid));
		});
		return ok(id);
	},
	[types.rmdir]({fence}, id, reader) {
		fence.at(reader.bytes(), place => rmdirSync(notTop(place)));
		return ok(id);
	},
	[types.realpath](scope, id, reader) {
		const name = Buffer.from(`/${namesIn(reader.bytes()).join('/')}`, 'latin1');
		return namesAnswer(id, [{name}], scope.owners);
	},
	[types.rename]: (scope, id, reader) => rename(scope, id, reader, false),
	[types.readlink]({fence, owners}, id, reader) {
		const name = fence.at(reader.bytes(), ({path}) => readlinkSync(path, {encoding: 'buffer'}));
		return namesAnswer(id, [{name}], owners);
	},
	[types.symlink]({fence, owners}, id, reader) {
		const text = reader.bytes();
		if (text.length === 0 || text.length > mostLink || text.includes(0)) return statusAnswer(id, statuses.failure);
		fence.at(reader.bytes(), ({path}) => {
			symlinkSync(text, path);
			giveAway(owners, (uid, gid) => lchownSync(path, uid, gid));
		});
		return ok(id);
	},
	[types.extended](scope, id, reader) {
		const name = reader.text();
		return Object.hasOwn(extensions, name)
			? extensions[name]!.answer(scope, id, reader)
			: statusAnswer(id, statuses.unsupported);
	},
};

/** What OpenSSH's server does beyond the protocol, as far as sshfs asks for it. Source: OpenSSH's PROTOCOL file. */
export const extensions: Readonly<Record<string, {readonly version: string; readonly answer: Answerer}>> = {
	'posix-rename@openssh.com': {version: '1', answer: (scope, id, reader) => rename(scope, id, reader, true)},
	'statvfs@openssh.com': {version: '2', answer: fileSystem},
	'hardlink@openssh.com': {
		version: '1',
		answer({fence}, id, reader) {
			const from = reader.bytes();
			const to = reader.bytes();
			fence.at(from, old => fence.at(to, place => linkSync(notTop(old), notTop(place))));
			return ok(id);
		},
	},
	'fsync@openssh.com': {
		version: '1',
		answer({handles}, id, reader) {
			fsyncSync(handles.file(reader).descriptor);
			return ok(id);
		},
	},
};

function open({fence, handles, owners}: Scope, id: number, reader: Reader): Buffer {
	handles.demandRoom();
	const path = reader.bytes();
	const wanted = reader.number();
	const {mode = 0o666} = reader.rawAttributes();
	const flags = systemFlags(wanted);
	const descriptor = fence.at(path, place => {
		if ((wanted & openFlags.create) === 0) return openRegular(place.path, flags);
		// Made only where there is nothing; what is there is opened as it is. Between the two it may come or go.
		for (let attempt = 1; ; attempt++) {
			try {
				return make(notTop(place), flags, allowedMode(mode, false), owners);
			} catch (error) {
				const isThere = codeOf(error) === 'EEXIST';
				if (!isThere || (wanted & openFlags.exclusive) !== 0) throw error;
			}
			try {
				return openRegular(place.path, flags);
			} catch (error) {
				if (codeOf(error) !== 'ENOENT' || attempt >= 3) throw error;
			}
		}
	});
	return handleAnswer(id, handles.add({kind: 'file', descriptor}));
}

function make(path: PathLike, flags: number, mode: number, owners: Owners): number {
	const descriptor = openSync(path, flags | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
	try {
		giveAway(owners, (uid, gid) => fchownSync(descriptor, uid, gid));
		return descriptor;
	} catch (error) {
		closeSync(descriptor);
		throw error;
	}
}

function systemFlags(wanted: number): number {
	const has = (flag: number) => (wanted & flag) !== 0;
	const {O_RDWR, O_WRONLY, O_RDONLY, O_APPEND, O_TRUNC} = constants;
	return (
		(has(openFlags.write) ? (has(openFlags.read) ? O_RDWR : O_WRONLY) : O_RDONLY) |
		(has(openFlags.append) ? O_APPEND : 0) |
		(has(openFlags.truncate) && has(openFlags.write) ? O_TRUNC : 0)
	);
}

/** What root makes for a guest belongs to whom the guest is on this host; everybody else can only make what is theirs. */
function giveAway({users, groups}: Owners, change: (uid: number, gid: number) => void): void {
	if (process.geteuid?.() !== 0) return;
	const [uid, gid] = [users.maker, groups.maker];
	if (uid !== undefined && gid !== undefined && (uid !== 0 || gid !== 0)) change(uid, gid);
}

function rename({fence}: Scope, id: number, reader: Reader, replaces: boolean): Buffer {
	const from = reader.bytes();
	const to = reader.bytes();
	return fence.at(from, old =>
		fence.at(to, place => {
			if (!replaces && isThere(place.path)) return statusAnswer(id, statuses.failure, 'it is there already');
			renameSync(notTop(old), notTop(place));
			return ok(id);
		}),
	);
}

function nextNames(open: OpenDirectory): readonly Named[] {
	const names: Named[] = [];
	if (!open.isBegun) {
		open.isBegun = true;
		const stats = fstatSync(open.descriptor);
		names.push({name: '.', stats}, {name: '..', stats});
	}
	while (names.length < mostNames) {
		const entry = open.listing.readSync();
		if (entry === null) break;
		const name = Buffer.from(entry.name, 'latin1');
		try {
			names.push({name, stats: lstatSync(below(open.descriptor, entry.name))});
		} catch {
			// It was removed meanwhile.
		}
	}
	return names;
}

function fileSystem({fence}: Scope, id: number, reader: Reader): Buffer {
	const found = fence.at(reader.bytes(), ({path}) => statfsSync(path, {bigint: true}));
	const noSuid = 2n;
	const longestName = 255n;
	const {bsize, blocks, bfree, bavail, files, ffree} = found;
	const writer = new Writer(types.extendedReply).number(id);
	for (const value of [bsize, bsize, blocks, bfree, bavail, files, ffree, ffree, 0n, noSuid, longestName]) {
		writer.offset(value < 0n ? 0n : value);
	}
	return writer.end();
}

/** @throws Error `EBUSY`: the directory itself is not the guest's to move or remove */
function notTop({path, isTop}: Place): Buffer {
	if (isTop) throw Object.assign(new Error('the directory itself'), {code: 'EBUSY'});
	return path;
}

function isThere(path: PathLike): boolean {
	return lstatSync(path, {throwIfNoEntry: false}) !== undefined;
}

export function codeOf(error: unknown): string | undefined {
	return (error as NodeJS.ErrnoException).code;
}
