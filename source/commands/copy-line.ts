import {humanSize} from '../model/sizes.ts';
import {plainLine} from '../model/text.ts';
import type {Output} from './command.ts';
import {cut} from './follow.ts';

/** Milliseconds between two lines: more often nobody can read. */
const pauseMs = 100;

/** How much has been copied, on one line of a terminal that is written anew; nothing where no terminal is. */
export class CopyLine {
	readonly #output: Output;
	readonly #what: string;
	readonly #total: number | undefined;
	readonly #now: () => number;
	#bytes = 0;
	#shownAt = Number.NEGATIVE_INFINITY;
	#isShown = false;

	/** @param total bytes, where it is known */
	constructor(output: Output, what: string, total: number | undefined, now = () => performance.now()) {
		this.#output = output;
		this.#what = plainLine(what);
		this.#total = total;
		this.#now = now;
	}

	add(count: number): void {
		this.#bytes += count;
		if (!this.#output.isTTY || this.#now() - this.#shownAt < pauseMs) return;
		this.#shownAt = this.#now();
		this.#isShown = true;
		this.#output.write(`\r${cut(this.text(), (this.#output.columns ?? 80) - 1)}\u001B[K`);
	}

	text(): string {
		const done = humanSize(this.#bytes);
		if (this.#total === undefined || this.#total === 0) return `Copying ${this.#what}: ${done}`;
		const percent = Math.min(100, Math.floor((100 * this.#bytes) / this.#total));
		return `Copying ${this.#what}: ${percent}% of ${humanSize(this.#total)}`;
	}

	clear(): void {
		if (this.#isShown) this.#output.write('\r\u001B[K');
	}
}
