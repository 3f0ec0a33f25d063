import {EventEmitter} from 'node:events';
import {Writable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import xterm from '@xterm/headless';
import {type DashboardOptions, runDashboard} from '../../source/components/run-dashboard.tsx';
import type {Engine} from '../../source/engine/engine.ts';

/** What tests call the keys that are more than a letter. */
export const keys = {
	up: '\u001B[A',
	down: '\u001B[B',
	right: '\u001B[C',
	left: '\u001B[D',
	enter: '\r',
	esc: '\u001B',
	tab: '\t',
	backspace: '\u007F',
	pgup: '\u001B[5~',
	pgdn: '\u001B[6~',
	home: '\u001B[H',
	end: '\u001B[F',
	ctrlC: '\u0003',
	ctrlR: '\u0012',
	ctrlU: '\u0015',
	ctrlY: '\u0019',
	ctrlZ: '\u001A',
} as const;

class TestInput extends EventEmitter {
	readonly isTTY = true;
	isRaw = false;
	type(data: string) {
		this.emit('data', data);
	}

	setRawMode(isRaw: boolean) {
		this.isRaw = isRaw;
		return this;
	}

	setEncoding() {
		return this;
	}

	pause() {
		return this;
	}

	resume() {
		return this;
	}

	ref() {
		return this;
	}

	unref() {
		return this;
	}
}

type Options = {
	readonly columns?: number;
	readonly rows?: number;
	readonly env?: NodeJS.ProcessEnv;
	readonly connect?: DashboardOptions['connect'];
	readonly memory?: DashboardOptions['memory'];
	readonly frameMs?: number;
};

/** The whole dashboard in this process, drawn on a terminal emulator. Time is simulated: `advance` moves it. */
export class TestScreen {
	readonly input = new TestInput();
	readonly terminal: InstanceType<typeof xterm.Terminal>;
	/** Everything written, and by how many writes. */
	raw = '';
	writes = 0;
	/** Ends the line to the engine, as when the daemon dies. */
	drop: () => void = () => {};
	readonly ended: Promise<number>;
	now = Date.UTC(2026, 10, 23, 10, 12, 3);
	readonly #stdout: Writable & {columns: number; rows: number};

	constructor(engine: Engine, {columns = 80, rows = 24, env, connect, memory, frameMs = 0}: Options = {}) {
		this.terminal = new xterm.Terminal({cols: columns, rows, allowProposedApi: true});
		this.#stdout = Object.assign(
			new Writable({
				decodeStrings: false,
				write: (chunk: string, _encoding, done) => {
					this.raw += chunk;
					this.writes++;
					this.terminal.write(chunk);
					done();
				},
			}),
			{isTTY: true, columns, rows},
		);
		this.ended = runDashboard({
			connect:
				connect ??
				(async () => {
					const {promise, resolve} = Promise.withResolvers<void>();
					this.drop = resolve;
					return {engine, closed: promise};
				}),
			user: 'kim',
			stdin: this.input as unknown as NodeJS.ReadStream,
			stdout: this.#stdout,
			env: {TERM: 'xterm-256color', LANG: 'en_US.UTF-8', ...env},
			now: () => this.now,
			frameMs,
			...(memory ? {memory} : {}),
		});
	}

	lines(): string[] {
		const buffer = this.terminal.buffer.active;
		return Array.from(
			{length: this.terminal.rows},
			(_, y) => buffer.getLine(buffer.viewportY + y)?.translateToString(true, 0, this.terminal.cols) ?? '',
		);
	}

	text(): string {
		return this.lines().join('\n').trimEnd();
	}

	/** Waits until the screen shows it. */
	async waitFor(wanted: string | RegExp | ((text: string) => boolean), timeoutMs = 5000): Promise<void> {
		const holds = (text: string) =>
			typeof wanted === 'string' ? text.includes(wanted) : wanted instanceof RegExp ? wanted.test(text) : wanted(text);
		const deadline = performance.now() + timeoutMs;
		for (;;) {
			await this.#parsed();
			if (holds(this.text())) return;
			if (performance.now() > deadline) throw new Error(`not on the screen: ${String(wanted)}\n${this.text()}`);
			await sleep(5);
		}
	}

	/** Keys one after another, a second of simulated time apart, so that every dialog is armed. */
	async press(...names: readonly string[]): Promise<void> {
		for (const name of names) {
			this.now += 1000;
			this.input.type(name);
			// A lone Esc is waited for: it could be the beginning of an arrow key.
			await (name === keys.esc ? sleep(100) : this.settle());
		}
		await this.settle();
	}

	async settle(): Promise<void> {
		for (let turn = 0; turn < 3; turn++) await sleep(2);
		await this.#parsed();
	}

	async resize(columns: number, rows: number): Promise<void> {
		this.terminal.resize(columns, rows);
		Object.assign(this.#stdout, {columns, rows});
		this.#stdout.emit('resize');
		await sleep(120);
		await this.settle();
	}

	async close(): Promise<void> {
		this.input.type(keys.ctrlC);
		await this.settle();
		// A form asks first.
		this.now += 1000;
		this.input.type('y');
		await this.ended;
		this.terminal.dispose();
	}

	async #parsed(): Promise<void> {
		await new Promise<void>(resolve => this.terminal.write('', resolve));
	}
}
