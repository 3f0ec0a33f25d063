import {type DriverName, driverTitles, type Platform, platformTitles} from '../model/driver-name.ts';
import {listOf} from '../model/text.ts';

export {platformOf} from '../platform/system.ts';

/** Which drivers may run where, in the order they are offered. */
const table: Readonly<Record<Platform, readonly DriverName[]>> = {
	linux: ['qemu', 'lxd', 'libvirt'],
	darwin: ['qemu', 'virtualbox'],
	win32: ['hyperv', 'virtualbox'],
};

export function driversOn(platform: Platform): readonly DriverName[] {
	return table[platform];
}

/** Hosts that can serve a directory over SSH: what keeps a guest inside of it is Linux's `/proc`. */
export const classicMountHosts: readonly Platform[] = ['linux'];

/** Why a host cannot mount its directories over SSH, whatever the driver; without a full stop. */
export function classicMountProblem(platform: Platform): string | undefined {
	if (classicMountHosts.includes(platform)) return undefined;
	return `mounts over SSH are not in this version of drover for hosts on ${platformTitles[platform]}`;
}

/** The driver until the user chooses one. `architecture` in Node's spelling: `x64`, `arm64`. */
export function defaultDriver(platform: Platform, architecture: string): DriverName {
	if (platform === 'linux') return architecture === 'x64' ? 'qemu' : 'lxd';
	return platform === 'darwin' ? 'qemu' : 'hyperv';
}

/** Why a driver cannot be chosen on a platform, or `undefined` when it can. */
export function platformProblem(driver: DriverName, platform: Platform): string | undefined {
	if (table[platform].includes(driver)) return undefined;
	const where = (Object.keys(table) as Platform[]).filter(other => table[other].includes(driver));
	return `${driverTitles[driver]} is not supported on ${platformTitles[platform]}, only on ${listOf(where.map(other => platformTitles[other]))}`;
}
