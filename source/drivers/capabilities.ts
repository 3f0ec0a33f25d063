import {type DriverName, driverNames, driverTitles, type Platform, platformTitles} from '../model/driver-name.ts';
import {listOf} from '../model/text.ts';
import {driversOn} from './platforms.ts';

export const capabilityNames = ['suspend', 'snapshots', 'nativeMounts', 'extraNetworks'] as const;
export type CapabilityName = (typeof capabilityNames)[number];

export const capabilityTitles: Readonly<Record<CapabilityName, string>> = {
	suspend: 'suspend',
	snapshots: 'snapshots',
	nativeMounts: 'native mounts',
	extraNetworks: 'extra networks',
};

/** What a driver can do, as a value that carries its reason. */
export type CapabilityAnswer =
	| {readonly can: 'yes'}
	| {readonly can: 'no'; readonly reason: string; readonly drivers: readonly DriverName[]}
	| {readonly can: 'unknown'; readonly probe: string};

export type Capabilities = Readonly<Record<CapabilityName, CapabilityAnswer>>;

type Cell = boolean | readonly Platform[];

/** Which driver can do what. Upstream changes it with nearly each release, hence data with a name. */
export const capabilityProfile = {
	name: 'multipass-docs-2024',
	table: {
		qemu: {suspend: true, snapshots: true, nativeMounts: true, extraNetworks: ['darwin']},
		libvirt: {suspend: true, snapshots: false, nativeMounts: false, extraNetworks: false},
		lxd: {suspend: false, snapshots: false, nativeMounts: true, extraNetworks: true},
		virtualbox: {suspend: true, snapshots: false, nativeMounts: false, extraNetworks: true},
		hyperv: {suspend: false, snapshots: true, nativeMounts: true, extraNetworks: true},
	} as const satisfies Readonly<Record<DriverName, Readonly<Record<CapabilityName, Cell>>>>,
} as const;

function cell(driver: DriverName, capability: CapabilityName): Cell {
	return capabilityProfile.table[driver][capability];
}

/** `QEMU on macOS` where a driver can do it on some platforms only. */
function able(driver: DriverName, capability: CapabilityName): string | undefined {
	const entry = cell(driver, capability);
	if (entry === false) return undefined;
	if (entry === true) return driverTitles[driver];
	return `${driverTitles[driver]} on ${listOf(
		entry.map(platform => platformTitles[platform]),
		'or',
	)}`;
}

/** The table's answer for one driver on one platform. */
export function capability(driver: DriverName, platform: Platform, name: CapabilityName): CapabilityAnswer {
	const entry = cell(driver, name);
	if (entry === true || (entry !== false && entry.includes(platform))) return {can: 'yes'};
	const here = entry === false ? driverTitles[driver] : `${driverTitles[driver]} on ${platformTitles[platform]}`;
	const others = driverNames.flatMap(other => able(other, name) ?? []);
	const drivers = driversOn(platform).filter(other => {
		const otherEntry = cell(other, name);
		return otherEntry === true || (otherEntry !== false && otherEntry.includes(platform));
	});
	return {can: 'no', reason: `not supported by ${here}; supported by ${others.join(', ')}`, drivers};
}

/** All four answers. */
export function capabilities(driver: DriverName, platform: Platform): Capabilities {
	return Object.fromEntries(capabilityNames.map(name => [name, capability(driver, platform, name)])) as Capabilities;
}
