import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import {driversOn} from '../../source/drivers/platforms.ts';
import {loadDriver} from '../../source/drivers/registry.ts';
import {verificationOf} from '../../source/drivers/verification.ts';
import type {Engine} from '../../source/engine/engine.ts';
import {type DriverName, driverNames, driverTitles, type Platform} from '../../source/model/driver-name.ts';
import type {Run} from '../../source/platform/programs.ts';
import {systemOf} from '../../source/platform/system.ts';
import type {Paths} from '../../source/state/paths.ts';
import {drover} from '../commands/context.ts';
import {simulatedEngine} from '../support/engine.ts';
import {scratchPaths} from '../support/scratch.ts';
import {keys, TestScreen} from '../support/screen.ts';
import {SimulatedHypervisor} from '../support/simulated-driver.ts';
import {optionalMethods} from '../support/simulated-parts.ts';

const by = 'kim';

type On = {
	readonly architecture?: string;
	/** The file of settings, as an earlier version or another machine has left it. */
	readonly settings?: Readonly<Record<string, string>>;
	/** Drivers that this version does not have. */
	readonly missing?: readonly DriverName[];
	readonly paths?: Paths;
};

/** The engine as it is on a platform, over a hypervisor in memory for every driver. */
async function on(
	platform: Platform,
	{architecture = 'arm64', settings, missing = [], paths = scratchPaths()}: On = {},
) {
	const file = path.join(paths.config, 'settings.json');
	if (settings) {
		mkdirSync(paths.config, {recursive: true});
		writeFileSync(file, JSON.stringify(settings));
	}
	const hypervisor = new SimulatedHypervisor();
	for (const name of driverNames) hypervisor.offers.set(name, optionalMethods);
	const {engine} = await simulatedEngine(paths, {
		hypervisor,
		loadDriver: async name => (missing.includes(name) ? undefined : hypervisor.driver(name)),
		host: {platform, architecture},
		system: systemOf(platform, {run: async () => ({code: 1, stdout: '', stderr: '', timedOut: false})}),
		bootId: 'one',
	});
	return {engine, hypervisor, file, paths};
}

async function launched(engine: Engine, name = 'web') {
	const {id} = await engine.launch({image: 'micro', name, by});
	expect((await engine.wait({id})).error).toBeUndefined();
}

describe.each([
	['linux', 'x64', 'qemu'],
	['linux', 'arm64', 'lxd'],
	['darwin', 'x64', 'qemu'],
	['darwin', 'arm64', 'qemu'],
	['win32', 'x64', 'hyperv'],
	['win32', 'arm64', 'hyperv'],
] as const)('on %s, %s', (platform, architecture, standard) => {
	test(`the driver is ${standard} until the user chooses, and instances are in its scope`, async () => {
		const {engine} = await on(platform, {architecture});
		expect((await engine.overview()).driver).toMatchObject({name: standard, supported: true});
		expect(await engine.get({key: 'local.driver'})).toEqual({key: 'local.driver', value: standard, isDefault: true});
		await launched(engine);
		expect((await engine.list())[0]).toMatchObject({name: 'web', scope: standard, driver: standard});
		expect((await engine.overview()).notices).toEqual([]);
	});

	test('mounts over SSH are served on Linux alone, and refused elsewhere before anything is touched', async () => {
		const {engine, paths} = await on(platform, {architecture});
		await launched(engine);
		await engine.set({key: 'local.privileged-mounts', value: 'true', by});
		const mount = {source: paths.data, target: '/m', type: 'classic', uidMap: [], gidMap: []} as const;
		const asked = engine.mount({name: 'web', mount, by});
		if (platform === 'linux') {
			expect((await engine.wait({id: (await asked).id})).error).toBeUndefined();
			return;
		}
		await expect(asked).rejects.toMatchObject({
			code: 'driver.incapable',
			message: expect.stringMatching(
				/^Mounts over SSH are not in this version of drover for hosts on (macOS|Windows)\.$/,
			),
		});
	});

	test('its drivers come first, each with how far it is vouched for; the others say where they are', async () => {
		const {engine} = await on(platform, {architecture});
		const drivers = await engine.drivers();
		const here = driversOn(platform);
		expect(drivers.slice(0, here.length).map(({name}) => name)).toEqual(here);
		expect(drivers.map(({name}) => name).sort()).toEqual([...driverNames].sort());
		for (const {name, supported, unsupportedReason, health, verification} of drivers) {
			expect(supported).toBe(here.includes(name));
			expect(verification).toEqual(supported ? verificationOf(name, platform) : undefined);
			if (supported) {
				expect(verification!.note.length).toBeGreaterThan(10);
				continue;
			}
			expect(health.usable).toBe(false);
			expect(unsupportedReason).toMatch(new RegExp(`^${driverTitles[name]} is not supported on .*, only on `));
		}
	});

	test('a driver that it has not cannot be chosen, and nothing is changed by the try', async () => {
		const {engine, file} = await on(platform, {architecture, settings: {'client.primary-name': 'main'}});
		const before = readFileSync(file, 'utf8');
		for (const name of driverNames.filter(each => !driversOn(platform).includes(each))) {
			const {code, err} = await drover(['set', `local.driver=${name}`], {engine});
			expect(code).toBe(2);
			expect(err).toContain(`${driverTitles[name]} is not supported on`);
			expect(err).toContain(driversOn(platform).join(', '));
			await expect(engine.switchPlan({to: name})).rejects.toMatchObject({code: 'driver.unsupported'});
		}
		expect(readFileSync(file, 'utf8')).toBe(before);
		expect((await engine.overview()).driver.name).toBe(standard);
	});

	test('a setting of another platform is told, not obeyed and not overwritten', async () => {
		const foreign = driverNames.find(name => !driversOn(platform).includes(name))!;
		const {engine, file} = await on(platform, {architecture, settings: {'local.driver': foreign}});
		const {driver, notices} = await engine.overview();
		expect(driver.name).toBe(standard);
		expect(notices.map(({level, text}) => ({level, text}))).toEqual([
			{
				level: 'warning',
				text: expect.stringContaining(`"${standard}" is used instead; the setting was left as it is.`),
			},
		]);
		await launched(engine);
		expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({'local.driver': foreign});
	});
});

