import type {Platform} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {fileNames, type InstanceFiles} from '../machine/files.ts';
import type {Flash} from '../machine/flash.ts';
import {type Accelerator, checkHardware, memoryMebibytes, nicSlot, pciSlots} from '../machine/hardware.ts';
import {machineKinds} from '../machine/kinds.ts';
import {privateNicArguments} from '../machine/private-nic.ts';

export type CommandLineInput = {
	/** With `hardware.machine` and `ssh.port` set. */
	readonly record: InstanceRecord;
	readonly files: InstanceFiles;
	readonly accelerator: Accelerator;
	/** Whether this QEMU can carry the private network. Default: it can. */
	readonly isPlugged?: boolean;
	/** Places for mounts over 9p: nothing the guest sees until a device is plugged into one. */
	readonly slots?: readonly string[];
	/** Wait for a memory image instead of booting. */
	readonly incoming?: boolean;
	/** Default `linux`. */
	readonly platform?: Platform;
	/** For machines that boot by UEFI. */
	readonly flash?: Flash | undefined;
};

/**
 * The arguments of QEMU for an instance; its working directory must be the instance's. The layout is
 * the one libvirt makes of the domain XML beside this file: that is what lets the two exchange memory images.
 * @throws DroverError `instance.invalid`
 */
export function commandLine({
	record,
	files,
	accelerator,
	isPlugged = true,
	slots = [],
	incoming = false,
	platform = 'linux',
	flash,
}: CommandLineInput): string[] {
	checkHardware(record);
	const {hardware, ssh} = record;
	const memory = memoryMebibytes(record);
	const kind = machineKinds[hardware.arch];
	// memfd is Linux's; what the guest sees is the same either way.
	const backend =
		platform === 'linux'
			? `memory-backend-memfd,id=${kind.ram},share=on,x-use-canonical-path-for-ramblock-id=false,size=${memory}M`
			: `memory-backend-ram,id=${kind.ram},x-use-canonical-path-for-ramblock-id=false,size=${memory}M`;
	const at = (number: number) => `bus=${kind.bus},addr=0x${number.toString(16)}`;
	const slot = (name: keyof typeof pciSlots) => at(pciSlots[name]);
	const socket = (id: string, path: string) => `socket,id=${id},path=${optionValue(path)},server=on,wait=off`;
	return [
		...['-name', record.name, '-uuid', record.id],
		...[
			'-machine',
			`${hardware.machine},usb=off,dump-guest-core=off,memory-backend=${kind.ram}${kind.properties(accelerator)}`,
		],
		// Without a limit the translation cache grows to a multiple of a small guest's memory; 64 MiB cost no speed.
		...['-accel', accelerator === 'tcg' ? 'tcg,tb-size=64' : accelerator],
		...['-cpu', accelerator === 'tcg' ? kind.processor : 'host'],
		...['-m', String(memory), '-object', backend],
		...['-smp', `${hardware.cpus},sockets=${hardware.cpus},cores=1,threads=1`],
		...['-display', 'none', '-no-user-config', '-nodefaults', '-rtc', 'base=utc', '-boot', 'strict=on'],
		...['-device', `virtio-serial-pci,id=virtio-serial0,${slot('serial')}`],
		...(kind.hasFlash ? flashArguments(flash) : []),
		...['-blockdev', `driver=file,filename=${fileNames.disk},node-name=disk0-file,discard=unmap`],
		...['-blockdev', 'driver=qcow2,node-name=disk0,file=disk0-file,discard=unmap'],
		...['-device', `virtio-blk-pci,${slot('disk')},drive=disk0,id=virtio-disk0,bootindex=1`],
		...['-blockdev', `driver=file,filename=${fileNames.seed},node-name=seed0-file,read-only=on`],
		...['-blockdev', 'driver=raw,node-name=seed0,file=seed0-file,read-only=on'],
		...['-device', `virtio-blk-pci,${slot('seed')},drive=seed0,id=virtio-disk1`],
		...['-chardev', `${socket('charserial0', files.serial)},logfile=${fileNames.console},logappend=on`],
		...kind.serial,
		...['-chardev', socket('charchannel0', files.agent)],
		...[
			'-device',
			'virtserialport,bus=virtio-serial0.0,nr=1,chardev=charchannel0,id=channel0,name=org.qemu.guest_agent.0',
		],
		...['-device', `virtio-balloon-pci,id=balloon0,${slot('balloon')}`],
		...['-object', platform === 'win32' ? 'rng-builtin,id=objrng0' : 'rng-random,id=objrng0,filename=/dev/urandom'],
		...['-device', `virtio-rng-pci,rng=objrng0,id=rng0,${slot('random')}`],
		...['-netdev', `user,id=n0,hostfwd=tcp:127.0.0.1:${ssh.port}-:22`],
		...['-device', `virtio-net-pci,netdev=n0,id=net0,romfile=,mac=${hardware.mac},${slot('network')}`],
		...privateNicArguments(record, files, isPlugged),
		...(hardware.nics ?? []).flatMap((nic, index) => [
			...['-netdev', `vmnet-bridged,id=n${index + 2},ifname=${nic.network}`],
			...[
				'-device',
				`virtio-net-pci,netdev=n${index + 2},id=net${index + 2},romfile=,mac=${nic.mac},${at(nicSlot(index))}`,
			],
		]),
		...slots,
		...['-chardev', socket('monitor0', files.monitor), '-mon', 'chardev=monitor0,mode=control'],
		...['-chardev', socket('monitor1', files.watchMonitor), '-mon', 'chardev=monitor1,mode=control'],
		...['-pidfile', fileNames.pid],
		...(incoming ? ['-incoming', 'defer'] : []),
	];
}

/** The firmware's code, shared by all, and the instance's own variables. @throws DroverError `driver.unusable` */
function flashArguments(flash: Flash | undefined): string[] {
	if (flash === undefined) {
		throw new DroverError('driver.unusable', 'There is no UEFI firmware for this machine.', {
			next: 'Install QEMU’s firmware for ARM (edk2, AAVMF).',
		});
	}
	return [
		...['-blockdev', `driver=file,filename=${optionValue(flash.code)},node-name=pflash0-file,read-only=on`],
		...['-blockdev', 'driver=raw,node-name=pflash0,file=pflash0-file,read-only=on'],
		...['-blockdev', `driver=file,filename=${fileNames.variables},node-name=pflash1-file`],
		...['-blockdev', 'driver=raw,node-name=pflash1,file=pflash1-file'],
	];
}

/** QEMU takes its options apart at commas; a doubled one stands for itself. */
function optionValue(text: string): string {
	return text.replaceAll(',', ',,');
}
