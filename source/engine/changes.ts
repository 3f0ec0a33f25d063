import type {HostNetwork} from '../model/network.ts';
import type {OperationKind, OperationView} from '../model/operation.ts';
import {demandCapability, demandFeature, demandUsable} from './demands.ts';
import type {MountRequest, UnmountRequest} from './engine.ts';
import type {Entry} from './instances.ts';
import {checkSource, demandMounts, mountOne, mountsOn, plannedMount, unmountSome} from './mounting.ts';
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
		await checkSource(mount.source);
		plannedMount(this.#parts, entry, mount);
		await demandUsable(driver);
		return this.#begin('mount', by, entry, (item, each) =>
			instances.exclusive(each, 'mount', item, work => mountOne(this.#parts, each, mount, by, work)),
		);
	}

	/** @throws DroverError `instance.missing` */
	async unmount({name, target, by}: UnmountRequest): Promise<OperationView> {
		const {instances} = this.#parts;
		const entry = instances.get(name);
		mountsOn(this.#parts, entry, target);
		return this.#begin('umount', by, entry, (item, each) =>
			instances.exclusive(each, 'umount', item, work => unmountSome(this.#parts, each, target, by, work)),
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

	#begin(
		kind: OperationKind,
		by: string,
		entry: Entry,
		run: (item: ItemWork, entry: Entry) => Promise<void>,
	): OperationView {
		return this.#parts.operations.begin(kind, by, [{target: entry.name, run: item => run(item, entry)}]);
	}
}
