import type {Readable, Writable} from 'node:stream';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {type Attributes, Malformed, openFlags, Reader, statuses, types, Unpacker, Writer} from './packets.ts';

/** The program that leads to the guest's SFTP server. */
export type Channel = {
	readonly stdin: Writable;
	readonly stdout: Readable;
	/** Resolves when it has ended, to why, as an error for a person. */
	readonly ended: Promise<DroverError>;
	close(): void;
};

/** Bytes of one request. Every server takes 32768 (draft-ietf-secsh-filexfer-02); more where it says so itself. */
export type Limits = {readonly read: number; readonly write: number};

const leastBytes = 32_768;
/** A message of OpenSSH's is 256 KiB at most, of which its server leaves 1 KiB for all else. */
const mostChunk = 255 * 1024;
const limitsName = 'limits@openssh.com';

/** The server's answer when it does not do something; the message is safe to show. */
export class SftpRefusal extends Error {
	readonly status: number;

	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

type Answer = {readonly type: number; readonly reader: Reader};
type Waiting = {resolve(answer: Answer): void; reject(error: unknown): void};

export type DirectoryEntry = {readonly name: string; readonly isText: boolean; readonly attributes: Attributes};

/** Of one directory. Far more than is of use; a guest could name files without end. */
const mostEntries = 1_000_000;

/** One SFTP session. Any number of requests may be under way at once. */
export class SftpClient {
	readonly #channel: Channel;
	readonly #waiting = new Map<number, Waiting>();
	#next = 0;
	#problem: unknown;
	#limits: Limits = {read: leastBytes, write: leastBytes};

	private constructor(channel: Channel) {
		this.#channel = channel;
	}

