import {
	closeSync,
	constants,
	ftruncateSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readlinkSync,
	readSync,
	type Stats,
	statSync,
	symlinkSync,
	writeSync,
} from 'node:fs';
import path from 'node:path';
import {PassThrough} from 'node:stream';
import type {Channel} from '../../source/guest/sftp/client.ts';
import {openFlags, Reader, statuses, types, Unpacker, Writer} from '../../source/guest/sftp/packets.ts';
import {DroverError} from '../../source/model/errors.ts';

export type Manners = {
	/** Bytes of a read at most, although more were asked for. */
	mostRead?: number;
	/** Names listed instead of those there are, each of this kind. */
	names?: ReadonlyArray<{name: Buffer | string; mode: number}>;
	/** Called with the type of each request; what it returns is sent instead of an answer. */
	instead?: (type: number, id: number) => Buffer | undefined;
};

const failure = 4;

/**
 * An SFTP server over a directory, which is its root and its user's home, as far as drover uses one. What real servers do
 * and this one leaves out is tested on a real guest.
 */
export class SftpServer implements Channel {
	readonly stdin = new PassThrough();
	readonly stdout = new PassThrough();
	readonly ended: Promise<DroverError>;
	readonly manners: Manners;
	/** How many requests came, by type. */
	readonly counts = new Map<number, number>();
	readonly #root: string;
	readonly #handles = new Map<string, {fd?: number; names?: string[]; directory?: string}>();
	#next = 0;
	#end!: (why: DroverError) => void;

	constructor(root: string, manners: Manners = {}) {
		this.#root = root;
		this.manners = manners;
		this.ended = new Promise(resolve => {
			this.#end = resolve;
		});
		const unpacker = new Unpacker();
		this.stdin.on('data', (chunk: Buffer) => {
			unpacker.push(chunk);
			for (let message = unpacker.next(); message !== undefined; message = unpacker.next()) this.#serve(message);
		});
	}

	get openHandles(): number {
		return this.#handles.size;
	}

	close(): void {
		this.#end(new DroverError('guest.unanswered', 'The connection to web ended.'));
	}

	#serve(message: Buffer): void {
		const reader = new Reader(message);
		const type = reader.byte();
		this.counts.set(type, (this.counts.get(type) ?? 0) + 1);
		if (type === types.init) {
			this.stdout.write(new Writer(types.version).number(3).bytes('x@example').bytes('1').end());
			return;
		}
		const id = reader.number();
		this.stdout.write(this.manners.instead?.(type, id) ?? this.#answer(type, id, reader));
	}

	#answer(type: number, id: number, reader: Reader): Buffer {
		try {
			return this.#do(type, id, reader);
		} catch (error) {
			const {code, message} = error as NodeJS.ErrnoException;
			const status = code === 'ENOENT' ? statuses.missing : code === 'EACCES' ? statuses.denied : failure;
			return new Writer(types.status).number(id).number(status).bytes(message).bytes('').end();
		}
	}

	#do(type: number, id: number, reader: Reader): Buffer {
		const ok = (status: number = statuses.ok) =>
			new Writer(types.status).number(id).number(status).bytes('').bytes('').end();
		const file = () => path.join(this.#root, reader.text());
		switch (type) {
			case types.stat:
				return attributes(new Writer(types.attributes).number(id), statSync(file())).end();
			case types.lstat:
				return attributes(new Writer(types.attributes).number(id), lstatSync(file())).end();
			case types.realpath:
				return name(id, `/${path.relative(this.#root, file())}`);
			case types.readlink:
				return name(id, readlinkSync(file()));
			case types.symlink: {
				const to = reader.text();
				symlinkSync(to, file());
				return ok();
			}
			case types.mkdir:
				mkdirSync(file());
				return ok();
			case types.open: {
				const at = file();
				const flags = reader.number();
				// What follows says that permissions follow.
				reader.number();
				const mode = flags & openFlags.write ? reader.number() : 0;
				const fd = openSync(
					at,
					flags & openFlags.write ? constants.O_WRONLY | constants.O_CREAT : constants.O_RDONLY,
					mode,
				);
				if (flags & openFlags.truncate) ftruncateSync(fd);
				return this.#handle(id, {fd});
			}
			case types.opendir: {
				const directory = file();
				return this.#handle(id, {directory, names: ['.', '..', ...readdirSync(directory)]});
			}
			case types.readdir:
				return this.#list(id, this.#found(reader), ok);
			case types.read: {
				const {fd = -1} = this.#found(reader);
				reader.number();
				const offset = reader.number();
				const buffer = Buffer.alloc(Math.min(reader.number(), this.manners.mostRead ?? Number.POSITIVE_INFINITY));
				const count = readSync(fd, buffer, 0, buffer.length, offset);
				return count === 0
					? ok(statuses.end)
					: new Writer(types.data).number(id).bytes(buffer.subarray(0, count)).end();
			}
			case types.write: {
				const {fd = -1} = this.#found(reader);
				reader.number();
				const offset = reader.number();
				writeSync(fd, reader.bytes(), 0, undefined, offset);
				return ok();
			}
			case types.close: {
				const key = reader.text();
				const {fd} = this.#handles.get(key)!;
				if (fd !== undefined) closeSync(fd);
				this.#handles.delete(key);
				return ok();
			}
			default:
				throw new Error(`no such request: ${type}`);
		}
	}

	#list(id: number, found: {names?: string[]; directory?: string}, ok: (status: number) => Buffer): Buffer {
		const names = found.names?.splice(0, 3) ?? [];
		if (names.length === 0) return ok(statuses.end);
		const listed: Array<{name: Buffer | string; stats?: Stats; mode?: number}> =
			this.manners.names && found.directory === this.#root
				? [...this.manners.names]
				: names.map(each => ({name: each, stats: lstatSync(path.join(found.directory!, each))}));
		if (this.manners.names && found.directory === this.#root) found.names = [];
		const answer = new Writer(types.name).number(id).number(listed.length);
		for (const {name: each, stats, mode} of listed) {
			answer.bytes(each).bytes('-rw-r--r-- as ls has it');
			if (stats) attributes(answer, stats);
			else answer.number(4).number(mode!);
		}
		return answer.end();
	}

	#handle(id: number, value: {fd?: number; names?: string[]; directory?: string}): Buffer {
		const key = `h${this.#next++}`;
		this.#handles.set(key, value);
		return new Writer(types.handle).number(id).bytes(key).end();
	}

	#found(reader: Reader) {
		const found = this.#handles.get(reader.text());
		if (found === undefined) throw new Error('no such handle');
		return found;
	}
}

function attributes(writer: Writer, stats: Stats): Writer {
	return writer
		.number(1 | 2 | 4 | 8)
		.offset(stats.size)
		.number(stats.uid)
		.number(stats.gid)
		.number(stats.mode)
		.number(0)
		.number(0);
}

function name(id: number, text: string): Buffer {
	return new Writer(types.name).number(id).number(1).bytes(text).bytes(text).number(0).end();
}
