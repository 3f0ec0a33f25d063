import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {type IPty, spawn} from '@lydell/node-pty';

/** A program on a real pty of 120x40, and what it has written so far. */
export class Terminal {
	readonly pid: number;
	/** Bytes written by the program. */
	bytes = 0;
	/** How often something came. */
	chunks = 0;
	readonly #pty: IPty;
	readonly #began = performance.now();
	readonly #waiters = new Set<() => void>();
	readonly #ended: Promise<void>;
	#text = '';
	#isOver = false;

	constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
		this.#pty = spawn(process.execPath, [...args], {cols: 120, rows: 40, env, cwd: '/'});
		this.pid = this.#pty.pid;
		const {promise, resolve} = Promise.withResolvers<void>();
		this.#ended = promise;
		this.#pty.onExit(() => {
			this.#isOver = true;
			this.#wake();
			resolve();
		});
		this.#pty.onData(data => {
			this.bytes += Buffer.byteLength(data);
			this.chunks++;
			this.#text = (this.#text + data).slice(-200_000);
			this.#wake();
		});
	}

	/** Milliseconds from the start of the program until this text had come. */
	async untilText(marker: string | RegExp, timeoutMs = 30_000): Promise<number> {
		const has = () => (typeof marker === 'string' ? this.#text.includes(marker) : marker.test(this.#text));
		while (!has()) {
			const left = this.#began + timeoutMs - performance.now();
			if (left <= 0 || this.#isOver) {
				throw new Error(`${marker} did not come; the last that came: ${JSON.stringify(this.#text.slice(-300))}`);
			}
			await this.#next(left);
		}
		return performance.now() - this.#began;
	}

	/** Presses a key. @returns milliseconds until the first byte in answer; NaN when none came within a second */
	async press(key: string): Promise<number> {
		const before = this.bytes;
		const sent = performance.now();
		this.#pty.write(key);
		await this.#next(1000);
		return this.bytes === before ? Number.NaN : performance.now() - sent;
	}

	/** Waits until nothing has come for a while. */
	async untilQuiet(quietMs = 300): Promise<void> {
		for (let before = -1; before !== this.bytes; ) {
			before = this.bytes;
			await sleep(quietMs);
		}
	}

	/** Ends the program as a person does, so that it can write its code cache; if that does not help, by force. */
	async quit(): Promise<void> {
		this.#pty.write('q');
		await Promise.race([this.#ended, sleep(2000)]);
		if (!this.#isOver) {
			this.#pty.kill('SIGKILL');
			await this.#ended;
		}
	}

	get hasEnded(): boolean {
		return this.#isOver;
	}

	#wake() {
		for (const waiter of this.#waiters) waiter();
	}

	/** Resolves at the next output, at the end, or after the time. */
	async #next(timeoutMs: number): Promise<void> {
		const {promise, resolve} = Promise.withResolvers<void>();
		const timer = setTimeout(resolve, timeoutMs);
		this.#waiters.add(resolve);
		await promise;
		clearTimeout(timer);
		this.#waiters.delete(resolve);
	}
}
