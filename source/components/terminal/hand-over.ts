import {once} from 'node:events';
import process from 'node:process';
import {setTimeout as sleep, setImmediate as turn} from 'node:timers/promises';
import {spawnable} from '../../platform/programs.ts';
import {hangUp} from '../../platform/signals.ts';
import {thisSystem} from '../../platform/system.ts';
import type {Keyboard} from './keyboard.ts';

export type Suspend = (callback: () => Promise<void> | void) => Promise<unknown>;

/**
 * Lends the terminal out and takes it back: to a child process, or to the shell on Ctrl-Z. One borrower at a time.
 * While it is lent, Ctrl-C is the child's affair: the whole foreground group gets SIGINT, and it must not end us.
 */
export class HandOver {
	readonly #keyboard: Keyboard;
	readonly #onReturn: () => void;
	#suspend: Suspend | undefined;
	#child: {kill: (signal: NodeJS.Signals) => boolean} | undefined;
	isLent = false;

	/** @param onReturn called each time the terminal is ours again */
	constructor(keyboard: Keyboard, onReturn: () => void) {
		this.#keyboard = keyboard;
		this.#onReturn = onReturn;
	}

	/** Told by the drawing side once it is up. */
	readonly ready = (suspend: Suspend): void => {
		this.#suspend = suspend;
	};

	/**
	 * Runs a program with the whole terminal.
	 * @returns its exit code; 128 and more when a signal ended it
	 * @throws Error when it cannot be started
	 */
	async run(command: string, args: readonly string[], banner: string): Promise<number> {
		let code = 0;
		// Loaded here: most dashboards are never left for a shell.
		const {spawn} = await import('node:child_process');
		const program = await spawnable(command);
		await this.#lend(async () => {
			process.stdout.write(banner);
			const child = spawn(program, args, {stdio: 'inherit'});
			this.#child = child;
			const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
			code = exitCode ?? (signal === null ? 1 : 129);
		});
		return code;
	}

	/**
	 * Stops this process as Ctrl-Z does elsewhere; resolves when it has been continued.
	 * @returns false when there is no shell that could continue it, and nothing was stopped
	 */
	async stop(send: () => void): Promise<boolean> {
		let wasStopped = false;
		await this.#lend(async () => {
			wasStopped = await new Promise<boolean>(resolve => {
				const continued = () => {
					clearTimeout(timer);
					resolve(true);
				};
				// A process group without a shell above it cannot be stopped: the signal is thrown away by the kernel.
				const timer = setTimeout(() => {
					process.off('SIGCONT', continued);
					resolve(false);
				}, 300);
				process.once('SIGCONT', continued);
				send();
			});
		});
		return wasStopped;
	}

	/** Waits, a moment, until a return that is just under way is over. @returns whether the terminal is ours */
	async idle(): Promise<boolean> {
		for (let wait = 0; this.isLent && wait < 20; wait++) await sleep(10);
		return !this.isLent;
	}

	/** Takes the terminal as it should be again, after somebody stopped and continued us from outside. */
	async renew(): Promise<void> {
		await this.#lend(() => {});
	}

	/** Ends a child that has the terminal, because we are ending ourselves. */
	endChild(): void {
		this.#child?.kill(hangUp(thisSystem().platform));
	}

	async #lend(callback: () => Promise<void> | void): Promise<void> {
		if (this.isLent || !this.#suspend) return;
		this.isLent = true;
		try {
			await this.#suspend(async () => {
				// The tty is read in the background until the stream says otherwise: else the child would miss keys.
				this.#keyboard.release();
				await turn();
				try {
					await callback();
				} finally {
					// A Ctrl-C typed to the child reaches our handler in the next turns: before that it must not count.
					await turn();
					await turn();
					this.#child = undefined;
					this.#keyboard.reclaim();
					this.#onReturn();
				}
			});
		} finally {
			this.isLent = false;
		}
	}
}
