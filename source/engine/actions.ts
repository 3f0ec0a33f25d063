import {availableParallelism} from 'node:os';
import {sshArguments} from '../guest/ssh-command.ts';
import {sshAccessOf} from '../guest/ssh-config.ts';
import type {ResolvedImage} from '../images/image.ts';
import {DroverError, type ErrorCode} from '../model/errors.ts';
import type {ActionOptions, Intent} from '../model/instance.ts';
import type {OperationView} from '../model/operation.ts';
import {type Decision, decide} from '../model/transitions.ts';
import {answersNow} from './answering.ts';
import {warnGuest} from './delayed-stops.ts';
import {demandCapability, demandFeature, demandUsable} from './demands.ts';
import type {ActRequest, EngineAction, LaunchRequest} from './engine.ts';
import {demandMember, demandNetworks, networkSpecs} from './hardware/networking.ts';
import {resize} from './hardware/resizing.ts';
import type {Entry} from './instances.ts';
import {checkRequest, launch, prepareLaunch} from './launching/launch.ts';
import {LaunchClock} from './launching/launch-clock.ts';
import {settleIn} from './launching/settling.ts';
import {cloudInitFor, wishesOf} from './launching/wishes.ts';
import {delayStop, purge, recover, remove, restart, start, stop, suspend} from './lifecycle.ts';
import {wayOf} from './mounting/mount-plan.ts';
import {demandMounts, plannedMounts, usualMountType} from './mounting/mounting.ts';
import type {ItemPlan, ItemWork} from './operations.ts';
import type {SceneParts} from './scene-parts.ts';
import {deleteSnapshots, restoreSnapshot, takeSnapshot} from './snapshots/snapshot-steps.ts';

const steps = {
	start,
	stop,
	restart,
	suspend,
	delete: remove,
	recover,
	purge,
	resize,
	snapshot: takeSnapshot,
	restore: restoreSnapshot,
	'delete-snapshots': deleteSnapshots,
} as const;

/** Turns requests into operations: all is checked before anything is touched. */
export class Actions {
	readonly #parts: SceneParts;
	readonly #delayChanged: (entry: Entry) => void;
	/** Guests that boot at once; more would only make each slower. */
	readonly #boots = new Slots(Math.max(4, 2 * availableParallelism()));

	constructor(parts: SceneParts, {delayChanged}: {delayChanged: (entry: Entry) => void}) {
		this.#parts = parts;
		this.#delayChanged = delayChanged;
	}

	/** @throws DroverError what is wrong with the request; nothing exists then */
	async launch(asked: LaunchRequest): Promise<OperationView> {
		const {shop, driver, host} = this.#parts;
		const {paths, setting} = shop;
		const request = await wishesOf({paths, setting, mountType: usualMountType(driver, host.platform)}, asked);
		checkRequest(request);
		if (request.bridged || (request.networks ?? []).length > 0) {
			// Before a network is asked for that this driver would have no use for.
			demandCapability(driver, host.platform, 'extraNetworks');
			demandFeature(driver, 'networks');
		}
		const networks = networkSpecs(request, setting('local.bridged-network'));
		demandMounts(driver, host.platform, setting, request.mounts ?? []);
		await demandUsable(driver);
		for (const mount of request.mounts ?? []) if (wayOf(mount, driver) === 'plug') await driver.checkPlug?.(mount);
		await demandNetworks(
			driver,
			networks.map(spec => spec.network),
		);
		if (request.target !== undefined) await demandMember(driver, request.target);
		const image = await shop.images.resolve(request.image);
		const mounts = await plannedMounts(request.mounts ?? [], image.user);
		const whole = {...request, ...(await cloudInitFor(paths, request, image.user))};
		const entry = await prepareLaunch(shop, whole, image, {networks, mounts});
		return this.#begin('launch', request.by, [entry], (item, each) => this.#bringUp(item, each, async () => image));
	}

