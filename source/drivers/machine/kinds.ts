import type {Hardware} from '../../model/instance.ts';

export type GuestArchitecture = Hardware['arch'];

/** A kind of machine that QEMU makes: what differs between the processors that guests are for. */
export type MachineKind = {
	readonly arch: GuestArchitecture;
	readonly program: string;
	/** Its machine types are this and a version: `pc-i440fx-7.2`. A saved memory image depends on it. */
	readonly machine: string;
	/** What the machine calls its memory. */
	readonly ram: string;
	/** The bus that all devices are plugged into. */
	readonly bus: string;
	/** As many as the machine takes. */
	readonly mostProcessors: number;
	/** What an emulated guest gets: a fixed model, so that its saved memory can be loaded on every host. */
	readonly processor: string;
	/** In libvirt's words. */
	readonly xmlProcessor: string;
	/** Of the machine: further properties besides its type. */
	readonly properties: (accelerator: string) => string;
	/** Where the console is, once there is a character device `charserial0`. */
	readonly serial: readonly string[];
	readonly xmlSerial: string;
	/** Whether it boots by UEFI, with variables of its own on flash, as it has no other firmware. */
	readonly hasFlash: boolean;
};

/**
 * Source: QEMU, `hw/i386/pc_piix.c`, `hw/arm/virt.c` and its manual's page of the `virt` machine. The interrupt controller
 * of version 3 there takes 123 processors in one region; of KVM it must be the host's own.
 */
export const machineKinds: Readonly<Record<GuestArchitecture, MachineKind>> = {
	x86_64: {
		arch: 'x86_64',
		program: 'qemu-system-x86_64',
		machine: 'pc-i440fx',
		ram: 'pc.ram',
		bus: 'pci.0',
		mostProcessors: 255,
		processor: 'qemu64,hypervisor=on,lahf-lm=on',
		xmlProcessor:
			"<model fallback='allow'>qemu64</model><feature policy='require' name='hypervisor'/><feature policy='require' name='lahf_lm'/>",
		properties: () => '',
		serial: ['-device', 'isa-serial,chardev=charserial0,id=serial0,index=0'],
		xmlSerial: "<target type='isa-serial' port='0'><model name='isa-serial'/></target>",
		hasFlash: false,
	},
	aarch64: {
		arch: 'aarch64',
		program: 'qemu-system-aarch64',
		machine: 'virt',
		ram: 'mach-virt.ram',
		bus: 'pcie.0',
		mostProcessors: 123,
		processor: 'cortex-a72',
		xmlProcessor: "<model fallback='forbid'>cortex-a72</model>",
		properties: accelerator => `,gic-version=${accelerator === 'kvm' ? 'host' : '3'},pflash0=pflash0,pflash1=pflash1`,
		serial: ['-serial', 'chardev:charserial0'],
		xmlSerial: "<target type='system-serial' port='0'><model name='pl011'/></target>",
		hasFlash: true,
	},
};

/** The kind of a host: guests are for processors as its own are. `architecture` in Node's spelling. */
export function kindOf(architecture: string): MachineKind {
	return machineKinds[architecture === 'arm64' ? 'aarch64' : 'x86_64'];
}
