/** Tells that something changed: by Hyper-V's own events where they can be had. */
export class Changes {
	readonly #listeners = new Set<(vm: string | undefined) => void>();

	/** @param vm Hyper-V's id of it; `undefined`: of any */
	tell(vm: string | undefined): void {
		for (const listener of [...this.#listeners]) listener(vm);
	}

	listen(listener: (vm: string | undefined) => void): {close(): void} {
		this.#listeners.add(listener);
		return {close: () => void this.#listeners.delete(listener)};
	}

	/** Waits for the next change, but no longer than so many milliseconds. */
	next(timeoutMs: number, signal: AbortSignal): Promise<void> {
		return new Promise(resolve => {
			const done = () => {
				clearTimeout(timer);
				listening.close();
				signal.removeEventListener('abort', done);
				resolve();
			};
			const timer = setTimeout(done, timeoutMs);
			const listening = this.listen(done);
			if (signal.aborted) done();
			else signal.addEventListener('abort', done, {once: true});
		});
	}
}
