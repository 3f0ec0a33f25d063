import {readFile, stat} from 'node:fs/promises';
import path from 'node:path';
import type {Platform} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import type {DriverHealth} from '../driver.ts';
import type {Accelerator} from '../machine/hardware.ts';
import type {QemuHost, QemuHostProbe} from '../machine/host.ts';
import {findProgram, run} from '../machine/programs.ts';
import {isSystem, libvirtEnvironment, libvirtUri} from './connection.ts';
import {Virsh, VirshError} from './virsh.ts';

export type LibvirtHostOptions = {
	readonly platform: Platform;
	/** Default `virsh`; a name that is looked for in `PATH`, or an absolute path. */
	readonly program?: string;
	/** Default: see {@link libvirtUri}. */
	readonly uri?: string;
};

/** What is known of the installed libvirt. */
export type LibvirtHost = {
	readonly virsh: Virsh;
	readonly qemu: QemuHost;
	readonly accelerator: Accelerator;
};

type Finding = {readonly health: DriverHealth; readonly found?: LibvirtHost};

/** What `health` may take in all is 5 s. */
const healthLimitMs = 4500;
/** libvirt looks at every QEMU there is when it is first asked about one; with a slow process 1 that takes long. */
const capabilitiesLimitMs = 180_000;

const daemons = ['libvirtd', 'virtqemud'];
const installPackages =
	'sudo apt-get install libvirt-daemon-system libvirt-clients (or what has virsh and libvirtd in this distribution)';

/** Looks for libvirt and remembers what it found for as long as it is usable. */
export class LibvirtHostProbe {
	readonly #qemu: QemuHostProbe;
	readonly #options: LibvirtHostOptions;
	#finding: Promise<Finding> | undefined;
	/** libvirt's answer about what it can run, by domain type; under way perhaps. */
	readonly #capabilities = new Map<string, Promise<string | undefined>>();

	constructor(qemu: QemuHostProbe, options: LibvirtHostOptions) {
		this.#qemu = qemu;
		this.#options = options;
	}

