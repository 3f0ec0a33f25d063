import type {Connection, Engine, EngineEvent} from '../engine/engine.ts';
import {DroverError, type ErrorData, errorData} from '../model/errors.ts';
import {EventBuffer} from './event-buffer.ts';
import type {Message, Model} from './store/model.ts';
import {isProgressOnly, isSameButProgress} from './store/quiet.ts';
import {StoryBuffer} from './story-buffer.ts';

/** Waits between attempts, milliseconds; the last one is repeated. */
const backoff = [250, 500, 1000, 2000, 4000, 8000, 15_000];

type Options = {
	readonly connect: () => Promise<Connection>;
	readonly dispatch: (message: Message) => void;
	readonly model: () => Model;
	readonly now: () => number;
};

/** Keeps the line to the engine: connects, asks for everything once, lives from events, and comes back when it breaks. */
export class EngineLink {
	readonly #options: Options;
	readonly #buffer: EventBuffer;
	readonly #story: StoryBuffer;
	#engine: Engine | undefined;
	#isClosed = false;
	#wake: () => void = () => {};
	#overviewTimer: NodeJS.Timeout | undefined;

	constructor(options: Options) {
		this.#options = options;
		this.#story = new StoryBuffer(story => {
			options.dispatch({type: 'story', story, at: options.now()});
		});
		this.#buffer = new EventBuffer(
			batch => {
				options.dispatch({type: 'events', ...batch, at: options.now()});
			},
			event => isQuiet(options.model(), event),
		);
	}

	/** The engine. @throws DroverError `daemon.unreachable` while there is none */
	get engine(): Engine {
		if (this.#engine) return this.#engine;
		throw new DroverError('daemon.unreachable', 'The drover daemon is away.', {next: 'ctrl-r tries again.'});
	}

	/** Runs until {@link close}; never rejects. */
	async run(): Promise<void> {
		const {dispatch, now} = this.#options;
		let attempt = 0;
		while (!this.#isClosed) {
			attempt++;
			if (attempt > 1) dispatch({type: 'connecting', attempt, ...this.#lastError(), at: now()});
			const failed = await this.#once(() => {
				attempt = 0;
			});
			if (this.#isClosed) return;
			this.#error = failed;
			if (failed) dispatch({type: 'connecting', attempt: attempt + 1, error: failed, at: now()});
			await this.#pause(backoff[Math.min(attempt, backoff.length - 1)]!);
		}
	}

	/** Ends the waiting for the next attempt. */
	reconnect(): void {
		this.#wake();
	}

	/** Asks for the overview again, soon: several reasons in a row are one question. */
	loadOverview(): void {
		if (this.#overviewTimer !== undefined) return;
		this.#overviewTimer = setTimeout(() => {
			this.#overviewTimer = undefined;
			const engine = this.#engine;
			if (!engine) return;
			engine.overview().then(
				overview => {
					if (engine === this.#engine) this.#options.dispatch({type: 'overview', overview, at: this.#options.now()});
				},
				(error: unknown) => {
					// A line that has just broken is told of by the line itself.
					if (engine === this.#engine) this.#failed('Refresh', error);
				},
			);
		}, 100);
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		clearTimeout(this.#overviewTimer);
		this.#buffer.close();
		this.#story.close();
		this.#wake();
		const engine = this.#engine;
		this.#engine = undefined;
		await engine?.close().catch(() => {});
	}

	#error: ErrorData | undefined;

	#lastError() {
		return this.#error ? {error: this.#error} : {};
	}

	#failed(what: string, error: unknown): void {
		this.#options.dispatch({type: 'failed', what, error: errorData(error), at: this.#options.now()});
	}

	/** One connection from its beginning to its end. @returns why it never came to be, or `undefined` when it did */
	async #once(onLive: () => void): Promise<ErrorData | undefined> {
		const {connect, dispatch, now} = this.#options;
		let connection: Connection;
		try {
			connection = await connect();
		} catch (error) {
			return errorData(error);
		}
		const {engine, closed} = connection;
		if (this.#isClosed) {
			await engine.close().catch(() => {});
			return undefined;
		}
		// First the events, then the question: nothing that happens in between is missed.
		const subscription = engine.subscribe(event => {
			this.#onEvent(event);
		});
		try {
			const overview = await Promise.race([engine.overview(), closed.then(() => undefined)]);
			if (overview === undefined) return lostAtOnce;
			if (this.#isClosed) return undefined;
			this.#engine = engine;
			onLive();
			this.#error = undefined;
			dispatch({type: 'overview', overview, at: now()});
			// A switch that is under way, or was when the line broke, is told of at once.
			engine.switchStory().then(
				story => {
					if (engine === this.#engine) dispatch({type: 'story', story, at: now()});
				},
				() => {},
			);
			await closed;
			return undefined;
		} catch (error) {
			return errorData(error);
		} finally {
			const wasLive = this.#engine === engine;
			this.#engine = undefined;
			subscription.close();
			this.#buffer.close();
			this.#story.close();
			await engine.close().catch(() => {});
			if (wasLive && !this.#isClosed) dispatch({type: 'lost', at: now()});
		}
	}

	#onEvent(event: EngineEvent): void {
		switch (event.type) {
			case 'instances':
			case 'operation':
				this.#buffer.add(event);
				break;
			case 'overview':
				this.loadOverview();
				break;
			case 'switch':
				this.#story.add(event.story);
				break;
			case 'notice':
				this.#options.dispatch({type: 'alert', alert: event.notice});
				break;
		}
	}

	async #pause(ms: number): Promise<void> {
		await new Promise<void>(resolve => {
			const timer = setTimeout(resolve, ms);
			this.#wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		this.#wake = () => {};
	}
}

const lostAtOnce: ErrorData = {code: 'daemon.unreachable', message: 'The drover daemon hung up at once.'};

function isQuiet(model: Model, event: EngineEvent): boolean {
	if (event.type === 'operation') return isProgressOnly(model, event.operation);
	if (event.type !== 'instances') return false;
	return event.removed.length === 0 && event.changed.every(instance => isSameButProgress(model, instance));
}
