import {capabilities} from '../../source/drivers/capabilities.ts';
import type {Adoptable} from '../../source/drivers/driver.ts';
import {driverFeatures} from '../../source/drivers/features.ts';
import type {DriverInfo, Engine, EngineEvent, Overview} from '../../source/engine/engine.ts';
import {snapshotKey} from '../../source/engine/snapshots/snapshots.ts';
import type {DriverName} from '../../source/model/driver-name.ts';
import {scopeOf} from '../../source/model/driver-name.ts';
import {DroverError} from '../../source/model/errors.ts';
import {isSameKey} from '../../source/model/forward.ts';
import type {GuestAccess} from '../../source/model/guest-access.ts';
import type {
	FindRequest,
	FoundImages,
	ImageInfo,
	ImageReport,
	PruneReport,
	StoredImage,
} from '../../source/model/image-info.ts';
import type {ImportPlan} from '../../source/model/import-plan.ts';
import type {InstanceDetail, InstanceView} from '../../source/model/instance.ts';
import type {Metrics} from '../../source/model/metrics.ts';
import type {MovePlan} from '../../source/model/move-plan.ts';
import type {HostNetwork} from '../../source/model/network.ts';
import {isEnded, type LogLine, type OperationKind, type OperationView} from '../../source/model/operation.ts';
import type {CloudTemplate, Profile, Profiles} from '../../source/model/profile.ts';
import {gibibyte} from '../../source/model/sizes.ts';
import type {InstanceSnapshots} from '../../source/model/snapshot.ts';
import type {InstanceState} from '../../source/model/state.ts';
import {planSwitch, type SwitchPlan} from '../../source/model/switch.ts';
import type {SwitchStory} from '../../source/model/switch-story.ts';

/** An instance as clients see it, with sensible values for what a test does not care about. */
export function fakeInstance(
	name: string,
	state: InstanceState = 'Running',
	more: Partial<InstanceView> = {},
): InstanceView {
	return {
		id: `id-${name}`,
		name,
		scope: 'qemu',
		driver: 'qemu',
		state,
		image: {query: 'micro', release: 'Micro 1', os: 'drover', hash: `sha256:${'ab'.repeat(32)}`},
		cpus: 1,
		memory: gibibyte,
		disk: 5 * gibibyte,
		ipv4: [],
		...(state === 'Running' ? {ssh: {host: '127.0.0.1', port: 40000, user: 'ubuntu'}} : {}),
		createdAt: '2026-01-01T00:00:00.000Z',
		createdBy: 'kim',
		observedAt: 0,
		...more,
	};
}

export function fakeDriver(name: DriverName = 'qemu', more: Partial<DriverInfo> = {}): DriverInfo {
	return {
		name,
		supported: true,
		current: true,
		health: {
			installed: true,
			usable: true,
			version: '7.2.22',
			accelerator: 'tcg',
			summary: 'QEMU 7.2.22, software emulation',
			checkedAt: 0,
		},
		capabilities: capabilities(name, 'linux'),
		...(name === 'qemu' ? {verification: {level: 'real', note: 'on QEMU 7.2'} as const} : {}),
		features: name === 'lxd' ? driverFeatures.filter(feature => feature !== 'plug' && feature !== 'linkedClone') : [],
		snapshotsLive: false,
		sharesByItself: name === 'lxd',
		resizesLive: name === 'lxd' ? ['cpus', 'memory'] : [],
		scope: scopeOf(name),
		instances: 0,
		...more,
	};
}

const goal: Partial<Record<OperationKind, InstanceState>> = {
	start: 'Running',
	launch: 'Running',
	stop: 'Stopped',
	restart: 'Running',
	suspend: 'Suspended',
	delete: 'Deleted',
	recover: 'Stopped',
};

/**
 * An engine in memory for tests of clients: actions take `delayMs` and then succeed, unless `failures` names the
 * instance. It checks nothing that the real engine decides; tests of decisions use the real one.
 */
