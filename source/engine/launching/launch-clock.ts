import type {WorkContext} from '../../drivers/driver.ts';
import {type LaunchPart, type PartTimes, percentAt} from '../../model/launch-times.ts';

/** Milliseconds between two looks at how far it is. */
const tickMs = 500;
/** A part that usually takes less is over before anyone has read how long it takes. */
const worthTellingMs = 2000;

/**
 * Measures the parts of a launch and, where earlier launches have taught what they take, tells how far it is: a percentage
 * over all parts that never goes back and never reaches a hundred.
 */
export class LaunchClock {
	readonly #now: () => number;
	#usual: PartTimes | undefined;
	#part: LaunchPart | undefined;
	#began = 0;
	readonly #took: Partial<Record<LaunchPart, number>> = {};
	#stage = '';
	#percent = 0;
	#tell: WorkContext['progress'] = () => {};
	#timer: NodeJS.Timeout | undefined;

	/** @param now milliseconds on a clock that never goes back */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** What the parts usually take; from now on it is told how far the launch is. */
	expect(usual: PartTimes | undefined): void {
		this.#usual = usual;
	}

	/** The part that was under way has ended, and another begins. */
	begin(part: LaunchPart): void {
		this.#close();
		this.#part = part;
		this.#began = this.#now();
	}

	/** What each part took in milliseconds; nothing when one of them was not seen from its beginning. */
	end(): PartTimes | undefined {
		this.#close();
		this.stop();
		const {create, boot, init} = this.#took;
		return create === undefined || boot === undefined || init === undefined ? undefined : {create, boot, init};
	}

	/** The same work, whose stages are told together with how far the launch is. Only one is told of at a time. */
	over(work: WorkContext): WorkContext {
		this.#tell = work.progress;
		this.#timer ??= setInterval(() => this.#say(), tickMs);
		return {
			...work,
			progress: stage => {
				this.#stage = stage;
				this.#say();
			},
		};
	}

	/** Nothing more is told. May be called again. */
	stop(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
		this.#tell = () => {};
	}

	#close(): void {
		if (this.#part !== undefined) this.#took[this.#part] = this.#now() - this.#began;
		this.#part = undefined;
	}

	#say(): void {
		if (this.#stage === '') return;
		const [usual, part] = [this.#usual, this.#part];
		if (usual === undefined || part === undefined) {
			this.#tell(this.#stage);
			return;
		}
		this.#percent = Math.max(this.#percent, percentAt(usual, part, this.#now() - this.#began));
		const about = usual[part] >= worthTellingMs ? ` (usually ${Math.round(usual[part] / 1000)} s)` : '';
		this.#tell(`${this.#stage}${about}`, this.#percent);
	}
}
