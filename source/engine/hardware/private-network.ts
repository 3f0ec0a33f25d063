import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {PrivateNic, PrivatePlace, Subnet} from '../../model/private-network.ts';
import {chooseAddress, chooseSubnet, privateDomain, subnetText} from '../../model/private-network.ts';
import type {NetworkPlan, PortReport} from '../../network/plan.ts';
import type {NetworkSession} from '../../network/session.ts';
import type {DoctorCheck} from '../engine.ts';
import type {Instances} from '../instances.ts';
import {networkSetting} from '../settings/setting-keys.ts';

export type PrivateNetworkParts = {
	readonly instances: Instances;
	readonly setting: (key: string) => string;
	readonly routes: () => Promise<readonly Subnet[]>;
	readonly openSession: (onReport: (report: PortReport) => void) => Pick<NetworkSession, 'follow' | 'close'>;
};

type Plan = Omit<NetworkPlan, 'version'>;

/** Machines that are there, however they do: each has a line to the network. */
const alive: ReadonlySet<Observation['power']> = new Set(['running', 'paused', 'loading', 'unresponsive']);

/**
 * The private network of the current scope: gives new instances their places on it, and sees to it that all that run are
 * on it, where the driver has one.
 */
export class PrivateNetwork {
	readonly #parts: PrivateNetworkParts;
	/** Given to instances whose records may not be there yet. */
	readonly #given = new Set<string>();
	#last: PrivateNic | undefined;
	readonly #reports = new Map<string, PortReport>();
	#session: ReturnType<PrivateNetworkParts['openSession']> | undefined;
	#plan: Plan = {ports: [], names: {}};
	#told = JSON.stringify({ports: [], names: {}});
	#flush: NodeJS.Immediate | undefined;
	#isOpen = false;

	constructor(parts: PrivateNetworkParts) {
		this.#parts = parts;
		parts.instances.onView(() => this.#schedule());
	}

	/** From now on, whatever runs is on it. */
	open(): void {
		this.#isOpen = true;
		this.#schedule();
	}

	/** Whether there is somebody to reach: of two that run, either needs the other to be carried to. */
	get isBusy(): boolean {
		return this.#plan.ports.length > 1;
	}

	close(): void {
		this.#isOpen = false;
		clearImmediate(this.#flush);
		this.#session?.close();
	}

	/**
	 * A place for a new instance.
	 * @returns `undefined` where there is no such network, it is not wanted, or it has no more room
	 */
	async place(freeMac: () => string): Promise<PrivateNic | undefined> {
		const {instances, setting, routes} = this.#parts;
		const {privateNetwork} = instances.driver;
		if (privateNetwork === undefined || setting(networkSetting) !== 'true') return undefined;
		if ((await privateNetwork.problem()) !== undefined) return undefined;
		const found = await routes();
		// From here on nothing waits: two that are launched at once get two addresses.
		const nics = this.#nics();
		const subnet = chooseSubnet(this.#last === undefined ? nics : [...nics, this.#last], found);
		if (subnet === undefined) return undefined;
		const kept = new Set(nics.map(nic => nic.address));
		const address =
			chooseAddress(subnet, new Set([...kept, ...this.#given]), this.#last?.address) ??
			// Most of those that were given have records by now, and of the others some were undone.
			chooseAddress(subnet, kept, this.#last?.address);
		if (address === undefined) return undefined;
		this.#given.add(address);
		this.#last = {mac: freeMac(), address, prefix: subnet.prefix};
		return this.#last;
	}

	/** What a person is told about an instance. */
	placeOf({id, name, hardware}: InstanceRecord, power: Observation['power'] | undefined): PrivatePlace | undefined {
		const {privateNic} = hardware;
		if (privateNic === undefined) return undefined;
		const problem = this.#problemOf(id, power);
		return {...privateNic, name: `${name}.${privateDomain}`, ...(problem === undefined ? {} : {problem})};
	}

	/** For `doctor`; `undefined` where the driver has nothing of the kind. */
	async check(): Promise<DoctorCheck | undefined> {
		const {instances, setting, routes} = this.#parts;
		const {privateNetwork} = instances.driver;
		if (privateNetwork === undefined) return undefined;
		const title = 'Private network';
		const problem = await privateNetwork.problem();
		if (problem !== undefined) {
			return {title, verdict: 'warning', text: `new instances do not reach each other: ${problem}`};
		}
		if (setting(networkSetting) !== 'true') {
			return {title, verdict: 'ok', text: `new instances are not on it: the setting ${networkSetting} is false`};
		}
		const subnet = chooseSubnet(this.#nics(), await routes());
		return subnet === undefined
			? {
					title,
					verdict: 'warning',
					text: 'new instances do not reach each other: no private range is free on this host',
				}
			: {title, verdict: 'ok', text: `instances reach each other at ${subnetText(subnet)}, by name`};
	}

	#problemOf(id: string, power: Observation['power'] | undefined): string | undefined {
		const {driver} = this.#parts.instances;
		if (driver.privateNetwork === undefined || power !== 'running') return undefined;
		const report = this.#reports.get(id);
		if (report?.isConnected) return undefined;
		return report?.problem ?? 'its machine is not connected to it';
	}

	#nics(): PrivateNic[] {
		return this.#parts.instances
			.all()
			.flatMap(({stored}) => (stored.kind === 'record' ? (stored.record.hardware.privateNic ?? []) : []));
	}

	/** One look at all serves whatever has changed until then. */
	#schedule(): void {
		if (!this.#isOpen) return;
		this.#flush ??= setImmediate(() => {
			this.#flush = undefined;
			this.#follow();
		});
	}

	#follow(): void {
		this.#plan = planOf(this.#parts.instances);
		const told = JSON.stringify(this.#plan);
		if (told === this.#told) return;
		this.#told = told;
		for (const id of this.#reports.keys()) {
			if (!this.#plan.ports.some(port => port.id === id)) this.#reports.delete(id);
		}
		this.#session ??= this.#parts.openSession(report => {
			if (this.#plan.ports.some(({id}) => id === report.id)) this.#reports.set(report.id, report);
		});
		this.#session.follow(this.#plan);
	}
}

/** Who is to be on the network now, and who is called what there. */
export function planOf(instances: Instances): Plan {
	const {privateNetwork} = instances.driver;
	const entries = privateNetwork === undefined ? [] : instances.all();
	const ports = [];
	const names: Record<string, string> = {};
	for (const entry of entries) {
		if (entry.stored.kind !== 'record' || entry.isGone) continue;
		const {id, name, hardware, deleted} = entry.stored.record;
		if (hardware.privateNic === undefined || deleted) continue;
		names[name] = hardware.privateNic.address;
		if (entry.observation === undefined || !alive.has(entry.observation.power)) continue;
		const {mac, address, prefix} = hardware.privateNic;
		ports.push({id, socket: privateNetwork!.socket(instances.place(entry)), mac, address, prefix});
	}
	return {ports, names};
}
