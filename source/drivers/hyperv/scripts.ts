import * as v from 'valibot';
import {HypervError} from './errors.ts';
import type {Hello, Operation} from './messages.ts';
import {type Launcher, type RequestOptions, Session, type Trace} from './session.ts';

/** A script that has not answered for so long hangs, and another takes its place. Milliseconds. */
const hangsMs = 30_000;
/** PowerShell with its modules takes seconds to start on a busy host. */
const startMs = 60_000;
/** Between two tries of a script that does not even start. */
const longestPauseMs = 30_000;
/** So many pieces of work at once; what is more waits its turn. */
const mostWorkers = 4;
/** A worker that has had nothing to do for so long ends. */
const idleMs = 60_000;

/** `lane`: the instance whose work it is, where that is not the machine it is done with. */
type WorkOptions = RequestOptions & {readonly lane?: string};

/**
 * The scripts that are at work. PowerShell does one thing at a time, so that there are several: one that only looks and
 * is never kept waiting, and workers as they are needed. A script that ended is started again by the next request, and
 * what it was asked is asked once more: everything it does looks first at what is there.
 */
export class Scripts {
	readonly #launcher: () => Promise<Launcher>;
	readonly #onChange: (vm: string | undefined) => void;
	#looker: Promise<Session> | undefined;
	readonly #trace: Trace | undefined;
	readonly #workers = new Set<Session>();
	readonly #idle = new Map<Session, NodeJS.Timeout>();
	readonly #queue: Array<() => void> = [];
	/** Who is at work on a machine, by the record's id. */
	readonly #busy = new Map<string, {readonly session: Session; readonly settled: Promise<void>}>();
	#starting = 0;
	#isClosed = false;
	#isWatching = false;
	#isReady = false;
	/** How often in a row a script that looks ended before it had said what it is. */
	#failures = 0;
	#pauseUntil = 0;

	/** @param onChange told which machine changed; `undefined`: something may have happened that nobody told of */
	constructor(launcher: () => Promise<Launcher>, onChange: (vm: string | undefined) => void, trace?: Trace) {
		this.#trace = trace;
		this.#launcher = launcher;
		this.#onChange = onChange;
	}

