import type {InstanceRecord} from '../../model/instance.ts';
import type {InstanceFiles} from './files.ts';
import {pciSlots} from './hardware.ts';
import {machineKinds} from './kinds.ts';

/** Whether this QEMU can speak frames over a socket that only its user can enter. Source: QEMU 7.2, `-netdev stream`. */
export function hasStream(version: string): boolean {
	const [major = 0, minor = 0] = version.split('.').map(Number);
	return major > 7 || (major === 7 && minor >= 2);
}

/**
 * The machine's card on the private network: two pairs of words for QEMU's command line, which both drivers give in the
 * same way. QEMU listens, and never waits for anybody; while nobody is there, what the guest sends is dropped. A QEMU that
 * cannot do so has the card all the same, with nothing behind it: saved memory depends on it.
 */
export function privateNicArguments(
	{hardware: {arch, privateNic}}: InstanceRecord,
	{network}: InstanceFiles,
	isPlugged: boolean,
): string[] {
	if (privateNic === undefined) return [];
	// QEMU takes its options apart at commas; a doubled one stands for itself.
	const path = network.replaceAll(',', ',,');
	const slot = pciSlots.privateNetwork.toString(16);
	const device = `id=net1,romfile=,mac=${privateNic.mac},bus=${machineKinds[arch].bus},addr=0x${slot}`;
	if (!isPlugged) return ['-device', `virtio-net-pci,${device}`];
	return [
		...['-netdev', `stream,id=n1,server=on,addr.type=unix,addr.path=${path}`],
		...['-device', `virtio-net-pci,netdev=n1,${device}`],
	];
}
