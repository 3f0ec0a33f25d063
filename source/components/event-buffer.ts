import type {EngineEvent} from '../engine/engine.ts';
import type {InstanceView} from '../model/instance.ts';
import type {OperationView} from '../model/operation.ts';

export type Batch = {
	readonly changed: readonly InstanceView[];
	readonly removed: readonly string[];
	readonly operations: readonly OperationView[];
};

/** Least time between two batches, milliseconds: for what matters, and for mere progress. */
const urgentMs = 100;
const quietMs = 500;

/** Puts events together, so that a thousand of them a second cost ten frames and progress costs two. */
export class EventBuffer {
	readonly #deliver: (batch: Batch) => void;
	readonly #isQuiet: (event: EngineEvent) => boolean;
	#changed = new Map<string, InstanceView>();
	#removed = new Set<string>();
	#operations = new Map<string, OperationView>();
	#timer: NodeJS.Timeout | undefined;
	#dueAt = Number.POSITIVE_INFINITY;
	#lastAt = Number.NEGATIVE_INFINITY;

	constructor(deliver: (batch: Batch) => void, isQuiet: (event: EngineEvent) => boolean) {
		this.#deliver = deliver;
		this.#isQuiet = isQuiet;
	}

	add(event: Extract<EngineEvent, {type: 'instances' | 'operation'}>): void {
		const wait = this.#isQuiet(event) ? quietMs : urgentMs;
		if (event.type === 'operation') this.#operations.set(event.operation.id, event.operation);
		else {
			for (const instance of event.changed) {
				this.#changed.set(instance.id, instance);
			}
			for (const id of event.removed) {
				this.#changed.delete(id);
				this.#removed.add(id);
			}
		}
		this.#schedule(Math.max(performance.now(), this.#lastAt + wait));
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#dueAt = Number.POSITIVE_INFINITY;
		this.#changed.clear();
		this.#removed.clear();
		this.#operations.clear();
	}

	#schedule(at: number): void {
		if (at >= this.#dueAt) return;
		clearTimeout(this.#timer);
		this.#dueAt = at;
		this.#timer = setTimeout(
			() => {
				this.#flush();
			},
			Math.max(0, at - performance.now()),
		);
	}

	#flush(): void {
		const batch: Batch = {
			changed: [...this.#changed.values()],
			removed: [...this.#removed],
			operations: [...this.#operations.values()],
		};
		this.close();
		this.#lastAt = performance.now();
		this.#deliver(batch);
	}
}
