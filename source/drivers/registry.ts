import {access, constants} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {type DriverName, driverTitles} from '../model/driver-name.ts';
import type {Paths} from '../state/paths.ts';
import type {Driver, DriverHealth, SettingReader} from './driver.ts';

/** The drivers that this version has; the others are known by name and say so. */
const built: Partial<Record<DriverName, (paths: Paths, setting: SettingReader) => Promise<Driver>>> = {
	async qemu(paths) {
		const {createQemuDriver} = await import('./qemu/driver.ts');
		return createQemuDriver({paths});
	},
	async libvirt(paths) {
		const {createLibvirtDriver} = await import('./libvirt/driver.ts');
		return createLibvirtDriver({paths});
	},
	async lxd(paths, setting) {
		const {createLxdDriver} = await import('./lxd/driver.ts');
		return createLxdDriver({paths, setting});
	},
	async hyperv(paths) {
		const {createHypervDriver} = await import('./hyperv/driver.ts');
		return createHypervDriver({paths});
	},
};

/** Programs whose presence tells that a hypervisor is installed. */
const programs: Readonly<Record<DriverName, readonly string[]>> = {
	qemu: ['qemu-system-x86_64'],
	libvirt: ['virsh'],
	lxd: ['lxc', 'lxd', 'incus'],
	virtualbox: ['VBoxManage'],
	hyperv: ['powershell.exe'],
};

export function isBuilt(driver: DriverName): boolean {
	return built[driver] !== undefined;
}

/** @returns `undefined` for a driver that this version does not have */
export async function loadDriver(name: DriverName, paths: Paths, setting: SettingReader): Promise<Driver | undefined> {
	return built[name]?.(paths, setting);
}

/** What can be said of a driver that this version does not have: whether its hypervisor is there. */
export async function unbuiltHealth(name: DriverName, environment = process.env): Promise<DriverHealth> {
	const installed = await isOnPath(programs[name], environment);
	return {
		installed,
		usable: false,
		summary: `${driverTitles[name]} is ${installed ? '' : 'not '}installed, and this version of drover cannot use it yet`,
		remedy: 'Use the qemu driver in this version.',
		checkedAt: Date.now(),
	};
}

async function isOnPath(names: readonly string[], environment: NodeJS.ProcessEnv): Promise<boolean> {
	const directories = (environment['PATH'] ?? '').split(path.delimiter).filter(Boolean);
	const found = await Promise.all(
		directories.flatMap(directory =>
			names.map(name =>
				access(path.join(directory, name), constants.X_OK).then(
					() => true,
					() => false,
				),
			),
		),
	);
	return found.includes(true);
}
