import {randomBytes} from 'node:crypto';
import {access, constants, mkdir, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {cpus, loadavg, tmpdir} from 'node:os';
import path from 'node:path';
import type {Platform} from '../../model/driver-name.ts';
import type {System} from '../../platform/system.ts';
import {writeAtomic} from '../../state/atomic.ts';
import type {Accelerator} from './hardware.ts';
import {type GuestArchitecture, kindOf, type MachineKind, machineKinds} from './kinds.ts';
import {armProbeFirmware, armProbeWord, probeFirmware} from './probe-firmware.ts';
import {lastLine, run} from './programs.ts';

export type AcceleratorVerdict = {
	readonly accelerator: Accelerator;
	/** Why there is no hardware acceleration; absent when there is. */
	readonly reason?: string;
	readonly remedy?: string;
};

/** The files the static part looks at, so that a test can show it others. */
export type ProbeHost = {
	readonly kvmDevice: string;
	readonly softwareKvmModule: string;
	readonly cpuInfo: string;
	/** Names the host's boot. */
	readonly bootId: () => Promise<string | undefined>;
	readonly architecture: string;
	readonly platform: Platform;
	/** What macOS says of its Hypervisor framework: `1` where it can be used; `undefined` where it says nothing. */
	readonly hypervisorSupport: () => Promise<string | undefined>;
};

/** Where Linux has them. */
export function probeHost(system: Pick<System, 'architecture' | 'platform' | 'bootId' | 'run'>): ProbeHost {
	return {
		kvmDevice: '/dev/kvm',
		softwareKvmModule: '/sys/module/kvm_pvm',
		cpuInfo: '/proc/cpuinfo',
		architecture: system.architecture,
		platform: system.platform,
		bootId: () => system.bootId(),
		async hypervisorSupport() {
			const {stdout} = await system.run('/usr/sbin/sysctl', ['-n', 'kern.hv_support'], {timeoutMs: 2000});
			return /^\s*(\d)\s*$/.exec(stdout)?.[1];
		},
	};
}

/** How long the firmware may take. Hardware needs a fraction of it; software behind `/dev/kvm` many times as long. */
const timeLimitMs = 1500;
const secondTimeLimitMs = 2200;

export type ProbeInput = {
	/** Absolute path of QEMU. */
	readonly program: string;
	readonly version: string;
	/** Directory of the cached verdict. */
	readonly cache: string;
	readonly host: ProbeHost;
	/** What kind of machine it makes. Default: for x86_64. */
	readonly kind?: MachineKind;
	/** Forget the cached verdict. */
	readonly again?: boolean;
};

/**
 * Finds out how guests can be run. `/dev/kvm` that opens, answers and makes machines proves nothing: nested and
 * emulating implementations do so too, and then run guests at a thousandth of the speed or not at all. So it is measured,
 * with the processor model that guests get. The verdict is kept until the host boots, QEMU or the device changes.
 */
export async function probeAccelerator(input: ProbeInput): Promise<AcceleratorVerdict> {
	const {host, kind = machineKinds.x86_64} = input;
	const candidate: Accelerator | undefined =
		host.platform === 'linux' ? 'kvm' : host.platform === 'darwin' ? 'hvf' : undefined;
	if (candidate === undefined) return {accelerator: 'tcg', reason: `not known on ${host.platform}`};
	const problem = await staticProblem(candidate, host, kind);
	if (problem) return {accelerator: 'tcg', ...problem};
	const key = `${kind.arch} ${await cacheKey(input.version, host)}`;
	const file = path.join(input.cache, 'qemu-accelerator.json');
	const cached = input.again ? undefined : await readVerdict(file, key);
	if (cached) return cached;
	const reason = await measure(input.program, candidate, kind);
	const verdict: AcceleratorVerdict =
		reason === undefined ? {accelerator: candidate} : {accelerator: 'tcg', reason: `${candidate}: ${reason}`};
	await mkdir(input.cache, {recursive: true, mode: 0o700})
		.then(() => writeAtomic(file, JSON.stringify({key, verdict})))
		// A verdict that cannot be kept is found again next time.
		.catch(() => {});
	return verdict;
}

async function staticProblem(
	candidate: Accelerator,
	host: ProbeHost,
	{arch}: MachineKind,
): Promise<{reason: string; remedy?: string} | undefined> {
	if (kindOf(host.architecture).arch !== arch || !['x64', 'arm64'].includes(host.architecture)) {
		return {reason: `this host's processor is ${host.architecture}, not ${arch}`};
	}
	if (candidate === 'hvf') {
		if ((await host.hypervisorSupport()) !== '0') return undefined;
		return {
			reason: 'this Mac’s processor or virtual host has no Hypervisor framework (kern.hv_support is 0)',
			remedy: 'On a virtual Mac, turn on nested virtualization.',
		};
	}
	try {
		await access(host.kvmDevice, constants.R_OK | constants.W_OK);
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code;
		if (code === 'EACCES' || code === 'EPERM') {
			return {
				reason: `${host.kvmDevice} may not be used by this user`,
				remedy: 'sudo usermod -aG kvm "$USER", then log in again',
			};
		}
		return {
			reason: `there is no ${host.kvmDevice}`,
			remedy: 'Turn on virtualization in the firmware (or nested virtualization, on a virtual host).',
		};
	}
	if (await stat(host.softwareKvmModule).catch(() => undefined)) {
		return {reason: `${host.kvmDevice} is software (kvm_pvm), slower than QEMU's own emulation`};
	}
	if (arch !== 'x86_64') return undefined;
	const information = await readFile(host.cpuInfo, 'utf8').catch(() => undefined);
	if (information !== undefined && !/^flags\s*:.*\b(?:vmx|svm)\b/m.test(information)) {
		return {reason: `${host.kvmDevice} is there, but the processor has neither vmx nor svm`};
	}
	return undefined;
}

/** @returns why it cannot be used, `undefined` when it can */
async function measure(program: string, accelerator: Accelerator, kind: MachineKind): Promise<string | undefined> {
	const first = await runProbe(program, accelerator, timeLimitMs, kind);
	// A host that is busy with other things is given a second, longer chance.
	const isBusy = (loadavg()[0] ?? 0) > 2 * cpus().length;
	return first.isTooSlow && isBusy
		? (await runProbe(program, accelerator, secondTimeLimitMs, kind)).problem
		: first.problem;
}

/** How a firmware is run, and the exit code by which it tells that it has come to its end. */
const probes: Readonly<
	Record<GuestArchitecture, {firmware: () => Buffer; machine: readonly string[]; code: number; word: string}>
> = {
	x86_64: {
		firmware: probeFirmware,
		machine: ['-machine', 'pc', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
		// 0x31 << 1 | 1: what the exit device makes of the firmware's last word.
		code: 99,
		word: '',
	},
	// Says its word and powers itself off, after which QEMU ends well.
	aarch64: {
		firmware: armProbeFirmware,
		machine: ['-machine', 'virt,gic-version=max', '-serial', 'stdio'],
		code: 0,
		word: armProbeWord,
	},
};

/** Runs the firmware once. `tcg` always works, which is how the probe itself can be tested. */
export async function runProbe(
	program: string,
	accelerator: Accelerator,
	timeoutMs: number,
	kind: MachineKind = machineKinds.x86_64,
): Promise<{problem?: string; isTooSlow: boolean}> {
	const directory = await mkdtemp(path.join(tmpdir(), `drover-probe-${randomBytes(3).toString('hex')}-`));
	try {
		const firmware = path.join(directory, 'firmware');
		const probe = probes[kind.arch];
		await writeFile(firmware, probe.firmware());
		const processor = accelerator === 'tcg' ? kind.processor : 'host';
		const args = [
			...['-accel', accelerator, '-cpu', processor, '-m', '16', '-nodefaults', '-no-user-config'],
			...['-display', 'none', '-no-reboot', '-bios', firmware, ...probe.machine],
		];
		// A QEMU that aborts (some accelerators make it) would leave a core file; the script is constant.
		const result = await run('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', program, ...args], {timeoutMs});
		if (result.code === probe.code && result.stdout.includes(probe.word)) return {isTooSlow: false};
		if (result.timedOut) return {problem: 'too slow to be hardware', isTooSlow: true};
		if (result.endedBy !== undefined) return {problem: `QEMU ended with ${result.endedBy}`, isTooSlow: false};
		return {problem: lastLine(result.stderr) || `QEMU ended with code ${result.code}`, isTooSlow: false};
	} finally {
		await rm(directory, {recursive: true, force: true});
	}
}

async function cacheKey(version: string, host: ProbeHost): Promise<string> {
	const bootId = (await host.bootId()) ?? '';
	const device = await stat(host.kvmDevice).catch(() => undefined);
	return `${bootId} ${version} ${device ? `${device.dev}:${device.ino}:${device.mode}` : '-'}`;
}

async function readVerdict(file: string, key: string): Promise<AcceleratorVerdict | undefined> {
	const v = await import('valibot');
	const schema = v.object({
		key: v.literal(key),
		verdict: v.object({accelerator: v.picklist(['kvm', 'hvf', 'tcg']), reason: v.optional(v.string())}),
	});
	try {
		const {verdict} = v.parse(schema, JSON.parse(await readFile(file, 'utf8')));
		return verdict.reason === undefined
			? {accelerator: verdict.accelerator}
			: {accelerator: verdict.accelerator, reason: verdict.reason};
	} catch {
		return undefined;
	}
}
