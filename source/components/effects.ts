import {type ErrorData, errorData} from '../model/errors.ts';
import type {Mount} from '../model/mount.ts';
import {plainLine} from '../model/text.ts';
import type {EngineLink} from './engine-link.ts';
import {atHome} from './home-path.ts';
import {cloudInitAt, LaunchAsks, type LaunchMemory} from './launch-asks.ts';
import {PageAsks} from './page-asks.ts';
import {Sampler} from './sampler.ts';
import {namesShort} from './store/instance-actions.ts';
import type {Effect, Message, Model} from './store/model.ts';
import {switchWords} from './store/switching.ts';

type Options = {
	readonly link: EngineLink;
	readonly dispatch: (message: Message) => void;
	readonly model: () => Model;
	readonly now: () => number;
	readonly user: string;
	readonly memory?: LaunchMemory | undefined;
	readonly terminal: {
		readonly copy: (text: string) => void;
		readonly redraw: () => void;
		readonly stop: () => void;
		readonly shell: (name: string) => void;
		readonly quit: () => void;
		/** Whether somebody else has the terminal now. */
		readonly isLent: () => boolean;
	};
};

const toastMs = 6000;

/** Does what the model asks for. Every failure comes back as a message; nothing is thrown. */
export class Effects {
	readonly #options: Options;
	readonly #timers = new Set<NodeJS.Timeout>();
	readonly #sampler: Sampler;
	readonly #launch: LaunchAsks;
	readonly #pages: PageAsks;

