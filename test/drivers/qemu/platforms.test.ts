import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {acceleratorIn, domainXml} from '../../../source/drivers/machine/domain-xml.ts';
import {filesOf} from '../../../source/drivers/machine/files.ts';
import {findFlash, flashCandidates, keepCopy} from '../../../source/drivers/machine/flash.ts';
import {checkHardware, devicesDigest, mostNics} from '../../../source/drivers/machine/hardware.ts';
import {newestOf} from '../../../source/drivers/machine/host.ts';
import {kindOf, machineKinds} from '../../../source/drivers/machine/kinds.ts';
import {startError} from '../../../source/drivers/machine/start-error.ts';
import {type CommandLineInput, commandLine} from '../../../source/drivers/qemu/command-line.ts';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import {hardwarePorts} from '../../../source/drivers/qemu/networks.ts';
import type {Hardware} from '../../../source/model/instance.ts';
import type {Nic} from '../../../source/model/network.ts';
import type {Run} from '../../../source/platform/programs.ts';
import {systemOf} from '../../../source/platform/system.ts';
import {scratchPaths} from '../../support/scratch.ts';
import {testRecord} from '../machine/record.ts';

const sockets = '/Users/ada/Library/Application Support/drover/run/i/12345678';
const files = filesOf({directory: '/Users/ada/Library/Application Support/drover/data/scopes/qemu/web', sockets});
const flash = {
	code: '/opt/homebrew/share/qemu/edk2-aarch64-code.fd',
	variables: '/opt/homebrew/share/qemu/edk2-arm-vars.fd',
};
const bridged: Nic = {network: 'en0', mac: '52:54:00:aa:bb:cc', mode: 'auto'};

function record(change: Partial<Hardware> = {}) {
	return testRecord({hardware: {...testRecord().hardware, ...change}});
}

function line(change: Partial<Hardware>, input: Partial<CommandLineInput> = {}): string[] {
	return commandLine({record: record(change), files, accelerator: 'hvf', platform: 'darwin', ...input});
}

const valuesOf = (args: readonly string[], option: string) =>
	args.flatMap((word, index) => (word === option ? [args[index + 1]!] : []));

describe('a command line on macOS', () => {
	const arm = line({arch: 'aarch64', machine: 'virt-9.1'}, {flash});

	test('for ARM: the virt machine with the Mac’s processor, booted by UEFI', () => {
		expect(valuesOf(arm, '-machine')).toEqual([
			'virt-9.1,usb=off,dump-guest-core=off,memory-backend=mach-virt.ram,gic-version=3,pflash0=pflash0,pflash1=pflash1',
		]);
		expect([...valuesOf(arm, '-accel'), ...valuesOf(arm, '-cpu')]).toEqual(['hvf', 'host']);
		const blocks = valuesOf(arm, '-blockdev');
		expect(blocks.slice(0, 4)).toEqual([
			'driver=file,filename=/opt/homebrew/share/qemu/edk2-aarch64-code.fd,node-name=pflash0-file,read-only=on',
			'driver=raw,node-name=pflash0,file=pflash0-file,read-only=on',
			'driver=file,filename=efi-vars.fd,node-name=pflash1-file',
			'driver=raw,node-name=pflash1,file=pflash1-file',
		]);
		// What the machine does not have is not asked for.
		expect(arm.join(' ')).not.toMatch(/isa-serial|pci\.0|pc\.ram/);
		expect(valuesOf(arm, '-serial')).toEqual(['chardev:charserial0']);
		for (const device of valuesOf(arm, '-device').filter(value => value.includes('-pci'))) {
			expect(device).toMatch(/bus=pcie\.0,addr=0x[\da-f]+/);
		}
	});

	test('for Intel: the machine of other hosts, so that nothing of a guest depends on where it was made', () => {
		const args = line({});
		expect(valuesOf(args, '-machine')[0]).toBe('pc-i440fx-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram');
		expect([...valuesOf(args, '-accel'), ...valuesOf(args, '-cpu')]).toEqual(['hvf', 'host']);
		expect(args.join(' ')).not.toContain('pflash');
		const linux = line({}, {platform: 'linux'});
		expect(args.filter(word => !word.startsWith('memory-backend'))).toEqual(
			linux.filter(word => !word.startsWith('memory-backend')),
		);
	});

	test('has no memfd, which is Linux’s', () => {
		for (const args of [arm, line({})]) expect(valuesOf(args, '-object')[0]).toMatch(/^memory-backend-ram,id=/);
		expect(valuesOf(line({}, {platform: 'linux'}), '-object')[0]).toMatch(/^memory-backend-memfd,/);
	});

	test('has the same user-mode network as elsewhere, with a port that leads to SSH', () => {
		expect(valuesOf(arm, '-netdev')).toEqual(['user,id=n0,hostfwd=tcp:127.0.0.1:40022-:22']);
	});

	test('an emulated guest gets a fixed processor, whatever the Mac’s is', () => {
		expect(valuesOf(line({arch: 'aarch64', machine: 'virt-9.1'}, {flash, accelerator: 'tcg'}), '-cpu')).toEqual([
			'cortex-a72',
		]);
	});

	test('paths with blanks stay one word, and commas in them are doubled', () => {
		const args = line({arch: 'aarch64', machine: 'virt-9.1'}, {flash: {code: '/a,b/code.fd', variables: '/v'}});
		expect(args).toContain(`socket,id=monitor0,path=${sockets}/qmp.sock,server=on,wait=off`);
		expect(valuesOf(args, '-blockdev')[0]).toContain('filename=/a,,b/code.fd,');
	});

	test('further interfaces are bridged by vmnet, each in a slot of its own', () => {
		const other = {...bridged, network: 'bridge0', mac: '52:54:00:aa:bb:cd'};
		const args = line({nics: [bridged, other]});
		expect(valuesOf(args, '-netdev').slice(1)).toEqual([
			'vmnet-bridged,id=n2,ifname=en0',
			'vmnet-bridged,id=n3,ifname=bridge0',
		]);
		expect(valuesOf(args, '-device').slice(-2)).toEqual([
			'virtio-net-pci,netdev=n2,id=net2,romfile=,mac=52:54:00:aa:bb:cc,bus=pci.0,addr=0x12',
			'virtio-net-pci,netdev=n3,id=net3,romfile=,mac=52:54:00:aa:bb:cd,bus=pci.0,addr=0x13',
		]);
		const slots = valuesOf(args, '-device').flatMap(device => /addr=(0x[\da-f]+)/.exec(device)?.[1] ?? []);
		expect(new Set(slots).size).toBe(slots.length);
	});

	test('without its firmware there is none for ARM', () => {
		expect(() => line({arch: 'aarch64', machine: 'virt-9.1'})).toThrow('no UEFI firmware');
	});
});