describe('a driver of this platform that this version does not have', () => {
	test('gives way to the default, and is told', async () => {
		const {engine, file} = await on('darwin', {settings: {'local.driver': 'virtualbox'}, missing: ['virtualbox']});
		const {driver, notices} = await engine.overview();
		expect(driver.name).toBe('qemu');
		expect(notices[0]!.text).toContain('virtualbox cannot be used by this version');
		expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({'local.driver': 'virtualbox'});
	});

	test('and where the default is it, to another one of the platform', async () => {
		const {engine} = await on('win32', {missing: ['hyperv', 'qemu']});
		expect((await engine.overview()).driver.name).toBe('virtualbox');
	});
});

test.each([
	['darwin', 'qemu', 'virtualbox'],
	['win32', 'hyperv', 'virtualbox'],
] as const)(
	'on %s, a switch from %s to %s and back hides one scope and shows the other',
	async (platform, from, to) => {
		const {engine, hypervisor} = await on(platform);
		await launched(engine, 'one');
		const {code, out} = await drover(['switch', to, '--dry-run'], {engine});
		expect(code).toBe(0);
		expect(out).toContain('one');
		expect(await engine.set({key: 'local.driver', value: to, by})).toMatchObject({value: to});
		expect(await engine.list()).toEqual([]);
		await launched(engine, 'one');
		expect((await engine.list())[0]).toMatchObject({scope: to});
		expect((await engine.overview()).elsewhere).toEqual([{scope: from, count: 1}]);
		await engine.set({key: 'local.driver', value: from, by});
		expect((await engine.list())[0]).toMatchObject({name: 'one', scope: from, state: 'Running'});
		// Suspended where the driver can, else stopped and started; VirtualBox can, and has one of that name as well.
		expect(hypervisor.calls.filter(call => /^(?:suspend|stop) one$/.test(call))).toEqual(
			from === 'qemu' ? ['suspend one', 'suspend one'] : ['stop one', 'suspend one'],
		);
	},
);

