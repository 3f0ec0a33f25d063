import {execFile} from 'node:child_process';
import type {Entry} from './instances.ts';

/** When the guest's users are told of a stop that comes: at the start, every five minutes, and the last five. */
export function isWarningDue(minutesLeft: number): boolean {
	return minutesLeft > 0 && (minutesLeft <= 5 || minutesLeft % 5 === 0);
}

/** Timers for stops that were put off. The due time is in the record, so they survive the daemon. */
export class DelayedStops {
	readonly #timers = new Map<string, NodeJS.Timeout>();
	readonly #stop: (entry: Entry) => void;
	readonly #warn: (entry: Entry, minutesLeft: number) => void;
	readonly #now: () => number;

	constructor(options: {
		stop: (entry: Entry) => void;
		warn: (entry: Entry, minutesLeft: number) => void;
		now: () => number;
	}) {
		this.#stop = options.stop;
		this.#warn = options.warn;
		this.#now = options.now;
	}

	get isEmpty(): boolean {
		return this.#timers.size === 0;
	}

	/** Sets or removes the timer of an instance, as its record says. Call it after each change of `shutdownAt`. */
	follow(entry: Entry): void {
		clearTimeout(this.#timers.get(entry.name));
		this.#timers.delete(entry.name);
		const due = entry.stored.kind === 'record' ? entry.stored.record.shutdownAt : undefined;
		if (due === undefined || entry.isGone) return;
		const left = Date.parse(due) - this.#now();
		if (left <= 0) {
			this.#stop(entry);
			return;
		}
		const minutes = Math.ceil(left / 60_000);
		// To the next full minute, so that warnings come when they are due.
		const wait = left - (minutes - 1) * 60_000;
		this.#timers.set(
			entry.name,
			setTimeout(
				() => {
					if (isWarningDue(minutes - 1)) this.#warn(entry, minutes - 1);
					this.follow(entry);
				},
				Math.max(wait, 1),
			),
		);
	}

	close(): void {
		for (const timer of this.#timers.values()) clearTimeout(timer);
		this.#timers.clear();
	}
}

/** Tells the users in a guest, as `shutdown` does. Nobody waits for it and nothing depends on it. */
export function warnGuest(sshArguments: readonly string[]): void {
	execFile('ssh', [...sshArguments], {timeout: 10_000}, () => {});
}