test('on Windows there is no /dev/urandom', () => {
	expect(line({}, {platform: 'win32'}).join(' ')).toContain('rng-builtin');
	expect(line({}, {platform: 'win32'}).join(' ')).not.toContain('/dev/');
});

test('KVM on ARM has the host’s own interrupt controller', () => {
	const args = line({arch: 'aarch64', machine: 'virt-9.1'}, {flash, accelerator: 'kvm', platform: 'linux'});
	expect(valuesOf(args, '-machine')[0]).toContain('gic-version=host');
});

describe('what is refused before QEMU is started', () => {
	test.each<[string, Partial<Hardware>]>([
		['more processors than the machine has', {arch: 'aarch64', cpus: 124}],
		['a network that is an option', {nics: [{...bridged, network: 'en0,x=y'}]}],
		['an interface without an address', {nics: [{...bridged, mac: 'x'}]}],
		[
			'more interfaces than slots',
			{nics: Array.from({length: mostNics + 1}, (_, index) => ({...bridged, mac: `52:54:00:00:00:${10 + index}`}))},
		],
		['a processor there is no machine for', {arch: 'riscv64' as never}],
	])('%s', (_what, change) => {
		expect(() => checkHardware(record(change))).toThrow(expect.objectContaining({code: 'instance.invalid'}));
	});
});

test('saved memory fits only a machine with the same processor and the same interfaces', () => {
	const own = devicesDigest(record());
	expect(devicesDigest(record({nics: []}))).toBe(own);
	expect(devicesDigest(record({nics: [bridged]}))).not.toBe(own);
	expect(devicesDigest(record({arch: 'aarch64'}))).not.toBe(own);
});

test('the document of saved memory tells of the same machine', () => {
	const xml = domainXml({
		record: record({arch: 'aarch64', machine: 'virt-9.1'}),
		files,
		accelerator: 'hvf',
		emulator: '/opt/homebrew/bin/qemu-system-aarch64',
	});
	expect(xml).toContain("<type arch='aarch64' machine='virt-9.1'>");
	expect(xml).toContain('pl011');
	expect(xml).toContain('bus=pcie.0,addr=0x10');
	expect(acceleratorIn(xml)).toBe('hvf');
});

test('the newest machine is looked for among those of the kind', () => {
	const machines = ['virt', 'virt-9.1', 'virt-10.0', 'virt-2.12', 'pc-i440fx-9.2', 'virtual-99.0'];
	expect(newestOf(machines, machineKinds.aarch64)).toBe('virt-10.0');
	expect(kindOf('arm64').program).toBe('qemu-system-aarch64');
	expect(kindOf('x64').program).toBe('qemu-system-x86_64');
});

