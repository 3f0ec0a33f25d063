import {readFile} from 'node:fs/promises';
import path from 'node:path';
import type {Platform} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import {findProgram} from '../../platform/programs.ts';
import type {System} from '../../platform/system.ts';
import {writeAtomic} from '../../state/atomic.ts';
import {makePrivate} from '../../state/paths.ts';
import type {DriverHealth} from '../driver.ts';
import {HypervError, rightsRemedy, trimmed} from './errors.ts';
import {type HealthFacts, healthResult} from './messages.ts';
import type {Scripts} from './scripts.ts';
import type {Launcher} from './session.ts';

/** What is different on the host drover runs on, as data: on Windows the real things, in tests stand-ins. */
export type HostTools = {
	readonly platform: Platform;
	/** Absolute path of a program; `undefined` when there is none. */
	readonly find: (name: string) => Promise<string | undefined>;
	/** PowerShells to try, the first that is there; absolute paths or names. */
	readonly shells: readonly string[];
	/** Arguments before and after the script's file. */
	readonly shellArguments: (script: string) => readonly string[];
	readonly environment: Readonly<Record<string, string>>;
	readonly imageProgram: string;
};

/** What PowerShell needs to find Windows and itself; `PSModulePath` would mislead one version to the other's modules. */
const needed =
	/^(?:systemroot|windir|systemdrive|path|pathext|temp|tmp|userprofile|username|userdomain|appdata|localappdata|programdata|programfiles|programfiles\(x86\)|commonprogramfiles|computername|comspec|processor_architecture|number_of_processors|homedrive|homepath|home|lang|lc_all)$/i;

