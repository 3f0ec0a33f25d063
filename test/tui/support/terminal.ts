import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {type IPty, spawn} from '@lydell/node-pty';
import xterm from '@xterm/headless';

type Options = {readonly columns?: number; readonly rows?: number; readonly env?: NodeJS.ProcessEnv};

/** A program on a real pty, and what a person at the terminal would see. */
export class Terminal {
	/** Bytes written so far, and the text itself. */
	bytes = 0;
	raw = '';
	readonly exited: Promise<{exitCode: number; signal?: number}>;
	readonly #pty: IPty;
	readonly #screen: InstanceType<typeof xterm.Terminal>;
	#lastData = performance.now();
	#isOver = false;

	constructor(file: string, args: readonly string[], {columns = 80, rows = 24, env = {}}: Options = {}) {
		this.#screen = new xterm.Terminal({cols: columns, rows, allowProposedApi: true});
		const {PATH, HOME} = process.env;
		this.#pty = spawn(file, [...args], {
			cols: columns,
			rows,
			cwd: '/',
			env: {PATH, HOME, LANG: 'C.UTF-8', TERM: 'xterm-256color', ...env},
		});
		this.#pty.onData(data => {
			this.bytes += Buffer.byteLength(data);
			this.raw += data;
			this.#lastData = performance.now();
			this.#screen.write(data);
		});
		this.exited = new Promise(resolve => {
			this.#pty.onExit(exit => {
				this.#isOver = true;
				resolve(exit);
			});
		});
	}

	get pid(): number {
		return this.#pty.pid;
	}

	get isAlternate(): boolean {
		return this.#screen.buffer.active.type === 'alternate';
	}

	get isCursorHidden(): boolean {
		type Internals = {_core: {coreService: {isCursorHidden: boolean}}};
		return (this.#screen as unknown as Internals)._core.coreService.isCursorHidden;
	}

	get isPasteBracketed(): boolean {
		return this.#screen.modes.bracketedPasteMode;
	}

	lines(): string[] {
		const buffer = this.#screen.buffer.active;
		return Array.from(
			{length: this.#screen.rows},
			// A blank that was written and a cell that never was look the same.
			(_, y) =>
				buffer
					.getLine(buffer.viewportY + y)
					?.translateToString(true, 0, this.#screen.cols)
					.trimEnd() ?? '',
		);
	}

	text(): string {
		return this.lines().join('\n').trimEnd();
	}

	type(text: string): void {
		this.#pty.write(text);
	}

	resize(columns: number, rows: number): void {
		this.#screen.resize(columns, rows);
		this.#pty.resize(columns, rows);
	}

	/** The far end stops reading, as a dead link does; and reads on. */
	stall(): void {
		this.#pty.pause();
	}

	unstall(): void {
		this.#pty.resume();
	}

	/** What a dropped connection looks like to the program. */
	hangUp(): void {
		(this.#pty as unknown as {destroy(): void}).destroy();
	}

	async waitFor(wanted: string | RegExp | ((text: string) => boolean), timeoutMs = 15_000): Promise<void> {
		const holds = (text: string) =>
			typeof wanted === 'string' ? text.includes(wanted) : wanted instanceof RegExp ? wanted.test(text) : wanted(text);
		const deadline = performance.now() + timeoutMs;
		for (;;) {
			await this.#parsed();
			if (holds(this.text())) return;
			if (performance.now() > deadline || this.#isOver) {
				throw new Error(`not on the terminal: ${String(wanted)}\n${this.text()}`);
			}
			await sleep(10);
		}
	}

	/** Waits until nothing has come for a while: before bytes are counted. */
	async quiet(ms = 250): Promise<void> {
		this.#lastData = performance.now();
		while (performance.now() - this.#lastData < ms) await sleep(20);
		await this.#parsed();
	}

	[Symbol.dispose](): void {
		if (!this.#isOver) {
			try {
				this.#pty.kill('SIGKILL');
			} catch {}
		}
		this.#screen.dispose();
	}

	async #parsed(): Promise<void> {
		await new Promise<void>(resolve => this.#screen.write('', resolve));
	}
}
