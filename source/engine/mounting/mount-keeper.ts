import type {Driver, WorkContext} from '../../drivers/driver.ts';
import {isLasting} from '../../guest/mount/refusals.ts';
import type {MountSession} from '../../guest/mount/session.ts';
import {DroverError, errorData} from '../../model/errors.ts';
import type {Mount} from '../../model/mount.ts';
import type {Entry, Instances} from '../instances.ts';
import {type pauseAfter, wantedMounts, wayOf} from './mount-plan.ts';
import {Upkeep, type UpkeepParts} from './mount-upkeep.ts';

export type OpenMount = (
	entry: Entry,
	mount: Mount,
	context: Parameters<UpkeepParts['open']>[0],
) => Promise<MountSession>;

export type KeeperParts = {
	readonly instances: Instances;
	readonly open: OpenMount;
	/** Ends a mount that nobody here has made, as the guest sees it, where it could be there. @throws DroverError */
	readonly endLeft?: (entry: Entry, mount: Mount, work: WorkContext | undefined) => Promise<void>;
	readonly pause?: typeof pauseAfter;
};

/** Milliseconds that unmounting everywhere may take when drover ends. */
const closingMs = 3000;

/**
 * Keeps the mounts of the instances that run alive, as far as their driver does not do so by itself. What was lost with a
 * connection, a reboot of the guest or a daemon is made again; before an instance rests its mounts are ended.
 */
export class MountKeeper {
	readonly #parts: KeeperParts;
	/** By instance and target. */
	readonly #kept = new Map<string, Map<string, Upkeep>>();
	#isOpen = false;

	constructor(parts: KeeperParts) {
		this.#parts = parts;
		parts.instances.mountProblem = (id, target) => this.#kept.get(id)?.get(target)?.problem;
		parts.instances.onView(entry => this.#follow(entry));
		parts.instances.onEvent = (entry, what) => {
			// What it had mounted is gone with its memory, and a connection would be found dead only much later.
			if (what === 'rebooted') this.killAll(entry);
		};
	}

	/** From now on, whatever runs has its mounts. Before it, only those that somebody asks for. */
	open(): void {
		this.#isOpen = true;
		for (const entry of this.#parts.instances.all()) this.#follow(entry);
	}

	/** Whether there is something that ends with this process, or that nobody would look after without it. */
	get isBusy(): boolean {
		return this.#kept.size > 0;
	}

	/** Ends all that ends with this process, politely as far as that is quick. */
	async close(): Promise<void> {
		this.#isOpen = false;
		const all = [...this.#kept.values()].flatMap(targets => [...targets.values()]);
		this.#kept.clear();
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>(resolve => {
			timer = setTimeout(resolve, closingMs);
		});
		await Promise.race([Promise.all(all.map(upkeep => upkeep.leave())), late]);
		clearTimeout(timer);
		for (const upkeep of all) upkeep.kill();
	}

	/** Makes one mount of an instance that runs. It is kept from then on. @throws DroverError; then it is not kept */
	async make(entry: Entry, mount: Mount, work: WorkContext): Promise<void> {
		const upkeep = this.#upkeep(entry, mount);
		try {
			await upkeep.make(work.signal, work.progress);
		} catch (error) {
			await this.end(entry, mount, work).catch(() => {});
			throw error;
		}
	}

	/** Makes all mounts that an instance is to have; what fails is tried again later. @returns what went wrong */
	async makeAll(entry: Entry, work: WorkContext): Promise<readonly DroverError[]> {
		const problems: DroverError[] = [];
		for (const mount of this.#parts.instances.record(entry).mounts ?? []) {
			if (wayOf(mount, this.#driver) === 'own') continue;
			try {
				await this.#upkeep(entry, mount).make(work.signal, work.progress);
			} catch (error) {
				work.signal.throwIfAborted();
				const {code, message, next} = errorData(error);
				work.log(`${mount.target} was not mounted: ${message}`);
				problems.push(new DroverError(code, `${mount.target} was not mounted: ${message}`, {next, cause: error}));
			}
		}
		return problems;
	}

	/** Ends one mount, as the guest sees it. @throws DroverError `instance.busy` when the guest does not let go of it */
	async end(entry: Entry, mount: Mount, work?: WorkContext): Promise<void> {
		const id = entry.view.id;
		const targets = this.#kept.get(id);
		const upkeep = targets?.get(mount.target);
		targets?.delete(mount.target);
		if (targets?.size === 0) this.#kept.delete(id);
		if (await upkeep?.end()) return;
		if (wayOf(mount, this.#driver) === 'plug') await this.#parts.endLeft?.(entry, mount, work);
	}

	/**
	 * Ends all mounts of an instance before it rests; when it is to be followed again, they come back. One that the guest
	 * does not let go of is told of: whether that matters, who wants it to rest knows.
	 */
	async endAll(entry: Entry, work?: WorkContext): Promise<void> {
		const mounts = this.#parts.instances.record(entry).mounts ?? [];
		const all = mounts.filter(mount => wayOf(mount, this.#driver) !== 'own');
		if (all.length > 0) work?.progress('unmounting');
		const ends = await Promise.allSettled(all.map(mount => this.end(entry, mount, work)));
		for (const upkeep of this.#forget(entry)) upkeep.kill();
		for (const end of ends) if (end.status === 'rejected') work?.log(errorData(end.reason).message);
	}

	/** The same without the guest. */
	killAll(entry: Entry): void {
		for (const upkeep of this.#forget(entry)) upkeep.kill();
	}

	get #driver(): Driver {
		return this.#parts.instances.driver;
	}

	#forget(entry: Entry): Upkeep[] {
		const all = [...(this.#kept.get(entry.view.id)?.values() ?? [])];
		this.#kept.delete(entry.view.id);
		return all;
	}

	/** Called whenever something about an instance has changed. */
	#follow(entry: Entry): void {
		if (!this.#isOpen || entry.stored.kind !== 'record') return;
		const {id} = entry.stored.record;
		if (entry.isGone) {
			this.killAll(entry);
			return;
		}
		const wanted = wantedMounts(entry.stored.record, entry.observation, entry.work, this.#driver);
		if (wanted === 'leave') return;
		for (const [target, upkeep] of this.#kept.get(id) ?? []) {
			if (wanted.some(mount => mount.target === target)) continue;
			this.#kept.get(id)?.delete(target);
			upkeep.kill();
		}
		if (this.#kept.get(id)?.size === 0) this.#kept.delete(id);
		for (const mount of wanted) this.#upkeep(entry, mount).begin();
	}

	#upkeep(entry: Entry, mount: Mount): Upkeep {
		const {instances, open, pause} = this.#parts;
		const {id} = entry.view;
		const targets = this.#kept.get(id) ?? new Map<string, Upkeep>();
		this.#kept.set(id, targets);
		const found = targets.get(mount.target);
		if (found !== undefined) return found;
		const upkeep = new Upkeep({
			open: context => open(entry, mount, context),
			onChange: () => instances.refreshView(entry),
			tell: what => void instances.tell(entry, `mount ${mount.target} ${what}`).catch(() => {}),
			isLasting,
			...(pause === undefined ? {} : {pause}),
		});
		targets.set(mount.target, upkeep);
		return upkeep;
	}
}
