import {copyFile, mkdir, stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {WorkContext} from '../../drivers/driver.ts';
import {DroverError} from '../../model/errors.ts';
import type {ActionOptions, InstanceRecord, Intent} from '../../model/instance.ts';
import {checkName} from '../../model/names.ts';
import type {OperationView} from '../../model/operation.ts';
import {decideSnapshot} from '../../model/snapshot-transitions.ts';
import {layerFile} from '../../state/paths.ts';
import {demandFeature, demandLinking, demandUsable} from '../demands.ts';
import type {CloneRequest} from '../engine.ts';
import {MacAddresses} from '../hardware/networking.ts';
import type {Entry} from '../instances.ts';
import {cloudInitName, hostKeyName, readSeed, undo} from '../launching/launch.ts';
import type {ItemWork} from '../operations.ts';
import type {SceneParts} from '../scene-parts.ts';

/**
 * Makes instances out of others: with the same disk, and an identity of their own. As with a launch, the new record says
 * what is wanted until it is there, and whatever fails before leaves nothing behind.
 */
export class Clones {
	readonly #parts: SceneParts;

	constructor(parts: SceneParts) {
		this.#parts = parts;
	}

	/** @throws DroverError when it cannot be cloned, or not under that name; nothing exists then */
	async clone({name, as, linked = false, by}: CloneRequest): Promise<OperationView> {
		const {driver, instances} = this.#parts;
		demandFeature(driver, 'duplicate');
		if (linked) demandLinking(driver);
		const source = instances.get(name);
		this.#demand(source);
		if (linked) demandNoSnapshots(source);
		if (as !== undefined) this.#checkName(as);
		await demandUsable(driver);
		const entry = await this.#prepare(source, {as, linked, by});
		return this.#begin(entry, source.name, by);
	}

	/** Takes up the clones that an earlier daemon had begun and not ended. */
	takeUp(entries: readonly Entry[]): void {
		for (const {stored, name} of entries) {
			if (stored.kind !== 'record' || stored.record.intent?.action !== 'clone') continue;
			const {by, options} = stored.record.intent;
			this.#begin(this.#parts.instances.get(name), options.source?.name ?? '', by, true);
		}
	}

	#begin(entry: Entry, source: string, by: string, isAgain = false): OperationView {
		const {instances} = this.#parts;
		const run = (item: ItemWork) =>
			instances.exclusive(entry, 'clone', item, async work => {
				if (isAgain) item.log('taken up after drover was ended in the middle of it');
				try {
					await this.#make(entry, source, item, work);
				} catch (error) {
					await undo(this.#parts.shop, entry, work, error, 'clone');
					throw error;
				}
			});
		return this.#parts.operations.begin('clone', by, [{target: entry.name, run}]);
	}

	/** The other is held while it is read: whatever is asked of it waits. */
	async #make(entry: Entry, sourceName: string, item: ItemWork, work: WorkContext): Promise<void> {
		const {instances, shop} = this.#parts;
		const {source: wanted, layer} = instances.record(entry).intent?.options ?? {};
		const source = instances.get(sourceName);
		if (instances.record(source).id !== wanted?.id)
			throw new DroverError('instance.missing', `"${sourceName}" is another now`);
		await instances.exclusive(source, 'clone', item, async holding => {
			await instances.observe(source);
			this.#demand(source);
			const both: WorkContext = {
				...work,
				signal: AbortSignal.any([work.signal, holding.signal]),
				progress(stage, percent) {
					work.progress(stage, percent);
					holding.progress(stage, percent);
				},
			};
			const place = instances.place(entry);
			await mkdir(place.sockets, {recursive: true, mode: 0o700});
			const record = instances.record(entry);
			const isContainer = record.lxd?.type === 'container';
			const seed = await readSeed(shop, record, place.directory, {isContainer, isClone: true});
			const from = {record: instances.record(source), place: instances.place(source)};
			const {driver} = instances;
			if (layer === undefined) await driver.clone!(from, record, place, seed, both);
			else {
				// An earlier daemon began it under a driver that could.
				demandLinking(driver);
				const file = layerFile(shop.paths, record.scope, layer);
				await shop.layers.hold(() => driver.linkedClone!(from, record, place, file, seed, both));
			}
			both.signal.throwIfAborted();
		});
		const by = instances.record(entry).createdBy;
		await work.update({phase: 'ready', intent: undefined});
		const how = layer === undefined ? 'cloned' : 'cloned, linked,';
		await instances.tell(entry, `${how} from ${sourceName}`, by);
		await instances.tell(source, `${how} to ${entry.name}`, by);
	}

	/** @throws DroverError `instance.*` unless it is stopped */
	#demand(source: Entry): void {
		const {name, view} = source;
		const record = this.#parts.instances.record(source);
		if (record.phase === 'creating') {
			throw new DroverError('instance.busy', `instance "${name}" is being prepared`, {next: 'Wait until it is there.'});
		}
		const decision = decideSnapshot('clone', view.state);
		if (decision.kind !== 'refuse') return;
		throw new DroverError(
			record.deleted ? 'instance.deleted' : 'instance.state',
			`instance "${name}" cannot be cloned: ${decision.reason}`,
			{next: decision.next},
		);
	}

	/** Takes the name and writes down what is wanted. Nothing is left when it throws. */
	async #prepare(
		source: Entry,
		{as, linked, by}: {as: string | undefined; linked: boolean; by: string},
	): Promise<Entry> {
		const {instances, shop} = this.#parts;
		const of = instances.record(source);
		const hostKey = await shop.hostKey();
		const clones = (of.clones ?? 0) + 1;
		const {name, number} = as === undefined ? this.#nextName(of, clones) : {name: as, number: clones};
		this.#checkName(name);
		const {mac: _, nics, privateNic: place, ...hardware} = of.hardware;
		const macs = new MacAddresses(instances, shop.random);
		// As the one it is made from: a disk that knows nothing of the network would only wait for it.
		const privateNic = place && (await shop.network.place(() => macs.free()));
		const now = shop.now().toISOString();
		const options: ActionOptions = {
			source: {id: of.id, name: of.name},
			...(linked ? {layer: shop.uuid()} : {}),
		};
		const intent: Intent = {action: 'clone', options, by, at: now};
		const record: InstanceRecord = {
			schema: 1,
			id: shop.uuid(),
			name,
			scope: of.scope,
			createdAt: now,
			createdBy: by,
			phase: 'creating',
			image: of.image,
			hardware: {
				...hardware,
				mac: macs.free(),
				...(nics === undefined ? {} : {nics: nics.map(nic => ({...nic, mac: macs.free()}))}),
				...(privateNic === undefined ? {} : {privateNic}),
			},
			ssh: {user: of.ssh.user, hostKey: hostKey.public},
			desired: 'stopped',
			...(of.mounts === undefined ? {} : {mounts: of.mounts}),
			...(of.lxd === undefined ? {} : {lxd: of.lxd}),
			intent,
		};
		// Before it is used: a name that was made up is not made up again, whatever becomes of the clone.
		await instances.update(source, {clones: number});
		const entry = await instances.create(record);
		try {
			const {directory} = instances.place(entry);
			const cloudInit = path.join(instances.place(source).directory, cloudInitName);
			const isThere = await stat(cloudInit).catch(() => undefined);
			if (isThere) await copyFile(cloudInit, path.join(directory, cloudInitName));
			// Last: a clone without a key was cut short here, and is undone.
			await writeFile(path.join(directory, hostKeyName), hostKey.private, {mode: 0o600, flag: 'wx'});
		} catch (error) {
			await instances.remove(entry);
			throw error;
		}
		return entry;
	}

	#nextName(of: InstanceRecord, first: number): {name: string; number: number} {
		for (let number = first; ; number++) {
			const name = `${of.name}-clone${number}`;
			if (!this.#parts.instances.has(name)) return {name, number};
		}
	}

	/** @throws DroverError `instance.name-invalid`, `instance.exists` */
	#checkName(name: string): void {
		checkName(name);
		if (!this.#parts.instances.has(name)) return;
		throw new DroverError('instance.exists', `instance "${name}" already exists`, {
			next: 'Choose another name; a deleted instance keeps its name until it is purged.',
		});
	}
}

/** They are kept where nobody could restore or delete them any more; where none are known, the driver looks. */
function demandNoSnapshots({name, snapshots}: Entry): void {
	if (snapshots?.kind !== 'tree' || snapshots.tree.snapshots.length === 0) return;
	throw new DroverError(
		'instance.state',
		`instance "${name}" cannot be cloned linked: its snapshots are inside the disk that would be shared, where they could not be restored or deleted any more`,
		{next: 'Clone it in full, without --linked, or delete its snapshots first.'},
	);
}