	constructor(options: Options) {
		this.#options = options;
		this.#sampler = new Sampler(options);
		this.#launch = new LaunchAsks(options);
		this.#pages = new PageAsks({
			...options,
			answer: (load, onError) => {
				this.#answer(load, onError);
			},
			later: (ms, act) => {
				this.#later(ms, act);
			},
		});
	}

	close(): void {
		this.#sampler.close();
		this.#launch.close();
		for (const timer of this.#timers) clearTimeout(timer);
		this.#timers.clear();
	}

	readonly run = (effect: Effect): void => {
		const {link, terminal, dispatch, now, user} = this.#options;
		switch (effect.type) {
			case 'act': {
				const {action, names} = effect.request;
				this.#ask(`${action} ${namesShort(names)}`, async () => {
					const operation = await link.engine.act({...effect.request, by: user});
					dispatch({type: 'begun', operation, at: now()});
				});
				break;
			}
			case 'launch':
			case 'mount':
			case 'resize':
			case 'snapshot':
			case 'clone':
				this.#send(effect);
				break;
			case 'unmount':
				this.#ask(`umount ${effect.request.name}`, async () => {
					dispatch({type: 'begun', operation: await link.engine.unmount({...effect.request, by: user}), at: now()});
				});
				break;
			case 'add-network':
				this.#ask(`networks of ${effect.request.name}`, async () => {
					dispatch({type: 'begun', operation: await link.engine.addNetwork({...effect.request, by: user}), at: now()});
				});
				break;
			case 'restore': {
				const {name, snapshot} = effect.request;
				this.#ask(`restore ${name}.${snapshot}`, async () => {
					dispatch({type: 'begun', operation: await link.engine.restore({...effect.request, by: user}), at: now()});
				});
				break;
			}
			case 'delete-snapshot':
				this.#ask(`snapshots of ${effect.request.name}`, async () => {
					const operation = await link.engine.deleteSnapshots({...effect.request, by: user});
					dispatch({type: 'begun', operation, at: now()});
				});
				break;
			case 'change-snapshot':
				this.#pages.changeSnapshot(effect);
				break;
			case 'import':
				this.#ask('import', () => this.#pages.importAll());
				break;
			case 'cancel':
				this.#ask('cancel', async () => {
					await link.engine.cancel({id: effect.id, by: user});
				});
				break;
			case 'switch':
				this.#ask(switchWords(effect.to), async () => {
					const operation = await link.engine.switchDriver({to: effect.to, force: effect.force, by: user});
					dispatch({type: 'begun', operation, at: now()});
				});
				break;
			case 'refresh':
				this.#ask('refresh', async () => {
					await link.engine.refresh();
					link.loadOverview();
				});
				break;
			case 'reconnect':
				link.reconnect();
				break;
			case 'load-overview':
				link.loadOverview();
				break;
			case 'shell':
				terminal.shell(effect.name);
				break;
			case 'copy':
				terminal.copy(effect.text);
				break;
			case 'redraw':
				terminal.redraw();
				break;
			case 'stop':
				terminal.stop();
				break;
			case 'quit':
				terminal.quit();
				break;
			case 'settle-later':
				this.#later(5000, () => {
					dispatch({type: 'settle', at: now()});
				});
				break;
			case 'sample':
				this.#sampler.ask(effect);
				break;
			case 'sample-later':
				this.#sampler.later(effect);
				break;
			case 'toast-timer':
				this.#later(toastMs, () => {
					dispatch({type: 'toast-over', number: effect.number});
				});
				break;
			default:
				this.#load(effect);
		}
	};

	/** Questions whose answers belong to one screen: an error is shown there. */
	#load(effect: Effect): void {
		const {link, dispatch} = this.#options;
		switch (effect.type) {
			case 'load-detail':
				this.#pages.detail(effect);
				break;
			case 'load-plan':
				this.#answer(
					async () => ({type: 'switch-plan', to: effect.to, plan: await link.engine.switchPlan({to: effect.to})}),
					error => ({type: 'switch-plan', to: effect.to, error}),
				);
				break;
			case 'load-import':
				this.#pages.importPlan();
				break;
			case 'load-log':
				this.#ask('log', async () => {
					dispatch({type: 'log', id: effect.id, log: await link.engine.operationLog({id: effect.id})});
				});
				break;
			case 'load-images':
				this.#answer(
					async () => ({type: 'form-data', part: {images: (await link.engine.find({query: ''})).images}}),
					error => ({type: 'form-data', part: {imagesError: error}}),
				);
				break;
			case 'load-launch-choices':
				this.#launch.loadChoices();
				break;
			case 'search-images':
				this.#launch.search(effect);
				break;
			case 'check-cloud-init':
				this.#launch.check(effect);
				break;
			case 'load-host-networks':
				this.#answer(
					async () => ({type: 'form-data', part: {networks: await link.engine.networks()}}),
					error => ({type: 'form-data', part: {networksError: error}}),
				);
				break;
			case 'load-members':
				this.#answer(
					async () => ({type: 'form-data', part: {members: await link.engine.members()}}),
					// Without an answer there is no choice, and the server places it.
					() => ({type: 'form-data', part: {}}),
				);
				break;
			case 'load-snapshots':
				this.#pages.snapshots(effect);
				break;
			case 'load-networks':
				this.#pages.networks(effect);
				break;
			case 'load-drivers':
				this.#answer(
					async () => ({type: 'drivers', list: await link.engine.drivers()}),
					error => ({type: 'drivers', error}),
				);
				break;
			case 'load-doctor':
				this.#answer(
					async () => ({type: 'doctor', report: await link.engine.doctor({again: effect.again})}),
					error => ({type: 'doctor', error}),
				);
				break;
		}
	}

	/** What a form asks for: a refusal comes back to the form. */
	#send(effect: Extract<Effect, {type: 'launch' | 'mount' | 'resize' | 'snapshot' | 'clone'}>): void {
		const {link, now, user} = this.#options;
		const begin = async () => {
			const {engine} = link;
			switch (effect.type) {
				case 'launch': {
					const {request, cloudInit, keep} = effect;
					const text = cloudInit === undefined ? {} : {cloudInit: await cloudInitAt(cloudInit)};
					const begun = await engine.launch({...request, ...text, ...launchMounts(request.mounts), by: user});
					this.#launch.keep(keep);
					return begun;
				}
				case 'mount':
					return engine.mount({...effect.request, mount: atHome(effect.request.mount), by: user});
				case 'resize':
					return engine.resize({...effect.request, by: user});
				case 'snapshot':
					return engine.snapshot({...effect.request, by: user});
				case 'clone':
					return engine.clone({...effect.request, by: user});
			}
		};
		const purpose = effect.type === 'resize' ? 'edit' : effect.type;
		this.#answer(
			async () => ({type: 'begun', operation: await begin(), at: now()}),
			error => ({type: 'form-refused', purpose, error, at: now()}),
		);
	}

	#answer(load: () => Promise<Message>, onError: (error: ErrorData) => Message): void {
		const {dispatch} = this.#options;
		// Deferred: an effect must not change the model before the change that caused it is seen.
		Promise.resolve()
			.then(load)
			.catch((error: unknown) => onError(errorData(error)))
			.then(dispatch, () => {});
	}

	#ask(what: string, act: () => Promise<void>): void {
		const {dispatch, now} = this.#options;
		Promise.resolve()
			.then(act)
			.catch((error: unknown) => {
				dispatch({type: 'failed', what: plainLine(what), error: errorData(error), at: now()});
			});
	}

	#later(ms: number, act: () => void): void {
		const timer = setTimeout(() => {
			this.#timers.delete(timer);
			act();
		}, ms);
		this.#timers.add(timer);
	}
}

function launchMounts(mounts: readonly Mount[] | undefined) {
	return mounts ? {mounts: mounts.map(atHome)} : {};
}
