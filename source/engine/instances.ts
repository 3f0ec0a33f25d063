import {existsSync} from 'node:fs';
import type {Driver, InstancePlace, WorkContext} from '../drivers/driver.ts';
import {type ScopeName, scopeNames, scopeOf} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceRecord, InstanceView, Observation, RecordChange} from '../model/instance.ts';
import {nameProblem} from '../model/names.ts';
import {plainLine} from '../model/text.ts';
import {appendEvent} from '../state/event-log.ts';
import {type Paths, socketDirectory} from '../state/paths.ts';
import {changeRecord, type RecordStore, type StoredRecord} from '../state/records.ts';
import {noSnapshots, type StoredSnapshots} from '../state/snapshots.ts';
import {abandoned, type ItemWork} from './operations.ts';
import {brokenView, looksSame, viewOf, type WorkInHand} from './view.ts';

/** One instance in the daemon's memory. Fields change only through {@link Instances}. */
export type Entry = {
	readonly name: string;
	readonly scope: ScopeName;
	stored: StoredRecord;
	observation?: Observation;
	/** Where the driver has any; see `snapshot-shelf.ts`. */
	snapshots?: StoredSnapshots;
	view: InstanceView;
	/** Work begun or queued on it, oldest first; the first is in hand. */
	readonly work: WorkInHand[];
	/** Work that only asks its guest and is in nobody's way: see `beside`. */
	aside?: {readonly hand: WorkInHand; readonly ended: Promise<void>};
	/** Ends when all work begun so far has ended. */
	queue: Promise<void>;
	/** Ends when all changes of the record made so far are on disk, or have failed. */
	saving: Promise<unknown>;
	/** Aborts the work in hand in favour of something stronger. */
	interrupt?: (why: DroverError) => void;
	watch?: {close(): void};
	isGone?: boolean;
};

type Listener = (change: {changed: readonly InstanceView[]; removed: readonly string[]}) => void;

/** The instances of the current scope: what is stored, what is observed, what is being done. */
export class Instances {
	readonly driver: Driver;
	readonly records: RecordStore;
	readonly #paths: Paths;
	readonly #onChange: Listener;
	/** Somebody inside or outside the guest changed something drover had no hand in. */
	onSurprise: (entry: Entry, before: Observation | undefined, what: string) => void = () => {};
	/** The driver tells of something: before the instance is looked at again. */
	onEvent: (entry: Entry, what: string) => void = () => {};
	mountProblem: (id: string, target: string) => string | undefined = () => undefined;
	readonly #viewListeners = new Set<(entry: Entry) => void>();
	readonly #entries = new Map<string, Entry>();
	#changed = new Map<string, InstanceView>();
	#removed = new Set<string>();
	#flush: NodeJS.Immediate | undefined;

	constructor(options: {driver: Driver; records: RecordStore; paths: Paths; onChange: Listener}) {
		this.driver = options.driver;
		this.records = options.records;
		this.#paths = options.paths;
		this.#onChange = options.onChange;
	}

	async load(scope: ScopeName): Promise<void> {
		for (const stored of await this.records.load(scope)) {
			this.put(stored.kind === 'record' ? stored.record.name : stored.name, scope, stored);
		}
	}

