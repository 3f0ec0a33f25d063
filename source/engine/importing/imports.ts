import {writeFile} from 'node:fs/promises';
import path from 'node:path';
import type {WorkContext} from '../../drivers/driver.ts';
import {scopeOf} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {ImportPlan} from '../../model/import-plan.ts';
import type {InstanceRecord, Intent} from '../../model/instance.ts';
import {clearAttempt, transplant} from '../cloning/transplant.ts';
import {demandUsable} from '../demands.ts';
import type {ImportAnswer, ImportRequest} from '../engine.ts';
import {MacAddresses} from '../hardware/networking.ts';
import type {Entry} from '../instances.ts';
import {hostKeyName, readSeed, undo} from '../launching/launch.ts';
import type {ItemWork} from '../operations.ts';
import type {SceneParts} from '../scene-parts.ts';
import {isSame, originOf, refOf, restRefusal, type Wanted} from './judge.ts';
import {type TheirScope, theirScopes} from './places.ts';
import {planImport} from './planner.ts';
import {readData} from './read.ts';

/**
 * Brings instances of other software over, by copying: what is there is only read. As with a launch, the new record says
 * what is wanted until it is there; whatever fails before leaves nothing behind, and what a crash has cut short is begun
 * again by the next start.
 */
export class Imports {
	readonly #parts: SceneParts;
	/** Copies are made one after another: side by side they would only take each other's disk. */
	#turn: Promise<void> = Promise.resolve();

	constructor(parts: SceneParts) {
		this.#parts = parts;
	}

