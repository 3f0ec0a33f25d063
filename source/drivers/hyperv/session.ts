import {type ChildProcess, spawn} from 'node:child_process';
import {plainLine} from '../../model/text.ts';
import {LineDecoder} from './decoder.ts';
import {HypervError} from './errors.ts';
import {type Hello, type Operation, parseMessage, protocolVersion, requestLine} from './messages.ts';

/** How PowerShell is started with the script. */
export type Launcher = {
	readonly program: string;
	readonly args: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
};

/** Told every line that is written to a script and read from it. */
export type Trace = (direction: 'to' | 'from', line: string) => void;

export type RequestOptions = {readonly timeoutMs: number; readonly signal?: AbortSignal | undefined};

type Waiter = {
	/** On the clock that never goes back, milliseconds. */
	readonly since: number;
	resolve(value: unknown): void;
	reject(error: HypervError): void;
};

/** One PowerShell with the script in it. It answers one request after another; when it has ended it stays so. */
export class Session {
	/** Settled when the script has said what it is. @throws HypervError */
	readonly hello: Promise<Hello>;
	readonly pid: number | undefined;
	readonly #child: ChildProcess;
	/** By request. Requests that nobody waits for any more stay until they are answered. */
	readonly #waiting = new Map<number, Waiter>();
	readonly #onChange: (vm: string) => void;
	#greet!: (hello: Hello) => void;
	#refuse!: (error: HypervError) => void;
	#end: HypervError | undefined;
	#stderr = '';
	/** The last thing it put out that is not ours, for when it does not get on. */
	#stray = '';
	#id = 0;
	readonly #since: number;

	readonly #trace: Trace;
	#whenIdle: Array<() => void> = [];
	/** The request that it was at last. */
	#begun = 0;

	constructor(
		launcher: Launcher,
		options: {onChange?: (vm: string) => void; onEnd?: () => void; trace?: Trace | undefined} = {},
	) {
		this.#onChange = options.onChange ?? (() => {});
		this.#trace = options.trace ?? (() => {});
		this.#since = performance.now();
		this.hello = new Promise((resolve, reject) => {
			this.#greet = resolve;
			this.#refuse = reject;
		});
		this.hello.catch(() => {});
		// Not through execa, whose worth is in waiting for an end: this one has none.
		this.#child = spawn(launcher.program, [...launcher.args], {
			env: {...launcher.environment},
			stdio: ['pipe', 'pipe', 'pipe'],
			windowsHide: true,
		});
		this.pid = this.#child.pid;
		this.#listen(options.onEnd ?? (() => {}));
	}

	/** Whether it still can be asked. */
	get isAlive(): boolean {
		return this.#end === undefined;
	}

	/** Requests it has not answered. */
	get load(): number {
		return this.#waiting.size;
	}

	/** For how long the oldest request has not been answered; milliseconds. */
	get silence(): number {
		const [oldest] = this.#waiting.values();
		return oldest === undefined ? 0 : performance.now() - oldest.since;
	}

	/** Whether it has said that it is at a request, and has not answered it: it is slow, but does not hang. */
	get isAtWork(): boolean {
		return this.isAlive && this.#waiting.has(this.#begun);
	}

	/** Settled when it has answered all it was asked, also what nobody waits for any more, or has ended. */
	settled(): Promise<void> {
		if (this.#end || this.#waiting.size === 0) return Promise.resolve();
		return new Promise(resolve => this.#whenIdle.push(resolve));
	}

	/** Milliseconds since it was started. */
	get age(): number {
		return performance.now() - this.#since;
	}

	/** @throws HypervError */
	request(op: Operation, args: Readonly<Record<string, unknown>>, options: RequestOptions): Promise<unknown> {
		if (this.#end) return Promise.reject(this.#end);
		const {timeoutMs, signal} = options;
		if (signal?.aborted) return Promise.reject(new HypervError('aborted', 'cancelled'));
		const id = ++this.#id;
		return new Promise((resolve, reject) => {
			// Who goes away is not told any more; the request goes on, and its answer frees the script for others.
			const leave = (error: HypervError) => {
				if (this.#waiting.has(id)) this.#waiting.set(id, {...waiter, resolve() {}, reject() {}});
				settle();
				reject(error);
			};
			const aborted = () => leave(new HypervError('aborted', 'cancelled'));
			const timer = setTimeout(() => leave(new HypervError('silent', this.#silentWords(timeoutMs))), timeoutMs);
			const settle = () => {
				clearTimeout(timer);
				signal?.removeEventListener('abort', aborted);
			};
			const waiter: Waiter = {
				since: performance.now(),
				resolve(value) {
					settle();
					resolve(value);
				},
				reject(error) {
					settle();
					reject(error);
				},
			};
			this.#waiting.set(id, waiter);
			signal?.addEventListener('abort', aborted, {once: true});
			const line = requestLine(id, op, args);
			this.#trace('to', line.trimEnd());
			this.#child.stdin?.write(line);
		});
	}

	/** Lets it end by itself: the script ends with its input. What it is at is done to its end. */
	close(): void {
		this.#child.stdin?.end();
		this.#unref();
	}

	kill(): void {
		this.#child.kill('SIGKILL');
	}

	/** Must not keep the process from ending, and ends with it. */
	#unref(): void {
		this.#child.unref();
		for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
			(stream as unknown as {unref?(): void} | null)?.unref?.();
		}
	}

	#silentWords(timeoutMs: number): string {
		const said = this.#stderr || this.#stray;
		return `no answer within ${timeoutMs / 1000} s${said === '' ? '' : `; it said: ${said}`}`;
	}

	#listen(onEnd: () => void): void {
		const child = this.#child;
		const decoder = new LineDecoder();
		const errors = new LineDecoder();
		child.stdout?.on('data', (chunk: Buffer) => {
			for (const line of decoder.push(chunk)) this.#take(line);
		});
		child.stderr?.on('data', (chunk: Buffer) => {
			for (const line of errors.push(chunk)) {
				if (this.#stderr === '') this.#stderr = plainLine(line).slice(0, 300);
			}
		});
		for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => {});
		const ended = (error: HypervError) => {
			if (this.#end) return;
			this.#end = error;
			this.#refuse(error);
			const waiting = [...this.#waiting.values()];
			this.#waiting.clear();
			for (const waiter of waiting) waiter.reject(error);
			this.#tellIdle();
			onEnd();
		};
		child.once('error', error => {
			if (child.pid === undefined) ended(new HypervError('missing', error.message));
		});
		// Not `exit`: what it wrote last is read before.
		child.once('close', (code, signal) => {
			const how = signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`;
			ended(new HypervError('crashed', this.#stderr === '' ? how : `${how}: ${this.#stderr}`));
		});
		this.#unref();
	}

	#take(line: string): void {
		this.#trace('from', line);
		const message = parseMessage(line);
		if (message === undefined) {
			this.#stray = plainLine(line).slice(0, 300);
			return;
		}
		if ('event' in message) {
			if (message.event === 'changed') this.#onChange(message.vm);
			else if (message.event === 'begun') this.#begun = message.id;
			else if (message.protocol === protocolVersion) this.#greet(message);
			else this.#refuse(new HypervError('malformed', `it speaks version ${message.protocol}`));
			return;
		}
		const waiter = this.#waiting.get(message.id);
		this.#waiting.delete(message.id);
		if (message.ok) waiter?.resolve(message.result);
		else waiter?.reject(new HypervError('refused', message.error.message, message.error));
		if (this.#waiting.size === 0) this.#tellIdle();
	}

	#tellIdle(): void {
		for (const tell of this.#whenIdle.splice(0)) tell();
	}
}