describe('what is refused', () => {
	test.each([
		['darwin', 'qemu', ['suspend', 'snapshot', 'networks']],
		['darwin', 'virtualbox', ['suspend', 'networks']],
		['win32', 'hyperv', ['snapshot', 'networks']],
		['win32', 'virtualbox', ['suspend', 'networks']],
		['linux', 'qemu', ['suspend', 'snapshot']],
	] as const)('on %s under %s is what the table has no yes for, with its reason', async (platform, name, allowed) => {
		const {engine, hypervisor} = await on(platform, {settings: {'local.driver': name}, architecture: 'x64'});
		hypervisor.parts.networks = [{name: 'en0', type: 'wifi', description: 'Wi-Fi'}];
		await launched(engine);
		// Snapshots of what is off: not every driver takes them live.
		const commands = {
			networks: ['networks'],
			suspend: ['suspend', 'web'],
			snapshot: ['snapshot', 'web'],
		} as const;
		for (const [what, argv] of Object.entries(commands)) {
			if (what === 'snapshot') await drover(['stop', '--force', 'web'], {engine});
			const {code, err} = await drover([...argv], {engine});
			const isAllowed = (allowed as readonly string[]).includes(what);
			expect({what, code}).toEqual({what, code: isAllowed ? 0 : 2});
			if (!isAllowed) expect(err).toMatch(new RegExp(`not supported by ${driverTitles[name]}.*; supported by `));
		}
	});
});

describe('with the drivers that this version has', () => {
	/** A Mac with nothing on it. */
	async function mac(environment: NodeJS.ProcessEnv, run: Run) {
		const paths = scratchPaths();
		const system = systemOf('darwin', {architecture: 'arm64', environment, run, uid: 501});
		const {engine} = await simulatedEngine(paths, {
			host: {platform: 'darwin', architecture: 'arm64'},
			system,
			loadDriver: name => loadDriver(name, {paths, setting: () => '', system}),
			bootId: 'one',
		});
		return engine;
	}
	const nothing = {code: 1, stdout: '', stderr: '', timedOut: false};
	const silent: Run = async () => nothing;
	const firmware = ['share/qemu/edk2-aarch64-code.fd', 'share/qemu/edk2-arm-vars.fd'];

	test('a Mac without QEMU is told how to get it, and nothing is launched', async () => {
		const engine = await mac({PATH: '/nonexistent'}, silent);
		const [qemu] = await engine.drivers();
		expect(qemu).toMatchObject({
			name: 'qemu',
			supported: true,
			health: {installed: false, usable: false, remedy: 'brew install qemu'},
		});
		// What this driver does there and elsewhere not.
		expect(qemu!.features).toContain('networks');
		const {code, err} = await drover(['launch', 'micro', '--name', 'web'], {engine});
		expect(code).toBe(2);
		expect(err).toContain('QEMU is not installed');
		expect(err).toContain('brew install qemu');
		expect(await engine.list()).toEqual([]);
	});

	test('on a Mac with QEMU, further interfaces are refused to who is not root, before anything is made', async () => {
		const root = path.dirname(scratchPaths().data);
		for (const file of ['bin/qemu-system-aarch64', 'bin/qemu-img', ...firmware]) {
			mkdirSync(path.dirname(path.join(root, file)), {recursive: true});
			writeFileSync(path.join(root, file), '', {mode: 0o755});
		}
		const run: Run = async (program, args) => {
			if (args[0] === '--version') return {...nothing, code: 0, stdout: 'QEMU emulator version 9.1.2\n'};
			if (!program.endsWith('networksetup')) return nothing;
			return {...nothing, code: 0, stdout: 'Hardware Port: Wi-Fi\nDevice: en0\nEthernet Address: f0:18:98:11:22:33\n'};
		};
		const engine = await mac({PATH: path.join(root, 'bin')}, run);
		expect((await engine.drivers())[0]!.health).toMatchObject({usable: true, version: '9.1.2', accelerator: 'tcg'});
		const networks = await drover(['networks', '--format', 'json'], {engine});
		expect(JSON.parse(networks.out).list).toEqual([expect.objectContaining({name: 'en0', type: 'wifi'})]);
		const {code, err} = await drover(['launch', 'micro', '--name', 'web', '--network', 'en0'], {engine});
		expect(code).toBe(2);
		expect(err).toMatch(/only root/);
		expect(await engine.list()).toEqual([]);
	});
});