	/** What would be done. Touches nothing. */
	async plan(request: Omit<ImportRequest, 'by'>): Promise<ImportPlan> {
		return (await planImport(this.#parts, request)).plan;
	}

	/**
	 * Begins bringing over what can be; what cannot is in the plan that is answered.
	 * @param scopes only these parts of their data
	 */
	async begin({by, ...request}: ImportRequest, scopes?: readonly TheirScope[]): Promise<ImportAnswer> {
		const {plan, judgements} = await planImport(this.#parts, request, scopes);
		const wanted = judgements.flatMap(({line, wanted: each}) => (each === undefined ? [] : [{name: line.name, each}]));
		if (wanted.length === 0) return {plan};
		await demandUsable(this.#parts.driver);
		const entries: Entry[] = [];
		try {
			for (const {name, each} of wanted) {
				entries.push(await this.#prepare(name, each, plan.directory!, request.discardMemory ?? false, by));
			}
		} catch (error) {
			for (const entry of entries) await this.#parts.instances.remove(entry);
			throw error;
		}
		return {plan, operation: this.#begin(entries, by)};
	}

	/** Takes up the imports that an earlier daemon had begun and not ended. */
	takeUp(entries: readonly Entry[]): void {
		const cut = entries.filter(({stored}) => stored.kind === 'record' && stored.record.intent?.action === 'import');
		const [first] = cut;
		if (first === undefined) return;
		this.#begin(cut, this.#parts.instances.record(first).createdBy, true);
	}

	#begin(entries: readonly Entry[], by: string, isAgain = false) {
		const {instances, operations} = this.#parts;
		return operations.begin(
			'import',
			by,
			entries.map(entry => ({
				target: entry.name,
				run: (item: ItemWork) =>
					instances.exclusive(entry, 'import', item, async work => {
						try {
							work.progress('waiting for its turn');
							await this.#inTurn(() => this.#make(entry, work, isAgain));
						} catch (error) {
							await undo(this.#parts.shop, entry, work, error, 'import');
							throw error;
						}
					}),
			})),
		);
	}

	async #make(entry: Entry, work: WorkContext, isAgain: boolean): Promise<void> {
		work.signal.throwIfAborted();
		const {driver, instances, shop} = this.#parts;
		const place = instances.place(entry);
		if (isAgain) {
			work.log('begun again after drover was ended in the middle of it');
			await clearAttempt(driver, instances.record(entry), place, work);
		}
		work.progress('looking at the original');
		const record = instances.record(entry);
		const {disk, file} = await findAgain(record, work.signal);
		const form = (await driver.imageForm?.(record)) ?? 'disk';
		await transplant(
			{
				driver,
				record: instances.record(entry),
				place,
				disk: {file, format: disk.format},
				form,
				// What its user once told cloud-init has been done, and is not done again.
				seed: each => readSeed(shop, each, place.directory, {isContainer: form === 'rootfs'}),
			},
			work,
		);
		const {createdBy: by} = instances.record(entry);
		await work.update({phase: 'ready', intent: undefined});
		await instances.tell(entry, `imported from Multipass, where it is ${record.origin?.name ?? ''}`, by);
	}

	/** Takes the name and writes down what is wanted. Nothing is left when it throws. */
	async #prepare(name: string, wanted: Wanted, directory: string, discardMemory: boolean, by: string): Promise<Entry> {
		const {instances, shop, host, driver} = this.#parts;
		const hostKey = await shop.hostKey();
		const macs = new MacAddresses(instances, shop.random);
		const privateNic = await shop.network.place(() => macs.free());
		const now = shop.now().toISOString();
		const intent: Intent = {
			action: 'import',
			options: {
				import: {
					directory,
					ref: refOf(wanted.origin as {scope: TheirScope; name: string}),
					...(discardMemory ? {discardMemory} : {}),
				},
			},
			by,
			at: now,
		};
		const record: InstanceRecord = {
			schema: 1,
			id: shop.uuid(),
			name,
			scope: scopeOf(driver.name),
			createdAt: now,
			createdBy: by,
			phase: 'creating',
			image: {query: 'multipass', release: wanted.release, os: wanted.os, hash: ''},
			hardware: {
				arch: host.architecture === 'arm64' ? 'aarch64' : 'x86_64',
				cpus: wanted.cpus,
				memory: wanted.memory,
				disk: wanted.disk,
				mac: macs.prefer(wanted.mac),
				...(wanted.networks.length === 0
					? {}
					: {nics: wanted.networks.map(network => macs.nic({network, mode: 'auto'}))}),
				...(privateNic === undefined ? {} : {privateNic}),
			},
			ssh: {user: wanted.user, hostKey: hostKey.public},
			desired: 'stopped',
			...(wanted.mounts.length === 0 ? {} : {mounts: wanted.mounts}),
			origin: wanted.origin,
			intent,
		};
		const entry = await instances.create(record);
		try {
			const file = path.join(instances.place(entry).directory, hostKeyName);
			await writeFile(file, hostKey.private, {mode: 0o600, flag: 'wx'});
		} catch (error) {
			await instances.remove(entry);
			throw error;
		}
		return entry;
	}

	/** One after another, in the order of asking. */
	async #inTurn(run: () => Promise<void>): Promise<void> {
		const before = this.#turn;
		let release!: () => void;
		this.#turn = before.then(() => new Promise<void>(resolve => (release = resolve)));
		await before;
		try {
			await run();
		} finally {
			release();
		}
	}
}

/** Looks at the original once more: since it was planned it may have been started, or be another. */
async function findAgain(record: InstanceRecord, signal: AbortSignal) {
	const {directory, ref, discardMemory = false} = record.intent?.options.import ?? {directory: '', ref: ''};
	const scope = theirScopes.find(each => each !== '' && ref.startsWith(`${each}/`)) ?? '';
	const {instances} = await readData(directory, signal, [scope], name => refOf({scope, name}) === ref);
	const [found] = instances;
	if (found === undefined || record.origin === undefined || !isSame(originOf(found), record.origin)) {
		throw new DroverError('instance.missing', `Multipass no longer has the instance "${ref}" that was to be imported`);
	}
	const refusal = restRefusal(found, discardMemory);
	if (refusal !== undefined || 'problem' in found.disk || found.file === undefined) {
		const [reason, next] = refusal ?? ['its disk is missing'];
		throw new DroverError('instance.state', `"${ref}" is not imported: ${reason}`, {next});
	}
	return {disk: found.disk, file: found.file};
}
