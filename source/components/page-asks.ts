import type {ErrorData} from '../model/errors.ts';
import type {EngineLink} from './engine-link.ts';
import type {Effect, Message, Model} from './store/model.ts';

type Options = {
	readonly link: EngineLink;
	readonly dispatch: (message: Message) => void;
	readonly model: () => Model;
	readonly now: () => number;
	readonly user: string;
	/** Asks, and tells the model what was answered, or what kept it from being answered. */
	readonly answer: (load: () => Promise<Message>, onError: (error: ErrorData) => Message) => void;
	readonly later: (ms: number, act: () => void) => void;
};

const consoleMs = 2000;
const consoleLines = 500;

/** What the pages about one instance, and about an import, ask for. */
export class PageAsks {
	readonly #options: Options;

	constructor(options: Options) {
		this.#options = options;
	}

	snapshots(effect: Extract<Effect, {type: 'load-snapshots'}>): void {
		this.#options.answer(
			() => this.#snapshotsOf(effect),
			error => ({type: 'snapshots', id: effect.id, part: {error}}),
		);
	}

	async #snapshotsOf({id, name}: {readonly id: string; readonly name: string}): Promise<Message> {
		const [list] = await this.#options.link.engine.snapshots({names: [name]});
		return {type: 'snapshots', id, part: list ? {list} : {}};
	}

	changeSnapshot({id, name, values}: Extract<Effect, {type: 'change-snapshot'}>): void {
		const {link, dispatch, now, user} = this.#options;
		this.#options.answer(
			async () => {
				for (const {key, value} of values) await link.engine.set({key, value, by: user});
				dispatch(await this.#snapshotsOf({id, name}));
				return {type: 'form-done', purpose: 'snapshot-edit', text: 'The snapshot is changed.'};
			},
			error => ({type: 'form-refused', purpose: 'snapshot-edit', error, at: now()}),
		);
	}

	importPlan(): void {
		const {link} = this.#options;
		this.#options.answer(
			async () => ({type: 'import-plan', plan: await link.engine.importPlan({})}),
			error => ({type: 'import-plan', error}),
		);
	}

	/** What was planned, planned anew: it may have changed since it was shown. */
	async importAll(): Promise<void> {
		const {link, dispatch, now, user} = this.#options;
		const {operation} = await link.engine.importInstances({by: user});
		if (operation) dispatch({type: 'begun', operation, at: now()});
		else dispatch({type: 'toast', text: 'There is nothing to import any more.', level: 'info'});
	}

	/** Two questions that do not wait for each other. */
	networks({id, name}: Extract<Effect, {type: 'load-networks'}>): void {
		const {link} = this.#options;
		this.#options.answer(
			async () => ({type: 'networks', id, part: {host: await link.engine.networks()}}),
			error => ({type: 'networks', id, part: {hostError: error}}),
		);
		this.#options.answer(
			async () => {
				const [detail] = await link.engine.info({names: [name], runtime: false});
				return {type: 'networks', id, part: detail ? {detail} : {}};
			},
			error => ({type: 'networks', id, part: {detailError: error}}),
		);
	}

	detail({id, name, tab}: Extract<Effect, {type: 'load-detail'}>): void {
		const {link, dispatch} = this.#options;
		const part = (load: () => Promise<Extract<Message, {type: 'detail'}>['part']>) => {
			this.#options.answer(
				async () => ({type: 'detail', id, part: await load()}),
				error => ({type: 'detail', id, part: {error}}),
			);
		};
		if (tab === 1) {
			part(async () => ({events: await link.engine.instanceEvents({name})}));
			return;
		}
		if (tab === 2) {
			part(async () => ({console: await link.engine.consoleLog({name, lines: consoleLines})}));
			// The console is followed while it is looked at; only lines that are new cost bytes.
			this.#options.later(consoleMs, () => {
				const layer = this.#options.model().layers.at(-1);
				if (layer?.kind === 'detail' && layer.id === id && layer.tab === 2)
					this.detail({type: 'load-detail', id, name, tab});
			});
			return;
		}
		part(async () => {
			// What the host knows comes at once; the guest may take seconds to answer.
			const [known] = await link.engine.info({names: [name], runtime: false});
			if (known) dispatch({type: 'detail', id, part: {detail: known}});
			const [full] = await link.engine.info({names: [name], runtime: true});
			return full ? {detail: full} : {};
		});
	}
}
