import {EventEmitter} from 'node:events';
import type {ImageStore} from '../images/image.ts';
import {type DriverName, scopeOf} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import type {FindRequest} from '../model/image-info.ts';
import type {InstanceDetail, InstanceView} from '../model/instance.ts';
import {plainText} from '../model/text.ts';
import type {System} from '../platform/system.ts';
import {wasRebooted} from '../state/boot.ts';
import {readEvents} from '../state/event-log.ts';
import type {Paths} from '../state/paths.ts';
import {accessTo, sshTo} from './access.ts';
import {adopt, forget} from './broken.ts';
import {Caretaker} from './caretaker.ts';
import type {Layers} from './cloning/layers.ts';
import {examine} from './doctor.ts';
import {allDrivers, driverInfo, elsewhere} from './driver-info.ts';
import type {DriverPool} from './driver-pool.ts';
import type {
	ActRequest,
	AddNetworkRequest,
	CloneRequest,
	DeleteSnapshotsRequest,
	Engine,
	EngineEvent,
	ForwardRequest,
	ImportRequest,
	LaunchRequest,
	MountRequest,
	MoveRequest,
	Notice,
	Overview,
	ResizeRequest,
	RestoreRequest,
	SnapshotRequest,
	SwitchRequest,
	UnforwardRequest,
	UnmountRequest,
} from './engine.ts';
import {consoleText, guestDetail} from './guest-detail.ts';
import {hostFacts} from './host.ts';
import {migrateHyperkit} from './importing/hyperkit.ts';
import {findData} from './importing/read.ts';
import type {Entry, Instances} from './instances.ts';
import {listProfiles} from './launching/profiles.ts';
import {cloudTemplates} from './launching/templates.ts';
import {sampleMetrics} from './metrics.ts';
import {Moves} from './moving/moves.ts';
import type {Operations} from './operations.ts';
import type {Scene} from './scene.ts';
import {getRestore, restoreKey, setRestore} from './settings/instance-settings.ts';
import type {Host} from './settings/setting-keys.ts';
import type {Settings} from './settings/settings-desk.ts';
import {snapshotKey} from './snapshots/snapshots.ts';
import {Switcher} from './switching/switcher.ts';
import {othersInstances, takeOver} from './switching/take-over.ts';
import {inOrder} from './view.ts';

export type EngineParts = {
	readonly paths: Paths;
	readonly images: ImageStore;
	readonly layers: Layers;
	readonly operations: Operations;
	readonly settings: Settings;
	readonly host: Host;
	readonly system: System;
	readonly drivers: DriverPool;
	readonly version: string;
	/** Milliseconds between two looks at all instances; the net below the drivers' events. */
	readonly lookEveryMs: number;
	/** Sentences about the start that a person should know. */
	readonly warnings: readonly string[];
	/** Names the host's boot, where the platform tells. */
	readonly bootId: string | undefined;
	/** What is current: the driver and the instances of its scope. */
	readonly scene: Scene;
	/** A scene for a driver, not opened yet. @throws DroverError `driver.unsupported` */
	readonly makeScene: (driver: DriverName) => Promise<Scene>;
};

/** The engine itself: everything drover does, in this process. Clients of the daemon reach it through the socket. */
export class LocalEngine implements Engine {
	readonly #parts: EngineParts;
	readonly #emitter = new EventEmitter().setMaxListeners(0);
	readonly #notices: Notice[] = [];
	readonly #startedAt = Date.now();
	readonly #switcher: Switcher;
	readonly #caretaker: Caretaker;
	readonly #moves: Moves;
	#scene: Scene;
	#look: NodeJS.Timeout | undefined;
	#multipass: ReturnType<typeof findData> | undefined;
	#isClosed = false;