	async health(again = false): Promise<DriverHealth> {
		if (!again && this.#finding) {
			const {found} = await this.#finding;
			// A daemon that was there may be gone.
			if (found && !(await this.#answers(found.virsh))) this.#finding = undefined;
		}
		return (await this.#look(again)).health;
	}

	/** @throws DroverError `driver.not-installed`, `driver.unusable` */
	async require(): Promise<LibvirtHost> {
		const {health, found} = await this.#look(false);
		if (found) return found;
		throw new DroverError(health.installed ? 'driver.unusable' : 'driver.not-installed', health.summary, {
			next: health.remedy,
		});
	}

	async #look(again: boolean): Promise<Finding> {
		// What was not usable is looked at each time: it may be by now.
		if (again || (this.#finding && !(await this.#finding).found)) this.#finding = undefined;
		if (again) this.#capabilities.clear();
		this.#finding ??= this.#find(again);
		return this.#finding;
	}

	async #answers(virsh: Virsh): Promise<boolean> {
		return virsh.ask(['list', '--name'], {timeoutMs: 2000}).then(
			() => true,
			() => false,
		);
	}

	async #find(again: boolean): Promise<Finding> {
		const begun = Date.now();
		const no = (summary: string, installed: boolean, remedy: string | undefined, version?: string): Finding => ({
			health: {
				installed,
				usable: false,
				summary,
				checkedAt: Date.now(),
				...(remedy === undefined ? {} : {remedy}),
				...(version === undefined ? {} : {version}),
			},
		});
		try {
			if (this.#options.platform !== 'linux') return no('libvirt runs instances on Linux only.', false, undefined);
			const [program, daemon] = await Promise.all([findProgram(this.#options.program ?? 'virsh'), findDaemon()]);
			if (program === undefined) return no('libvirt is not installed: there is no virsh.', false, installPackages);
			const answer = await run(program, ['--version'], {timeoutMs: 2000, environment: libvirtEnvironment()});
			const version = /^(\d+(?:\.\d+){1,2})/.exec(answer.stdout)?.[1];
			if (version === undefined) return no('virsh is installed, but cannot be run.', true, installPackages);
			const uri = this.#options.uri ?? libvirtUri();
			const virsh = new Virsh(program, uri);
			const refusal = await virsh.ask(['list', '--name'], {timeoutMs: 2500}).then(
				() => undefined,
				error => (error instanceof VirshError ? error : new VirshError('refused', String(error))),
			);
			if (refusal) {
				if (daemon === undefined) {
					return no('virsh is installed, but libvirt’s daemon is not.', false, installPackages, version);
				}
				const {summary, remedy} = await explainRefusal(refusal, uri, daemon);
				return no(`libvirt ${version}: ${summary}.`, true, remedy, version);
			}
			const qemuHealth = await this.#qemu.health(again);
			const qemu = await this.#qemu.require().catch(() => undefined);
			if (!qemu) return no(`libvirt ${version}: ${qemuHealth.summary}`, false, qemuHealth.remedy, version);
			if (qemu.kind.arch !== 'x86_64') {
				const why = `this version of drover runs no ${qemu.kind.arch} guests by libvirt`;
				return no(`libvirt ${version}: ${why}.`, true, 'Use the qemu or the lxd driver.', version);
			}
			return await this.#judge(virsh, qemu, version, qemuHealth, begun);
		} catch (error) {
			return no(`libvirt could not be looked at: ${(error as Error).message}`, false, installPackages);
		}
	}

	async #judge(
		virsh: Virsh,
		qemu: QemuHost,
		version: string,
		qemuHealth: DriverHealth,
		begun: number,
	): Promise<Finding> {
		const left = () => Math.max(200, begun + healthLimitMs - Date.now());
		const chosen = qemu.verdict.accelerator;
		let accelerator = chosen;
		let problem = await within(this.#canRun(virsh, qemu, chosen), left());
		// What drover can use and libvirt cannot is a matter of libvirt's rights.
		let note = '';
		if (typeof problem === 'string' && chosen !== 'tcg') {
			note = `; libvirt cannot use ${chosen} (${problem})`;
			accelerator = 'tcg';
			problem = await within(this.#canRun(virsh, qemu, 'tcg'), left());
		}
		const common = {installed: true, version, accelerator, checkedAt: Date.now()};
		const found = {virsh, qemu, accelerator};
		if (typeof problem === 'string') {
			const summary = `libvirt ${version} cannot run QEMU: ${problem}.`;
			return {health: {...common, usable: false, summary, remedy: qemuHealth.remedy ?? installPackages}};
		}
		const where = isSystem(virsh.uri) ? 'the system’s' : 'this user’s own';
		const how =
			accelerator === 'tcg'
				? `software emulation: ${qemu.verdict.reason ?? 'no accelerator'}${note}`
				: `hardware acceleration (${accelerator})`;
		const summary = `libvirt ${version} (${where}) with QEMU ${qemu.version}, ${how}.`;
		if (problem === late) {
			// Not remembered, so that it is looked at again.
			this.#finding = undefined;
			return {
				health: {
					...common,
					usable: true,
					summary: `${summary} It is slow to answer: it is still finding out what QEMU can do.`,
					remedy: await slowRemedy(virsh.uri),
				},
				found,
			};
		}
		if (isSystem(virsh.uri) && (await probesAlways())) {
			return {
				health: {
					...common,
					usable: true,
					summary: `${summary} Each start takes a minute, as QEMU’s user may not open /dev/kvm.`,
					remedy: await slowRemedy(virsh.uri),
				},
				found,
			};
		}
		return {
			health: {
				...common,
				usable: true,
				summary,
				...(qemuHealth.remedy === undefined ? {} : {remedy: qemuHealth.remedy}),
			},
			found,
		};
	}

	/** Why libvirt cannot run guests this way, `undefined` when it can. The question goes on when nobody waits any more. */
	#canRun(virsh: Virsh, qemu: QemuHost, accelerator: Accelerator): Promise<string | undefined> {
		const type = accelerator === 'tcg' ? 'qemu' : accelerator;
		let asked = this.#capabilities.get(type);
		if (!asked) {
			asked = virsh
				.ask(['domcapabilities', '--virttype', type, '--emulatorbin', qemu.program, '--arch', 'x86_64'], {
					timeoutMs: capabilitiesLimitMs,
				})
				.then(
					() => undefined,
					(error: Error) => {
						this.#capabilities.delete(type);
						return error.message;
					},
				);
			this.#capabilities.set(type, asked);
		}
		return asked;
	}
}

const late = Symbol('late');

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | typeof late> {
	let timer: NodeJS.Timeout | undefined;
	const end = new Promise<typeof late>(resolve => {
		timer = setTimeout(() => resolve(late), milliseconds);
	});
	return Promise.race([promise, end]).finally(() => clearTimeout(timer));
}

async function findDaemon(): Promise<string | undefined> {
	for (const name of daemons) {
		for (const file of [name, path.join('/usr/sbin', name), path.join('/sbin', name)]) {
			const found = await findProgram(file);
			if (found !== undefined) return found;
		}
	}
	return undefined;
}

/** Why libvirt could not be spoken to, and what to do. */
export async function explainRefusal(
	refusal: VirshError,
	uri: string,
	daemon: string,
): Promise<{summary: string; remedy: string}> {
	const name = path.basename(daemon);
	if (/permission denied|authentication (?:failed|unavailable)|access denied|polkit/i.test(refusal.message)) {
		return {
			summary: `this user may not use ${uri}`,
			remedy: 'sudo usermod -aG libvirt "$USER", then log in again',
		};
	}
	if (refusal.problem === 'silent') {
		return {summary: `${uri} does not answer`, remedy: `Look into the log of ${name}, and restart it if it hangs.`};
	}
	if (isSystem(uri)) {
		const hasSystemd = await stat('/run/systemd/system').then(
			() => true,
			() => false,
		);
		return {
			summary: `its daemon does not run (${refusal.message})`,
			remedy: hasSystemd
				? `sudo systemctl enable --now ${name}.socket`
				: `No systemd runs here, so start it by hand: virtlogd -d; ${name} -d`,
		};
	}
	return {
		summary: `the user’s own libvirt could not be started (${refusal.message})`,
		remedy: `See why with: virsh -c ${uri} list`,
	};
}

/** Whether the trap below is set, as far as can be seen: who runs QEMU is a setting, and the device has rights. */
async function probesAlways(): Promise<boolean> {
	const device = await stat('/dev/kvm').catch(() => undefined);
	// Anybody may open it, or a group other than root's, in which libvirt's packages put their user.
	if (!device || (device.mode & 0o006) === 0o006 || (device.gid !== 0 && (device.mode & 0o060) === 0o060)) return false;
	const settings = await readFile('/etc/libvirt/qemu.conf', 'utf8').catch(() => '');
	return !/^\s*user\s*=\s*"(?:root|\+?0)"/m.test(settings);
}

/**
 * libvirt asks QEMU anew for each command when it found `/dev/kvm` usable once and the user it runs QEMU as may not open
 * it. Every definition then takes a minute.
 */
async function slowRemedy(uri: string): Promise<string> {
	const device = await stat('/dev/kvm').catch(() => undefined);
	if (isSystem(uri) && device && (device.mode & 0o006) !== 0o006) {
		return 'If it stays slow: the user that libvirt runs QEMU as may not open /dev/kvm. Give it that right (usermod -aG kvm libvirt-qemu), or set user and group in /etc/libvirt/qemu.conf, and restart libvirt.';
	}
	return 'Wait a minute and look again.';
}
