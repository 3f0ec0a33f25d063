import {randomInt} from 'node:crypto';
import type {Socket} from 'node:net';
import {plainLine} from '../../model/text.ts';
import type {GuestAgent} from '../machine/guest.ts';
import {asObject} from '../machine/json.ts';
import {openSocket, QmpError, type QmpOptions} from './qmp.ts';

/** The agent, on a channel of our own. */
export type AgentChannel = GuestAgent & {
	/** For commands that are not answered when they succeed (shutting down). */
	send(command: string, parameters?: Readonly<Record<string, unknown>>): Promise<void>;
	close(): void;
};

/** A guest that sends this much without a line break means no good. */
const longestLine = 4 * 2 ** 20;

/**
 * Opens the agent's channel and brings both ends into step: the agent answers `guest-sync-delimited` with 0xFF first, so
 * that what an earlier client left unread is thrown away. The channel carries no ids, hence one command at a time.
 * @param timeoutMs for connecting and the first answer; an agent that does not run never answers
 * @throws QmpError
 */
export async function connectGuestAgent(
	path: string,
	{timeoutMs = 3000, signal}: QmpOptions = {},
): Promise<AgentChannel> {
	const deadline = Date.now() + timeoutMs;
	const socket = await openSocket(path, timeoutMs, signal);
	const agent = new Agent(socket);
	try {
		const left = Math.max(1, deadline - Date.now());
		await agent.synchronize({timeoutMs: left, signal});
		return agent;
	} catch (error) {
		agent.close();
		throw error;
	}
}

type Expected = {resolve(value: unknown): void; reject(error: Error): void};

class Agent implements AgentChannel {
	readonly #socket: Socket;
	#buffer = Buffer.alloc(0);
	/** Set while everything up to 0xFF is to be thrown away. */
	#isOutOfStep = true;
	#expected: Expected | undefined;
	#isClosed = false;

	constructor(socket: Socket) {
		this.#socket = socket;
		socket.on('error', () => {});
		socket.on('data', (data: Buffer) => this.#read(data));
		socket.once('close', () => {
			this.#isClosed = true;
			this.#expected?.reject(new QmpError('closed', 'the channel to the guest agent closed'));
		});
	}

	async synchronize(options: QmpOptions): Promise<void> {
		const id = randomInt(1, 2 ** 31);
		// The leading 0xFF makes the agent drop a half command that an earlier client may have left.
		const line = Buffer.from(`${JSON.stringify({execute: 'guest-sync-delimited', arguments: {id}})}\n`);
		const answer = await this.#ask(Buffer.concat([Buffer.from([0xff]), line]), options);
		if (answer !== id) throw new QmpError('refused', 'the guest agent is out of step');
	}

	async execute(command: string, parameters?: Readonly<Record<string, unknown>>, options: QmpOptions = {}) {
		return this.#ask(encode(command, parameters), options);
	}

	async send(command: string, parameters?: Readonly<Record<string, unknown>>): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			this.#socket.write(encode(command, parameters), error => (error ? reject(error) : resolve()));
		});
	}

	close() {
		this.#socket.destroy();
	}

	async #ask(bytes: Buffer, {timeoutMs = 3000, signal}: QmpOptions): Promise<unknown> {
		if (this.#isClosed) throw new QmpError('closed', 'the channel to the guest agent closed');
		if (signal?.aborted) throw new QmpError('aborted', 'no longer wanted');
		const {promise, resolve, reject} = Promise.withResolvers<unknown>();
		const aborted = () => reject(new QmpError('aborted', 'no longer wanted'));
		const timer = setTimeout(
			() => reject(new QmpError('silent', 'the guest agent did not answer in time')),
			Math.max(1, timeoutMs),
		);
		signal?.addEventListener('abort', aborted, {once: true});
		this.#expected = {resolve, reject};
		this.#socket.write(bytes);
		try {
			return await promise;
		} catch (error) {
			// An answer that comes too late would be taken for the next one's.
			if (!(error instanceof QmpError && error.problem === 'refused')) this.close();
			throw error;
		} finally {
			clearTimeout(timer);
			signal?.removeEventListener('abort', aborted);
			this.#expected = undefined;
		}
	}

	#read(data: Buffer) {
		this.#buffer = Buffer.concat([this.#buffer, data]);
		if (this.#isOutOfStep) {
			const mark = this.#buffer.lastIndexOf(0xff);
			if (mark === -1) {
				this.#buffer = Buffer.alloc(0);
				return;
			}
			this.#buffer = this.#buffer.subarray(mark + 1);
			this.#isOutOfStep = false;
		}
		for (let end = this.#buffer.indexOf(0x0a); end !== -1; end = this.#buffer.indexOf(0x0a)) {
			const line = this.#buffer.toString('utf8', 0, end);
			this.#buffer = this.#buffer.subarray(end + 1);
			this.#take(line);
		}
		if (this.#buffer.length > longestLine) this.#socket.destroy();
	}

	#take(line: string) {
		let message: Readonly<Record<string, unknown>>;
		try {
			message = asObject(JSON.parse(line));
		} catch {
			return;
		}
		if ('return' in message) this.#expected?.resolve(message.return);
		else if ('error' in message) {
			const description = asObject(message.error).desc;
			this.#expected?.reject(new QmpError('refused', plainLine(String(description ?? 'refused')).slice(0, 500)));
		}
	}
}

function encode(command: string, parameters?: Readonly<Record<string, unknown>>): Buffer {
	return Buffer.from(`${JSON.stringify({execute: command, ...(parameters && {arguments: parameters})})}\n`);
}
