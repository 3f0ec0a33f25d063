import {readFile} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import {type System, thisSystem} from '../../platform/system.ts';
import type {DriverHealth} from '../driver.ts';
import {type AcceleratorVerdict, type ProbeHost, probeAccelerator, probeHost} from './accelerator.ts';
import {type Flash, findFlash} from './flash.ts';
import {type GuestArchitecture, kindOf, type MachineKind, machineKinds} from './kinds.ts';
import {findProgram, lastLine, run} from './programs.ts';

export type QemuHostOptions = {
	/** Where the verdict about acceleration is kept. */
	readonly cache: string;
	/** Default: QEMU for guests with processors as the host's own; a name that is looked for in `PATH`, or an absolute path. */
	readonly program?: string;
	/** Default `qemu-img`. */
	readonly imageProgram?: string;
	readonly host?: ProbeHost;
	/** Default: the machine drover runs on. */
	readonly system?: System;
};

/** What is known of the installed QEMU. */
export type QemuHost = {
	readonly program: string;
	readonly imageProgram: string;
	readonly version: string;
	readonly verdict: AcceleratorVerdict;
	/** What kind of machine it makes: of no other do guests run here. */
	readonly kind: MachineKind;
	/** The firmware of machines that have flash. */
	readonly flash?: Flash;
};

/** `set-action` (6.0) is the youngest of the commands that are used. */
const oldestMajor = 6;

type Finding = {readonly health: DriverHealth; readonly found?: QemuHost};

/** Looks for QEMU and remembers what it found for as long as it is there. */
export class QemuHostProbe {
	readonly #options: QemuHostOptions;
	#finding: Promise<Finding> | undefined;
	#machines: Promise<readonly string[]> | undefined;

	constructor(options: QemuHostOptions) {
		this.#options = options;
	}