describe('the firmware', () => {
	test('is looked for beside QEMU, then where Homebrew and MacPorts put it', () => {
		const found = flashCandidates('/opt/local/bin/qemu-system-aarch64', 'darwin').map(({code}) => code);
		expect(found[0]).toBe('/opt/local/share/qemu/edk2-aarch64-code.fd');
		expect(found).toContain('/opt/homebrew/share/qemu/edk2-aarch64-code.fd');
		expect(flashCandidates('/usr/bin/qemu-system-aarch64', 'linux').map(({variables}) => variables)).toContain(
			'/usr/share/AAVMF/AAVMF_VARS.fd',
		);
	});

	test('counts only with both of its files', async () => {
		const root = mkdtempSync(path.join(tmpdir(), 'drover-flash-'));
		onTestFinished(() => rmSync(root, {recursive: true, force: true}));
		const {mkdir} = await import('node:fs/promises');
		await mkdir(path.join(root, 'share/qemu'), {recursive: true});
		await mkdir(path.join(root, 'bin'));
		const program = path.join(root, 'bin/qemu-system-aarch64');
		writeFileSync(path.join(root, 'share/qemu/edk2-aarch64-code.fd'), 'code');
		expect(await findFlash(program, 'win32' as never)).toBeUndefined();
		writeFileSync(path.join(root, 'share/qemu/edk2-arm-vars.fd'), 'variables');
		const found = await findFlash(program, 'darwin');
		expect(found).toEqual({
			code: path.join(root, 'share/qemu/edk2-aarch64-code.fd'),
			variables: path.join(root, 'share/qemu/edk2-arm-vars.fd'),
		});
		const own = path.join(root, 'efi-vars.fd');
		await keepCopy(found!.variables, own);
		writeFileSync(own, 'changed');
		await keepCopy(found!.variables, own);
		const {readFile} = await import('node:fs/promises');
		expect(await readFile(own, 'utf8')).toBe('changed');
	});
});

/** As `networksetup -listallhardwareports` of macOS prints it. */
const ports = `
Hardware Port: Ethernet Adapter (en4)
Device: en4
Ethernet Address: 36:5f:0e:11:22:33

Hardware Port: Thunderbolt Bridge
Device: bridge0
Ethernet Address: 36:5f:0e:11:22:44

Hardware Port: Wi-Fi
Device: en0
Ethernet Address: f0:18:98:11:22:33

Hardware Port: Bluetooth PAN
Device: pan0
Ethernet Address: f0:18:98:11:22:34

VLAN Configurations
===================
`;

/** As `ifconfig -a` of macOS prints it. */
const interfaces = `lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384
	options=1203<RXCSUM,TXCSUM,TXSTATUS,SW_TIMESTAMP>
	inet 127.0.0.1 netmask 0xff000000
en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ether f0:18:98:11:22:33
	media: autoselect
	status: active
en4: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	ether 36:5f:0e:11:22:33
	media: none
	status: inactive
bridge0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	options=63<RXCSUM,TXCSUM,TSO4,TSO6>
	member: en1 flags=3<LEARNING,DISCOVER>
	media: <unknown type>
	status: inactive
`;

describe('networks on macOS', () => {
	test('are the cards that can be bridged, those that are connected first', () => {
		expect(hardwarePorts(ports, interfaces)).toEqual([
			{name: 'en0', type: 'wifi', description: 'Wi-Fi'},
			{name: 'en4', type: 'ethernet', description: 'Ethernet Adapter (en4) (not connected)'},
			{name: 'bridge0', type: 'bridge', description: 'Thunderbolt Bridge (not connected)'},
		]);
		expect(hardwarePorts('', '')).toEqual([]);
		expect(hardwarePorts('Hardware Port: x\u001B[2J\nDevice: en9\n', '')[0]!.description).not.toContain('\u001B');
	});

	const run: Run = async program => ({
		code: 0,
		stdout: program.endsWith('networksetup') ? ports : program.endsWith('ifconfig') ? interfaces : '',
		stderr: '',
		timedOut: false,
	});
	const work = {signal: new AbortController().signal, progress() {}, log() {}, update: async () => testRecord()};
	const driverFor = (uid: number, platform: 'darwin' | 'linux' = 'darwin') =>
		createQemuDriver({paths: scratchPaths(), system: systemOf(platform, {uid, run, architecture: 'arm64'})});
	const place = () => ({directory: scratchPaths().data, sockets: scratchPaths().runtime});

	test('are for root, and anybody else is told so before anything is made', async () => {
		const user = driverFor(501);
		expect((await user.networks!()).map(({name}) => name)).toEqual(['en0', 'en4', 'bridge0']);
		expect(await user.networkProblem!()).toContain('only root');
		await expect(user.addNic!(testRecord(), place(), bridged, work)).rejects.toMatchObject({
			code: 'driver.unusable',
			message: expect.stringContaining('only root'),
		});
		const root = driverFor(0);
		expect(await root.networkProblem!()).toBeUndefined();
		await root.addNic!(testRecord(), place(), bridged, work);
		await expect(root.addNic!(testRecord(), place(), {...bridged, network: 'en7'}, work)).rejects.toMatchObject({
			code: 'instance.invalid',
		});
	});

	test('are not there on Linux', () => {
		expect(driverFor(0, 'linux')).not.toHaveProperty('networks');
	});

	test('that macOS does not open all the same are explained', () => {
		const said = startError('QEMU', 'cannot create vmnet interface: general failure (possibly not enough privileges)');
		expect(said).toMatchObject({code: 'driver.unusable', next: expect.stringContaining('sudo')});
	});
});
