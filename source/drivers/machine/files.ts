import {rm} from 'node:fs/promises';
import path from 'node:path';
import type {InstancePlace} from '../driver.ts';

/** The files of an instance that belong to its machine. Names below `directory` are relative in QEMU's own command line. */
export const fileNames = {
	disk: 'disk.qcow2',
	seed: 'seed.iso',
	/** Saved memory, complete: loading it is all that is left to do. */
	state: 'state',
	/** Saved memory that is being written, or was when something broke. */
	statePart: 'state.part',
	/** Saved memory that has been loaded: from the moment the guest runs on, it no longer fits the disk. */
	stateUsed: 'state.used',
	/** The variables of the guest's UEFI, where its machine has one. */
	variables: 'efi-vars.fd',
	pid: 'pid',
	console: 'console.log',
	log: 'qemu.log',
	/** The machine in libvirt's words, as libvirt was last told to start it. */
	domain: 'domain.xml',
} as const;

export type InstanceFiles = Readonly<Record<keyof typeof fileNames, string>> & {
	readonly monitor: string;
	/** A second monitor: QEMU serves one client at a time on each, and watching must not keep commands out. */
	readonly watchMonitor: string;
	readonly agent: string;
	readonly serial: string;
	/** Where QEMU listens for the one who carries frames of the private network. */
	readonly network: string;
};

/** Absolute paths. */
export function filesOf(place: InstancePlace): InstanceFiles {
	const inDirectory = Object.fromEntries(
		Object.entries(fileNames).map(([key, name]) => [key, path.join(place.directory, name)]),
	) as Record<keyof typeof fileNames, string>;
	return {
		...inDirectory,
		monitor: path.join(place.sockets, 'qmp.sock'),
		watchMonitor: path.join(place.sockets, 'qmp2.sock'),
		agent: path.join(place.sockets, 'qga.sock'),
		serial: path.join(place.sockets, 'console.sock'),
		network: path.join(place.sockets, 'net.sock'),
	};
}

/** What a machine that was killed leaves; one that ends well takes it away itself. */
export async function removeTraces(files: InstanceFiles): Promise<void> {
	const {pid, domain, monitor, watchMonitor, agent, serial, network} = files;
	for (const file of [pid, domain, monitor, watchMonitor, agent, serial, network]) await rm(file, {force: true});
}
