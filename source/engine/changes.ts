import {featuresOf} from '../drivers/features.ts';
import type {HostNetwork} from '../model/network.ts';
import type {OperationKind, OperationView} from '../model/operation.ts';
import {featureProblem} from './availability.ts';
import {demandCapability, demandFeature, demandUsable} from './demands.ts';
import type {
	AddNetworkRequest,
	ForwardRequest,
	MountRequest,
	ResizeRequest,
	UnforwardRequest,
	UnmountRequest,
} from './engine.ts';
import {demandForward, demandForwards, forwardOf, forwardPort, unforwardPort} from './hardware/forwarding.ts';
import {demandNetworks, MacAddresses, mostNics, networkSpecs, tooManyNics} from './hardware/networking.ts';
import {cannotUpdate, demandChangeable, type HardwareChange, resize, wantedResources} from './hardware/resizing.ts';
import type {Entry} from './instances.ts';
import {wayOf} from './mounting/mount-plan.ts';
import {checkSource, demandMounts, mountOne, mountsOn, plannedMount, unmountSome} from './mounting/mounting.ts';
import type {ItemWork} from './operations.ts';
import type {SceneParts} from './scene-parts.ts';

/** Turns requests that change what an instance consists of into operations: all is checked before anything is touched. */
export class Changes {
	readonly #parts: SceneParts;

	constructor(parts: SceneParts) {
		this.#parts = parts;
	}

	/** @throws DroverError when the mount cannot be; nothing is touched then */
	async mount({name, mount, by}: MountRequest): Promise<OperationView> {
		const {driver, instances, host, shop} = this.#parts;
		const entry = instances.get(name);
		demandMounts(driver, host.platform, shop.setting, [mount]);
		const source = await checkSource(mount.source);
		const {target} = plannedMount(this.#parts.instances, entry, mount);
		await demandUsable(driver);
		if (wayOf(mount, driver) === 'plug') {
			await driver.checkPlug?.(mount, {record: instances.record(entry), place: instances.place(entry)});
		}
		const scene = {driver, instances, mounts: shop.mounts};
		return this.#begin('mount', by, entry, (item, each) =>
			instances.exclusive(each, 'mount', item, work => mountOne(scene, each, {...mount, source, target}, by, work)),
		);
	}

	/** @throws DroverError `instance.missing` */
	async unmount({name, target, by}: UnmountRequest): Promise<OperationView> {
		const {driver, instances, shop} = this.#parts;
		const entry = instances.get(name);
		mountsOn(instances, entry, target);
		const scene = {driver, instances, mounts: shop.mounts};
		return this.#begin('umount', by, entry, (item, each) =>
			instances.exclusive(each, 'umount', item, work => unmountSome(scene, each, target, by, work)),
		);
	}

	/** @throws DroverError `driver.*` */
	async networks(): Promise<readonly HostNetwork[]> {
		const {driver, host} = this.#parts;
		demandCapability(driver, host.platform, 'extraNetworks');
		demandFeature(driver, 'networks');
		await demandUsable(driver);
		return driver.networks!();
	}

	/** @throws DroverError when it cannot be changed so; nothing is touched then */
	async resize({name, by, ...wanted}: ResizeRequest): Promise<OperationView> {
		const {driver, instances} = this.#parts;
		const entry = this.#changeable(name, 'edit');
		const change = wantedResources(instances, entry, wanted);
		if (Object.keys(change).length > 0) {
			demandChangeable(instances, entry, change);
			await demandUsable(driver);
		}
		return this.#change(entry, change, by);
	}

	/** @throws DroverError when there is no such network, or the instance cannot be changed now */
	async addNetwork({name, network, by}: AddNetworkRequest): Promise<OperationView> {
		const {driver, instances, host, shop} = this.#parts;
		const entry = instances.get(name);
		demandCapability(driver, host.platform, 'extraNetworks');
		this.#changeable(name, 'networks');
		const specs = networkSpecs({networks: [network]}, shop.setting('local.bridged-network'));
		await demandUsable(driver);
		await demandNetworks(
			driver,
			specs.map(spec => spec.network),
		);
		if ((instances.record(entry).hardware.nics?.length ?? 0) >= mostNics) throw tooManyNics();
		const nic = new MacAddresses(instances, shop.random, specs).nic(specs[0]!);
		demandChangeable(instances, entry, {nic});
		return this.#change(entry, {nic}, by);
	}

	/** @throws DroverError when the port cannot lead into it; nothing is touched then */
	async forward({name, forward, by}: ForwardRequest): Promise<OperationView> {
		const {driver, instances} = this.#parts;
		const entry = instances.get(name);
		demandForwards(driver);
		await demandUsable(driver);
		await demandForward(this.#parts, entry, forward);
		return this.#begin('forward', by, entry, (item, each) =>
			instances.exclusive(each, 'forward', item, work => forwardPort(this.#parts, each, forward, by, work)),
		);
	}

	/** @throws DroverError `instance.missing` */
	async unforward({name, key, by}: UnforwardRequest): Promise<OperationView> {
		const {driver, instances} = this.#parts;
		const entry = instances.get(name);
		demandForwards(driver);
		forwardOf(instances, entry, key);
		await demandUsable(driver);
		return this.#begin('forward', by, entry, (item, each) =>
			instances.exclusive(each, 'forward', item, work => unforwardPort(this.#parts, each, key, by, work)),
		);
	}

	#changeable(name: string, part: 'edit' | 'networks'): Entry {
		const {driver, instances} = this.#parts;
		const entry = instances.get(name);
		instances.record(entry);
		const problem = featureProblem(part, {name: driver.name, ...featuresOf(driver)});
		if (problem !== undefined) throw cannotUpdate(name, problem, 'driver.incapable');
		return entry;
	}

	#change(entry: Entry, change: HardwareChange, by: string): OperationView {
		const {instances, shop} = this.#parts;
		return this.#begin('resize', by, entry, async (item, each) => {
			if (Object.keys(change).length === 0) return;
			await instances.exclusive(each, 'resize', item, work => resize(shop, each, change, by, work));
		});
	}

	#begin(
		kind: OperationKind,
		by: string,
		entry: Entry,
		run: (item: ItemWork, entry: Entry) => Promise<void>,
	): OperationView {
		return this.#parts.operations.begin(kind, by, [{target: entry.name, run: item => run(item, entry)}]);
	}
}
