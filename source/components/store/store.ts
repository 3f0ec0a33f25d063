/** What one message makes of a model, and what is to be done in the world because of it. */
export type Step<Model, Effect> = {readonly model: Model; readonly effects: readonly Effect[]};

/**
 * A small store outside React: a pure function decides, the world is touched by `run` alone. Listeners are called only
 * when the model has changed.
 */
export class Store<Model, Message, Effect> {
	#model: Model;
	readonly #update: (model: Model, message: Message) => Step<Model, Effect>;
	readonly #run: (effect: Effect) => void;
	readonly #listeners = new Set<() => void>();

	constructor(
		model: Model,
		update: (model: Model, message: Message) => Step<Model, Effect>,
		run: (effect: Effect) => void,
	) {
		this.#model = model;
		this.#update = update;
		this.#run = run;
	}

	readonly get = (): Model => this.#model;

	readonly subscribe = (listener: () => void): (() => void) => {
		this.#listeners.add(listener);
		return () => {
			this.#listeners.delete(listener);
		};
	};

	readonly dispatch = (message: Message): void => {
		const {model, effects} = this.#update(this.#model, message);
		const hasChanged = model !== this.#model;
		this.#model = model;
		if (hasChanged) for (const listener of this.#listeners) listener();
		for (const effect of effects) this.#run(effect);
	};
}
