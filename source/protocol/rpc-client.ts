import type {Duplex} from 'node:stream';
import {DroverError} from '../model/errors.ts';
import {answerLimit, encodeMessage, FramingError, MessageDecoder} from './framing.ts';
import {type AnswerMessage, errorOf, isRecord} from './messages.ts';

type Limits = {readonly silence: number; readonly lifeSign: number};
type Pending = {readonly resolve: (result: unknown) => void; readonly reject: (error: DroverError) => void};

/** Milliseconds without a byte, while an answer is awaited, after which the daemon is asked whether it lives. */
const silenceLimit = 5000;
/** Milliseconds it then has to show a sign of life. */
const lifeSignLimit = 15_000;

/** The client's side of JSON-RPC over any stream of bytes: a socket, or the ends of a pipe. */
export class RpcClient {
	/** Resolves when the line is gone, with what was wrong if it was not closed here. Never rejects. */
	readonly closed: Promise<DroverError | undefined>;
	readonly #stream: Duplex;
	readonly #decoder = new MessageDecoder(answerLimit);
	readonly #pending = new Map<number, Pending>();
	readonly #limits: Limits;
	#listener: ((method: string, params: unknown) => void) | undefined;
	#nextId = 1;
	#end!: (error: DroverError | undefined) => void;
	#endedBy: DroverError | undefined;
	#hasEnded = false;
	#watch: NodeJS.Timeout | undefined;
	#isAskingForLife = false;

	constructor(stream: Duplex, limits: Limits = {silence: silenceLimit, lifeSign: lifeSignLimit}) {
		this.#stream = stream;
		this.#limits = limits;
		this.closed = new Promise(resolve => {
			this.#end = resolve;
		});
		stream.on('data', (chunk: Buffer) => this.#receive(chunk));
		stream.on('error', error => this.#finish(lost(error)));
		stream.on('end', () => this.#finish(lost()));
		stream.on('close', () => this.#finish(lost()));
	}

	/** Notifications of the daemon go to this one listener. */
	onNotification(listener: (method: string, params: unknown) => void) {
		this.#listener = listener;
	}

	/** @throws DroverError what the daemon answered, or `daemon.unreachable` when the line is lost before it did */
	request(method: string, params?: unknown): Promise<unknown> {
		if (this.#hasEnded) return Promise.reject(this.#endedBy ?? lost());
		const id = this.#nextId++;
		return new Promise((resolve, reject) => {
			this.#pending.set(id, {resolve, reject});
			this.#watchOver();
			this.#stream.write(encodeMessage({jsonrpc: '2.0', id, method, ...(params === undefined ? {} : {params})}));
		});
	}

	/** Hangs up. What is awaited is rejected; what the daemon does, it goes on doing. */
	close() {
		this.#finish(undefined);
	}

	#receive(chunk: Buffer) {
		if (this.#isAskingForLife) this.#unwatch();
		else this.#watch?.refresh();
		this.#decoder.push(chunk);
		try {
			for (let message = this.#decoder.next(); message !== undefined; message = this.#decoder.next()) {
				this.#take(message);
			}
		} catch (error) {
			if (!(error instanceof FramingError)) throw error;
			this.#finish(new DroverError('daemon.protocol', `The drover daemon cannot be understood: ${error.message}.`));
		}
		if (this.#pending.size === 0) this.#unwatch();
		else if (!this.#hasEnded) this.#watchOver();
	}

	#take(message: unknown) {
		if (!isRecord(message)) return;
		if (typeof message.method === 'string') {
			this.#listener?.(message.method, message.params);
			return;
		}
		const {id, result, error} = message as AnswerMessage;
		const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
		if (pending === undefined) {
			// An answer to nothing: the daemon could not read us at all.
			if (id === null && isRecord(error)) this.#finish(errorOf(error));
			return;
		}
		this.#pending.delete(id as number);
		if (isRecord(error)) pending.reject(errorOf(error as NonNullable<AnswerMessage['error']>));
		else pending.resolve(result ?? undefined);
	}

	/** A daemon that is stopped or stuck keeps its socket open: without this its clients would wait for ever. */
	#watchOver() {
		if (this.#watch !== undefined) return;
		this.#watch = setTimeout(() => {
			this.#isAskingForLife = true;
			this.#stream.write(encodeMessage({jsonrpc: '2.0', id: 0, method: 'ping'}));
			this.#watch = setTimeout(() => this.#finish(unresponsive(this.#limits)), this.#limits.lifeSign);
		}, this.#limits.silence);
	}

	#unwatch() {
		clearTimeout(this.#watch);
		this.#watch = undefined;
		this.#isAskingForLife = false;
	}

	#finish(error: DroverError | undefined) {
		if (this.#hasEnded) return;
		this.#hasEnded = true;
		this.#endedBy = error;
		this.#unwatch();
		this.#stream.destroy();
		const reason = error ?? new DroverError('daemon.unreachable', 'The connection to the drover daemon was closed.');
		for (const {reject} of this.#pending.values()) reject(reason);
		this.#pending.clear();
		this.#end(error);
	}
}

function lost(cause?: Error): DroverError {
	return new DroverError('daemon.unreachable', 'The connection to the drover daemon was lost.', {
		next: 'Try again: a new daemon is started when it is needed, and instances are not affected.',
		cause,
	});
}

function unresponsive({silence, lifeSign}: Limits): DroverError {
	const seconds = Math.round((silence + lifeSign) / 1000);
	return new DroverError('daemon.unreachable', `The drover daemon has not answered for ${seconds} s.`, {
		next: 'Try again. If it goes on, end the daemon: instances are not affected, and the next command starts a new one.',
	});
}
