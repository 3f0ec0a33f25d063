import {setTimeout as sleep} from 'node:timers/promises';
import type {EngineLink} from './engine-link.ts';
import type {Effect, Message} from './store/model.ts';

type Options = {
	readonly link: Pick<EngineLink, 'engine'>;
	readonly dispatch: (message: Message) => void;
	readonly terminal: {readonly isLent: () => boolean};
};

/** A sample that takes longer is none; milliseconds. */
const patienceMs = 5000;
/** While the terminal is lent nobody sees samples: it is looked so often whether it is back. */
const lentMs = 1000;

/** Asks what instances use, when the model says so. At most one timer and one question; a failure is an answer too. */
export class Sampler {
	readonly #options: Options;
	#timer: NodeJS.Timeout | undefined;
	#question = new AbortController();

	constructor(options: Options) {
		this.#options = options;
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#question.abort();
	}

	later({turn, inMs}: Pick<Extract<Effect, {type: 'sample-later'}>, 'turn' | 'inMs'>): void {
		const {terminal, dispatch} = this.#options;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			if (terminal.isLent()) this.later({turn, inMs: lentMs});
			else dispatch({type: 'sample-due', turn});
		}, inMs);
	}

	ask({turn, names}: Extract<Effect, {type: 'sample'}>): void {
		const {link, dispatch} = this.#options;
		this.#question.abort();
		const question = new AbortController();
		this.#question = question;
		const answer = async () => link.engine.metrics({names});
		Promise.race([answer(), sleep(patienceMs, undefined, {signal: question.signal})]).then(
			samples => {
				if (question.signal.aborted) return;
				question.abort();
				dispatch({type: 'samples', turn, ...(samples ? {samples} : {})});
			},
			() => {
				// Not worth an alert: the values go, and it is tried again.
				if (!question.signal.aborted) dispatch({type: 'samples', turn});
			},
		);
	}
}
