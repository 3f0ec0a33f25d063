import type {MountSession} from '../../guest/mount/session.ts';
import {DroverError, errorData} from '../../model/errors.ts';
import {pauseAfter} from './mount-plan.ts';

export type UpkeepParts = {
	/** Makes the mount. @throws DroverError, or the signal's reason */
	readonly open: (context: {
		signal: AbortSignal;
		progress: (stage: string) => void;
		onProblem: () => void;
		tell: (what: string) => void;
	}) => Promise<MountSession>;
	/** The problem is another one, or none, now. */
	readonly onChange: () => void;
	/** For the instance's history. */
	readonly tell: (what: string) => void;
	/** Whether trying again soon is of no use. */
	readonly isLasting: (error: unknown) => boolean;
	readonly pause?: typeof pauseAfter;
};

/** A session that has lived so long, in milliseconds, was a good one: the next failure is the first again. */
const provenMs = 30_000;

/** Keeps one mount alive: makes it, notices its end, and makes it again, ever more slowly while that fails. */
export class Upkeep {
	readonly #parts: UpkeepParts;
	#session: MountSession | undefined;
	#attempt: {readonly done: Promise<void>; readonly controller: AbortController} | undefined;
	#timer: NodeJS.Timeout | undefined;
	#failure: string | undefined;
	#failures = 0;
	#isOver = false;

	constructor(parts: UpkeepParts) {
		this.#parts = parts;
	}

	/** Why the guest does not see the directory as it should; `undefined` when it does, or will in a moment. */
	get problem(): string | undefined {
		return this.#session === undefined ? this.#failure : this.#session.problem;
	}

	/** Tries for as long as it takes, without anybody waiting. */
	begin(): void {
		if (this.#session !== undefined || this.#attempt !== undefined || this.#timer !== undefined || this.#isOver) return;
		void this.make().catch(() => {});
	}

	/** Makes it now, unless it is there; joins an attempt under way. What fails is tried again later. @throws DroverError */
	async make(signal?: AbortSignal, progress: (stage: string) => void = () => {}): Promise<void> {
		if (this.#isOver) throw ended();
		if (this.#session !== undefined) return;
		this.#attempt ??= this.#begin(progress);
		const {done, controller} = this.#attempt;
		const stop = () => controller.abort(signal?.reason);
		signal?.addEventListener('abort', stop, {once: true});
		try {
			signal?.throwIfAborted();
			await done;
		} finally {
			signal?.removeEventListener('abort', stop);
		}
	}

	/**
	 * Unmounts, for good. Takes some seconds at most.
	 * @returns whether there was something to unmount
	 * @throws DroverError when the guest does not let go of it
	 */
	async end(): Promise<boolean> {
		const attempt = this.#attempt?.done;
		const session = this.#close();
		await session?.end();
		// What it was doing when it was called off must not go on beside what comes now.
		await attempt?.catch(() => {});
		return session !== undefined;
	}

	/** The same because drover ends: what goes on without it is left to the guest. Never throws. */
	async leave(): Promise<void> {
		const session = this.#close();
		if (session?.outlasts) session.kill();
		else await session?.end().catch(() => {});
	}

	/** Ends it without the guest, which is gone or will be. */
	kill(): void {
		this.#close()?.kill();
	}

	#close(): MountSession | undefined {
		this.#isOver = true;
		clearTimeout(this.#timer);
		this.#attempt?.controller.abort(ended());
		const session = this.#session;
		this.#session = undefined;
		this.#failure = undefined;
		return session;
	}

	#begin(progress: (stage: string) => void) {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const controller = new AbortController();
		const done = this.#open(controller.signal, progress).finally(() => {
			this.#attempt = undefined;
		});
		// Who begins it may not wait for it.
		done.catch(() => {});
		return {done, controller};
	}

	async #open(signal: AbortSignal, progress: (stage: string) => void): Promise<void> {
		try {
			const {open, onChange, tell} = this.#parts;
			const session = await open({signal, progress, onProblem: onChange, tell});
			if (this.#isOver) {
				session.kill();
				throw ended();
			}
			if (this.#failure !== undefined) this.#parts.tell('is there again');
			this.#failure = undefined;
			this.#session = session;
			const since = performance.now();
			void session.ended.then(why => this.#lost(session, why, performance.now() - since));
		} catch (error) {
			if (!this.#isOver) this.#failed(error);
			throw error;
		} finally {
			if (!this.#isOver) this.#parts.onChange();
		}
	}

	#lost(session: MountSession, why: DroverError, livedMs: number): void {
		if (this.#isOver || this.#session !== session) return;
		this.#session = undefined;
		if (livedMs > provenMs) this.#failures = 0;
		this.#parts.tell(`was lost: ${why.message}`);
		this.#failed(why);
		this.#parts.onChange();
	}

	#failed(error: unknown): void {
		this.#failure = errorData(error).message.replace(/\.$/, '');
		this.#failures++;
		const pause = (this.#parts.pause ?? pauseAfter)(this.#failures, this.#parts.isLasting(error));
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			this.begin();
		}, pause);
		this.#timer.unref();
	}
}

function ended(): DroverError {
	return new DroverError('operation.cancelled', 'The mount was ended.');
}
