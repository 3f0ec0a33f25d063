import {rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {nameProblem} from '../../model/names.ts';
import {mebibyte} from '../../model/sizes.ts';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import type {CreateInput} from '../driver.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {findMachine, type Job, type Machine, requireMachine} from './context.ts';
import {makeDisk} from './disk.ts';
import {filesOf, machineName, readSettings} from './files.ts';
import {machineMac, plugNic} from './nics.ts';
import {diskProblem} from './observe.ts';
import {chipset, controller} from './saved.ts';

/** Makes disk, seed and machine. What is there already is kept. */
export async function create(job: Job, input: CreateInput): Promise<void> {
	checkHardware(job.record);
	makePrivate(job.place.directory);
	if ((await diskProblem(job.files.disk)) !== undefined) await makeDisk(job, input);
	await finish(job, input.seed);
}

/** Makes the seed and the machine around a disk that is there. */
export async function finish(job: Job, seed: CreateInput['seed']): Promise<void> {
	const {files, signal, work} = job;
	checkCancelled(signal);
	work.progress('configuring');
	if (!(await stat(files.seed).catch(() => undefined))) {
		const {nocloudIso} = await import('../../guest/iso.ts');
		await writeAtomic(files.seed, nocloudIso(seed));
	}
	await register(job);
	await configure(job);
}

/** As many as VirtualBox takes. Source: `list systemproperties`. */
const limits = {cpus: 64, memory: 2_097_152} as const;

/** Looks once more at what goes into arguments, whoever has looked before. @throws DroverError `instance.invalid` */
export function checkHardware(record: InstanceRecord): void {
	const {hardware} = record;
	const mebibytes = memoryMebibytes(record);
	const isMac = (mac: string) => /^[\da-f]{2}(?::[\da-f]{2}){5}$/.test(mac);
	const isCount = (value: number, maximum: number) => Number.isSafeInteger(value) && value >= 1 && value <= maximum;
	const problem =
		nameProblem(record.name) ??
		(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(record.id) ? undefined : 'its id is not a UUID') ??
		([hardware.mac, ...(hardware.nics ?? []).map(({mac}) => mac)].every(isMac)
			? undefined
			: 'its MAC address is not one') ??
		(isCount(hardware.cpus, limits.cpus) ? undefined : `it can have 1 to ${limits.cpus} processors`) ??
		(isCount(mebibytes, limits.memory) && mebibytes >= 4 ? undefined : 'its memory size is not usable') ??
		(isCount(hardware.disk, Number.MAX_SAFE_INTEGER) ? undefined : 'its disk size is not usable') ??
		(record.ssh.port === undefined || isCount(record.ssh.port, 65_535) ? undefined : 'its port is not one') ??
		(hardware.arch === 'x86_64' ? undefined : `VirtualBox runs x86_64 guests here, not ${hardware.arch}`);
	if (problem !== undefined) throw new DroverError('instance.invalid', `The instance cannot be run: ${problem}.`);
}

/** Guest memory in whole MiB, as VirtualBox is told. */
export function memoryMebibytes({hardware}: InstanceRecord): number {
	return Math.floor(hardware.memory / mebibyte);
}

/** Makes VirtualBox know the machine, by the record's own id. */
async function register(job: Job): Promise<void> {
	const {manage, record, place} = job;
	if (await findMachine(job)) return;
	const name = machineName(record);
	// Left by an attempt that died: a settings file in the way is refused, and holds nothing that matters yet.
	await rm(path.join(place.directory, name), {recursive: true, force: true});
	await manage.work([
		...['createvm', '--name', name, '--uuid', record.id, '--basefolder', place.directory],
		...['--ostype', 'Linux_64', '--register'],
	]);
}

/** What a machine is told that it need not be told twice. */
export function machineArguments(record: InstanceRecord, console: string): string[] {
	return [
		...['--cpus', String(record.hardware.cpus), '--memory', String(memoryMebibytes(record))],
		...['--chipset', chipset, '--firmware', 'bios', '--acpi', 'on', '--ioapic', 'on', '--rtcuseutc', 'on'],
		...['--boot1', 'disk', '--boot2', 'none', '--boot3', 'none', '--boot4', 'none'],
		...[
			'--graphicscontroller',
			'vmsvga',
			'--vram',
			'16',
			'--audio-enabled',
			'off',
			'--usb-ohci',
			'off',
			'--vrde',
			'off',
		],
		...['--uart1', '0x3f8', '4', '--uartmode1', 'file', console],
		...['--nic1', 'nat', '--nictype1', 'virtio', '--macaddress1', machineMac(record.hardware.mac)],
		...['--cableconnected1', 'on'],
	];
}

/** Gives a machine at rest all its devices; those it has stay. */
async function configure(job: Job): Promise<void> {
	const {manage, record, files} = job;
	const machine = await requireMachine(job);
	if (machine.phase !== 'off') return;
	await manage.work(['modifyvm', record.id, ...machineArguments(record, files.console)]);
	await attach(job, machine);
	for (const nic of record.hardware.nics ?? []) await plugNic(job, await requireMachine(job), nic);
}

/** The controller, the disk and the seed. */
async function attach({manage, record, files}: Job, {info}: Machine): Promise<void> {
	const hasController = [...info].some(
		([key, value]) => /^storagecontrollername\d+$/.test(key) && value === controller,
	);
	if (!hasController) {
		await manage.work([
			...['storagectl', record.id, '--name', controller, '--add', 'ide', '--controller', 'PIIX4'],
			...['--bootable', 'on'],
		]);
	}
	const plug = async (port: number, type: 'hdd' | 'dvddrive', medium: string) => {
		const found = info.get(`${controller}-${port}-0`) ?? 'none';
		if (found !== 'none' && found !== 'emptydrive') return;
		await manage.work([
			...['storageattach', record.id, '--storagectl', controller, '--port', String(port), '--device', '0'],
			...['--type', type, '--medium', medium],
		]);
	};
	await plug(0, 'hdd', files.disk);
	await plug(1, 'dvddrive', files.seed);
}

/** @throws DroverError `instance.broken` when there is nothing to boot from */
export async function requireParts({place, record}: Job): Promise<void> {
	const problem = await diskProblem(filesOf(place).disk);
	if (problem !== undefined) {
		throw new DroverError('instance.broken', `The instance cannot be started: ${problem}.`, {
			next: `Put disk.vdi back into ${place.directory}, or delete the instance.`,
		});
	}
	if ((await readSettings(record, place)) === undefined) {
		throw new DroverError('instance.broken', 'The settings of the instance’s machine are missing.', {
			next: `Put the directory ${machineName(record)} back into ${place.directory}, or delete the instance.`,
		});
	}
}