describe('with the drivers of Windows and macOS as this version has them', () => {
	test.each([
		['win32', 'hyperv'],
		['win32', 'virtualbox'],
		['darwin', 'virtualbox'],
	] as const)(
		'on %s, %s without its hypervisor says what to install, and nothing is launched',
		async (platform, name) => {
			const paths = scratchPaths();
			mkdirSync(paths.config, {recursive: true});
			writeFileSync(path.join(paths.config, 'settings.json'), JSON.stringify({'local.driver': name}));
			const run: Run = async () => ({code: 1, stdout: '', stderr: '', timedOut: false});
			const system = systemOf(platform, {architecture: 'x64', environment: {PATH: '/nonexistent'}, run, uid: 501});
			const {engine} = await simulatedEngine(paths, {
				host: {platform, architecture: 'x64'},
				system,
				loadDriver: each => loadDriver(each, {paths, setting: () => '', system}),
				bootId: 'one',
			});
			const info = (await engine.drivers()).find(each => each.name === name)!;
			expect(info).toMatchObject({supported: true, current: true, health: {usable: false}});
			expect(info.health.summary).toMatch(/\w/);
			const {code, err} = await drover(['launch', 'micro', '--name', 'web'], {engine});
			expect(code).toBe(2);
			expect(err).toContain(info.health.summary.replace(/\.$/, ''));
			expect(await engine.list()).toEqual([]);
		},
	);
});

describe('what is shown', () => {
	test('by `drover drivers` on macOS', async () => {
		const {engine} = await on('darwin');
		const {out, code} = await drover(['drivers'], {engine});
		expect(code).toBe(0);
		expect(out.split('\n').slice(0, 6)).toEqual([
			'Driver      Here  Current  Installed  Usable  Instances  Verified',
			'qemu        yes   yes      yes        yes     0          experimental',
			'virtualbox  yes   no       yes        yes     0          recordings',
			'libvirt     no    no       no         no      0          --',
			'lxd         no    no       no         no      0          --',
			'hyperv      no    no       no         no      0          --',
		]);
		expect(out.replaceAll(/\s+/g, ' ')).toContain(`experimental: ${verificationOf('qemu', 'darwin')!.note}`);
		expect(out.replaceAll(/\s+/g, ' ')).toContain('LXD is not supported on macOS, only on Linux');
		expect(Math.max(...out.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
	});

	test('by `drover drivers` on Windows, also as data', async () => {
		const {engine} = await on('win32');
		const {out} = await drover(['drivers', '--format', 'json'], {engine});
		const {drivers} = JSON.parse(out);
		expect(drivers.map(({name, supported}: {name: string; supported: boolean}) => [name, supported])).toEqual([
			['hyperv', true],
			['virtualbox', true],
			['qemu', false],
			['libvirt', false],
			['lxd', false],
		]);
		expect(drivers[0].verification).toEqual(verificationOf('hyperv', 'win32'));
		expect(drivers[2]).not.toHaveProperty('verification');
	});

	test.each([
		['darwin', 'experimental'],
		['win32', 'experimental'],
	] as const)('by the doctor on %s: that the driver has not run there', async (platform, word) => {
		const {engine} = await on(platform);
		const {checks} = await engine.doctor({again: true});
		expect(checks[1]).toMatchObject({verdict: 'warning', text: expect.stringContaining(word)});
		expect((await (await on('linux', {architecture: 'x64'})).engine.doctor({again: true})).checks[1]!.title).toBe(
			'OpenSSH client',
		);
	});

	test.each([
		[
			'darwin',
			/QEMU +current .*\n.*VirtualBox +ready /,
			'experimental: the driver has been run on Linux',
			'Hyper-V is not supported on macOS',
		],
		['win32', /Hyper-V +current .*\n.*VirtualBox +ready /, 'experimental: made by', 'QEMU is not supported on Windows'],
	] as const)('by the dashboard on %s', async (platform, lines, vouching, refusal) => {
		const {engine} = await on(platform);
		await launched(engine);
		const screen = new TestScreen(engine as never, {columns: 100, rows: 30});
		try {
			await screen.waitFor('web');
			await screen.press('w');
			await screen.waitFor(lines);
			await screen.waitFor(vouching);
			await screen.press(keys.down, keys.down, keys.down, keys.down);
			await screen.waitFor(refusal);
			await screen.press(keys.esc, keys.enter);
			await screen.waitFor(platform === 'win32' ? /\(z\) Suspend +not supported by Hyper-V/ : / z {2}Suspend +memory/);
		} finally {
			await screen.close();
		}
	});

	test.each(['darwin', 'win32'] as const)('by the menu on %s, where directories cannot be mounted', async platform => {
		const {engine} = await on(platform, {settings: {'local.driver': 'virtualbox'}});
		await launched(engine);
		const screen = new TestScreen(engine as never, {columns: 120, rows: 30});
		try {
			await screen.waitFor('web');
			await screen.press(keys.enter);
			await screen.waitFor(/\(m\) Mounts +not in this version of drover for hosts on (macOS|Windows)/);
		} finally {
			await screen.close();
		}
	});
});
