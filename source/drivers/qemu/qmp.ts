import {once} from 'node:events';
import {createConnection, type Socket} from 'node:net';
import {plainLine} from '../../model/text.ts';
import {asObject} from '../machine/json.ts';
import {NoAnswer} from '../machine/no-answer.ts';

/** Why a monitor gave no answer. */
export class QmpError extends NoAnswer {
	override readonly name = 'QmpError';
}

export type QmpEvent = {readonly name: string; readonly data: Readonly<Record<string, unknown>>};

export type QmpOptions = {
	/** Default 5000. */
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal | undefined;
};

export type Qmp = {
	/** @throws QmpError */
	execute(command: string, parameters?: Readonly<Record<string, unknown>>, options?: QmpOptions): Promise<unknown>;
	onEvent(listener: (event: QmpEvent) => void): {close(): void};
	/** Resolves when the connection has ended, whoever ended it. */
	readonly closed: Promise<void>;
	readonly isClosed: boolean;
	close(): void;
};

type Message = Readonly<Record<string, unknown>>;
type Waiter = {resolve(value: unknown): void; reject(error: Error): void};

/** What QEMU says is at most some 100 KiB (schemas); more without a line break is not QEMU. */
const longestLine = 16 * 2 ** 20;

/**
 * Opens a monitor and makes it ready for commands. QEMU serves one client at a time: a second one is accepted and then
 * hears nothing, just as from a QEMU that hangs.
 * @throws QmpError
 */
export async function connectQmp(path: string, {timeoutMs = 5000, signal}: QmpOptions = {}): Promise<Qmp> {
	const deadline = Date.now() + timeoutMs;
	const client = new Client(await openSocket(path, timeoutMs, signal));
	try {
		await client.greeting({timeoutMs: deadline - Date.now(), signal});
		await client.execute('qmp_capabilities', {}, {timeoutMs: Math.max(1, deadline - Date.now()), signal});
		return client;
	} catch (error) {
		client.close();
		throw error;
	}
}

/** @throws QmpError `absent`, `silent`, `aborted` */
export async function openSocket(path: string, timeoutMs: number, signal?: AbortSignal): Promise<Socket> {
	const socket = createConnection(path);
	const limit = AbortSignal.timeout(Math.max(1, timeoutMs));
	try {
		await once(socket, 'connect', {signal: signal ? AbortSignal.any([signal, limit]) : limit});
		return socket;
	} catch (error) {
		// A late error of a socket nobody waits for must not end the process.
		socket.on('error', () => {});
		socket.destroy();
		if (signal?.aborted) throw new QmpError('aborted', 'no longer wanted');
		if (limit.aborted) throw new QmpError('silent', 'the connection was not accepted in time');
		throw new QmpError('absent', plainLine((error as Error).message));
	}
}

class Client implements Qmp {
	readonly closed: Promise<void>;
	isClosed = false;
	readonly #socket: Socket;
	readonly #listeners = new Set<(event: QmpEvent) => void>();
	readonly #waiting = new Map<string, Waiter>();
	#rest = '';
	#nextId = 1;

	constructor(socket: Socket) {
		this.#socket = socket;
		socket.setEncoding('utf8');
		socket.on('data', (text: string) => this.#read(text));
		socket.on('error', () => {});
		this.closed = new Promise(resolve => {
			socket.once('close', () => {
				this.isClosed = true;
				for (const waiter of this.#waiting.values())
					waiter.reject(new QmpError('closed', 'QEMU closed the connection'));
				this.#waiting.clear();
				resolve();
			});
		});
	}

	async greeting(options: QmpOptions): Promise<void> {
		await this.#wait('greeting', options);
	}

	async execute(command: string, parameters?: Readonly<Record<string, unknown>>, options: QmpOptions = {}) {
		const id = `d${this.#nextId++}`;
		const answer = this.#wait(id, options);
		if (!this.isClosed) {
			this.#socket.write(`${JSON.stringify({execute: command, ...(parameters && {arguments: parameters}), id})}\n`);
		}
		return answer;
	}

	onEvent(listener: (event: QmpEvent) => void) {
		this.#listeners.add(listener);
		return {close: () => void this.#listeners.delete(listener)};
	}

	close() {
		this.#socket.destroy();
	}

	#wait(id: string, {timeoutMs = 5000, signal}: QmpOptions): Promise<unknown> {
		return new Promise((resolve, reject) => {
			if (this.isClosed) return reject(new QmpError('closed', 'QEMU closed the connection'));
			if (signal?.aborted) return reject(new QmpError('aborted', 'no longer wanted'));
			const end = () => {
				this.#waiting.delete(id);
				clearTimeout(timer);
				signal?.removeEventListener('abort', aborted);
			};
			const fail = (error: Error) => {
				end();
				reject(error);
			};
			const aborted = () => fail(new QmpError('aborted', 'no longer wanted'));
			const timer = setTimeout(
				() => fail(new QmpError('silent', 'QEMU did not answer in time')),
				Math.max(1, timeoutMs),
			);
			signal?.addEventListener('abort', aborted, {once: true});
			this.#waiting.set(id, {
				resolve: value => {
					end();
					resolve(value);
				},
				reject: fail,
			});
		});
	}

	#read(text: string) {
		const lines = (this.#rest + text).split('\n');
		this.#rest = lines.pop() ?? '';
		if (this.#rest.length > longestLine) return this.#socket.destroy();
		for (const line of lines) {
			const message = parse(line);
			if (message) this.#take(message);
		}
	}

	#take(message: Message) {
		if ('QMP' in message) return this.#waiting.get('greeting')?.resolve(message.QMP);
		if (typeof message.event === 'string') {
			const event = {name: message.event, data: asObject(message.data)};
			for (const listener of [...this.#listeners]) listener(event);
			return;
		}
		const waiter = typeof message.id === 'string' ? this.#waiting.get(message.id) : undefined;
		if ('error' in message) {
			const description = asObject(message.error).desc;
			waiter?.reject(new QmpError('refused', plainLine(String(description ?? 'refused')).slice(0, 500)));
		} else if ('return' in message) waiter?.resolve(message.return);
	}
}

function parse(line: string): Message | undefined {
	try {
		const value: unknown = JSON.parse(line);
		return typeof value === 'object' && value !== null ? (value as Message) : undefined;
	} catch {
		return undefined;
	}
}
