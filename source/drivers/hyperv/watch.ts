import type {InstanceRecord} from '../../model/instance.ts';
import type {DriverEvent} from '../driver.ts';
import type {Changes} from './changes.ts';
import type {Shared} from './context.ts';
import type {Machines} from './listing.ts';
import {powerOf} from './states.ts';

/** How often it is looked without being told: where Hyper-V tells of changes, and where it does not. Milliseconds. */
const slowMs = 10_000;
const quickMs = 2000;

/**
 * Compares what all watched machines are with what they were: when Hyper-V tells of a change, and from time to time, as it
 * need not. One question serves all of them. What drover itself is just doing to a machine is not told.
 */
export class Watch {
	readonly #shared: Shared;
	readonly #changes: Changes;
	readonly #watched = new Set<{readonly record: InstanceRecord; readonly tell: (event: DriverEvent) => void}>();
	/** The states they had when it was looked last, by record; absent: not there. */
	#last: ReadonlyMap<string, string> | undefined;
	#timer: NodeJS.Timeout | undefined;
	#listening: {close(): void} | undefined;
	#isLooking = false;
	#isAsked = false;

	constructor(shared: Shared, changes: Changes) {
		this.#shared = shared;
		this.#changes = changes;
	}

	add(record: InstanceRecord, tell: (event: DriverEvent) => void): {close(): void} {
		const mine = {record, tell};
		this.#watched.add(mine);
		if (this.#watched.size === 1) {
			this.#listening = this.#changes.listen(() => void this.#look());
			// What whoever watches knows of it: a change right after that is one, too.
			if (this.#shared.listing.last) this.#last = statesOf(this.#shared.listing.last);
			void this.#look();
		}
		return {
			close: () => {
				this.#watched.delete(mine);
				if (this.#watched.size === 0) this.close();
			},
		};
	}

	close(): void {
		this.#watched.clear();
		clearTimeout(this.#timer);
		this.#listening?.close();
		this.#last = undefined;
	}

	async #look(): Promise<void> {
		if (this.#isLooking) {
			this.#isAsked = true;
			return;
		}
		this.#isLooking = true;
		clearTimeout(this.#timer);
		try {
			do {
				this.#isAsked = false;
				this.#compare(await this.#shared.listing.get());
			} while (this.#isAsked && this.#watched.size > 0);
		} catch {
			// Nobody can be told what is not known; the next look will tell.
		} finally {
			this.#isLooking = false;
			if (this.#watched.size > 0) {
				this.#timer = setTimeout(() => void this.#look(), this.#shared.scripts.isWatching ? slowMs : quickMs);
				this.#timer.unref();
			}
		}
	}

	#compare(machines: Machines): void {
		const before = this.#last;
		this.#last = statesOf(machines);
		if (before === undefined) return;
		for (const {record, tell} of this.#watched) {
			const [was, is] = [before.get(record.id), this.#last.get(record.id)];
			if (was === is || this.#shared.lanes.isBusy(record.id)) continue;
			tell({id: record.id, what: changeOf(was, is)});
		}
	}
}

function statesOf(machines: Machines): ReadonlyMap<string, string> {
	return new Map([...machines].map(([id, {state}]) => [id, state]));
}

function changeOf(was: string | undefined, is: string | undefined): string {
	if (is === undefined) return 'removed in Hyper-V';
	const power = powerOf(is).power;
	if (power === 'off') return 'the machine is off';
	if (was === undefined) return 'seen again';
	return power === 'running' ? 'the machine runs' : `Hyper-V says that it is ${is}`;
}
