import type {DriverName, Platform} from '../model/driver-name.ts';

/**
 * How far the project's own tests vouch for a driver on a platform:
 * `real`: they run it on the real hypervisor there;
 * `recordings`: against what the real hypervisor was recorded to say, and stand-ins that behave like it;
 * `experimental`: made by what is documented; it has not run on a real host there.
 */
export const verificationLevels = ['real', 'recordings', 'experimental'] as const;
export type VerificationLevel = (typeof verificationLevels)[number];

export type Verification = {
	readonly level: VerificationLevel;
	/** What exactly was run, and what of it was not: a sentence without a full stop. */
	readonly note: string;
};

/** As a person reads it, in a table's cell. */
export const verificationTitles: Readonly<Record<VerificationLevel, string>> = {
	real: 'real hosts',
	recordings: 'recordings',
	experimental: 'experimental',
};

/** As a sentence begins. */
export const verificationWords: Readonly<Record<VerificationLevel, string>> = {
	real: 'verified on real hosts',
	recordings: 'verified against recordings',
	experimental: 'experimental',
};

/** For each driver and platform it is offered on. Here alone: lists, the doctor and the README go by it. */
const table: Readonly<Record<DriverName, Partial<Record<Platform, Verification>>>> = {
	qemu: {
		linux: {
			level: 'real',
			note: 'on QEMU 7.2, amd64, with software emulation; that KVM works is found by a probe whose yes has not been seen, and of arm64 machines only the firmware has been run',
		},
		darwin: {
			level: 'experimental',
			note: 'the driver has been run on Linux as it is on macOS, with what macOS’s programs are documented to say; hvf, vmnet and guests on a Mac have not been run',
		},
	},
	libvirt: {
		linux: {
			level: 'real',
			note: 'on libvirt 9.0 with its session daemon; the system’s daemon was tried by hand only',
		},
	},
	lxd: {
		linux: {
			level: 'real',
			note: 'containers on LXD 5.0 and Incus 6.0; virtual machines have not been started',
		},
	},
	virtualbox: {
		darwin: {level: 'recordings', note: 'of VBoxManage 7.2 on Linux; it has not run on macOS'},
		win32: {level: 'recordings', note: 'of VBoxManage 7.2 on Linux; it has not run on Windows'},
	},
	hyperv: {
		win32: {level: 'experimental', note: 'made by Microsoft’s documentation; it has not run on a real Hyper-V'},
	},
};

/** `undefined` where a driver is not offered. */
export function verificationOf(driver: DriverName, platform: Platform): Verification | undefined {
	return table[driver][platform];
}

/** `verified on real hosts: on QEMU 7.2 …` */
export function verificationSentence({level, note}: Verification): string {
	return `${verificationWords[level]}: ${note}`;
}
