import {EventEmitter} from 'node:events';
import {diffFrames, paintFrame} from './frame-diff.ts';

/** What is needed of the real stdout. */
export type TerminalStream = NodeJS.WritableStream & {
	readonly columns?: number;
	readonly rows?: number;
	readonly isTTY?: boolean;
	readonly writableLength?: number;
	readonly destroyed?: boolean;
};

const enterAlternateScreen = '\u001B[?1049h';
const leaveAlternateScreen = '\u001B[?1049l';
const hideCursor = '\u001B[?25l';
const beginSync = '\u001B[?2026h';
const endSync = '\u001B[?2026l';

export type ScreenOutputOptions = {
	/** Wrap each frame in the marks of synchronised output. */
	readonly sync?: boolean;
	/** Least time between two frames, milliseconds. */
	readonly frameMs?: number;
	/** Least time between two resizes told on, milliseconds. */
	readonly resizeMs?: number;
};

/**
 * The stdout that Ink is given. Ink runs with `debug: true`, in which every commit writes one whole frame as plain
 * lines; this compares it with what is on the screen and writes only the cells that differ, one write a frame.
 * While the terminal does not take data, only the newest frame is kept.
 */
export class ScreenOutput extends EventEmitter {
	readonly isTTY = true;
	readonly writable = true;
	/** Counters for tests and measurements. */
	bytes = 0;
	frames = 0;
	readonly #target: TerminalStream;
	readonly #sync: boolean;
	readonly #frameMs: number;
	readonly #resizeMs: number;
	#size: {columns: number; rows: number};
	#shown: readonly string[] | undefined;
	#pending: string | undefined;
	#isScheduled = false;
	#isBlocked = false;
	#isOurs = false;
	#lastFrame = 0;
	#timer: NodeJS.Timeout | undefined;
	#resizeTimer: NodeJS.Timeout | undefined;
	#lastResize = 0;
	readonly #onResize = () => {
		this.#resized();
	};

	constructor(target: TerminalStream, {sync = true, frameMs = 16, resizeMs = 100}: ScreenOutputOptions = {}) {
		super();
		this.setMaxListeners(0);
		this.#target = target;
		this.#sync = sync;
		this.#frameMs = frameMs;
		this.#resizeMs = resizeMs;
		this.#size = sizeOf(target);
		unblock(target);
		target.on('resize', this.#onResize);
	}

	get columns(): number {
		return this.#size.columns;
	}

	get rows(): number {
		return this.#size.rows;
	}

	/** Whether bytes are still waiting to be taken by the terminal. */
	get isStalled(): boolean {
		return (this.#target.writableLength ?? 0) > 0;
	}

	write(data: string, callback?: () => void): boolean {
		if (data === '') {
			this.#flush();
			// Not passed on as a write: a stalled terminal would hold up whoever waits for it.
			if (callback) setImmediate(callback);
			return true;
		}
		if (data.startsWith('\u001B[?')) {
			this.#switchMode(data, callback);
			return true;
		}
		this.#pending = data;
		this.#schedule();
		if (callback) setImmediate(callback);
		return true;
	}

	/** Sends bytes that are not part of a frame (OSC 52), whole and at once. */
	send(data: string): void {
		this.#put(data);
	}

	/** Forgets what is on the screen and paints it anew. */
	repaint(): void {
		if (this.#pending === undefined && this.#shown !== undefined) this.#pending = this.#shown.join('\n');
		this.#shown = undefined;
		this.#schedule();
	}

	close(): void {
		clearTimeout(this.#timer);
		clearTimeout(this.#resizeTimer);
		this.#pending = undefined;
		this.#target.off('resize', this.#onResize);
	}

	/** Ink's changes of mode. A frame that has not been written yet must not follow onto the screen of the shell. */
	#switchMode(data: string, callback?: () => void): void {
		let bytes = data;
		if (data.includes(enterAlternateScreen)) {
			this.#isOurs = true;
			this.#shown = undefined;
			// After a hand-over Ink does not hide the cursor again in debug mode.
			bytes += hideCursor;
		}
		if (data.includes(leaveAlternateScreen)) {
			this.#isOurs = false;
			this.#pending = undefined;
			this.#shown = undefined;
			bytes += '\u001B[?25h';
		}
		this.#put(bytes, callback);
	}

	#schedule(): void {
		if (this.#pending === undefined || this.#isScheduled || this.#isBlocked || !this.#isOurs) return;
		this.#isScheduled = true;
		const run = () => {
			this.#isScheduled = false;
			this.#flush();
		};
		const wait = this.#lastFrame + this.#frameMs - performance.now();
		// Even when a frame may go out now, the turn is let end first: several commits of one turn are one frame.
		if (wait <= 0) setImmediate(run);
		else this.#timer = setTimeout(run, wait);
	}

	#flush(): void {
		const frame = this.#pending;
		if (frame === undefined || this.#isBlocked || !this.#isOurs) return;
		this.#pending = undefined;
		const lines = frame.split('\n').slice(0, this.rows);
		const output = this.#shown === undefined ? paintFrame(lines) : diffFrames(this.#shown, lines);
		this.#shown = lines;
		if (output === '') return;
		this.#lastFrame = performance.now();
		this.frames++;
		this.#put(this.#sync ? beginSync + output + endSync : output);
	}

	#put(data: string, callback?: () => void): void {
		if (this.#target.destroyed) {
			if (callback) setImmediate(callback);
			return;
		}
		this.bytes += Buffer.byteLength(data);
		this.#target.write(data, () => {
			this.#isBlocked = false;
			this.#schedule();
			callback?.();
		});
		// A tty that takes the bytes at once leaves nothing queued.
		this.#isBlocked = this.isStalled;
	}

	#resized(): void {
		if (this.#resizeTimer !== undefined) return;
		const wait = Math.max(0, this.#lastResize + this.#resizeMs - performance.now());
		this.#resizeTimer = setTimeout(() => {
			this.#resizeTimer = undefined;
			this.#lastResize = performance.now();
			this.#size = sizeOf(this.#target);
			this.#shown = undefined;
			this.emit('resize');
		}, wait);
	}
}

function sizeOf(target: TerminalStream): {columns: number; rows: number} {
	// A terminal may say 0x0 when it does not know.
	return {columns: target.columns || 80, rows: target.rows || 24};
}

/**
 * Node writes to a tty synchronously, so a stalled link would put the whole process to sleep, deaf to signals. The
 * handle is internal to Node, hence the care.
 */
function unblock(target: TerminalStream): void {
	const handle = (target as {_handle?: {setBlocking?: (isBlocking: boolean) => unknown}})._handle;
	if (typeof handle?.setBlocking === 'function') {
		try {
			handle.setBlocking(false);
		} catch {}
	}
}
