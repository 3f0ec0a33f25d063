import {mkdirSync, mkdtempSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {PassThrough} from 'node:stream';
import {onTestFinished} from 'vitest';
import type {Channel} from '../../source/guest/sftp/client.ts';
import {type RawAttributes, Reader, statuses, types, Unpacker, Writer} from '../../source/guest/sftp/packets.ts';
import {Fence} from '../../source/guest/sftp/server/fence.ts';
import {IdMaps} from '../../source/guest/sftp/server/id-maps.ts';
import {type SftpService, serveSftp} from '../../source/guest/sftp/server/serve.ts';
import type {IdMap} from '../../source/model/mount.ts';

export type Answer = {readonly type: number; readonly reader: Reader; readonly status?: number};

/** Speaks to an SFTP server request by request, also such as no decent client sends. */
export class RawSftp {
	readonly #send: (message: Buffer) => void;
	readonly #waiting = new Map<number, (answer: Answer) => void>();
	#next = 1;

	constructor(input: PassThrough, output: PassThrough) {
		this.#send = message => void input.write(message);
		const unpacker = new Unpacker();
		output.on('data', (chunk: Buffer) => {
			unpacker.push(chunk);
			for (let message = unpacker.next(); message !== undefined; message = unpacker.next()) {
				const reader = new Reader(message);
				const type = reader.byte();
				const id = type === types.version ? 0 : reader.number();
				const status = type === types.status ? reader.number() : undefined;
				this.#waiting.get(id)?.({type, reader, ...(status === undefined ? {} : {status})});
				this.#waiting.delete(id);
			}
		});
	}

	greet(): Promise<Answer> {
		const answered = new Promise<Answer>(resolve => this.#waiting.set(0, resolve));
		this.#send(new Writer(types.init).number(3).end());
		return answered;
	}

	ask(type: number, fill: (writer: Writer) => unknown): Promise<Answer> {
		const id = this.#next++;
		const writer = new Writer(type).number(id);
		fill(writer);
		const answered = new Promise<Answer>(resolve => this.#waiting.set(id, resolve));
		this.#send(writer.end());
		return answered;
	}

	about(type: number, file: Buffer | string): Promise<Answer> {
		return this.ask(type, writer => writer.bytes(file));
	}

	async attributes(file: Buffer | string, type: number = types.lstat): Promise<RawAttributes> {
		return (await this.about(type, file)).reader.rawAttributes();
	}

	/** @returns the handle, or the status when it was refused */
	async open(file: Buffer | string, flags: number, mode?: number): Promise<Buffer | number> {
		const answer = await this.ask(types.open, writer => {
			writer.bytes(file).number(flags);
			return mode === undefined ? writer.number(0) : writer.number(4).number(mode);
		});
		return answer.status ?? Buffer.from(answer.reader.bytes());
	}

	/** All names in a directory but `.` and `..`; the status when it cannot be listed. */
	async list(directory: Buffer | string): Promise<Buffer[] | number> {
		const opened = await this.about(types.opendir, directory);
		if (opened.status !== undefined) return opened.status;
		const handle = Buffer.from(opened.reader.bytes());
		const names: Buffer[] = [];
		for (;;) {
			const {reader, status} = await this.about(types.readdir, handle);
			if (status !== undefined) break;
			for (let count = reader.number(); count > 0; count--) {
				const name = Buffer.from(reader.bytes());
				reader.bytes();
				reader.rawAttributes();
				if (name.toString() !== '.' && name.toString() !== '..') names.push(name);
			}
		}
		await this.about(types.close, handle);
		return names;
	}

	/** The first bytes of a file; the status when it cannot be read. */
	async read(file: Buffer | string, length = 4096): Promise<Buffer | number> {
		const handle = await this.open(file, 1);
		if (typeof handle === 'number') return handle;
		const {reader, status} = await this.ask(types.read, writer => writer.bytes(handle).offset(0).number(length));
		await this.about(types.close, handle);
		return status === statuses.end ? Buffer.alloc(0) : (status ?? Buffer.from(reader.bytes()));
	}

	/** Makes or empties a file and writes it. @returns the status of what did not succeed, or success */
	async write(file: Buffer | string, content: string, flags = 2 | 8 | 16): Promise<number> {
		const handle = await this.open(file, flags, 0o644);
		if (typeof handle === 'number') return handle;
		const {status} = await this.ask(types.write, writer => writer.bytes(handle).offset(0).bytes(content));
		await this.about(types.close, handle);
		return status!;
	}
}

export type Served = {
	/** What is served, and beside it, what must never be reached. */
	readonly source: string;
	readonly outside: string;
	readonly raw: RawSftp;
	readonly fence: Fence;
	readonly service: SftpService;
	readonly channel: Channel;
};

/** A directory of the host behind the SFTP server, in this process. */
export function servedDirectory(maps: {uids?: readonly IdMap[]; gids?: readonly IdMap[]} = {}): Served {
	const home = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-served-')));
	const [source, outside] = [path.join(home, 'source'), path.join(home, 'outside')];
	mkdirSync(source);
	mkdirSync(outside);
	const fence = new Fence(source);
	fence.refresh();
	const [input, output] = [new PassThrough(), new PassThrough()];
	const own = (id: number | undefined) => [{host: id ?? 0, guest: 1000}];
	const owners = {
		users: new IdMaps(maps.uids ?? own(process.getuid?.())),
		groups: new IdMaps(maps.gids ?? own(process.getgid?.())),
	};
	const service = serveSftp({fence, owners, input, output});
	service.ended.catch(() => {});
	onTestFinished(() => {
		service.close();
		fence.close();
		rmSync(home, {recursive: true, force: true});
	});
	const channel: Channel = {
		stdin: input,
		stdout: output,
		ended: new Promise(() => {}),
		close: () => void input.end(),
	};
	return {
		source,
		outside,
		fence,
		service,
		channel,
		// Made only when it is asked for: there is one reader of the answers.
		get raw() {
			const raw = new RawSftp(input, output);
			Object.defineProperty(this, 'raw', {value: raw});
			return raw;
		},
	};
}
