import {type DriverName, driverTitles} from '../model/driver-name.ts';
import {findProgram} from '../platform/programs.ts';
import type {System} from '../platform/system.ts';
import type {Paths} from '../state/paths.ts';
import type {Driver, DriverHealth, SettingReader} from './driver.ts';

/** What a driver is made with. */
export type LoadOptions = {
	readonly paths: Paths;
	readonly setting: SettingReader;
	/** The machine drover runs on. */
	readonly system: System;
};

/** The drivers that this version has; the others are known by name and say so. */
const built: Partial<Record<DriverName, (options: LoadOptions) => Promise<Driver>>> = {
	async qemu({paths, system}) {
		const {createQemuDriver} = await import('./qemu/driver.ts');
		return createQemuDriver({paths, system});
	},
	async libvirt({paths, system}) {
		const {createLibvirtDriver} = await import('./libvirt/driver.ts');
		return createLibvirtDriver({paths, system});
	},
	async lxd({paths, setting}) {
		const {createLxdDriver} = await import('./lxd/driver.ts');
		return createLxdDriver({paths, setting});
	},
	async virtualbox({paths, system}) {
		const {createVirtualBoxDriver} = await import('./virtualbox/driver.ts');
		return createVirtualBoxDriver({paths, host: system});
	},
	async hyperv({paths, system}) {
		const {createHypervDriver} = await import('./hyperv/driver.ts');
		return createHypervDriver({paths, system});
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
export async function loadDriver(name: DriverName, options: LoadOptions): Promise<Driver | undefined> {
	return built[name]?.(options);
}

/** What can be said of a driver that this version does not have: whether its hypervisor is there. */
export async function unbuiltHealth(
	name: DriverName,
	{environment, platform}: Pick<System, 'environment' | 'platform'>,
): Promise<DriverHealth> {
	const found = await Promise.all(programs[name].map(each => findProgram(each, environment, platform)));
	const installed = found.some(file => file !== undefined);
	return {
		installed,
		usable: false,
		summary: `${driverTitles[name]} is ${installed ? '' : 'not '}installed, and this version of drover cannot use it yet`,
		remedy: 'Use the qemu driver in this version.',
		checkedAt: Date.now(),
	};
}