	async health(again = false): Promise<DriverHealth> {
		return (await this.#look(again)).health;
	}

	/** @throws DroverError `driver.not-installed`, `driver.unusable` */
	async require(): Promise<QemuHost> {
		const {health, found} = await this.#look(false);
		if (found) return found;
		throw new DroverError(health.installed ? 'driver.unusable' : 'driver.not-installed', health.summary, {
			next: health.remedy,
		});
	}

	/**
	 * The newest versioned machine type of the kind drover uses: `pc-i440fx-7.2`, `virt-9.1`.
	 * @throws DroverError `driver.unusable`
	 */
	async newestMachine(): Promise<string> {
		const {kind} = await this.require();
		const newest = newestOf(await this.#listMachines(), kind);
		if (newest !== undefined) return newest;
		throw new DroverError('driver.unusable', `This QEMU has no machine of the kind ${kind.machine}.`, {
			next: `Install the full QEMU for ${kind.arch}.`,
		});
	}

	async hasMachine(name: string): Promise<boolean> {
		return (await this.#listMachines()).includes(name);
	}

	async #listMachines(): Promise<readonly string[]> {
		const {program} = await this.require();
		// An answer that could not be had is not kept.
		if (this.#machines && (await this.#machines).length === 0) this.#machines = undefined;
		this.#machines ??= run(program, ['-machine', 'help'], {timeoutMs: 5000}).then(result =>
			result.stdout.split('\n').flatMap(line => /^([\w.-]+)\s/.exec(line)?.[1] ?? []),
		);
		return this.#machines;
	}

	async #look(again: boolean): Promise<Finding> {
		// What was not found is looked for each time: it may have been installed meanwhile.
		if (again || (this.#finding && !(await this.#finding).found)) this.#finding = undefined;
		if (again) this.#machines = undefined;
		this.#finding ??= look(this.#options, again);
		return this.#finding;
	}
}

async function look(options: QemuHostOptions, again: boolean): Promise<Finding> {
	const system = options.system ?? thisSystem();
	const {environment, platform} = system;
	const kind = kindOf(system.architecture);
	const checkedAt = Date.now();
	const no = (summary: string, installed: boolean, remedy: string, version?: string): Finding => ({
		health: {installed, usable: false, summary, remedy, checkedAt, ...(version === undefined ? {} : {version})},
	});
	try {
		const [program, imageProgram] = await Promise.all([
			findProgram(options.program ?? kind.program, environment, platform),
			findProgram(options.imageProgram ?? 'qemu-img', environment, platform),
		]);
		if (program === undefined) return no('QEMU is not installed.', false, await installRemedy(system, kind));
		if (imageProgram === undefined) {
			return no('QEMU is installed, but qemu-img is not.', false, await installRemedy(system, kind));
		}
		const answer = await system.run(program, ['--version'], {timeoutMs: 2000});
		const version = /version (\d+(?:\.\d+){1,2})/.exec(answer.stdout)?.[1];
		if (version === undefined) {
			const why = answer.timedOut ? 'it does not answer' : lastLine(answer.stderr) || 'it does not tell its version';
			return no(`QEMU is installed, but cannot be run: ${why}.`, true, await installRemedy(system, kind));
		}
		if (Number.parseInt(version, 10) < oldestMajor) {
			return no(`QEMU ${version} is too old, ${oldestMajor}.0 is needed.`, true, 'Install a newer QEMU.', version);
		}
		const flash = kind.hasFlash ? await findFlash(program, platform) : undefined;
		if (kind.hasFlash && flash === undefined) {
			const what = `QEMU ${version} is installed, but not the UEFI firmware for ${kind.arch} guests.`;
			return no(what, true, await firmwareRemedy(system), version);
		}
		const verdict = await probeAccelerator({
			program,
			version,
			cache: options.cache,
			again,
			host: options.host ?? probeHost(system),
			kind,
		});
		const how =
			verdict.accelerator === 'tcg'
				? `software emulation: ${verdict.reason ?? 'no accelerator'}`
				: `hardware acceleration (${verdict.accelerator})`;
		return {
			health: {
				installed: true,
				usable: true,
				version,
				accelerator: verdict.accelerator,
				summary: `QEMU ${version}, ${how}.`,
				...(verdict.remedy === undefined ? {} : {remedy: verdict.remedy}),
				checkedAt,
			},
			found: {program, imageProgram, version, verdict, kind, ...(flash === undefined ? {} : {flash})},
		};
	} catch (error) {
		return no(`QEMU could not be looked at: ${lastLine(String(error))}.`, false, await installRemedy(system, kind));
	}
}

/** The highest `pc-i440fx-X.Y`; numbers, not texts, are compared. */
export function newestOf(machines: readonly string[], {machine} = machineKinds.x86_64): string | undefined {
	const versions = machines.flatMap(name => {
		const version = name.startsWith(`${machine}-`) ? name.slice(machine.length + 1) : '';
		const match = /^(\d+)\.(\d+)$/.exec(version);
		return match ? [{name, rank: Number(match[1]) * 1000 + Number(match[2])}] : [];
	});
	return versions.sort((a, b) => b.rank - a.rank)[0]?.name;
}

/** For each family of distributions, what installs QEMU for x86_64 guests, and for aarch64 ones with their firmware. */
const remedies: ReadonlyArray<readonly [RegExp, Readonly<Record<GuestArchitecture, string>>]> = [
	[
		/debian|ubuntu/,
		{
			x86_64: 'sudo apt-get install qemu-system-x86 qemu-utils',
			aarch64: 'sudo apt-get install qemu-system-arm qemu-efi-aarch64 qemu-utils',
		},
	],
	[
		/fedora|rhel|centos/,
		{
			x86_64: 'sudo dnf install qemu-system-x86-core qemu-img',
			aarch64: 'sudo dnf install qemu-system-aarch64-core edk2-aarch64 qemu-img',
		},
	],
	[
		/suse/,
		{
			x86_64: 'sudo zypper install qemu-x86 qemu-tools',
			aarch64: 'sudo zypper install qemu-arm qemu-uefi-aarch64 qemu-tools',
		},
	],
	[/arch/, {x86_64: 'sudo pacman -S qemu-base', aarch64: 'sudo pacman -S qemu-system-aarch64 edk2-aarch64 qemu-img'}],
	[
		/alpine/,
		{
			x86_64: 'sudo apk add qemu-system-x86_64 qemu-img',
			aarch64: 'sudo apk add qemu-system-aarch64 aavmf qemu-img',
		},
	],
];

async function installRemedy({platform}: System, {arch}: MachineKind): Promise<string> {
	if (platform === 'darwin') return 'brew install qemu';
	if (platform === 'win32') return 'winget install SoftwareFreedomConservancy.QEMU';
	const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
	const family = [...release.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].map(match => match[1]).join(' ');
	return (
		remedies.find(([pattern]) => pattern.test(family))?.[1][arch] ??
		`Install QEMU for ${arch} and qemu-img with the package manager of this system.`
	);
}

/** Homebrew and MacPorts have it with QEMU; distributions in a package of its own, which the first remedy names. */
async function firmwareRemedy(system: System): Promise<string> {
	return system.platform === 'darwin' ? 'brew reinstall qemu' : installRemedy(system, machineKinds.aarch64);
}
