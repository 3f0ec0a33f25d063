import {createHash} from 'node:crypto';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {nameProblem} from '../../model/names.ts';
import {privateNicProblem} from '../../model/private-network.ts';
import {mebibyte} from '../../model/sizes.ts';
import {machineKinds} from './kinds.ts';

export type Accelerator = 'kvm' | 'hvf' | 'tcg';

/** Where the devices sit on the PCI bus. A saved memory image can be loaded only by a machine that has the same ones. */
export const pciSlots = {
	serial: 0x2,
	disk: 0x3,
	seed: 0x4,
	balloon: 0x5,
	random: 0x6,
	network: 0x10,
	privateNetwork: 0x11,
} as const;

/** Further interfaces follow the first, and one slot that is left for a network of the instances' own. */
export function nicSlot(index: number): number {
	return pciSlots.network + 2 + index;
}

/** As many further interfaces as there are slots: a PCI bus has 32. */
export const mostNics = 32 - nicSlot(0);

/**
 * A digest over everything the guest finds plugged in. The QEMU and the libvirt driver describe the same machine, so a
 * memory image of the one is fit for the other exactly when this is equal.
 */
export function devicesDigest(record: InstanceRecord): string {
	const {arch, mac, nics = [], privateNic} = record.hardware;
	const devices = [
		`virtio-serial-pci@${pciSlots.serial}`,
		'virtserialport:org.qemu.guest_agent.0',
		`virtio-blk-pci@${pciSlots.disk}:disk`,
		`virtio-blk-pci@${pciSlots.seed}:seed`,
		`virtio-balloon-pci@${pciSlots.balloon}`,
		`virtio-rng-pci@${pciSlots.random}`,
		`virtio-net-pci@${pciSlots.network}:${mac}`,
		...(arch === 'x86_64' ? ['isa-serial@0'] : ['pl011', 'flash:uefi']),
		'memory:memfd',
		// Not a word about what a machine does not have: what was saved without it still fits.
		...(privateNic === undefined ? [] : [`virtio-net-pci@${pciSlots.privateNetwork}:${privateNic.mac}`]),
		...nics.map((nic, index) => `virtio-net-pci@${nicSlot(index)}:${nic.mac}`),
	];
	return createHash('sha256').update(devices.join('\n')).digest('hex');
}

/** Bytes of memory of the machine itself; its guest may have been given less of it. */
export function machineMemory({hardware}: InstanceRecord): number {
	return hardware.builtMemory ?? hardware.memory;
}

/** The machine's memory in whole MiB, as the hypervisor is told. */
export function memoryMebibytes(record: InstanceRecord): number {
	return Math.floor(machineMemory(record) / mebibyte);
}

/**
 * Looks once more at what goes into a command line or an XML document, whoever has looked before.
 * @throws DroverError `instance.invalid`
 */
export function checkHardware(record: InstanceRecord): void {
	const {hardware} = record;
	const mostProcessors = machineKinds[hardware.arch]?.mostProcessors ?? 1;
	const problem =
		nameProblem(record.name) ??
		(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(record.id) ? undefined : 'its id is not a UUID') ??
		(/^[\da-f]{2}(?::[\da-f]{2}){5}$/.test(hardware.mac) ? undefined : 'its MAC address is not one') ??
		(hardware.privateNic === undefined ? undefined : privateNicProblem(hardware.privateNic)) ??
		(isCount(hardware.cpus, mostProcessors) ? undefined : `it can have 1 to ${mostProcessors} processors`) ??
		(isCount(memoryMebibytes(record), 2 ** 24) ? undefined : 'its memory size is not usable') ??
		(isCount(hardware.disk, Number.MAX_SAFE_INTEGER) ? undefined : 'its disk size is not usable') ??
		(hardware.machine === undefined || /^[\w.-]{1,64}$/.test(hardware.machine)
			? undefined
			: 'its machine type is not one') ??
		(record.ssh.port === undefined || isCount(record.ssh.port, 65_535) ? undefined : 'its port is not one') ??
		(machineKinds[hardware.arch] === undefined ? 'there is no machine for its processor' : undefined) ??
		nicsProblem(record);
	if (problem === undefined) return;
	throw new DroverError('instance.invalid', `The instance cannot be run: ${problem}.`);
}

function nicsProblem({hardware: {nics = []}}: InstanceRecord): string | undefined {
	if (nics.length > mostNics) return `it can have ${mostNics} further interfaces`;
	const isSound = nics.every(
		({network, mac}) => /^[\w.-]{1,32}$/.test(network) && /^[\da-f]{2}(?::[\da-f]{2}){5}$/.test(mac),
	);
	return isSound ? undefined : 'its further interfaces are not such';
}

function isCount(value: number, maximum: number): boolean {
	return Number.isSafeInteger(value) && value >= 1 && value <= maximum;
}
