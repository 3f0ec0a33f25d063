import {driverTitles} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {DriverHealth} from '../driver.ts';
import {Manage, ManageError} from './manage.ts';
import {parseVersion} from './parse.ts';
import {findManage, manageEnvironment, thisHost, type VirtualBoxHost} from './platform.ts';

export type HostOptions = {
	/** Default: this one. */
	readonly host?: VirtualBoxHost;
	/** Absolute; default: see `programPlaces`. */
	readonly program?: string;
};

/** What is known of the installed VirtualBox. */
export type Found = {readonly manage: Manage; readonly version: string};

type Finding = {readonly health: DriverHealth; readonly found?: Found};

const title = driverTitles.virtualbox;
/** What a question may take in all while it is looked for; `health` may take 5 s. */
const answerLimitMs = 2400;
const oldest = 6;

const install: Readonly<Record<VirtualBoxHost['platform'], string>> = {
	linux: 'Install VirtualBox from your distribution, or from its own packages.',
	darwin: 'brew install --cask virtualbox, or the package that VirtualBox publishes for macOS on Intel.',
	win32: 'winget install Oracle.VirtualBox, or the installer that VirtualBox publishes for Windows.',
};

const untested =
	'Experimental: checked against the real VBoxManage without machines that run, and never on a host with them.';

/** Looks for VirtualBox and remembers what it found for as long as it is usable. */
export class HostProbe {
	readonly host: VirtualBoxHost;
	readonly #program: string | undefined;
	#finding: Promise<Finding> | undefined;
	#manage: Manage | undefined;

	constructor({host = thisHost(), program}: HostOptions) {
		this.host = host;
		this.#program = program;
	}

	/** Processes started so far. */
	get starts(): number {
		return this.#manage?.starts ?? 0;
	}

	async health(again = false): Promise<DriverHealth> {
		return (await this.#look(again)).health;
	}

	/** @throws DroverError `driver.not-installed`, `driver.unusable` */
	async require(): Promise<Found> {
		const {health, found} = await this.#look(false);
		if (found) return found;
		throw new DroverError(health.installed ? 'driver.unusable' : 'driver.not-installed', health.summary, {
			next: health.remedy,
		});
	}

	async #look(again: boolean): Promise<Finding> {
		// What was not usable is looked at each time: it may be by now.
		if (again || (this.#finding && !(await this.#finding).found)) this.#finding = undefined;
		this.#finding ??= this.#find();
		return this.#finding;
	}

	async #find(): Promise<Finding> {
		const {host} = this;
		const no = (summary: string, installed: boolean, remedy: string, version?: string): Finding => ({
			health: {
				installed,
				usable: false,
				summary,
				remedy,
				checkedAt: Date.now(),
				...(version === undefined ? {} : {version}),
			},
		});
		const program = this.#program ?? (await findManage(host));
		if (program === undefined) {
			return no(`${title} is not installed: there is no VBoxManage.`, false, install[host.platform]);
		}
		if (this.#manage?.program !== program) this.#manage = new Manage(program, manageEnvironment(host));
		const manage = this.#manage;
		try {
			const text = await manage.look(['--version'], {timeoutMs: answerLimitMs});
			const version = parseVersion(text);
			if (version === undefined) return no(`${program} does not tell a version.`, true, install[host.platform]);
			const hint = await this.#problem(text, manage, version);
			if (hint) return no(`${title} ${version} ${hint.words}.`, true, hint.remedy, version);
			const summary = `${title} ${version}, hardware acceleration. ${untested}`;
			const health = {installed: true, usable: true, version, summary, checkedAt: Date.now()};
			return {health, found: {manage, version}};
		} catch (error) {
			const words = error instanceof ManageError ? error.message : (error as Error).message;
			return no(`${title} is installed, but ${lowerFirst(words)}.`, true, 'Run VBoxManage --version and see why.');
		}
	}

	async #problem(
		text: string,
		manage: Manage,
		version: string,
	): Promise<{readonly words: string; readonly remedy: string} | undefined> {
		const {platform, architecture} = this.host;
		if (architecture !== 'x64') {
			return {
				words: `runs only guests of this host’s kind of processor (${architecture}), and drover has x86_64 ones for it`,
				remedy: platform === 'darwin' ? 'Use the qemu driver on Macs with Apple silicon.' : 'Use another driver.',
			};
		}
		if (Number.parseInt(version, 10) < oldest) {
			return {words: 'is too old', remedy: `Install VirtualBox ${oldest} or newer.`};
		}
		// Said on the standard output by wrappers of Linux distributions, before everything else.
		if (/WARNING: The (?:character device \/dev\/vboxdrv|vboxdrv kernel module)/.test(text)) {
			return {
				words: 'cannot start machines: its kernel module is not loaded',
				remedy: 'sudo modprobe vboxdrv; where there is none, install the one for this kernel (virtualbox-dkms).',
			};
		}
		const refusal = await manage.look(['list', 'vms'], {timeoutMs: answerLimitMs, isList: true}).then(
			() => undefined,
			(error: Error) => error,
		);
		if (!refusal) return undefined;
		return {
			words: `is installed, but its service does not answer (${lowerFirst(refusal.message)})`,
			remedy: 'End VBoxSVC and the windows of VirtualBox, and try again.',
		};
	}
}

function lowerFirst(text: string): string {
	return /^VB|^VE/.test(text) ? text : `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
