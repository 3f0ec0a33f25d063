import type {Driver} from '../../drivers/driver.ts';
import {driverTitles} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Nic} from '../../model/network.ts';
import {bridgedWord, type NetworkSpec, parseNetworkSpec} from '../../model/network-spec.ts';
import {listOf, plainLine} from '../../model/text.ts';
import type {Instances} from '../instances.ts';

/**
 * The networks a request names, `bridged` being the one that is configured.
 * @throws DroverError `usage.invalid`, `setting.invalid` when there is none configured
 */
export function networkSpecs(
	{networks = [], bridged = false}: {networks?: readonly string[]; bridged?: boolean},
	bridgedNetwork: string,
): readonly NetworkSpec[] {
	const specs = [...networks, ...(bridged ? [bridgedWord] : [])].map(parseNetworkSpec);
	if (specs.length > mostNics) throw tooManyNics();
	return specs.map(spec => (spec.network === bridgedWord ? {...spec, network: bridgedName(bridgedNetwork)} : spec));
}

/** As many as a record holds. */
export const mostNics = 32;

export function tooManyNics(): DroverError {
	return new DroverError('instance.invalid', `An instance can have ${mostNics} further interfaces, and no more.`);
}

/** @throws DroverError `setting.invalid` */
export function bridgedName(bridgedNetwork: string): string {
	if (bridgedNetwork !== '') return bridgedNetwork;
	throw new DroverError('setting.invalid', 'No network is configured for bridged interfaces.', {
		next: 'Choose one of "drover networks" with: drover set local.bridged-network=<name>.',
	});
}

/** @throws DroverError `instance.invalid` naming the networks there are, `driver.unusable` */
export async function demandNetworks(driver: Driver, names: readonly string[]): Promise<void> {
	if (names.length === 0) return;
	const problem = await driver.networkProblem?.();
	if (problem !== undefined) throw new DroverError('driver.unusable', `${problem}.`);
	const known = (await driver.networks?.()) ?? [];
	const unknown = names.find(name => !known.some(network => network.name === name));
	if (unknown === undefined) return;
	const there = known.map(network => plainLine(network.name));
	throw new DroverError(
		'instance.invalid',
		`There is no network ${JSON.stringify(plainLine(unknown).slice(0, 80))} here; ${
			there.length === 0 ? 'there is none at all' : `there ${there.length === 1 ? 'is' : 'are'} ${listOf(there)}`
		}.`,
		{next: '"drover networks" tells more about them.'},
	);
}

/** @throws DroverError `driver.incapable` where there is no cluster, or none of its members is called so */
export async function demandMember(driver: Driver, target: string): Promise<void> {
	const members = (await driver.members?.()) ?? [];
	// As a record holds it.
	if (members.includes(target) && /^[\w.-]{1,128}$/.test(target)) return;
	const shown = JSON.stringify(plainLine(target).slice(0, 80));
	throw new DroverError(
		'driver.incapable',
		driver.members === undefined
			? `${driverTitles[driver.name]} has no cluster that an instance could be placed in.`
			: members.length === 0
				? `The ${driverTitles[driver.name]} server is in no cluster, so there is no member ${shown}.`
				: `The cluster has no member ${shown}; it has ${listOf(members.map(plainLine))}.`,
		{next: 'Launch without --target.'},
	);
}

/** All MAC addresses that instances of the current scope have. */
function takenMacs(instances: Instances): Set<string> {
	return new Set(instances.all().flatMap(({stored}) => (stored.kind === 'record' ? macsOf(stored.record) : [])));
}

function macsOf({hardware, intent}: InstanceRecord): string[] {
	const begun = intent?.options.nic === undefined ? [] : [intent.options.nic];
	return [hardware.mac, ...[...(hardware.nics ?? []), ...begun].map(nic => nic.mac)];
}

/**
 * MAC addresses for a new instance, or for further interfaces of one: those asked for, and others that nobody has.
 * @throws DroverError `instance.invalid` for one that somebody has
 */
export class MacAddresses {
	readonly #taken: Set<string>;
	readonly #random: () => number;

	constructor(instances: Instances, random: () => number, specs: readonly NetworkSpec[] = []) {
		this.#taken = takenMacs(instances);
		this.#random = random;
		// Before any is made up, so that none of those is one that is asked for.
		for (const {mac} of specs) {
			if (mac === undefined) continue;
			if (this.#taken.has(mac)) {
				throw new DroverError('instance.invalid', `Repeated MAC address: ${mac} is in use already.`, {
					next: 'Choose another, or leave it out.',
				});
			}
			this.#taken.add(mac);
		}
	}

	/** One of QEMU's range. */
	free(): string {
		for (;;) {
			const octets = Array.from({length: 3}, () =>
				Math.floor(this.#random() * 256)
					.toString(16)
					.padStart(2, '0'),
			);
			const mac = ['52', '54', '00', ...octets].join(':');
			if (this.#taken.has(mac)) continue;
			this.#taken.add(mac);
			return mac;
		}
	}

	/** One that is had already, unless somebody else has it: then another. */
	prefer(mac: string | undefined): string {
		if (mac === undefined || this.#taken.has(mac)) return this.free();
		this.#taken.add(mac);
		return mac;
	}

	nic({network, mode, mac}: NetworkSpec): Nic {
		return {network, mode, mac: mac ?? this.free()};
	}
}