export class FakeEngine implements Engine {
	readonly instances = new Map<string, InstanceView>();
	readonly calls: Array<{method: string; request: unknown}> = [];
	readonly failures = new Map<string, DroverError>();
	readonly logs = new Map<string, LogLine[]>();
	driver: DriverInfo;
	delayMs: number;
	isAway = false;
	plan: SwitchPlan | undefined;
	accessOf: ((name: string) => GuestAccess | undefined) | undefined;
	hostNetworks: readonly HostNetwork[] = [];
	readonly trees = new Map<string, InstanceSnapshots>();
	readonly samples = new Map<string, Metrics>();
	clusterMembers: readonly string[] = [];
	foreign: readonly Adoptable[] = [];
	importable: ImportPlan = {
		driver: 'qemu',
		lookedAt: ['/var/multipass'],
		instances: [],
		problems: [],
		needsBytes: 0,
		freeBytes: 8 * gibibyte,
	};
	movable: Partial<MovePlan> = {};
	story: SwitchStory | undefined;
	known: readonly ImageInfo[] = [
		{
			name: 'micro',
			remote: '',
			aliases: [],
			os: 'drover',
			release: 'Micro 1',
			version: '1',
			description: 'Micro 1',
			cached: true,
		},
	];
	notes: readonly string[] = [];
	knownProfiles: readonly Profile[] = [];
	profileProblems: readonly string[] = [];
	knownTemplates: readonly CloudTemplate[] = [];
	stored: readonly StoredImage[] = [];
	readonly #operations = new Map<string, OperationView>();
	readonly #listeners = new Set<(event: EngineEvent) => void>();
	readonly #chosen = new Set<string>();
	readonly #settings = new Map([
		['client.primary-name', 'primary'],
		['local.bridged-network', ''],
		['local.default-image', 'default'],
		['local.driver', 'qemu'],
		['local.privileged-mounts', 'true'],
	]);
	#next = 1;

	constructor({
		instances = [],
		driver = fakeDriver(),
		delayMs = 0,
	}: {instances?: readonly InstanceView[]; driver?: DriverInfo; delayMs?: number} = {}) {
		for (const instance of instances) this.instances.set(instance.name, instance);
		this.driver = driver;
		this.delayMs = delayMs;
	}

	/** Changes an instance as if the world had, and tells the clients. */
	put(instance: InstanceView) {
		this.instances.set(instance.name, instance);
		this.emit({type: 'instances', changed: [instance], removed: []});
	}

	remove(name: string) {
		const instance = this.#get(name);
		this.instances.delete(name);
		this.emit({type: 'instances', changed: [], removed: [instance.id]});
	}

	putOperation(operation: OperationView) {
		this.#operations.set(operation.id, operation);
		this.emit({type: 'operation', operation});
	}

	emit(event: EngineEvent) {
		for (const listener of this.#listeners) listener(event);
	}

	async overview(): Promise<Overview> {
		this.#note('overview');
		return {
			driver: {...this.driver, instances: this.instances.size},
			instances: await this.list(),
			operations: [...this.#operations.values()],
			notices: [],
			host: {
				name: 'build-03',
				user: 'kim',
				cpus: 4,
				memoryTotal: 16 * gibibyte,
				memoryAvailable: 9 * gibibyte,
				diskFree: 200 * gibibyte,
			},
			elsewhere: [],
			settings: Object.fromEntries(this.#settings),
			daemon: {version: '0.1.0', pid: 1, startedAt: 0},
		};
	}

	async list() {
		return [...this.instances.values()].sort((a, b) => a.name.localeCompare(b.name));
	}

	async info({names, runtime}: {names: readonly string[]; runtime: boolean}): Promise<readonly InstanceDetail[]> {
		this.#note('info', {names, runtime});
		const chosen = names.length === 0 ? await this.list() : names.map(name => this.#get(name));
		return chosen.map(instance => ({
			...instance,
			directory: `/data/scopes/qemu/${instance.name}`,
			mac: '52:54:00:12:34:56',
			...(instance.state === 'Running' && runtime
				? {
						guest: {
							release: 'Micro 1',
							load: [0.1, 0.2, 0.3],
							disks: {vda2: {used: 20_000_000, total: 5 * gibibyte}},
							memory: {used: 60_000_000, total: gibibyte},
						},
					}
				: {}),
		}));
	}

	async launch(request: Parameters<Engine['launch']>[0]): Promise<OperationView> {
		this.#note('launch', request);
		const name = request.name ?? 'amber-otter';
		if (this.instances.has(name)) throw new DroverError('instance.exists', `instance "${name}" already exists`);
		this.put(fakeInstance(name, 'Starting'));
		return this.#begin('launch', [name], request.by);
	}

	async act(request: Parameters<Engine['act']>[0]): Promise<OperationView> {
		this.#note('act', request);
		const names =
			request.names.length > 0
				? request.names
				: [...this.instances.values()].filter(i => i.state === 'Deleted').map(i => i.name);
		for (const name of names) this.#get(name);
		return this.#begin(request.action, names, request.by);
	}

	async operations() {
		return [...this.#operations.values()];
	}

	async operation({id}: {id: string}) {
		const found = this.#operations.get(id);
		if (!found) throw new DroverError('operation.missing', `there is no operation ${id}`);
		return found;
	}

	async wait({id, timeoutSeconds}: {id: string; timeoutSeconds?: number}): Promise<OperationView> {
		const found = await this.operation({id});
		if (isEnded(found)) return found;
		return new Promise((resolve, reject) => {
			const timer =
				timeoutSeconds === undefined
					? undefined
					: setTimeout(() => reject(new DroverError('operation.timeout', 'timed out')), timeoutSeconds * 1000);
			const subscription = this.subscribe(event => {
				if (event.type !== 'operation' || event.operation.id !== id || !isEnded(event.operation)) return;
				clearTimeout(timer);
				subscription.close();
				resolve(event.operation);
			});
		});
	}

	async cancel({id, by}: {id: string; by: string}): Promise<OperationView> {
		this.#note('cancel', {id, by});
		const found = await this.operation({id});
		const cancelled: OperationView = {
			...found,
			state: 'cancelled',
			endedAt: Date.now(),
			items: found.items.map(item => ({...item, state: 'cancelled'})),
		};
		this.putOperation(cancelled);
		return cancelled;
	}

	async operationLog({id}: {id: string}) {
		return this.logs.get(id) ?? [];
	}

	async ssh({name}: {name: string}) {
		const instance = this.#get(name);
		if (instance.state !== 'Running') throw new DroverError('instance.state', `instance "${name}" is not running`);
		return {
			name,
			host: '127.0.0.1',
			port: 40000,
			user: 'ubuntu',
			identityFile: '/data/ssh/id',
			knownHostsFile: '/data/ssh/known_hosts',
			hostKeyAlias: `${name}.drover`,
		};
	}

	async access({name}: {name: string}): Promise<GuestAccess> {
		return this.accessOf?.(name) ?? {kind: 'ssh', ssh: await this.ssh({name})};
	}

	async mount(request: Parameters<Engine['mount']>[0]): Promise<OperationView> {
		this.#note('mount', request);
		const instance = this.#get(request.name);
		this.put({...instance, mounts: [...(instance.mounts ?? []), request.mount]});
		return this.#begin('mount', [request.name], request.by);
	}

	async unmount(request: Parameters<Engine['unmount']>[0]): Promise<OperationView> {
		this.#note('unmount', request);
		const {mounts = [], ...instance} = this.#get(request.name);
		this.put({
			...instance,
			mounts: request.target === undefined ? [] : mounts.filter(mount => mount.target !== request.target),
		});
		return this.#begin('umount', [request.name], request.by);
	}

	async networks(): Promise<readonly HostNetwork[]> {
		this.#note('networks');
		return this.hostNetworks;
	}

	async resize(request: Parameters<Engine['resize']>[0]): Promise<OperationView> {
		this.#note('resize', request);
		const {name, by, ...hardware} = request;
		this.put({...this.#get(name), ...hardware});
		return this.#begin('resize', [name], by);
	}

	async addNetwork(request: Parameters<Engine['addNetwork']>[0]): Promise<OperationView> {
		this.#note('addNetwork', request);
		this.#get(request.name);
		return this.#begin('resize', [request.name], request.by);
	}

	async snapshot(request: Parameters<Engine['snapshot']>[0]): Promise<OperationView> {
		this.#note('snapshot', request);
		this.#get(request.name);
		return this.#begin('snapshot', [`${request.name}.${request.snapshot ?? 'snapshot1'}`], request.by);
	}

	async restore(request: Parameters<Engine['restore']>[0]): Promise<OperationView> {
		this.#note('restore', request);
		this.#get(request.name);
		return this.#begin('restore', [`${request.name}.${request.snapshot}`], request.by);
	}

	async deleteSnapshots(request: Parameters<Engine['deleteSnapshots']>[0]): Promise<OperationView> {
		this.#note('deleteSnapshots', request);
		const {name, snapshots, by} = request;
		const names = snapshots.map(snapshot => `${name}.${snapshot}`);
		return this.#begin('delete-snapshots', [names.join(', ')], by);
	}

	async snapshots({names}: {names: readonly string[]}): Promise<readonly InstanceSnapshots[]> {
		this.#note('snapshots', {names});
		const chosen = names.length === 0 ? await this.list() : names.map(name => this.#get(name));
		return chosen.map(({name}) => this.trees.get(name) ?? {name, snapshots: []});
	}

	async clone(request: Parameters<Engine['clone']>[0]): Promise<OperationView> {
		this.#note('clone', request);
		const {name, as = `${name}-clone1`, by} = request;
		this.put({...this.#get(name), id: `id-${as}`, name: as});
		return this.#begin('clone', [as], by);
	}

	async forward(request: Parameters<Engine['forward']>[0]): Promise<OperationView> {
		this.#note('forward', request);
		const instance = this.#get(request.name);
		this.put({...instance, forwards: [...(instance.forwards ?? []), request.forward]});
		return this.#begin('forward', [request.name], request.by);
	}

	async unforward(request: Parameters<Engine['unforward']>[0]): Promise<OperationView> {
		this.#note('unforward', request);
		const {forwards = [], ...instance} = this.#get(request.name);
		this.put({...instance, forwards: forwards.filter(each => !isSameKey(each, request.key))});
		return this.#begin('forward', [request.name], request.by);
	}

	async metrics({names}: {names: readonly string[]}): Promise<Readonly<Record<string, Metrics>>> {
		this.#note('metrics', {names});
		return Object.fromEntries(
			names.flatMap(name => {
				const sample = this.samples.get(name);
				return sample === undefined ? [] : [[name, sample]];
			}),
		);
	}

	async members(): Promise<readonly string[]> {
		return this.clusterMembers;
	}

	async adoptables(): Promise<readonly Adoptable[]> {
		this.#note('adoptables');
		return this.foreign;
	}

	async importPlan(request: Parameters<Engine['importPlan']>[0]): Promise<ImportPlan> {
		this.#note('importPlan', request);
		return this.importable;
	}

	async importInstances(request: Parameters<Engine['importInstances']>[0]) {
		this.#note('importInstances', request);
		const names = this.importable.instances.flatMap(({name, verdict}) => (verdict === 'import' ? [name] : []));
		if (names.length === 0) return {plan: this.importable};
		return {plan: this.importable, operation: this.#begin('import', names, request.by)};
	}

	async movePlan(request: Parameters<Engine['movePlan']>[0]): Promise<MovePlan> {
		this.#note('movePlan', request);
		return {
			...request,
			from: this.driver.name,
			becomes: 'virtual-machine',
			isRunning: this.#get(request.name).state === 'Running',
			losses: [],
			problems: [],
			needsBytes: gibibyte,
			freeBytes: 8 * gibibyte,
			...this.movable,
		};
	}

	async move(request: Parameters<Engine['move']>[0]): Promise<OperationView> {
		this.#note('move', request);
		return this.#begin('move', [request.name], request.by);
	}

	async instanceEvents({name}: {name: string}) {
		this.#get(name);
		return [{at: '2026-01-01T00:00:00.000Z', what: 'launched from micro', by: 'kim'}];
	}

	async consoleLog() {
		return ['boot', 'ready'];
	}

	async drivers() {
		return (['qemu', 'lxd', 'libvirt', 'virtualbox', 'hyperv'] as const).map(name =>
			name === this.driver.name
				? this.driver
				: fakeDriver(name, {
						current: false,
						health: {installed: false, usable: false, summary: 'not installed', checkedAt: 0},
					}),
		);
	}

	async doctor() {
		return {
			drivers: await this.drivers(),
			checks: [{title: 'OpenSSH client', verdict: 'ok' as const, text: 'found'}],
			tookMs: 12,
		};
	}

	async find(request: FindRequest): Promise<FoundImages> {
		this.#note('find', request);
		return {images: this.known, notes: this.notes};
	}

	async profiles(): Promise<Profiles> {
		this.#note('profiles');
		return {profiles: this.knownProfiles, problems: this.profileProblems, directory: '/config'};
	}

	async templates(): Promise<readonly CloudTemplate[]> {
		this.#note('templates');
		return this.knownTemplates;
	}

	async images(): Promise<ImageReport> {
		this.#note('images');
		return {
			images: this.stored,
			size: this.stored.reduce((sum, image) => sum + image.size, 0),
			directory: '/cache/images',
		};
	}

	async pruneImages(request: {all: boolean; by: string}): Promise<PruneReport> {
		this.#note('pruneImages', request);
		const removed = this.stored.filter(image => request.all && !image.instances);
		this.stored = this.stored.filter(image => !removed.includes(image));
		const kept = this.stored.map(image => ({image, reason: 'it was used 3 hours ago'}));
		return {removed, kept, freed: removed.reduce((sum, image) => sum + image.size, 0)};
	}

	async settings() {
		return [...this.#settings].map(([key, value]) => ({key, value, isDefault: true}));
	}

	async get({key}: {key: string}) {
		const value = this.#settings.get(key);
		if (value === undefined) throw new DroverError('setting.unknown', `Unrecognized settings key: '${key}'`);
		return {key, value, isDefault: !this.#chosen.has(key)};
	}

	async set({key, value, by}: {key: string; value: string; by: string}) {
		this.#note('set', {key, value, by});
		if (!snapshotKey(key)) await this.get({key});
		this.#settings.set(key, value);
		this.#chosen.add(key);
		return {key, value, isDefault: false};
	}

	async adopt(request: {name: string; from?: string; by: string}) {
		this.#note('adopt', request);
		this.put(fakeInstance(request.name, 'Stopped'));
		return this.#get(request.name);
	}

	async forget(request: {name: string; by: string}) {
		this.#note('forget', request);
		this.remove(request.name);
		return {keptIn: `/data/forgotten/${request.name}`};
	}

	async switchPlan({to}: {to: DriverName}): Promise<SwitchPlan> {
		this.#note('switchPlan', {to});
		return (
			this.plan ??
			planSwitch({
				from: this.driver.name,
				to,
				isShared: false,
				canSuspend: true,
				fromTitle: this.driver.name,
				toTitle: to,
				leaving: [],
				entering: [],
				freeBytes: gibibyte,
				hostMemory: gibibyte,
			})
		);
	}

	async switchDriver(request: Parameters<Engine['switchDriver']>[0]): Promise<OperationView> {
		this.#note('switchDriver', request);
		return this.#begin('switch', [`${this.driver.name} -> ${request.to}`], request.by);
	}

	async switchStory() {
		return this.story;
	}

	async refresh() {
		this.#note('refresh');
	}

	subscribe(listener: (event: EngineEvent) => void) {
		this.#listeners.add(listener);
		return {close: () => void this.#listeners.delete(listener)};
	}

	async close() {}

	#note(method: string, request?: unknown) {
		this.calls.push({method, request});
		if (this.isAway) throw new DroverError('daemon.unreachable', 'cannot reach the drover daemon');
	}

	#get(name: string): InstanceView {
		const found = this.instances.get(name);
		if (!found) throw new DroverError('instance.missing', `instance "${name}" does not exist`);
		return found;
	}

	#begin(kind: OperationKind, names: readonly string[], by: string): OperationView {
		const operation: OperationView = {
			id: String(this.#next++),
			kind,
			title: `${kind} ${names.join(', ')}`,
			by,
			state: 'running',
			items: names.map(target => ({target, state: 'running', stage: 'working'})),
			cancellable: true,
			createdAt: Date.now(),
			startedAt: Date.now(),
		};
		this.putOperation(operation);
		setTimeout(() => {
			this.#finish(operation);
		}, this.delayMs);
		return operation;
	}

	#finish(operation: OperationView) {
		if (this.#operations.get(operation.id)?.state !== 'running') return;
		const items = operation.items.map(item => {
			const error = this.failures.get(item.target);
			if (error) return {...item, state: 'failed' as const, error: error.toData()};
			const instance = this.instances.get(item.target);
			if (operation.kind === 'purge') this.remove(item.target);
			else if (instance && goal[operation.kind]) this.put(fakeInstance(item.target, goal[operation.kind]));
			return {...item, state: 'done' as const, stage: 'done', percent: 100};
		});
		const error = items.find(item => item.state === 'failed')?.error;
		this.putOperation({
			...operation,
			items,
			state: error ? 'failed' : 'done',
			endedAt: Date.now(),
			...(error ? {error} : {}),
		});
	}
}
