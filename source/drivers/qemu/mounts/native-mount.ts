import {createHash} from 'node:crypto';
import path from 'node:path';
import process from 'node:process';
import type {GuestMount, Mount} from '../../../model/mount.ts';
import type {InstancePlace} from '../../driver.ts';
import type {MachineProcess} from '../../machine/process.ts';

const prefix = 'mnt-';

/** What a mount's devices are called in QEMU and in the guest: the same for the same target. */
export function mountId({target}: Pick<Mount, 'target'>): string {
	return `${prefix}${createHash('sha256').update(target).digest('hex').slice(0, 8)}`;
}

/** Whether a device of a machine is one of ours. */
export function isMountId(id: string): boolean {
	return /^mnt-[\da-f]{8}$/.test(id);
}

/** Where virtiofsd listens for QEMU. */
export function serverSocket({sockets}: InstancePlace, id: string): string {
	return path.join(sockets, `${id}.sock`);
}

/** What all of an instance's have in their command lines. */
export function serverMark({sockets}: InstancePlace): string {
	return `--socket-path=${path.join(sockets, prefix)}`;
}

/** What virtiofsd complains of. */
export function serverLog({directory}: InstancePlace, id: string): string {
	return path.join(directory, `${id}.log`);
}

/** QEMU's connection to a virtiofsd. */
export function channelOf(id: string): string {
	return `fs-${id}`;
}

/** How many directories QEMU itself can serve a machine over 9p. */
export const mostSlots = 8;

function slotNames(): string[] {
	return Array.from({length: mostSlots}, (_, index) => `mnt-slot${index}`);
}

/** What QEMU opens when a device is plugged into a slot: a link, which leads to the directory at that moment only. */
export function slotLink({sockets}: InstancePlace, slot: string): string {
	return path.join(sockets, slot);
}

/**
 * QEMU takes directories to serve over 9p at its start only, but opens them when a device is plugged in: so each machine
 * is started with places for some. They are nothing to the guest. Owners are the host's: as root they can be changed,
 * else what the guest makes is one's own.
 */
export function slotArguments(place: InstancePlace, isRoot = process.getuid?.() === 0): readonly string[] {
	const model = isRoot ? 'passthrough' : 'none';
	return slotNames().flatMap(slot => {
		const link = slotLink(place, slot).replaceAll(',', ',,');
		return ['-fsdev', `local,id=${slot},path=${link},security_model=${model},multidevs=remap`];
	});
}

/** The slots that a machine was started with; one of an earlier version has none. */
export function slotsOf({arguments: words}: Pick<MachineProcess, 'arguments'>): readonly string[] {
	return slotNames().filter(slot => words.some(word => word.startsWith(`local,id=${slot},`)));
}

/** What the guest is to mount. */
export function describe(id: string, fileSystem: GuestMount['fileSystem']): GuestMount {
	// The largest message that the kernel's transport takes; programs may map files and write to them.
	const options = fileSystem === '9p' ? 'trans=virtio,version=9p2000.L,msize=512000,cache=mmap' : 'rw';
	return {fileSystem, tag: id, options};
}
