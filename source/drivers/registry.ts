import type {DriverName} from '../model/driver-name.ts';
import type {System} from '../platform/system.ts';
import type {Paths} from '../state/paths.ts';
import type {Driver, SettingReader} from './driver.ts';

/** What a driver is made with. */
export type LoadOptions = {
	readonly paths: Paths;
	readonly setting: SettingReader;
	/** The machine drover runs on. */
	readonly system: System;
};

/** Each is read only when it is wanted. */
const loaders: Readonly<Record<DriverName, (options: LoadOptions) => Promise<Driver>>> = {
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

export function loadDriver(name: DriverName, options: LoadOptions): Promise<Driver> {
	return loaders[name](options);
}
