import {listResult, type Machine} from './messages.ts';
import type {Scripts} from './scripts.ts';

/** All machines of drover's as they were at one moment, by their records' ids. */
export type Machines = ReadonlyMap<string, Machine>;

type Pending = {isAsked: boolean; result: Promise<Machines>; next?: Promise<Machines>};

/** How long a listing may take when somebody works with it; a row of a table waits less. Milliseconds. */
const timeoutMs = 10_000;

/**
 * Listings of all machines, shared by all who ask at the same time: fifty instances are looked at by one request. Who asks
 * while one is under way gets the next one, so that nobody is told of a time before his question.
 */
export class Listing {
	readonly #scripts: Scripts;
	readonly #owner: string;
	#current: Pending | undefined;
	/** How many listings were asked for. */
	count = 0;
	#last: Machines | undefined;
	#lastAt = 0;

	constructor(scripts: Scripts, owner: string) {
		this.#scripts = scripts;
		this.#owner = owner;
	}

	/** What was told last, however long ago. */
	get last(): Machines | undefined {
		return this.#last;
	}

	/** What was told last, if that is no longer ago than so many milliseconds. */
	recent(ageMs: number): Machines | undefined {
		return performance.now() - this.#lastAt <= ageMs ? this.#last : undefined;
	}

	/** What a piece of work made of a machine. */
	note(id: string, state: string): void {
		const found = this.#last?.get(id);
		if (found) this.#last = new Map([...this.#last!, [id, {...found, state}]]);
	}

	/** @throws HypervError */
	get(): Promise<Machines> {
		const found = this.#current;
		if (found === undefined) return this.#begin().result;
		if (!found.isAsked) return found.result;
		const again = () => this.#begin().result;
		found.next ??= found.result.then(again, again);
		return found.next;
	}

	#begin(): Pending {
		const mine: Pending = {isAsked: false, result: Promise.resolve(new Map())};
		// Those who ask in the same turn of the event loop are served together.
		mine.result = new Promise<void>(resolve => setImmediate(resolve)).then(() => {
			mine.isAsked = true;
			return this.#ask();
		});
		this.#current = mine;
		const done = () => {
			if (this.#current === mine && mine.next === undefined) this.#current = undefined;
		};
		mine.result.then(done, done);
		return mine;
	}

	async #ask(): Promise<Machines> {
		this.count++;
		const machines = await this.#scripts.look(listResult, 'list', {owner: this.#owner}, {timeoutMs});
		this.#last = new Map(machines.map(machine => [machine.machine, machine]));
		this.#lastAt = performance.now();
		return this.#last;
	}
}
