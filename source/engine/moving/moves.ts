import type {WorkContext} from '../../drivers/driver.ts';
import {type DriverName, driverTitles} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {MovePlan} from '../../model/move-plan.ts';
import type {OperationView} from '../../model/operation.ts';
import {isUp} from '../../model/state.ts';
import {awaitAnswer} from '../answering.ts';
import {transplant} from '../cloning/transplant.ts';
import type {MoveRequest} from '../engine.ts';
import type {Entry} from '../instances.ts';
import {erase, stop} from '../lifecycle.ts';
import {abandoned, type ItemWork, type Operations} from '../operations.ts';
import type {Scene} from '../scene.ts';
import type {Host} from '../settings/setting-keys.ts';
import {prepareCopy, seedOf} from './copy-record.ts';
import {demandMove, planMove} from './planner.ts';

export type MovesParts = {
	readonly operations: Operations;
	readonly host: Host;
	readonly current: () => Scene;
	/** @throws DroverError `driver.switching` */
	readonly demandNoSwitch: () => void;
	/** A scene for a driver, not opened yet. @throws DroverError `driver.unsupported` */
	readonly makeScene: (driver: DriverName) => Promise<Scene>;
};

/** How long a copy that has answered may take to power off, in milliseconds; then its power is cut. */
const stopTimeoutMs = 60_000;

/**
 * Moves instances to other drivers, by copying. The original says in its record what is under way, and is touched no
 * further until its copy has booted and answered under the other driver; whatever fails before removes the copy. What a
 * crash has cut short is begun again by the next start, which first removes what there is of the copy.
 */
export class Moves {
	readonly #parts: MovesParts;
	#running = 0;

	constructor(parts: MovesParts) {
		this.#parts = parts;
	}