	all(): Entry[] {
		return [...this.#entries.values()];
	}

	views(): InstanceView[] {
		return this.all().map(entry => entry.view);
	}

	/** @throws DroverError `instance.missing` */
	get(name: string): Entry {
		const entry = this.#entries.get(name);
		if (entry) return entry;
		const shown = plainLine(name).slice(0, 80);
		const other = this.elsewhere(name);
		throw new DroverError(
			'instance.missing',
			other === undefined
				? `instance "${shown}" does not exist`
				: `instance "${shown}" does not exist in ${this.driver.name}; one of that name is parked in ${other}`,
			{
				next:
					other === undefined
						? 'drover list shows the instances there are.'
						: `drover switch ${other} makes that scope the current one.`,
			},
		);
	}

	/** Another scope that holds something under this name. */
	elsewhere(name: string): ScopeName | undefined {
		if (nameProblem(name) !== undefined) return undefined;
		const own = scopeOf(this.driver.name);
		return scopeNames.find(scope => scope !== own && existsSync(this.records.directory(scope, name)));
	}

	has(name: string): boolean {
		return this.#entries.has(name);
	}

	/** @throws DroverError `instance.broken` */
	record(entry: Entry): InstanceRecord {
		if (entry.stored.kind === 'record') return entry.stored.record;
		throw new DroverError('instance.broken', `instance "${entry.name}" cannot be used: ${entry.stored.reason}`, {
			next: `Its files are in ${entry.stored.directory}; nothing was changed.`,
		});
	}

	place(entry: Entry): InstancePlace {
		const id = entry.stored.kind === 'record' ? entry.stored.record.id : '';
		return {directory: this.records.directory(entry.scope, entry.name), sockets: socketDirectory(this.#paths, id)};
	}

	/** Takes a name and keeps the first record. @throws DroverError `instance.exists` */
	async create(record: InstanceRecord): Promise<Entry> {
		await this.records.create(record);
		const entry = this.put(record.name, record.scope, {kind: 'record', record});
		if (this.driver.snapshots !== undefined) entry.snapshots = noSnapshots;
		this.refreshView(entry);
		return entry;
	}

	/** One after another, so that no change is lost to another that was under way; one may depend on those before it. */
	update(entry: Entry, change: RecordChange | ((record: InstanceRecord) => RecordChange)): Promise<InstanceRecord> {
		const save = async () => {
			const before = this.record(entry);
			const record = changeRecord(before, typeof change === 'function' ? change(before) : change);
			await this.records.save(record);
			entry.stored = {kind: 'record', record};
			this.refreshView(entry);
			return record;
		};
		const saved = entry.saving.then(save);
		entry.saving = saved.catch(() => {});
		return saved;
	}

	/** Removes record and files; the hypervisor's part must be gone already. */
	async remove(entry: Entry): Promise<void> {
		const record = this.record(entry);
		entry.watch?.close();
		entry.isGone = true;
		await this.records.remove(entry.scope, entry.name, record.id);
		this.drop(entry);
	}

	/** Takes an entry out of the table, and nothing else. */
	drop(entry: Entry): void {
		entry.watch?.close();
		entry.isGone = true;
		this.#entries.delete(entry.name);
		this.#changed.delete(entry.view.id);
		this.#removed.add(entry.view.id);
		this.#schedule();
	}

	/** Tells of all of them anew: they are the current ones now. */
	announce(): void {
		for (const {view} of this.#entries.values()) this.#changed.set(view.id, view);
		this.#schedule();
	}

	/** Calls whenever what an instance looks like has been looked at again. */
	onView(listener: (entry: Entry) => void): void {
		this.#viewListeners.add(listener);
	}

	/** Looks at one instance now. */
	async observe(entry: Entry, what = ''): Promise<Observation | undefined> {
		if (entry.stored.kind !== 'record' || entry.isGone) return undefined;
		const before = entry.observation;
		const observation = await this.driver.observe(entry.stored.record, this.place(entry));
		if (entry.isGone) return undefined;
		entry.observation = observation;
		this.#watch(entry);
		this.refreshView(entry);
		if (entry.work.length === 0 && before !== undefined && before.power !== observation.power) {
			this.onSurprise(entry, before, what);
		}
		return observation;
	}

	async observeAll(): Promise<void> {
		await Promise.all(this.all().map(entry => this.observe(entry)));
	}

	/**
	 * Runs a piece of work on an instance when earlier work on it has ended; shows it in the instance's view meanwhile.
	 * @param interrupt ends the work in hand first: used by what cuts the power
	 */
	async exclusive(
		entry: Entry,
		kind: string,
		item: ItemWork,
		run: (work: WorkContext) => Promise<void>,
		interrupt = false,
	): Promise<void> {
		const hand: WorkInHand = {id: item.operation, kind, stage: 'queued', isQueued: true};
		const before = entry.queue;
		let release!: () => void;
		entry.queue = before.then(() => new Promise<void>(resolve => (release = resolve)));
		entry.work.push(hand);
		if (interrupt) {
			entry.interrupt?.(new DroverError('operation.cancelled', `ended by ${kind} on the same instance`));
		} else if (entry.work.length > 1) {
			item.progress(`queued after ${entry.work[0]!.kind}`);
		}
		// The work before ends in its own way; this one only waits for it.
		await before;
		const show = (stage: string, percent?: number) => {
			const at = entry.work.findIndex(other => other.id === hand.id && other.kind === kind);
			if (at < 0) return;
			entry.work[at] = {id: hand.id, kind, stage, isQueued: false, ...(percent === undefined ? {} : {percent})};
			this.refreshView(entry);
		};
		const own = new AbortController();
		entry.interrupt = why => own.abort(why);
		const signal = AbortSignal.any([item.signal, own.signal]);
		try {
			signal.throwIfAborted();
			if (entry.isGone) throw new DroverError('instance.missing', `instance "${entry.name}" does not exist any more`);
			show(kind);
			await run({
				signal,
				progress(stage, percent) {
					item.progress(stage, percent);
					show(stage, percent);
				},
				log: item.log,
				update: change => this.update(entry, change),
			});
		} finally {
			delete entry.interrupt;
			// Looked at while the work still stands there: what it changed is no surprise.
			if (!entry.isGone && item.signal.reason !== abandoned) await this.observe(entry);
			const at = entry.work.findIndex(other => other.id === hand.id && other.kind === kind);
			if (at >= 0) entry.work.splice(at, 1);
			this.refreshView(entry);
			release();
		}
	}

	/** Waits until all work begun so far on an instance has ended, however it ended; what only asks is none. */
	async settled(entry: Entry): Promise<void> {
		await entry.queue;
	}

	/** Adds a line to an instance's history. */
	async tell(entry: Entry, what: string, by?: string): Promise<void> {
		const event = {at: new Date().toISOString(), what: plainLine(what), ...(by === undefined ? {} : {by})};
		await appendEvent(this.place(entry).directory, event);
	}

	close(): void {
		for (const entry of this.#entries.values()) entry.watch?.close();
		clearImmediate(this.#flush);
	}

	/** Puts an entry into the table, and nothing else. */
	put(name: string, scope: ScopeName, stored: StoredRecord): Entry {
		const entry: Entry = {
			name,
			scope,
			stored,
			work: [],
			queue: Promise.resolve(),
			saving: Promise.resolve(),
			view: this.#viewOf(stored),
		};
		this.#entries.set(name, entry);
		this.#changed.set(entry.view.id, entry.view);
		this.#schedule();
		return entry;
	}

	#viewOf(stored: StoredRecord, entry?: Entry): InstanceView {
		if (stored.kind === 'broken') return brokenView(stored, this.driver.name);
		const {record} = stored;
		return viewOf(record, this.driver.name, entry?.observation, entry?.work[0], {
			mountProblem: target => this.mountProblem(record.id, target),
			snapshots: entry?.snapshots,
			aside: entry?.aside?.hand,
		});
	}

	refreshView(entry: Entry): void {
		const view = this.#viewOf(entry.stored, entry);
		for (const listener of this.#viewListeners) listener(entry);
		if (looksSame(view, entry.view)) return;
		entry.view = view;
		if (entry.isGone) return;
		this.#changed.set(view.id, view);
		this.#schedule();
	}

	#watch(entry: Entry): void {
		const isAlive =
			this.driver.watchesResting === true ||
			(entry.observation !== undefined && !['off', 'suspended', 'unusable'].includes(entry.observation.power));
		if (isAlive && entry.watch === undefined && entry.stored.kind === 'record') {
			entry.watch = this.driver.watch(entry.stored.record, this.place(entry), event => {
				this.onEvent(entry, event.what);
				void this.observe(entry, event.what);
			});
		} else if (!isAlive && entry.watch !== undefined) {
			entry.watch.close();
			delete entry.watch;
		}
	}

	#schedule(): void {
		this.#flush ??= setImmediate(() => {
			this.#flush = undefined;
			const change = {changed: [...this.#changed.values()], removed: [...this.#removed]};
			this.#changed = new Map();
			this.#removed = new Set();
			this.#onChange(change);
		});
	}
}
