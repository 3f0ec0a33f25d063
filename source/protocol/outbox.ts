import type {EngineEvent, Notice} from '../engine/engine.ts';
import type {InstanceView} from '../model/instance.ts';
import type {OperationView} from '../model/operation.ts';
import type {SwitchStory} from '../model/switch-story.ts';

/** Milliseconds between two deliveries to one client, at least. */
const interval = 50;
/** What may wait for one client; beyond it the client is told to ask for everything anew. */
const waitingLimit = 2000;

type Timers = {
	readonly now: () => number;
	readonly after: (run: () => void, milliseconds: number) => {cancel(): void};
};

const realTimers: Timers = {
	now: () => performance.now(),
	after(run, milliseconds) {
		const timer = setTimeout(run, milliseconds);
		return {cancel: () => clearTimeout(timer)};
	},
};

/**
 * The events on their way to one client. The first goes out at once; what follows within {@link interval} is put
 * together, and only the latest state of an instance or operation is sent. While the client does not read, what waits
 * is bounded: then it is dropped and the client is told that everything may have changed.
 */
export class Outbox {
	readonly #send: (event: EngineEvent) => void;
	readonly #isCongested: () => boolean;
	readonly #timers: Timers;
	#changed = new Map<string, InstanceView>();
	#removed = new Set<string>();
	#operations = new Map<string, OperationView>();
	#notices: Notice[] = [];
	#story: SwitchStory | undefined;
	#reason: string | undefined;
	#lastDelivery = Number.NEGATIVE_INFINITY;
	#timer: {cancel(): void} | undefined;
	#isClosed = false;

	/** @param isCongested whether the client has not yet taken what it was sent; `resume` is called when it has */
	constructor(send: (event: EngineEvent) => void, isCongested: () => boolean, timers: Timers = realTimers) {
		this.#send = send;
		this.#isCongested = isCongested;
		this.#timers = timers;
	}

	add(event: EngineEvent) {
		if (this.#isClosed) return;
		switch (event.type) {
			case 'instances':
				for (const instance of event.changed) {
					this.#removed.delete(instance.id);
					this.#changed.set(instance.id, instance);
				}
				for (const id of event.removed) {
					this.#changed.delete(id);
					this.#removed.add(id);
				}
				break;
			case 'operation':
				this.#operations.set(event.operation.id, event.operation);
				break;
			case 'notice':
				this.#notices.push(event.notice);
				break;
			case 'switch':
				// Each is the whole story: only the latest is worth sending, and it is never dropped.
				this.#story = event.story;
				break;
			case 'overview':
				this.#reason = event.reason;
				break;
			default:
				event satisfies never;
		}
		if (this.waiting > waitingLimit) this.#drop();
		this.#schedule();
	}

	/** How many things wait. */
	get waiting(): number {
		return (
			this.#changed.size + this.#removed.size + this.#operations.size + this.#notices.length + (this.#story ? 1 : 0)
		);
	}

	/** The client has taken what it was sent. */
	resume() {
		this.#schedule();
	}

	close() {
		this.#isClosed = true;
		this.#timer?.cancel();
		this.#timer = undefined;
	}

	#drop() {
		this.#changed.clear();
		this.#removed.clear();
		this.#operations.clear();
		this.#notices = [];
		this.#reason = 'some events were dropped';
	}

	#schedule() {
		if (this.#isClosed || this.#timer !== undefined || this.#isCongested()) return;
		if (this.waiting === 0 && this.#reason === undefined) return;
		const due = this.#lastDelivery + interval - this.#timers.now();
		if (due <= 0) {
			this.#deliver();
			return;
		}
		this.#timer = this.#timers.after(() => {
			this.#timer = undefined;
			if (!this.#isCongested()) this.#deliver();
		}, due);
	}

	/** Instances before operations: who reads that an operation has ended must not hold an older state of its instance. */
	#deliver() {
		this.#lastDelivery = this.#timers.now();
		if (this.#changed.size + this.#removed.size > 0) {
			this.#send({type: 'instances', changed: [...this.#changed.values()], removed: [...this.#removed]});
		}
		for (const operation of this.#operations.values()) this.#send({type: 'operation', operation});
		if (this.#story) this.#send({type: 'switch', story: this.#story});
		for (const notice of this.#notices) this.#send({type: 'notice', notice});
		if (this.#reason !== undefined) this.#send({type: 'overview', reason: this.#reason});
		this.#changed.clear();
		this.#removed.clear();
		this.#operations.clear();
		this.#notices = [];
		this.#story = undefined;
		this.#reason = undefined;
	}
}