	/** Pid of the script that looks, as far as there is one. */
	async lookerPid(): Promise<number | undefined> {
		return (await this.#looker)?.pid;
	}

	/** Whether changes are told; else they have to be looked for. */
	get isWatching(): boolean {
		return this.#isWatching;
	}

	/** Whether the script that looks is at something that takes long. */
	async isAtWork(): Promise<boolean> {
		return (await this.#looker)?.isAtWork ?? false;
	}

	/** Whether the script that looks has said what it is, and can be asked. */
	get isReady(): boolean {
		return this.#isReady;
	}

	/** What the script that looks is. @throws HypervError */
	async hello(timeoutMs: number): Promise<Hello> {
		const session = await this.#look();
		return within(session.hello, timeoutMs, session);
	}

	/** A question that is answered at once. @throws HypervError */
	async look<Schema extends v.GenericSchema>(
		schema: Schema,
		op: Operation,
		args: Readonly<Record<string, unknown>>,
		options: RequestOptions,
	): Promise<v.InferOutput<Schema>> {
		const ask = async () => (await this.#look()).request(op, args, options);
		return checked(schema, await again(ask));
	}

	/**
	 * A piece of work on a machine, in a script of its own as long as it takes. Work on one machine is done in order: also
	 * after what nobody waits for any more, which cannot be called back (a start that was cancelled and then a power cut
	 * would else leave it running).
	 * @throws HypervError
	 */
	async work<Schema extends v.GenericSchema>(
		schema: Schema,
		op: Operation,
		args: Readonly<Record<string, unknown>> & {readonly machine: string},
		options: WorkOptions,
	): Promise<v.InferOutput<Schema>> {
		const {lane = args.machine, signal} = options;
		const ask = async () => {
			await this.#inOrder(lane, signal);
			const session = await this.#worker(signal);
			const asked = session.request(op, args, options);
			const busy = {session, settled: session.settled()};
			this.#busy.set(lane, busy);
			void busy.settled.then(() => {
				if (this.#busy.get(lane) === busy) this.#busy.delete(lane);
				this.#release(session);
			});
			return asked.catch((error: unknown) => {
				// It had all the time it could need: nobody will hear of it any more.
				if (error instanceof HypervError && error.problem === 'silent') session.kill();
				throw error;
			});
		};
		return checked(schema, await again(ask));
	}

	/** Waits for the work on a machine that is still under way, and ends what hangs. */
	async #inOrder(machine: string, signal: AbortSignal | undefined): Promise<void> {
		for (let busy = this.#busy.get(machine); busy; busy = this.#busy.get(machine)) {
			const {session, settled} = busy;
			const timer = setInterval(() => {
				if (session.silence > hangsMs) session.kill();
			}, 500);
			try {
				await orAborted(settled, signal);
			} finally {
				clearInterval(timer);
			}
		}
	}

	close(): void {
		this.#isClosed = true;
		void this.#looker?.then(
			session => session.close(),
			() => {},
		);
		for (const session of this.#workers) session.close();
		for (const timer of this.#idle.values()) clearTimeout(timer);
	}

	async #look(): Promise<Session> {
		for (;;) {
			const current = this.#looker;
			const found = await current?.catch(() => undefined);
			if (this.#looker !== current) continue;
			if (found?.isAlive) {
				// Its answers would come too late for everybody; one that is starting is given longer.
				if (found.silence < hangsMs || found.age < startMs) return found;
				found.kill();
			} else if (found && performance.now() < this.#pauseUntil) {
				// It tells everybody why it ended.
				return found;
			}
			this.#looker = this.#start(true);
			return this.#looker;
		}
	}

	/** What ends as soon as it is started, again and again, is not started each time somebody asks. */
	#ended(): void {
		this.#isWatching = false;
		this.#isReady = false;
		this.#failures++;
		this.#pauseUntil = this.#failures < 2 ? 0 : performance.now() + Math.min(longestPauseMs, 250 * 2 ** this.#failures);
		if (!this.#isClosed) this.#onChange(undefined);
	}

	async #start(isLooker: boolean): Promise<Session> {
		const launcher = await this.#launcher();
		const {onChange, trace} = {onChange: this.#onChange, trace: this.#trace};
		const session: Session = isLooker
			? new Session(launcher, {onChange, onEnd: () => this.#ended(), trace})
			: new Session(launcher, {onEnd: () => this.#forget(session), trace});
		if (isLooker) void this.#watch(session);
		return session;
	}

	/** Asks for changes to be told. Where that is not allowed they are looked for. */
	async #watch(session: Session): Promise<void> {
		try {
			const {capabilities} = await session.hello;
			this.#failures = 0;
			this.#isReady = session.isAlive;
			if (!capabilities.includes('events')) return;
			await session.request('watch', {}, {timeoutMs: startMs});
			this.#isWatching = session.isAlive;
		} catch {
			this.#isWatching = false;
		}
	}

	async #worker(signal: AbortSignal | undefined): Promise<Session> {
		for (;;) {
			for (const session of this.#idle.keys()) {
				clearTimeout(this.#idle.get(session));
				this.#idle.delete(session);
				if (session.isAlive) return session;
			}
			if (this.#workers.size + this.#starting < mostWorkers) {
				this.#starting++;
				try {
					const session = await this.#start(false);
					this.#workers.add(session);
					return session;
				} finally {
					this.#starting--;
				}
			}
			await this.#turn(signal);
		}
	}

	async #turn(signal: AbortSignal | undefined): Promise<void> {
		let go!: () => void;
		const turn = new Promise<void>(resolve => {
			go = resolve;
		});
		this.#queue.push(go);
		try {
			await orAborted(turn, signal);
		} catch (error) {
			const at = this.#queue.indexOf(go);
			// It may have been its turn just now: then it is the next one's.
			if (at >= 0) this.#queue.splice(at, 1);
			else this.#queue.shift()?.();
			throw error;
		}
	}

	#release(session: Session): void {
		if (!session.isAlive) return;
		const timer = setTimeout(() => {
			this.#idle.delete(session);
			session.close();
		}, idleMs);
		timer.unref();
		this.#idle.set(session, timer);
		this.#queue.shift()?.();
	}

	#forget(session: Session): void {
		this.#workers.delete(session);
		clearTimeout(this.#idle.get(session));
		this.#idle.delete(session);
		this.#queue.shift()?.();
	}
}

/** @throws HypervError `aborted` */
async function orAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
	if (signal === undefined) return promise;
	let abort!: () => void;
	const aborted = new Promise<never>((_, reject) => {
		abort = () => reject(new HypervError('aborted', 'cancelled'));
	});
	if (signal.aborted) abort();
	else signal.addEventListener('abort', abort, {once: true});
	try {
		await Promise.race([promise, aborted]);
	} finally {
		signal.removeEventListener('abort', abort);
	}
}

/** A script that ended on the way is asked anew once. */
async function again<Result>(ask: () => Promise<Result>): Promise<Result> {
	try {
		return await ask();
	} catch (error) {
		if (!(error instanceof HypervError) || error.problem !== 'crashed') throw error;
		return ask();
	}
}

function checked<Schema extends v.GenericSchema>(schema: Schema, answer: unknown): v.InferOutput<Schema> {
	const found = v.safeParse(schema, answer);
	if (found.success) return found.output;
	throw new HypervError('malformed', `the answer is not as expected: ${found.issues[0].message}`);
}

async function within<Result>(promise: Promise<Result>, timeoutMs: number, session: Session): Promise<Result> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(
			() => reject(new HypervError('silent', `PowerShell has not answered for ${Math.round(session.age / 1000)} s`)),
			timeoutMs,
		);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}