	/** @throws DroverError `guest.*`, `host.failed` */
	static async open(channel: Channel): Promise<SftpClient> {
		const client = new SftpClient(channel);
		const greeting = new Promise<Answer>((resolve, reject) => client.#waiting.set(-1, {resolve, reject}));
		client.#listen();
		client.#send(new Writer(types.init).number(3).end());
		const {reader} = await greeting;
		if (reader.number() < 3) throw notSftp(new Malformed('an older version'));
		if (client.#expect(types.version, types.version, () => names(reader)).has(limitsName)) await client.#askLimits();
		return client;
	}

	/** Fewer, larger requests are what a slow guest is quick with. */
	get limits(): Limits {
		return this.#limits;
	}

	async #askLimits(): Promise<void> {
		const {type, reader} = await this.#ask(new Writer(types.extended), request => request.bytes(limitsName), [
			statuses.unsupported,
			statuses.failure,
		]);
		if (type !== types.extendedReply) return;
		this.#limits = this.#expect(type, types.extendedReply, () => {
			reader.long();
			return {read: withinLimits(reader.long()), write: withinLimits(reader.long())};
		});
	}

	stat(path: string): Promise<Attributes> {
		return this.#attributes(types.stat, path);
	}

	lstat(path: string): Promise<Attributes> {
		return this.#attributes(types.lstat, path);
	}

	/** As {@link stat}; `undefined` when there is nothing. */
	async find(path: string): Promise<Attributes | undefined> {
		try {
			return await this.stat(path);
		} catch (error) {
			if (error instanceof SftpRefusal && error.status === statuses.missing) return undefined;
			throw error;
		}
	}

	async realpath(path: string): Promise<string> {
		return this.#oneName(new Writer(types.realpath), path);
	}

	async readlink(path: string): Promise<string> {
		return this.#oneName(new Writer(types.readlink), path);
	}

	async symlink(to: string, path: string): Promise<void> {
		await this.#ask(new Writer(types.symlink), request => request.bytes(to).bytes(path));
	}

	async mkdir(path: string, mode: number): Promise<void> {
		await this.#ask(new Writer(types.mkdir), request => request.bytes(path).mode(mode));
	}

	openToRead(path: string): Promise<Buffer> {
		return this.#handle(new Writer(types.open), request => request.bytes(path).number(openFlags.read).number(0));
	}

	/** Made where it is not there, emptied where it is. */
	openToWrite(path: string, mode: number): Promise<Buffer> {
		const flags = openFlags.write | openFlags.create | openFlags.truncate;
		return this.#handle(new Writer(types.open), request => request.bytes(path).number(flags).mode(mode));
	}

	/** At most so many bytes from there; `undefined` at the end. */
	async read(handle: Buffer, offset: number, length: number): Promise<Buffer | undefined> {
		const {type, reader} = await this.#ask(
			new Writer(types.read),
			request => request.bytes(handle).offset(offset).number(length),
			[statuses.end],
		);
		if (type === types.status) return undefined;
		const content = this.#expect(type, types.data, () => reader.bytes());
		// Nothing, and yet not the end: who went on would ask for ever.
		return content.length === 0 ? undefined : content;
	}

	async write(handle: Buffer, offset: number, content: Buffer): Promise<void> {
		await this.#ask(new Writer(types.write), request => request.bytes(handle).offset(offset).bytes(content));
	}

	async closeHandle(handle: Buffer): Promise<void> {
		await this.#ask(new Writer(types.close), request => request.bytes(handle));
	}

	async list(path: string): Promise<readonly DirectoryEntry[]> {
		const handle = await this.#handle(new Writer(types.opendir), request => request.bytes(path));
		const entries: DirectoryEntry[] = [];
		try {
			for (;;) {
				const {type, reader} = await this.#ask(new Writer(types.readdir), request => request.bytes(handle), [
					statuses.end,
				]);
				if (type === types.status) return entries;
				this.#expect(type, types.name, () => {
					for (let count = reader.number(); count > 0; count--) {
						const bytes = reader.bytes();
						reader.bytes();
						const name = bytes.toString('utf8');
						entries.push({name, isText: Buffer.from(name).equals(bytes), attributes: reader.attributes()});
					}
				});
				if (entries.length > mostEntries) {
					throw new DroverError('guest.failed', `${plainLine(path).slice(0, 200)} in the guest has too many files.`);
				}
			}
		} finally {
			await this.closeHandle(handle).catch(() => {});
		}
	}

	/** Resolves when there is room for more to be sent. */
	async drained(): Promise<void> {
		const {stdin} = this.#channel;
		if (!stdin.writableNeedDrain) return;
		await Promise.race([new Promise(resolve => stdin.once('drain', resolve)), this.#channel.ended]);
	}

	close(): void {
		this.#fail(new DroverError('operation.cancelled', 'The session was closed.'));
		this.#channel.close();
	}

	#listen(): void {
		const unpacker = new Unpacker();
		this.#channel.stdout.on('data', (chunk: Buffer) => {
			if (this.#problem !== undefined) return;
			try {
				unpacker.push(chunk);
				for (let message = unpacker.next(); message !== undefined; message = unpacker.next()) this.#receive(message);
			} catch (error) {
				this.#fail(notSftp(error));
				this.#channel.close();
			}
		});
		// How it ended says more than that a line was cut.
		this.#channel.stdin.on('error', () => {});
		this.#channel.stdout.on('error', () => {});
		void this.#channel.ended.then(why => this.#fail(why));
	}

	#receive(message: Buffer): void {
		const reader = new Reader(message);
		const type = reader.byte();
		const id = type === types.version ? -1 : reader.number();
		const waiting = this.#waiting.get(id);
		if (waiting === undefined) throw new Malformed('an answer to no question');
		this.#waiting.delete(id);
		waiting.resolve({type, reader});
	}

	#fail(why: unknown): void {
		this.#problem ??= why;
		for (const waiting of this.#waiting.values()) waiting.reject(this.#problem);
		this.#waiting.clear();
	}

	#send(message: Buffer): void {
		this.#channel.stdin.write(message);
	}

	/** @param accepted statuses, beside success, that are answers and not refusals */
	async #ask(writer: Writer, fill: (request: Writer) => unknown, accepted: readonly number[] = []): Promise<Answer> {
		if (this.#problem !== undefined) throw this.#problem;
		const id = this.#next++ % 2 ** 31;
		writer.number(id);
		fill(writer);
		const answered = new Promise<Answer>((resolve, reject) => this.#waiting.set(id, {resolve, reject}));
		this.#send(writer.end());
		const answer = await answered;
		if (answer.type !== types.status) return answer;
		const status = answer.reader.number();
		if (status === statuses.ok || accepted.includes(status)) return answer;
		throw new SftpRefusal(status, refusalText(status, answer.reader));
	}

	async #attributes(request: number, path: string): Promise<Attributes> {
		const {type, reader} = await this.#ask(new Writer(request), writer => writer.bytes(path));
		return this.#expect(type, types.attributes, () => reader.attributes());
	}

	async #handle(writer: Writer, fill: (request: Writer) => unknown): Promise<Buffer> {
		const {type, reader} = await this.#ask(writer, fill);
		return this.#expect(type, types.handle, () => Buffer.from(reader.bytes()));
	}

	async #oneName(writer: Writer, path: string): Promise<string> {
		const {type, reader} = await this.#ask(writer, request => request.bytes(path));
		return this.#expect(type, types.name, () => {
			if (reader.number() !== 1) throw new Malformed('several names for one path');
			return reader.text();
		});
	}

	#expect<Value>(type: number, expected: number, read: () => Value): Value {
		try {
			if (type !== expected) throw new Malformed(`an answer of type ${type}`);
			return read();
		} catch (error) {
			throw error instanceof Malformed ? notSftp(error) : error;
		}
	}
}

/** What a server says it can beside the protocol. @throws Malformed */
function names(reader: Reader): ReadonlySet<string> {
	const found = new Set<string>();
	while (!reader.isAtEnd && found.size < 100) {
		found.add(reader.text());
		reader.bytes();
	}
	return found;
}

/** 0 stands for no limit. */
function withinLimits(told: bigint): number {
	return told === 0n || told > mostChunk ? mostChunk : Math.max(leastBytes, Number(told));
}

function refusalText(status: number, reader: Reader): string {
	if (status === statuses.missing) return 'there is no such file or directory';
	if (status === statuses.denied) return 'its user may not do that';
	let message = '';
	try {
		message = plainLine(reader.text()).slice(0, 200);
	} catch {
		// Without words, then.
	}
	return message === '' || message === 'Failure' ? 'the guest refuses it' : `the guest says: ${message}`;
}

function notSftp(cause: unknown): DroverError {
	return new DroverError('guest.failed', 'What answers in the guest does not speak SFTP.', {
		next: 'Something that it prints at each login, as in .bashrc, is often the reason.',
		cause,
	});
}