	/** A guest that answers makes room for the next one's boot; the rest of its launch is its own matter. */
	async #bringUp(item: ItemWork, entry: Entry, resolve: () => Promise<ResolvedImage>): Promise<void> {
		const {shop, instances} = this.#parts;
		const clock = new LaunchClock();
		await this.#boots.use(() =>
			instances.exclusive(entry, 'launch', item, work => launch(shop, entry, resolve, clock, work)),
		);
		await settleIn(shop, entry, item, clock);
	}

	/** @throws DroverError when a name or a state does not allow it, for all names together; nothing is touched then */
	async act(request: ActRequest): Promise<OperationView> {
		const {action, by, options = {}} = request;
		const entries = this.#select(request);
		const {driver, host} = this.#parts;
		if (action === 'suspend') demandCapability(driver, host.platform, 'suspend');
		const decisions = new Map(entries.map(entry => [entry, decide(action, entry.view.state, options, entry.view)]));
		refuseTogether(action, decisions);
		if (action === 'start' || action === 'restart') await demandUsable(driver);
		return this.#begin(action, by, entries, async (item, entry) => {
			const decision = decisions.get(entry)!;
			if (decision.kind === 'nothing') return item.note(decision.note);
			if (decision.kind === 'join') {
				item.progress(`waiting for ${entry.work[0]?.kind ?? 'earlier work'}`);
				await this.#parts.instances.settled(entry);
				return item.note('was already under way');
			}
			await this.#perform(action, entry, options, item);
		});
	}

	/** Starts instances that nobody asks for just now. */
	startAll(entries: readonly Entry[], by: string): OperationView {
		return this.#begin('start', by, entries, (item, entry) => this.#perform('start', entry, {}, item));
	}

	/** Stops an instance whose delayed stop is due. */
	stopNow(entry: Entry): void {
		this.#begin('stop', 'delayed stop', [entry], (item, each) => this.#perform('stop', each, {}, item));
	}

	/** Tells the users of a guest that it will be stopped. */
	async warn(entry: Entry, minutes: number): Promise<void> {
		const {shop, instances} = this.#parts;
		if (entry.view.ssh === undefined) return;
		const record = instances.record(entry);
		const access = await sshAccessOf(shop.paths, record, entry.view.ssh);
		const text = `The system will be stopped in ${minutes} minute${minutes === 1 ? '' : 's'}.`;
		warnGuest(sshArguments(access, {command: ['sudo', 'wall', text], tty: false}));
	}

	/** Takes up what an earlier daemon had begun and not ended. */
	takeUp(entries: readonly Entry[]): void {
		for (const entry of entries) {
			if (entry.stored.kind !== 'record') continue;
			const {intent, phase, createdBy, createdAt} = entry.stored.record;
			// Others see to these: `cloning.ts`, `importing/imports.ts`, `moving/moves.ts`.
			if (intent !== undefined && isOthers(intent.action)) continue;
			if (intent !== undefined) this.#resume(entry, intent);
			else if (phase === 'creating') this.#resume(entry, {action: 'launch', options: {}, by: createdBy, at: createdAt});
		}
	}

	/** Tries the guests that had not answered in time: one that answers now is Running. */
	async answerers(): Promise<void> {
		const {instances, shop} = this.#parts;
		const silent = instances
			.all()
			.filter(entry => entry.stored.kind === 'record' && entry.stored.record.unanswered && entry.work.length === 0);
		await Promise.all(
			silent.map(async entry => {
				if (!(await answersNow(shop, entry)) || entry.work.length > 0) return;
				await instances.update(entry, {unanswered: undefined});
				await instances.tell(entry, 'the guest answers now');
			}),
		);
	}

	#resume(entry: Entry, {action, options, by}: Intent): void {
		const {shop, instances} = this.#parts;
		if (isOthers(action)) return;
		if (action === 'launch') {
			this.#begin('launch', by, [entry], async (item, each) => {
				item.log('taken up after drover was ended in the middle of it');
				await this.#bringUp(item, each, () => shop.images.resolve(instances.record(each).image.query));
			});
			return;
		}
		// A reboot may have begun or not; a guest that is up and answers is what was wanted, and one that is off is started.
		const next = action === 'restart' ? 'start' : action;
		this.#begin(next, by, [entry], async (item, each) => {
			item.log('taken up after drover was ended in the middle of it');
			await this.#perform(next, each, options, item);
		});
	}

	async #perform(action: keyof typeof steps, entry: Entry, options: ActionOptions, item: ItemWork): Promise<void> {
		const {shop, instances} = this.#parts;
		const isDelay = action === 'stop' && (options.cancelDelayed === true || (options.delayMinutes ?? 0) > 0);
		const step = isDelay ? delayStop : steps[action];
		const interrupts = options.force === true || options.purge === true || action === 'purge';
		const run = () =>
			instances.exclusive(
				entry,
				isDelay ? 'delay' : action,
				item,
				work => step(shop, entry, options, item.by, work),
				interrupts,
			);
		try {
			await (action === 'start' ? this.#boots.use(run) : run()).catch((error: unknown) => {
				// What was in the way of purging it, its launch for one, has left nothing of it: that is what was wanted.
				if (!entry.isGone || (action !== 'purge' && options.purge !== true)) throw error;
				item.note('nothing is left of it: what was under way with it was undone');
			});
			// The user has taken it out of the switch's hands.
			if (!entry.isGone && entry.stored.kind === 'record' && entry.stored.record.parked) {
				await instances.update(entry, {parked: undefined});
			}
		} finally {
			this.#delayChanged(entry);
		}
		if (isDelay && options.delayMinutes) void this.warn(entry, options.delayMinutes).catch(() => {});
	}

	#begin(
		kind: OperationView['kind'],
		by: string,
		entries: readonly Entry[],
		run: (item: ItemWork, entry: Entry) => Promise<void>,
	): OperationView {
		const plans: ItemPlan[] = entries.map(entry => ({target: entry.name, run: item => run(item, entry)}));
		return this.#parts.operations.begin(kind, by, plans);
	}

	#select({action, names}: ActRequest): Entry[] {
		const {instances} = this.#parts;
		if (action === 'purge' && names.length === 0) {
			return instances.all().filter(entry => entry.view.state === 'Deleted');
		}
		const unique = [...new Set(names)];
		const missing = unique.filter(name => !instances.has(name));
		if (missing.length === 1) instances.get(missing[0]!);
		if (missing.length > 1) {
			throw new DroverError('instance.missing', `these instances do not exist: ${missing.join(', ')}`, {
				next: 'drover list shows the instances there are.',
			});
		}
		return unique.map(name => instances.get(name));
	}
}

