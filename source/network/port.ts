import {createConnection, type Socket} from 'node:net';
import {FrameReader} from './frames.ts';

/** Bytes that may wait for a machine; what comes beyond is dropped, as on a wire. */
const mostWaiting = 512 * 1024;
const batchBytes = 64 * 1024;
/** Milliseconds before the next attempt to connect. */
const pauses = {first: 20, longest: 2000} as const;

export type PortEvents = {
	onFrame(frame: Buffer): void;
	onState(isConnected: boolean): void;
};

/**
 * The line to one machine, made anew whenever it breaks, until it is closed. It is always read at once: QEMU stands
 * still, its guest and its monitor with it, while it has something to write that nobody reads.
 */
export class Port {
	readonly #path: string;
	readonly #events: PortEvents;
	#socket: Socket | undefined;
	#timer: NodeJS.Timeout | undefined;
	#pause: number = pauses.first;
	#batch: Buffer | undefined;
	#filled = 0;
	#isConnected = false;
	#isClosed = false;

	constructor(path: string, events: PortEvents) {
		this.#path = path;
		this.#events = events;
		this.#connect();
	}

	/** Copies the frame; what cannot be sent now or in a moment is dropped. */
	send(frame: Buffer): void {
		const socket = this.#socket;
		if (socket === undefined || !this.#isConnected) return;
		if (socket.writableLength + this.#filled + frame.length > mostWaiting) return;
		if (this.#batch === undefined || this.#filled + frame.length > this.#batch.length) {
			this.#flush();
			this.#batch = Buffer.allocUnsafe(Math.max(batchBytes, frame.length));
			// What one piece of what was read makes goes out in one piece.
			process.nextTick(() => this.#flush());
		}
		frame.copy(this.#batch, this.#filled);
		this.#filled += frame.length;
	}

	close(): void {
		this.#isClosed = true;
		clearTimeout(this.#timer);
		this.#socket?.destroy();
	}

	#flush(): void {
		if (this.#batch === undefined) return;
		const data = this.#batch.subarray(0, this.#filled);
		// Little of it must not hold all of the memory while it waits.
		const isSmall = data.length < this.#batch.length / 2;
		this.#batch = undefined;
		this.#filled = 0;
		if (data.length > 0 && this.#isConnected) this.#socket?.write(isSmall ? Buffer.from(data) : data);
	}

	#connect(): void {
		const reader = new FrameReader();
		const socket = createConnection(this.#path);
		this.#socket = socket;
		socket.on('connect', () => {
			this.#pause = pauses.first;
			this.#isConnected = true;
			this.#events.onState(true);
		});
		socket.on('data', piece => {
			try {
				reader.read(piece, this.#events.onFrame);
			} catch (error) {
				if (!(error instanceof RangeError)) throw error;
				// QEMU would not send it: the line is of no use any more.
				socket.destroy();
			}
		});
		socket.on('error', () => {});
		socket.on('close', () => this.#lost());
	}

	#lost(): void {
		if (this.#isConnected) {
			this.#isConnected = false;
			if (!this.#isClosed) this.#events.onState(false);
		}
		this.#batch = undefined;
		this.#filled = 0;
		if (this.#isClosed) return;
		this.#timer = setTimeout(() => this.#connect(), this.#pause);
		this.#pause = Math.min(pauses.longest, this.#pause * 2);
	}
}
