/** The technologies that can run instances, in the order they are shown. */
export const driverNames = ['qemu', 'libvirt', 'lxd', 'virtualbox', 'hyperv'] as const;
export type DriverName = (typeof driverNames)[number];

/** Namespaces of instances. On Linux `qemu` and `libvirt` share the scope `qemu`. */
export const scopeNames = ['qemu', 'lxd', 'virtualbox', 'hyperv'] as const;
export type ScopeName = (typeof scopeNames)[number];

export type Platform = 'linux' | 'darwin' | 'win32';

/** How a driver is written for a person. */
export const driverTitles: Readonly<Record<DriverName, string>> = {
	qemu: 'QEMU',
	libvirt: 'libvirt',
	lxd: 'LXD',
	virtualbox: 'VirtualBox',
	hyperv: 'Hyper-V',
};

export const platformTitles: Readonly<Record<Platform, string>> = {
	linux: 'Linux',
	darwin: 'macOS',
	win32: 'Windows',
};

const spellings: Readonly<Record<string, DriverName>> = {'hyper-v': 'hyperv', vbox: 'virtualbox'};

/** Reads a driver name as users write it (any case, `hyper-v`, `vbox`); `undefined` when there is no such driver. */
export function parseDriverName(text: string): DriverName | undefined {
	const lower = text.trim().toLowerCase();
	const name = spellings[lower] ?? lower;
	return driverNames.find(known => known === name);
}

/** The scope a driver's instances live in. */
export function scopeOf(driver: DriverName): ScopeName {
	return driver === 'libvirt' ? 'qemu' : driver;
}
