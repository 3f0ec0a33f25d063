import {DroverError} from '../../model/errors.ts';

type Holder = {readonly abort: AbortController; readonly end: Promise<unknown>};

/**
 * One piece of work at a time for each instance. Work on the hypervisor is made of several steps that must not mix;
 * only cutting the power may push aside what is under way.
 */
export class Lanes {
	readonly #holders = new Map<string, Holder>();

	isBusy(id: string): boolean {
		return this.#holders.has(id);
	}

	/** Waits for its turn, then works. The signal given to `work` also ends when it is pushed aside. */
	async run<T>(id: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
		for (let holder = this.#holders.get(id); holder; holder = this.#holders.get(id)) {
			await Promise.race([holder.end, aborted(signal)]);
			if (signal.aborted) throw cancelled();
		}
		const abort = new AbortController();
		const running = work(AbortSignal.any([signal, abort.signal]));
		const end = running.then(
			() => {},
			() => {},
		);
		const mine = {abort, end};
		this.#holders.set(id, mine);
		try {
			return await running;
		} finally {
			if (this.#holders.get(id) === mine) this.#holders.delete(id);
		}
	}

	/** Ends what is under way, waits for it to have ended, then works. */
	async takeOver<T>(id: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
		this.#holders.get(id)?.abort.abort();
		return this.run(id, signal, work);
	}
}

function aborted(signal: AbortSignal): Promise<void> {
	return new Promise(resolve => {
		if (signal.aborted) resolve();
		else signal.addEventListener('abort', () => resolve(), {once: true});
	});
}

export function cancelled(what = 'The work was cancelled.'): DroverError {
	return new DroverError('operation.cancelled', what);
}

/** @throws DroverError `operation.cancelled` */
export function checkCancelled(signal: AbortSignal): void {
	if (signal.aborted) throw cancelled();
}
