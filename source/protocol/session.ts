import type {Duplex} from 'node:stream';
import {type Engine, type EngineMethod, engineMethods} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {encodeMessage, FramingError, MessageDecoder, requestLimit} from './framing.ts';
import {answer, failure, type Hello, isRecord, ownHello, protocolVersion, readHello} from './messages.ts';
import {Outbox} from './outbox.ts';
import {checkedHandover, checkedRequest} from './schemas.ts';

/** Milliseconds a newcomer has to say hello. */
const helloLimit = 10_000;
/** Requests of one client that may be under way at once. */
const requestsAtOnce = 256;
/** Bytes that may wait to be taken by a client before no more of its requests are read. */
const unreadLimit = 2 ** 20;
/** Bytes that may wait before no more events are sent. */
const unreadEventLimit = 2 ** 18;
/** Milliseconds a client has to take the last bytes when it is hung up on. */
const farewellLimit = 1000;

const known: ReadonlySet<string> = new Set(engineMethods);

export type SessionHost = {
	readonly engine: Engine;
	readonly user: string;
	handover(request: {force: boolean; version: string; build: string}): boolean;
	log(line: string): void;
};

type Id = number | string;

/** One client's visit, from hello to the end of the line. What it began goes on without it. */
export class ClientSession {
	/** Resolves when the line is gone. */
	readonly ended: Promise<void>;
	readonly #stream: Duplex;
	readonly #host: SessionHost;
	readonly #decoder = new MessageDecoder(requestLimit);
	readonly #outbox: Outbox;
	#subscription: {close(): void} | undefined;
	#client: Hello | undefined;
	#underWay = 0;
	#isPaused = false;
	#isEnding = false;

	constructor(stream: Duplex, host: SessionHost) {
		this.#stream = stream;
		this.#host = host;
		this.#outbox = new Outbox(
			event => this.#write({jsonrpc: '2.0', method: 'event', params: event}),
			() => stream.writableLength > unreadEventLimit,
		);
		const greeting = setTimeout(() => this.#hangUp('it did not say hello'), helloLimit);
		this.ended = new Promise(resolve => {
			stream.once('close', () => {
				clearTimeout(greeting);
				this.#isEnding = true;
				this.#subscription?.close();
				this.#outbox.close();
				resolve();
			});
		});
		stream.on('error', () => stream.destroy());
		stream.on('end', () => stream.destroy());
		stream.on('drain', () => {
			this.#outbox.resume();
			this.#readOn();
		});
		stream.on('data', (chunk: Buffer) => {
			this.#decoder.push(chunk);
			this.#read();
			if (this.#client !== undefined) clearTimeout(greeting);
		});
	}

	/** Hangs up, after what is on its way has been taken (or has not been for a second). */
	async close() {
		if (this.#isEnding) return this.ended;
		this.#isEnding = true;
		this.#subscription?.close();
		this.#outbox.close();
		const timer = setTimeout(() => this.#stream.destroy(), farewellLimit);
		this.#stream.end(() => this.#stream.destroy());
		await this.ended;
		clearTimeout(timer);
	}

	#readOn() {
		if (!this.#isPaused || this.#stream.writableLength > unreadLimit) return;
		this.#isPaused = false;
		this.#read();
		if (!this.#isPaused) this.#stream.resume();
	}

	#read() {
		try {
			while (!this.#isPaused && !this.#isEnding) {
				const message = this.#decoder.next();
				if (message === undefined) return;
				this.#take(message);
				// A client that asks but does not read the answers must not make them pile up here.
				if (this.#stream.writableLength > unreadLimit) {
					this.#isPaused = true;
					this.#stream.pause();
				}
			}
		} catch (error) {
			if (!(error instanceof FramingError)) throw error;
			this.#write(failure(null, new DroverError('daemon.protocol', `A request cannot be read: ${error.message}.`)));
			this.#hangUp(error.message);
		}
	}

	#take(message: unknown) {
		if (!isRecord(message) || typeof message.method !== 'string') {
			this.#write(failure(null, new DroverError('daemon.protocol', 'A request is not JSON-RPC.')));
			this.#hangUp('it does not speak JSON-RPC');
			return;
		}
		const {id, method, params} = message;
		// Without an id there is nobody to answer, and drover's requests all want an answer.
		if (typeof id !== 'number' && typeof id !== 'string') return;
		if (this.#underWay >= requestsAtOnce) {
			this.#write(failure(id, new DroverError('usage.invalid', `More than ${requestsAtOnce} requests at once.`)));
			return;
		}
		this.#underWay++;
		void this.#answer(id, method, params ?? undefined);
	}

	async #answer(id: Id, method: string, params: unknown) {
		try {
			this.#write(answer(id, await this.#perform(method, params)));
		} catch (error) {
			if (!(error instanceof DroverError)) {
				this.#host.log(`${method} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
			}
			this.#write(failure(id, error));
		} finally {
			this.#underWay--;
		}
	}

	#perform(method: string, params: unknown): unknown {
		if (method === 'hello') return this.#greet(params);
		if (method === 'ping') return true;
		if (this.#client === undefined) throw new DroverError('daemon.protocol', 'The first message must be hello.');
		if (method === 'handover') {
			const {version, build} = this.#client;
			return {accepted: this.#host.handover({...checkedHandover(params), version, build})};
		}
		if (this.#client.protocol !== protocolVersion) {
			throw new DroverError('daemon.protocol', 'The client and the daemon speak different protocols.');
		}
		if (method === 'subscribe') {
			this.#subscription ??= this.#host.engine.subscribe(event => this.#outbox.add(event));
			return true;
		}
		if (method === 'unsubscribe') {
			this.#subscription?.close();
			this.#subscription = undefined;
			return true;
		}
		if (!known.has(method)) {
			throw new DroverError(
				'daemon.protocol',
				`The drover daemon does not know the request ${JSON.stringify(method.slice(0, 80))}.`,
			);
		}
		return this.#call(method as EngineMethod, params);
	}

	#call<Method extends EngineMethod>(method: Method, params: unknown): unknown {
		const request = checkedRequest(method, params);
		const call = this.#host.engine[method] as (request: unknown) => unknown;
		return call.call(this.#host.engine, request);
	}

	#greet(params: unknown): Hello {
		this.#client = readHello(params);
		return ownHello(this.#host.user);
	}

	#write(message: object) {
		if (!this.#stream.writable) return;
		this.#stream.write(encodeMessage(message));
	}

	#hangUp(why: string) {
		if (this.#isEnding) return;
		this.#host.log(`hung up on a client: ${why}`);
		void this.close();
	}
}