	constructor(parts: EngineParts) {
		this.#parts = parts;
		this.#scene = parts.scene;
		this.#caretaker = new Caretaker(parts);
		this.#scene.onTakeUp = entries => this.#takeUp(entries);
		this.#moves = new Moves({...parts, current: () => this.#scene, demandNoSwitch: () => this.#demandNoSwitch()});
		this.#switcher = new Switcher({
			...parts,
			current: () => this.#scene,
			enter: scene => this.#enter(scene),
			onStory: story => this.#emit({type: 'switch', story}),
		});
	}

	/** Looks at everything once and takes up what an earlier daemon left. Call it once, before anything else. */
	async open(): Promise<void> {
		const {settings, lookEveryMs} = this.#parts;
		await this.#scene.open();
		for (const text of [...settings.problems, ...this.#parts.warnings]) this.#notice('warning', text);
		const problem = await this.#switcher.recover();
		if (problem !== undefined) this.#notice('warning', problem);
		await this.#scene.takeUp(entry => this.#switcher.owns(entry));
		// Those of clones and purges that an earlier daemon did not bring to their end.
		await this.#parts.layers.sweep().catch(() => []);
		if (!this.#switcher.isRunning && (await wasRebooted(this.#parts.paths, this.#parts.bootId)))
			this.#scene.restoreAfterReboot();
		const look = () => {
			this.#look = setTimeout(() => {
				void this.refresh().finally(() => {
					if (!this.#isClosed) look();
				});
			}, lookEveryMs);
		};
		look();
		this.#caretaker.open();
	}

	/** Where Multipass has data: looked for once, as every client asks; anew by the doctor. */
	#theirs({again = false} = {}): ReturnType<typeof findData> {
		if (again) this.#multipass = undefined;
		this.#multipass ??= findData(this.#scene.shop.multipassPlaces);
		return this.#multipass;
	}

	/** Whether these are the instances that clients see. */
	isCurrent(instances: Instances): boolean {
		return this.#scene.instances === instances;
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	/** Whether the daemon may end: nothing is under way and nothing is due. */
	isIdle(): boolean {
		return !this.#parts.operations.isBusy && !this.#scene.isNeeded;
	}

	async overview(): Promise<Overview> {
		const {paths, operations, settings, drivers, system} = this.#parts;
		const {instances, driver} = this.#scene;
		const [info, views, host, others, search] = await Promise.all([
			driverInfo(driver.name, {current: driver.name, drivers, paths, host: this.#parts.host}),
			this.list(),
			hostFacts(paths.data, system),
			elsewhere(paths, scopeOf(driver.name)),
			this.#theirs(),
		]);
		return {
			driver: {...info, instances: instances.all().length},
			instances: views,
			operations: operations.all(),
			notices: this.#notices,
			host,
			elsewhere: others,
			...(search.directory === undefined ? {} : {multipass: search.directory}),
			settings: Object.fromEntries(settings.all().map(({key, value}) => [key, value])),
			daemon: {version: this.#parts.version, pid: process.pid, startedAt: this.#startedAt},
		};
	}

	async list(): Promise<readonly InstanceView[]> {
		return inOrder(this.#scene.instances.views(), this.#parts.settings.primaryName());
	}

	async info({names, runtime}: {names: readonly string[]; runtime: boolean}): Promise<readonly InstanceDetail[]> {
		const {instances} = this.#scene;
		const views = names.length === 0 ? await this.list() : names.map(name => instances.get(name).view);
		const shared = await this.#parts.layers.shared(scopeOf(this.#scene.driver.name));
		return Promise.all(
			views.map(({name}) => guestDetail(this.#scene.shop, instances.get(name), {runtime, linked: shared.get(name)})),
		);
	}

	async launch(request: LaunchRequest) {
		this.#demandNoSwitch();
		return this.#scene.actions.launch(request);
	}

	async act(request: ActRequest) {
		this.#demandNoSwitch();
		return this.#scene.actions.act(request);
	}

	async operations() {
		return this.#parts.operations.all();
	}

	async operation({id}: {id: string}) {
		return this.#parts.operations.get(id);
	}

	wait({id, timeoutSeconds}: {id: string; timeoutSeconds?: number}) {
		return this.#parts.operations.wait(id, timeoutSeconds);
	}

	async cancel({id, by}: {id: string; by: string}) {
		return this.#parts.operations.cancel(id, by);
	}

	async operationLog({id}: {id: string}) {
		return this.#parts.operations.log(id);
	}

	async ssh({name}: {name: string}) {
		return sshTo(this.#scene, name);
	}

	async access({name}: {name: string}) {
		return accessTo(this.#scene, name);
	}

	async mount(request: MountRequest) {
		this.#demandNoSwitch();
		return this.#scene.changes.mount(request);
	}

	async unmount(request: UnmountRequest) {
		this.#demandNoSwitch();
		return this.#scene.changes.unmount(request);
	}

	async networks() {
		return this.#scene.changes.networks();
	}

	async resize(request: ResizeRequest) {
		this.#demandNoSwitch();
		return this.#scene.changes.resize(request);
	}

	async addNetwork(request: AddNetworkRequest) {
		this.#demandNoSwitch();
		return this.#scene.changes.addNetwork(request);
	}

	async snapshot(request: SnapshotRequest) {
		this.#demandNoSwitch();
		return this.#scene.snapshots.take(request);
	}

	async restore(request: RestoreRequest) {
		this.#demandNoSwitch();
		return this.#scene.snapshots.restore(request);
	}

	async deleteSnapshots(request: DeleteSnapshotsRequest) {
		this.#demandNoSwitch();
		return this.#scene.snapshots.remove(request);
	}

	async snapshots({names}: {names: readonly string[]}) {
		return this.#scene.snapshots.list(names);
	}

	async clone(request: CloneRequest) {
		this.#demandNoSwitch();
		return this.#scene.clones.clone(request);
	}

	async forward(request: ForwardRequest) {
		this.#demandNoSwitch();
		return this.#scene.changes.forward(request);
	}

	async unforward(request: UnforwardRequest) {
		this.#demandNoSwitch();
		return this.#scene.changes.unforward(request);
	}

	async metrics({names}: {names: readonly string[]}) {
		return sampleMetrics(this.#scene.instances, names);
	}

	async members() {
		return (await this.#scene.driver.members?.()) ?? [];
	}

	async adoptables() {
		return othersInstances(this.#scene);
	}

	async importPlan(request: Omit<ImportRequest, 'by'>) {
		return this.#scene.imports.plan(request);
	}

	async importInstances(request: ImportRequest) {
		this.#demandNoSwitch();
		return this.#scene.imports.begin(request);
	}

	async movePlan(request: Pick<MoveRequest, 'name' | 'to'>) {
		this.#demandNoSwitch();
		return this.#moves.plan(request);
	}

	async move(request: MoveRequest) {
		this.#demandNoSwitch();
		return this.#moves.begin(request);
	}

	async instanceEvents({name}: {name: string}) {
		const {instances} = this.#scene;
		return readEvents(instances.place(instances.get(name)).directory);
	}

	async consoleLog({name, lines}: {name: string; lines: number}) {
		const {instances} = this.#scene;
		const entry = instances.get(name);
		const text = await consoleText(instances, entry);
		return plainText(text)
			.trimEnd()
			.split('\n')
			.slice(-Math.max(1, Math.min(lines, 2000)));
	}

	drivers() {
		return this.#allDrivers(false);
	}

	async doctor({again}: {again: boolean}) {
		const began = performance.now();
		const {paths, system} = this.#parts;
		const {network} = this.#scene.shop;
		const [drivers, host, search, networkCheck] = await Promise.all([
			this.#allDrivers(again),
			hostFacts(paths.data, system),
			this.#theirs({again: true}),
			network.check(),
		]);
		const checks = [
			...(await examine(paths, host, drivers, system, search)),
			...(networkCheck === undefined ? [] : [networkCheck]),
		];
		if (again) this.#emit({type: 'overview', reason: 'the drivers were examined again'});
		return {drivers, checks, tookMs: Math.round(performance.now() - began)};
	}

	find(request: FindRequest) {
		return this.#parts.images.find(request);
	}

	profiles() {
		return listProfiles(this.#parts.paths, this.#parts.system);
	}

	templates() {
		return cloudTemplates(this.#parts.paths);
	}

	images() {
		return this.#caretaker.list();
	}

	pruneImages({all}: {all: boolean; by: string}) {
		return this.#caretaker.prune(all);
	}

	async settings() {
		return this.#parts.settings.all();
	}

	async get({key}: {key: string}) {
		const snapshot = snapshotKey(key);
		if (snapshot !== undefined) return this.#scene.snapshots.get(snapshot);
		const name = restoreKey(key);
		return name === undefined ? this.#parts.settings.get(key) : getRestore(this.#scene.instances, name);
	}

	async set({key, value, by}: {key: string; value: string; by: string}) {
		if (key === 'local.driver') return this.#setDriver(value, by);
		const snapshot = snapshotKey(key);
		if (snapshot !== undefined) return this.#scene.snapshots.set(snapshot, value, by);
		const name = restoreKey(key);
		if (name !== undefined) return setRestore(this.#scene.instances, name, value);
		const changed = this.#parts.settings.set(key, value);
		this.#emit({type: 'overview', reason: `${key} was set`});
		return changed;
	}

	async adopt({name, from, by}: {name: string; from?: string; by: string}) {
		this.#demandNoSwitch();
		const {instances} = this.#scene;
		if (from !== undefined) return takeOver(this.#scene, name, from, by);
		await adopt(instances, instances.get(name));
		const entry = instances.get(name);
		await instances.tell(entry, 'its last good record was put back', by);
		return entry.view;
	}

	async forget({name}: {name: string; by: string}) {
		this.#demandNoSwitch();
		const {instances} = this.#scene;
		const keptIn = await forget(instances, instances.get(name));
		return keptIn === undefined ? {} : {keptIn};
	}

	async switchPlan({to}: {to: DriverName}) {
		this.#moves.demandNone();
		return this.#switcher.plan(to);
	}

	async switchDriver(request: SwitchRequest) {
		this.#moves.demandNone();
		return this.#switcher.begin(request);
	}

	async switchStory() {
		return this.#switcher.story;
	}

	async refresh() {
		await this.#scene.refresh();
	}

	subscribe(listener: (event: EngineEvent) => void) {
		this.#emitter.on('event', listener);
		return {close: () => void this.#emitter.off('event', listener)};
	}

	async close() {
		this.#isClosed = true;
		clearTimeout(this.#look);
		this.#caretaker.close();
		this.#parts.operations.abandon();
		await this.#scene.close();
		await this.#parts.drivers.close();
		this.#emitter.removeAllListeners();
	}

	/** Called by the parts: passes on what happened. */
	emit(event: EngineEvent): void {
		this.#emit(event);
	}

	#emit(event: EngineEvent): void {
		this.#emitter.emit('event', event);
	}

	async #setDriver(value: string, by: string) {
		const {settings, operations} = this.#parts;
		const to = settings.parse('local.driver', value) as DriverName;
		if (to !== this.#scene.driver.name) {
			this.#moves.demandNone();
			const {id} = await this.#switcher.begin({to, by});
			const {error} = await operations.wait(id);
			if (error) throw DroverError.from(error);
		}
		return settings.get('local.driver');
	}

	/** While a switch is under way the instances are in its hands. */
	#demandNoSwitch(): void {
		if (!this.#switcher.isRunning) return;
		const story = this.#switcher.story;
		throw new DroverError(
			'driver.switching',
			`A switch${story ? ` from ${story.from} to ${story.to}` : ''} is under way.`,
			{
				next: 'Wait until it has ended: drover switch --last shows how far it is.',
			},
		);
	}

	/** Makes a scene the current one, and tells the clients what is no longer and what is now there. */
	async #enter(scene: Scene): Promise<void> {
		const before = this.#scene;
		this.#scene = scene;
		scene.onTakeUp = entries => this.#takeUp(entries);
		await before.close();
		const kept = new Set(scene.instances.views().map(view => view.id));
		const removed = before.instances
			.views()
			.map(view => view.id)
			.filter(id => !kept.has(id));
		this.#emit({type: 'instances', changed: scene.instances.views(), removed});
		scene.instances.announce();
		this.#emit({type: 'overview', reason: `the driver is ${scene.driver.name} now`});
	}

	/** Instances of the scene that has just become the current one. */
	#takeUp(entries: readonly Entry[]): void {
		this.#moves.takeUp(entries);
		const {operations} = this.#parts;
		void migrateHyperkit(this.#scene, {operations, tell: (level, text) => this.#notice(level, text)});
	}

	async #allDrivers(again: boolean) {
		const {paths, host, drivers} = this.#parts;
		const {driver, instances} = this.#scene;
		const all = await allDrivers({current: driver.name, drivers, paths, host, again});
		return all.map(info => (info.current ? {...info, instances: instances.all().length} : info));
	}

	#notice(level: Notice['level'], text: string): void {
		const notice: Notice = {id: String(this.#notices.length + 1), at: Date.now(), level, text};
		this.#notices.push(notice);
		if (this.#notices.length > 200) this.#notices.shift();
		this.#emit({type: 'notice', notice});
	}
}
