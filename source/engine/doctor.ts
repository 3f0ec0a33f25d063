import {stat} from 'node:fs/promises';
import {verificationSentence} from '../drivers/verification.ts';
import type {Platform} from '../model/driver-name.ts';
import {formatSize, gibibyte} from '../model/sizes.ts';
import {isOpenToOthers} from '../platform/private-directory.ts';
import {findProgram} from '../platform/programs.ts';
import type {System} from '../platform/system.ts';
import type {Paths} from '../state/paths.ts';
import type {DoctorCheck, DriverInfo, HostFacts} from './engine.ts';
import type {Search} from './importing/read.ts';

const apt = (name: string) => `Install the package ${name} (Debian, Ubuntu: sudo apt-get install ${name}).`;

const sshRemedies: Readonly<Record<Platform, string>> = {
	linux: apt('openssh-client'),
	darwin: 'It is part of macOS: look whether /usr/bin is in PATH.',
	win32: 'As administrator: Add-WindowsCapability -Online -Name OpenSSH.Client~~~~0.0.1.0',
};

const imageRemedies: Readonly<Record<Platform, string>> = {
	linux: apt('qemu-utils'),
	darwin: 'brew install qemu',
	win32: 'winget install SoftwareFreedomConservancy.QEMU',
};

/** What a person should know before the first launch. Looks only; changes nothing, and needs no network. */
export async function examine(
	paths: Paths,
	host: HostFacts,
	drivers: readonly DriverInfo[],
	system: Pick<System, 'environment' | 'platform'>,
	/** For data of a Multipass. */
	search: Search = {closed: []},
): Promise<DoctorCheck[]> {
	const current = drivers.find(driver => driver.current);
	return [
		...(current ? [driverCheck(current), ...vouching(current)] : []),
		await program('OpenSSH client', 'ssh', 'shell and exec use it', sshRemedies, system),
		await program('Image tools', 'qemu-img', 'disks are made with it', imageRemedies, system),
		memory(host),
		disk(host),
		await privacy('Data directory', paths.data),
		await privacy('Sockets', paths.runtime),
		...multipass(search),
	];
}

/** Instances that could be brought over; nothing is said where there are none. */
function multipass({directory, closed}: Search): DoctorCheck[] {
	if (directory !== undefined) {
		return [
			{
				title: 'Multipass',
				verdict: 'ok',
				text: `has data in ${directory}`,
				remedy: 'drover import multipass --dry-run shows which of its instances can be copied here.',
			},
		];
	}
	return closed.map(place => ({
		title: 'Multipass',
		verdict: 'ok',
		text: `may have data in ${place}, which only root may read`,
	}));
}

function driverCheck(driver: DriverInfo): DoctorCheck {
	const {health} = driver;
	const isSlow = health.usable && health.accelerator === 'tcg';
	return {
		title: `Driver ${driver.name}`,
		verdict: health.usable ? (isSlow ? 'warning' : 'ok') : 'problem',
		text: health.summary,
		...(health.remedy === undefined ? {} : {remedy: health.remedy}),
	};
}

/** That a driver has never run where it runs here should be known before something depends on it. */
function vouching({name, verification}: DriverInfo): DoctorCheck[] {
	if (verification === undefined || verification.level === 'real') return [];
	return [
		{
			title: `Driver ${name}`,
			verdict: 'warning',
			text: verificationSentence(verification),
			remedy: 'Keep copies of what matters, and tell the project what you find.',
		},
	];
}

async function program(
	title: string,
	name: string,
	use: string,
	remedies: Readonly<Record<Platform, string>>,
	{environment, platform}: Pick<System, 'environment' | 'platform'>,
): Promise<DoctorCheck> {
	const file = await findProgram(name, environment, platform);
	if (file !== undefined) return {title, verdict: 'ok', text: file};
	return {
		title,
		verdict: 'problem',
		text: `${name} is not installed; ${use}`,
		remedy: remedies[platform],
	};
}

function memory(host: HostFacts): DoctorCheck {
	const isLow = host.memoryAvailable < gibibyte;
	return {
		title: 'Memory',
		verdict: isLow ? 'warning' : 'ok',
		text: `${formatSize(host.memoryAvailable)} of ${formatSize(host.memoryTotal)} available`,
		...(isLow ? {remedy: 'Launch with less memory (--memory 256M), or end something.'} : {}),
	};
}

function disk(host: HostFacts): DoctorCheck {
	const isLow = host.diskFree < 5 * gibibyte;
	return {
		title: 'Disk',
		verdict: isLow ? 'warning' : 'ok',
		text: `${formatSize(host.diskFree)} free where instances are kept`,
		...(isLow ? {remedy: 'Free some space, or set DROVER_HOME to a directory on a larger disk.'} : {}),
	};
}

async function privacy(title: string, directory: string): Promise<DoctorCheck> {
	const found = await stat(directory).catch(() => undefined);
	if (!found) return {title, verdict: 'ok', text: `${directory} (not made yet)`};
	const isOpen = isOpenToOthers(found);
	return {
		title,
		verdict: isOpen ? 'warning' : 'ok',
		text: isOpen ? `${directory} can be entered by other users` : directory,
		...(isOpen ? {remedy: `chmod 700 ${directory}`} : {}),
	};
}
