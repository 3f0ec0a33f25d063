import {PassThrough} from 'node:stream';

export type TerminalInput = NodeJS.ReadableStream & {
	readonly isTTY?: boolean;
	setRawMode?: (isRaw: boolean) => unknown;
	ref?: () => unknown;
	unref?: () => unknown;
};

/** An escape sequence at the end of the data that may still go on. */
const unfinished = /\u001B(?:\u001B?(?:\[[0-9;?<]*|O\d*)?)$/;

/** How long an unfinished escape sequence is waited for, milliseconds: over SSH its parts may come in two packets. */
export function escapeWait(environment: NodeJS.ProcessEnv): number {
	return environment['SSH_CONNECTION'] || environment['SSH_TTY'] ? 100 : 50;
}

/**
 * The stdin that Ink is given: bytes of the terminal with escape sequences whole. Without it an arrow key that
 * arrives in two pieces would be Esc and then typed letters.
 */
export class Keyboard extends PassThrough {
	readonly isTTY = true;
	readonly #source: TerminalInput;
	readonly #waitMs: number;
	readonly #onGone: () => void;
	#held = '';
	#timer: NodeJS.Timeout | undefined;
	#isPaused = false;
	readonly #onData = (data: string | Buffer) => {
		this.#take(String(data));
	};

	/** @param onGone the terminal is gone: end of input or an error (EIO) */
	constructor(source: TerminalInput, {waitMs, onGone}: {waitMs: number; onGone: () => void}) {
		super();
		this.#source = source;
		this.#waitMs = waitMs;
		this.#onGone = onGone;
		source.setEncoding?.('utf8');
		source.on('data', this.#onData);
		source.on('end', this.#onGone);
		source.on('close', this.#onGone);
		source.on('error', this.#onGone);
	}

	setRawMode(isRaw: boolean): this {
		this.#source.setRawMode?.(isRaw);
		return this;
	}

	ref(): this {
		this.#source.ref?.();
		return this;
	}

	unref(): this {
		this.#source.unref?.();
		return this;
	}

	/** Lets go of the terminal, so that a child process gets every key. */
	release(): void {
		this.#isPaused = true;
		this.#source.pause();
	}

	/** Reads the terminal again. */
	reclaim(): void {
		this.#isPaused = false;
		this.#source.resume();
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#source.off('data', this.#onData);
		this.#source.off('end', this.#onGone);
		this.#source.off('close', this.#onGone);
		this.#source.pause();
		this.#source.unref?.();
	}

	#take(data: string): void {
		if (this.#isPaused) return;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const text = this.#held + data;
		const match = unfinished.exec(text);
		this.#held = match?.[0] ?? '';
		const whole = text.slice(0, text.length - this.#held.length);
		if (whole !== '') this.write(whole);
		if (this.#held === '') return;
		this.#timer = setTimeout(() => {
			const rest = this.#held;
			this.#held = '';
			if (rest !== '') this.write(rest);
		}, this.#waitMs);
	}
}
