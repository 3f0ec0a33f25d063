import type {InstanceRecord, SuspendStamp} from '../../model/instance.ts';
import {mebibyte} from '../../model/sizes.ts';
import type {InstanceFiles} from './files.ts';
import {type Accelerator, checkHardware, memoryMebibytes, pciSlots} from './hardware.ts';
import {machineKinds} from './kinds.ts';
import {privateNicArguments} from './private-nic.ts';

export type DomainInput = {
	/** With `hardware.machine` and `ssh.port` set. */
	readonly record: InstanceRecord;
	readonly files: InstanceFiles;
	readonly accelerator: Accelerator;
	/** Absolute path of the QEMU program. */
	readonly emulator: string;
	/** Default {@link domainName}. */
	readonly name?: string | undefined;
	/**
	 * Who owns disk and seed, for the system's libvirt: it is told to leave them to their owner. A user's own libvirt does
	 * not change owners, and refuses a document that speaks of it.
	 */
	readonly owner?: {readonly uid: number; readonly gid: number};
	/** Whether this QEMU can carry the private network. Default: it can. */
	readonly isPlugged?: boolean;
	/** Kept in the document, so that a memory image tells by itself what it belongs to. */
	readonly stamp?: SuspendStamp;
};

const stampNamespace = 'urn:drover:suspend:1';

/**
 * The machine in libvirt's words, the one that the QEMU driver describes in its command line, device by device at the same addresses.
 * @throws DroverError `instance.invalid`
 */
export function domainXml(input: DomainInput): string {
	const {record, files, accelerator, emulator, name, owner, stamp, isPlugged = true} = input;
	checkHardware(record);
	const {hardware} = record;
	const kind = machineKinds[hardware.arch];
	const address = (slot: number) =>
		`<address type='pci' domain='0x0000' bus='0x00' slot='0x${slot.toString(16).padStart(2, '0')}' function='0x0'/>`;
	const type = accelerator === 'tcg' ? 'qemu' : accelerator;
	const processor =
		accelerator === 'tcg'
			? `<cpu mode='custom' match='exact' check='none'>${kind.xmlProcessor}</cpu>`
			: "<cpu mode='host-passthrough' check='none'/>";
	const passed = [
		...['-netdev', `user,id=n0,hostfwd=tcp:127.0.0.1:${record.ssh.port}-:22`],
		'-device',
		`virtio-net-pci,netdev=n0,id=net0,romfile=,mac=${hardware.mac},bus=${kind.bus},addr=0x${pciSlots.network.toString(16)}`,
		...privateNicArguments(record, files, isPlugged),
	];
	return `<domain type='${type}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${escapeXml(name ?? domainName(record))}</name>
  <uuid>${record.id}</uuid>
  <title>${escapeXml(record.name)}</title>
${stamp === undefined ? '' : `  <metadata><drover:stamp xmlns:drover='${stampNamespace}'>${escapeXml(JSON.stringify(stamp))}</drover:stamp></metadata>\n`}  <memory unit='MiB'>${memoryMebibytes(record)}</memory>
${record.hardware.builtMemory === undefined ? '' : `  <currentMemory unit='MiB'>${Math.floor(record.hardware.memory / mebibyte)}</currentMemory>\n`}  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
  <vcpu>${hardware.cpus}</vcpu>
  <os><type arch='${hardware.arch}' machine='${hardware.machine}'>hvm</type><boot dev='hd'/></os>
  <features><acpi/>${hardware.arch === 'x86_64' ? '<apic/>' : "<gic version='3'/>"}</features>
  ${processor}
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>${escapeXml(emulator)}</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='${escapeXml(files.disk)}'/><target dev='vda' bus='virtio'/>${address(pciSlots.disk)}</disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${escapeXml(files.seed)}'/><target dev='vdb' bus='virtio'/><readonly/>${address(pciSlots.seed)}</disk>
    <controller type='usb' model='none'/>
    <controller type='pci' index='0' model='${kind.bus === 'pcie.0' ? 'pcie-root' : 'pci-root'}'/>
    <controller type='virtio-serial' index='0'>${address(pciSlots.serial)}</controller>
    <serial type='unix'><source mode='bind' path='${escapeXml(files.serial)}'/><log file='${escapeXml(files.console)}' append='on'/>${kind.xmlSerial}</serial>
    <channel type='unix'><source mode='bind' path='${escapeXml(files.agent)}'/><target type='virtio' name='org.qemu.guest_agent.0'/><address type='virtio-serial' controller='0' bus='0' port='1'/></channel>
    <memballoon model='virtio'><stats period='10'/>${address(pciSlots.balloon)}</memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend>${address(pciSlots.random)}</rng>
  </devices>
${owner === undefined ? '' : `  <seclabel type='static' model='dac' relabel='no'><label>+${owner.uid}:+${owner.gid}</label></seclabel>\n`}  <qemu:commandline>
${passed.map(word => `    <qemu:arg value='${escapeXml(word)}'/>\n`).join('')}  </qemu:commandline>
</domain>
`;
}

/**
 * What libvirt knows an instance by: names are one namespace there, in which other homes of drover and the user's own
 * machines live as well. libvirt loads saved memory under the name only that it was saved with.
 */
export function domainName(record: InstanceRecord): string {
	return `drover-${record.name}-${record.id.slice(0, 8)}`;
}

/** The name in a document, ours or libvirt's. */
export function nameIn(xml: string): string | undefined {
	const name = /<name>([^<]{1,200})<\/name>/.exec(xml)?.[1];
	return name === undefined ? undefined : unescapeXml(name);
}

/** How the machine of a document runs its guest. */
export function acceleratorIn(xml: string): Accelerator | undefined {
	const type = /<domain\s[^>]*\btype=['"](\w+)['"]/.exec(xml)?.[1];
	return type === 'qemu' ? 'tcg' : type === 'kvm' || type === 'hvf' ? type : undefined;
}

/** The stamp a document of ours carries, unchecked JSON; `undefined` when it has none. */
export function stampIn(xml: string): unknown {
	const match = /<drover:stamp xmlns:drover='urn:drover:suspend:1'>([^<]*)<\/drover:stamp>/.exec(xml);
	if (!match) return undefined;
	try {
		return JSON.parse(unescapeXml(match[1]!));
	} catch {
		return undefined;
	}
}

const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	"'": '&apos;',
	'"': '&quot;',
};
const characters = Object.fromEntries(Object.entries(entities).map(([character, entity]) => [entity, character]));

function escapeXml(text: string): string {
	return text.replace(/[&<>'"]/g, character => entities[character]!);
}

function unescapeXml(text: string): string {
	return text.replace(/&(?:amp|lt|gt|apos|quot);/g, entity => characters[entity]!);
}
