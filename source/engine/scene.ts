import type {Driver} from '../drivers/driver.ts';
import {scopeOf} from '../model/driver-name.ts';
import type {Observation} from '../model/instance.ts';
import {Actions} from './actions.ts';
import {lookForStrangers} from './broken.ts';
import {Changes} from './changes.ts';
import {Clones} from './cloning/cloning.ts';
import {DelayedStops} from './delayed-stops.ts';
import {Imports} from './importing/imports.ts';
import type {Entry, Instances} from './instances.ts';
import type {SceneParts} from './scene-parts.ts';
import type {Host} from './settings/setting-keys.ts';
import {loadSnapshots} from './snapshots/snapshot-shelf.ts';
import {Snapshots} from './snapshots/snapshots.ts';
import type {Workshop} from './workshop.ts';

/** One driver with the instances of its scope: what is current, until a switch opens another. */
export class Scene {
	readonly driver: Driver;
	readonly instances: Instances;
	readonly shop: Workshop;
	readonly host: Host;
	readonly actions: Actions;
	readonly changes: Changes;
	readonly snapshots: Snapshots;
	readonly clones: Clones;
	readonly imports: Imports;
	readonly #delayed: DelayedStops;
	/** Takes up what concerns more than this scene. */
	onTakeUp: (entries: readonly Entry[]) => void = () => {};
	#isClosed = false;

	constructor(parts: SceneParts) {
		this.driver = parts.driver;
		this.instances = parts.instances;
		this.shop = parts.shop;
		this.host = parts.host;
		this.actions = new Actions(parts, {delayChanged: entry => this.#delayed.follow(entry)});
		this.changes = new Changes(parts);
		this.snapshots = new Snapshots(parts);
		this.clones = new Clones(parts);
		this.imports = new Imports(parts);
		this.#delayed = new DelayedStops({
			now: () => parts.shop.now().getTime(),
			stop: entry => this.actions.stopNow(entry),
			warn: (entry, minutes) => void this.actions.warn(entry, minutes).catch(() => {}),
		});
		parts.instances.onSurprise = (entry, before, what) => void this.#surprised(entry, before, what).catch(() => {});
	}

	/** Reads the records and looks at every instance once; touches nothing. */
	async open(): Promise<void> {
		await this.instances.load(scopeOf(this.driver.name));
		await Promise.all(this.instances.all().map(entry => loadSnapshots(this.instances, entry)));
		await this.instances.observeAll();
		await lookForStrangers(this.instances);
	}

	/** Takes up what an earlier daemon had begun, and the stops that were put off; leaves out what `isTaken` says. */
	async takeUp(isTaken: (entry: Entry) => boolean = () => false): Promise<void> {
		const entries = this.instances.all().filter(entry => !isTaken(entry));
		for (const entry of entries) this.#delayed.follow(entry);
		this.actions.takeUp(entries);
		this.clones.takeUp(entries);
		this.imports.takeUp(entries);
		this.onTakeUp(entries);
		this.shop.mounts.open();
		this.shop.network.open();
	}

	/** After a reboot of the host: what ran runs again, as far as each instance's restore policy has it. */
	restoreAfterReboot(): void {
		const wanted = this.instances.all().filter(entry => {
			if (entry.stored.kind !== 'record' || entry.work.length > 0 || entry.aside !== undefined) return false;
			const {record} = entry.stored;
			const isResting = entry.view.state === 'Stopped' || entry.view.state === 'Suspended';
			if (!isResting || record.restore === 'never') return false;
			return record.restore === 'always' || (record.desired === 'running' && !record.suspended && !record.parked);
		});
		if (wanted.length > 0) this.actions.startAll(wanted, 'host reboot');
	}

	/** Whether something is due, or lives only as long as this process. */
	get isNeeded(): boolean {
		return !this.#delayed.isEmpty || this.shop.mounts.isBusy || this.shop.network.isBusy;
	}

	async refresh(): Promise<void> {
		await this.instances.observeAll();
		await lookForStrangers(this.instances);
		await this.actions.answerers();
	}

	/** Ends timers and watches, when the work on its instances has ended; the instances themselves go on. */
	async close(): Promise<void> {
		this.#isClosed = true;
		this.#delayed.close();
		await Promise.all(
			this.instances.all().map(entry => Promise.all([this.instances.settled(entry), entry.aside?.ended])),
		);
		await this.shop.mounts.close();
		this.shop.network.close();
		this.instances.close();
	}

	/** A guest powered itself off, or its process was killed: the record follows, and the history says so. */
	async #surprised(entry: Entry, before: Observation | undefined, what: string): Promise<void> {
		if (this.#isClosed || before?.power !== 'running' || entry.observation?.power !== 'off') return;
		await this.instances.update(entry, {desired: 'stopped', shutdownAt: undefined, unanswered: undefined});
		await this.instances.tell(entry, what === '' ? 'found powered off' : what);
		this.#delayed.follow(entry);
	}
}
