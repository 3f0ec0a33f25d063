import type {Manage} from './manage.ts';
import {type ListedMachine, type LongState, parseLong, parseMachines} from './parse.ts';
import {isOnline} from './states.ts';

/** All machines of this user's, as they were at one moment. */
export type Listing = {
	readonly machines: ReadonlyMap<string, ListedMachine>;
	/** Ids of those that a process has: they run, are paused, or come and go. */
	readonly online: ReadonlySet<string>;
	/** What is known of these beyond that they are there. */
	readonly details: ReadonlyMap<string, LongState>;
};

/** An answer within a second is what `observe` has to give. Milliseconds. */
const answerLimitMs = 800;
/** The long list takes some 30 ms a machine: it is not waited for longer than this, and comes in handy the next time. */
const detailPatienceMs = 500;
/** A process that hangs holds the long list up; it is given up then, and tried again. */
const detailLimitMs = 10_000;
/** What the long list said holds so long. Milliseconds. */
const detailAgeMs = 15_000;

/**
 * Looks at every machine with three processes at most, however many there are: `list vms`, `list runningvms` (both take
 * 20 ms whatever the number), and where something runs `list --long runningvms` beside them, which tells paused from
 * running. All who ask at the same time share one look; who asks while one is under way gets the next.
 */
export class Listings {
	#current: Pending | undefined;
	#details: {readonly at: number; readonly states: ReadonlyMap<string, LongState>} = {at: 0, states: new Map()};
	#long: Promise<void> | undefined;
	/** Whether something ran at the last look. */
	#hasOnline = false;

	get(manage: Manage): Promise<Listing> {
		const found = this.#current;
		if (found === undefined) return this.#begin(manage).result;
		if (!found.isAsked) return found.result;
		const again = () => this.#begin(manage).result;
		found.next ??= found.result.then(again, again);
		return found.next;
	}

	#begin(manage: Manage): Pending {
		const mine: Pending = {isAsked: false, result: Promise.resolve(nothing)};
		// Those who ask in the same turn of the event loop are served together.
		mine.result = new Promise<void>(resolve => setImmediate(resolve)).then(() => {
			mine.isAsked = true;
			return this.#look(manage);
		});
		this.#current = mine;
		const done = () => {
			if (this.#current === mine && mine.next === undefined) this.#current = undefined;
		};
		mine.result.then(done, done);
		return mine;
	}

	async #look(manage: Manage): Promise<Listing> {
		const list = async (what: string) =>
			parseMachines(await manage.look(['list', what], {timeoutMs: answerLimitMs, isList: true}));
		const begun = Date.now();
		// What ran a moment ago most likely does so still: then nobody waits for the one list before the other.
		let long = this.#hasOnline ? this.#askLong(manage) : undefined;
		const [machines, running] = await Promise.all([list('vms'), list('runningvms')]);
		this.#hasOnline = running.length > 0;
		const online = new Set(running.map(({id}) => id));
		if (this.#hasOnline) {
			long ??= this.#askLong(manage);
			const left = Math.min(detailPatienceMs, answerLimitMs - (Date.now() - begun));
			await Promise.race([long, pause(Math.max(0, left))]);
		}
		const fresh = Date.now() - this.#details.at <= detailAgeMs ? this.#details.states : new Map<string, LongState>();
		// It may be of a moment before the others: only of what a process has then and now it tells something.
		const details = new Map([...fresh].filter(([id, {state}]) => online.has(id) && isOnline(state)));
		return {machines: new Map(machines.map(machine => [machine.id, machine])), online, details};
	}

	/** One at a time: who asks while one is under way gets that one. */
	#askLong(manage: Manage): Promise<void> {
		this.#long ??= manage
			.look(['list', '--long', 'runningvms'], {timeoutMs: detailLimitMs, isList: true})
			.then(
				text => {
					this.#details = {at: Date.now(), states: parseLong(text)};
				},
				() => {},
			)
			.finally(() => {
				this.#long = undefined;
			});
		return this.#long;
	}
}

type Pending = {isAsked: boolean; result: Promise<Listing>; next?: Promise<Listing>};

const nothing: Listing = {machines: new Map(), online: new Set(), details: new Map()};

function pause(milliseconds: number): Promise<void> {
	return new Promise(resolve => setTimeout(resolve, milliseconds).unref());
}