export function windowsTools({platform, environment}: Pick<System, 'environment' | 'platform'>): HostTools {
	const kept = Object.entries(environment).flatMap(([key, value]) =>
		needed.test(key) && value !== undefined ? [[key, value] as const] : [],
	);
	const root = kept.find(([key]) => /^systemroot$/i.test(key))?.[1] ?? 'C:\\Windows';
	return {
		platform,
		find: name => findProgram(name, environment, platform),
		// By its place: what else is called so in PATH is not asked to.
		shells: [path.win32.join(root, 'System32', 'WindowsPowerShell', 'v1.0', 'powershell.exe'), 'pwsh.exe'],
		shellArguments: script => [
			...['-NoLogo', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass'],
			...['-File', script],
		],
		environment: Object.fromEntries(kept),
		imageProgram: 'qemu-img.exe',
	};
}

/** A service can be stopped, and a user put out of a group: how long good news is good. Milliseconds. */
const keptMs = 60_000;

/** PowerShell with its modules takes seconds to start on a busy host. */
const startMs = 60_000;

const notHere = 'Hyper-V is a part of Windows, and this is none.';

/** Finds PowerShell, puts the script where it can run it, and tells what is the matter with Hyper-V when it is. */
export class HypervHost {
	readonly #tools: HostTools;
	/** Where the script is put; private. */
	readonly #directory: string;
	#known: DriverHealth | undefined;
	#asking: Promise<DriverHealth> | undefined;
	/** It did not answer in time when it was asked last. */
	#isSlow = false;

	constructor(tools: HostTools, directory: string) {
		this.#tools = tools;
		this.#directory = directory;
	}

	/** @throws HypervError `missing` */
	async launcher(): Promise<Launcher> {
		const {platform, find, shells, shellArguments, environment} = this.#tools;
		if (platform !== 'win32') throw new HypervError('missing', notHere);
		const found = await firstOf(shells, find);
		if (found === undefined) throw new HypervError('missing', 'there is no PowerShell on this host');
		return {program: found, args: shellArguments(await this.#script()), environment};
	}

	/** What programs are given. */
	get environment(): Readonly<Record<string, string>> {
		return this.#tools.environment;
	}

	/** `qemu-img`, which makes disks for Hyper-V out of images. @throws DroverError `driver.unusable` */
	async imageProgram(): Promise<string> {
		const found = await this.#tools.find(this.#tools.imageProgram);
		if (found !== undefined) return found;
		throw new DroverError('driver.unusable', 'qemu-img is needed to make a disk for Hyper-V out of an image.', {
			next: imageRemedy,
		});
	}

	/** Never throws. What was not well is looked at anew each time. */
	async health(scripts: Scripts, again: boolean): Promise<DriverHealth> {
		if (!again && this.#known && Date.now() - this.#known.checkedAt < keptMs) return this.#known;
		// One question for all who ask, and answered within the time a health may take.
		this.#asking ??= this.#look(scripts).finally(() => {
			this.#asking = undefined;
		});
		const health = await this.#asking;
		this.#known = health.usable ? health : undefined;
		return health;
	}

	/** @throws DroverError `driver.not-installed`, `driver.unusable` */
	async require(scripts: Scripts): Promise<void> {
		const deadline = performance.now() + startMs;
		let health = await this.health(scripts, false);
		// A PowerShell that is being started is waited for; a row of a table is not.
		while (!health.usable && this.#isSlow && performance.now() < deadline) health = await this.health(scripts, false);
		if (health.usable) return;
		throw new DroverError(health.installed ? 'driver.unusable' : 'driver.not-installed', health.summary, {
			next: health.remedy,
		});
	}

	async #look(scripts: Scripts): Promise<DriverHealth> {
		const checkedAt = Date.now();
		try {
			const hello = await scripts.hello(4500);
			const left = Math.max(250, 4800 - (Date.now() - checkedAt));
			const facts = await scripts.look(healthResult, 'health', {}, {timeoutMs: left});
			this.#isSlow = false;
			const hasImageProgram = (await this.#tools.find(this.#tools.imageProgram)) !== undefined;
			return {...verdictOf(facts, hello.powershell, hasImageProgram), checkedAt};
		} catch (error) {
			this.#isSlow = error instanceof HypervError && error.problem === 'silent';
			return {...troubleOf(error), checkedAt};
		}
	}

	/** Under a name that its content has: an older daemon's script stays as it is while that one runs. */
	async #script(): Promise<string> {
		const {scriptText} = await import('./script-text.ts');
		const {createHash} = await import('node:crypto');
		const name = `hyperv-${createHash('sha256').update(scriptText).digest('hex').slice(0, 16)}.ps1`;
		const file = path.join(this.#directory, name);
		makePrivate(this.#directory);
		if ((await readFile(file, 'utf8').catch(() => undefined)) !== scriptText) await writeAtomic(file, scriptText);
		return file;
	}
}

const imageRemedy =
	'Install QEMU for Windows, so that qemu-img.exe is in PATH: winget install SoftwareFreedomConservancy.QEMU';
const experimental = 'Experimental: drover’s Hyper-V driver has never been run on a real host.';

/** What it means that something does not answer. */
function troubleOf(error: unknown): Omit<DriverHealth, 'checkedAt'> {
	const no = (installed: boolean, summary: string, remedy?: string) => ({
		installed,
		usable: false,
		summary,
		...(remedy === undefined ? {} : {remedy}),
	});
	if (!(error instanceof HypervError)) return no(false, `Hyper-V could not be looked at: ${(error as Error).message}`);
	const why = trimmed(error.message);
	switch (error.problem) {
		case 'missing':
			return error.message === notHere
				? no(false, notHere, 'On this platform use another driver: drover drivers lists them.')
				: no(false, `Hyper-V is asked through PowerShell, and that cannot be run: ${why}.`);
		case 'silent':
			return no(true, `PowerShell has not answered yet: ${why}.`, 'Ask again in a moment: drover doctor.');
		case 'crashed':
			return no(
				true,
				`PowerShell does not run drover’s script: ${why}.`,
				'Get-ExecutionPolicy -List shows whether a policy of this computer forbids scripts.',
			);
		default:
			return no(true, `Hyper-V cannot be asked: ${why}.`);
	}
}

/** Windows's numbers of its Home editions. Source: `winnt.h`, `PRODUCT_CORE…`. */
const homeEditions = new Set([98, 99, 100, 101]);

/** Facts about the host -> is it there, may we use it, and what to do. Pure. */
export function verdictOf(
	facts: HealthFacts,
	powershell: string,
	hasImageProgram: boolean,
): Omit<DriverHealth, 'checkedAt'> {
	const {windows, sku, hypervisor, module, service, elevated, member, access, defaultSwitch} = facts;
	const no = (installed: boolean, summary: string, remedy: string) => ({
		installed,
		usable: false,
		summary,
		remedy,
		...(installed && windows !== '' ? {version: windows} : {}),
	});
	if (module === '' || service === '') {
		if (homeEditions.has(sku)) {
			return no(
				false,
				'This is a Home edition of Windows, which has no Hyper-V.',
				'Use VirtualBox: drover switch virtualbox.',
			);
		}
		return no(
			false,
			module === '' && service !== ''
				? 'Hyper-V is installed, but its module for PowerShell is not.'
				: 'Hyper-V is not switched on in Windows.',
			'In PowerShell as administrator: Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All; then restart Windows.',
		);
	}
	if (!hypervisor) {
		return no(
			true,
			'Hyper-V is installed, but its hypervisor is not running.',
			'Switch virtualization on in the firmware, and the hypervisor with bcdedit /set hypervisorlaunchtype auto; then restart Windows.',
		);
	}
	if (service !== 'Running') {
		return no(
			true,
			`Hyper-V’s service vmms is ${service}.`,
			'In PowerShell as administrator: Start-Service -Name vmms.',
		);
	}
	if (access !== 'yes') {
		return elevated || member
			? no(true, `Hyper-V refuses to be asked (${access || 'no reason'}).`, 'Log out and in again, or restart vmms.')
			: no(true, 'This user may not use Hyper-V.', rightsRemedy);
	}
	if (!defaultSwitch) {
		return no(
			true,
			'Hyper-V has no Default Switch, which instances are connected to.',
			'Windows 10 and 11 make it themselves when Hyper-V is switched on; Windows Server has none.',
		);
	}
	const missing = hasImageProgram ? '' : ' qemu-img, without which no instance can be made, is missing.';
	return {
		installed: true,
		usable: true,
		version: windows,
		summary: `Hyper-V of Windows ${windows}, module ${module}, PowerShell ${powershell}.${missing} ${experimental}`,
		...(hasImageProgram ? {} : {remedy: imageRemedy}),
	};
}

async function firstOf<Item, Found>(
	items: readonly Item[],
	look: (item: Item) => Promise<Found | undefined>,
): Promise<Found | undefined> {
	for (const item of items) {
		const found = await look(item);
		if (found !== undefined) return found;
	}
	return undefined;
}