	/**
	 * A move works in two scopes: nobody else may open the other one meanwhile.
	 * @throws DroverError `instance.busy`
	 */
	demandNone(): void {
		if (this.#running === 0) return;
		throw new DroverError('instance.busy', 'An instance is being moved to another driver.', {
			next: 'Wait until that has ended: drover operations shows it.',
		});
	}

	/** Looks at both sides. Touches nothing. @throws DroverError `usage.invalid`, `driver.unsupported`, `instance.missing` */
	async plan({name, to}: Pick<MoveRequest, 'name' | 'to'>): Promise<MovePlan> {
		this.demandNone();
		const source = this.#parts.current();
		const entry = source.instances.get(name);
		demandMove(source.driver.name, to, this.#parts.host.platform);
		const target = await this.#parts.makeScene(to);
		try {
			await target.open();
			return await planMove(source, entry, target, this.#parts.host.platform);
		} finally {
			await target.close();
		}
	}

	/** @throws DroverError when it cannot be moved, or runs and may not be stopped; nothing is touched then */
	async begin(request: MoveRequest): Promise<OperationView> {
		const plan = await this.plan(request);
		const [problem] = plan.problems;
		if (problem !== undefined) throw DroverError.from(problem);
		if (plan.isRunning && !request.stop) {
			throw new DroverError('instance.state', `instance "${plan.name}" cannot be moved: only while it is stopped`, {
				next: 'Stop it first, or use --stop.',
			});
		}
		// Looking took a while.
		this.#parts.demandNoSwitch();
		this.demandNone();
		const source = this.#parts.current();
		return this.#operate(source.instances.get(request.name), request.by, {
			to: request.to,
			purge: request.purge ?? false,
			id: source.shop.uuid(),
		});
	}

	/** Takes up the moves that an earlier daemon had begun and not ended. */
	takeUp(entries: readonly Entry[]): void {
		for (const entry of entries) {
			if (entry.stored.kind !== 'record') continue;
			const {intent, phase} = entry.stored.record;
			if (intent?.action !== 'move' || intent.options.move === undefined) continue;
			const {driver: to, id, purge = false} = intent.options.move;
			// The copy's own intent leads back to where it came from: see `strays`.
			if (phase === 'creating') this.#removeStray(entry, intent.by);
			else this.#operate(entry, intent.by, {to, id, purge}, true);
		}
	}

	/** A copy that was cut short, found when its scope is entered: the original is whole, so it is of no use. */
	#removeStray(entry: Entry, by: string): void {
		const {instances, shop} = this.#parts.current();
		this.#parts.operations.begin('move', by, [
			{
				target: entry.name,
				run: item =>
					instances.exclusive(entry, 'move', item, async work => {
						work.log('removing a copy that was cut short');
						await erase(shop, entry, work);
					}),
			},
		]);
	}

	#operate(
		entry: Entry,
		by: string,
		how: {to: DriverName; id: string; purge: boolean},
		isAgain = false,
	): OperationView {
		const source = this.#parts.current();
		this.#running++;
		return this.#parts.operations.begin('move', by, [
			{
				target: entry.name,
				run: async item => {
					try {
						await source.instances.exclusive(entry, 'move', item, async work => {
							if (isAgain) work.log('begun again after drover was ended in the middle of it');
							try {
								await this.#move(source, entry, how, item, work);
							} catch (error) {
								// What has failed and was told so is not begun again by itself.
								if (work.signal.reason !== abandoned && !entry.isGone) await work.update({intent: undefined});
								throw error;
							}
						});
					} finally {
						this.#running--;
					}
				},
			},
		]);
	}

	async #move(
		source: Scene,
		entry: Entry,
		{to, id, purge}: {to: DriverName; id: string; purge: boolean},
		item: ItemWork,
		work: WorkContext,
	): Promise<void> {
		const {instances, shop} = source;
		await instances.observe(entry);
		if (isUp(entry.view.state) || entry.observation?.power === 'running') {
			await stop(shop, entry, {}, item.by, work, ` to be moved to ${to}`);
			await instances.observe(entry);
		}
		const original = instances.record(entry);
		if (entry.observation?.power !== 'off' || original.suspended !== undefined) {
			throw new DroverError('instance.state', `instance "${entry.name}" is not stopped, so it cannot be moved`);
		}
		const intent = {
			action: 'move',
			options: {move: {driver: to, id, ...(purge ? {purge} : {})}},
			by: item.by,
			at: shop.now().toISOString(),
		} as const;
		await work.update({intent});
		const target = await this.#parts.makeScene(to);
		try {
			await target.open();
			const isThere = await this.#clear(target, entry.name, id, item);
			if (!isThere) await this.#copy(source, entry, target, id, item, work);
		} finally {
			await target.close();
		}
		const title = driverTitles[to];
		await instances.tell(entry, `moved to ${to}`, item.by);
		if (purge) {
			item.note(`moved to ${title}; the original is gone. "drover switch ${to}" goes there.`);
			// From here on the copy is the instance: calling it off would leave neither.
			await erase(shop, entry, {...work, signal: new AbortController().signal});
			return;
		}
		await work.update({intent: undefined, desired: 'stopped', moved: {to, id, at: shop.now().toISOString()}});
		item.note(
			`moved to ${title}, where it is stopped; the original stays in ${driverTitles[source.driver.name]} until it is deleted. "drover switch ${to}" goes there.`,
		);
	}

	/** Removes what a move that was cut short has left. @returns whether the copy is there, complete */
	async #clear(target: Scene, name: string, id: string, item: ItemWork): Promise<boolean> {
		if (!target.instances.has(name)) return false;
		const left = target.instances.get(name);
		if (left.stored.kind !== 'record' || left.stored.record.id !== id) {
			throw new DroverError(
				'instance.exists',
				`there is an instance "${name}" in ${driverTitles[target.driver.name]} already`,
			);
		}
		if (left.stored.record.deleted !== undefined) {
			throw new DroverError(
				'instance.exists',
				`the copy of "${name}" in ${driverTitles[target.driver.name]} is in the trash there`,
				{next: 'Recover it there, or purge it and move the instance again.'},
			);
		}
		if (left.stored.record.phase === 'ready') return true;
		await target.instances.exclusive(left, 'move', item, work => erase(target.shop, left, work));
		return false;
	}

	async #copy(
		source: Scene,
		entry: Entry,
		target: Scene,
		id: string,
		item: ItemWork,
		work: WorkContext,
	): Promise<void> {
		const original = source.instances.record(entry);
		const from = source.instances.place(entry);
		const found = await source.driver.diskFile?.(original, from);
		if (typeof found !== 'object') {
			throw new DroverError(
				'driver.incapable',
				`"${entry.name}" cannot be moved: ${found ?? 'its driver does not give its disk'}.`,
			);
		}
		const copy = await prepareCopy(source, entry, target, id, item.by);
		const {instances, shop, driver} = target;
		await instances.exclusive(copy, 'move', {...item, signal: work.signal}, async making => {
			const both: WorkContext = {
				...making,
				progress(stage, percent) {
					making.progress(stage, percent);
					work.progress(stage, percent);
				},
			};
			try {
				const place = instances.place(copy);
				const form = (await driver.imageForm?.(instances.record(copy))) ?? 'disk';
				const isContainer = form === 'rootfs';
				await transplant(
					{
						driver,
						record: instances.record(copy),
						place,
						disk: found,
						form,
						seed: record => seedOf(target, original, record, place.directory, isContainer),
					},
					both,
				);
				await this.#prove(target, copy, both);
				await both.update({phase: 'ready', intent: undefined});
				await instances.tell(copy, `moved here from ${source.driver.name}`, item.by);
			} catch (error) {
				if (making.signal.reason !== abandoned) {
					// The work's own signal may be what ended it; cleaning up must not stop at it.
					const calm = {...both, signal: new AbortController().signal};
					calm.log(`removing the copy: ${error instanceof Error ? error.message : String(error)}`);
					await erase(shop, copy, calm);
				}
				throw error;
			}
		});
	}

	/** Boots the copy, waits until it answers, and puts it to rest: it is not in the scope that is current. */
	async #prove(target: Scene, copy: Entry, work: WorkContext): Promise<void> {
		const {instances, shop, driver} = target;
		const place = instances.place(copy);
		work.progress('booting the copy');
		await driver.start(instances.record(copy), place, work);
		await awaitAnswer(shop, copy, work, {did: 'booted after its move'});
		work.progress('stopping the copy');
		try {
			await driver.stop(instances.record(copy), place, {timeoutMs: stopTimeoutMs}, work);
		} catch (error) {
			work.signal.throwIfAborted();
			work.log(`its power is cut: ${error instanceof Error ? error.message : String(error)}`);
			await driver.powerOff(instances.record(copy), place, work);
		}
	}
}