type Others = 'clone' | 'import' | 'move';

function isOthers(action: Intent['action']): action is Others {
	return action === 'clone' || action === 'import' || action === 'move';
}

const refusalCodes: Readonly<Record<string, ErrorCode>> = {Deleted: 'instance.deleted', Broken: 'instance.broken'};

function refuseTogether(action: EngineAction, decisions: ReadonlyMap<Entry, Decision>): void {
	const refusals = [...decisions].flatMap(([entry, decision]) =>
		decision.kind === 'refuse' ? [{entry, decision}] : [],
	);
	const [first] = refusals;
	if (first === undefined) return;
	const code = refusalCodes[first.entry.view.state] ?? 'instance.state';
	const sentences = refusals.map(({entry, decision}) => `instance "${entry.name}": ${decision.reason}`);
	const others =
		decisions.size > refusals.length ? `; nothing was done to the ${decisions.size - refusals.length} others` : '';
	throw new DroverError(code, `cannot ${action}: ${sentences.join('; ')}${others}`, {next: first.decision.next});
}

/** At most so many at once; the rest wait in order. */
class Slots {
	#free: number;
	readonly #waiting: Array<() => void> = [];

	constructor(count: number) {
		this.#free = count;
	}

	async use<Result>(run: () => Promise<Result>): Promise<Result> {
		if (this.#free > 0) this.#free--;
		else await new Promise<void>(resolve => this.#waiting.push(resolve));
		try {
			return await run();
		} finally {
			const next = this.#waiting.shift();
			if (next) next();
			else this.#free++;
		}
	}
}
