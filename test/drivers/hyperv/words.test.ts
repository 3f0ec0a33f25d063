import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {Addresses} from '../../../source/drivers/hyperv/addresses.ts';
import {hypervMac} from '../../../source/drivers/hyperv/context.ts';
import {bootsSecurely, checkHardware, memoryBytes} from '../../../source/drivers/hyperv/create.ts';
import {LineDecoder} from '../../../source/drivers/hyperv/decoder.ts';
import {HypervError, hypervError, kindOf} from '../../../source/drivers/hyperv/errors.ts';
import {parseGuest} from '../../../source/drivers/hyperv/guest.ts';
import {verdictOf, windowsTools} from '../../../source/drivers/hyperv/host.ts';
import {type HealthFacts, type Machine, parseMessage, requestLine} from '../../../source/drivers/hyperv/messages.ts';
import {powerOf} from '../../../source/drivers/hyperv/states.ts';
import type {InstanceRecord} from '../../../source/model/instance.ts';
import {gibibyte, mebibyte} from '../../../source/model/sizes.ts';

describe('lines of a PowerShell', () => {
	const encodings = {
		'utf-8': (text: string) => Buffer.from(text),
		'utf-8 with a mark': (text: string) => Buffer.from(`\uFEFF${text}`),
		'utf-16le': (text: string) => Buffer.from(text, 'utf16le'),
		'utf-16le with a mark': (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le'),
		'utf-16be with a mark': (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
	};

	test.each(Object.entries(encodings))('are the same in %s, however they come in pieces', (_name, encode) => {
		const line = fc.stringMatching(/^[ -~][ -~äß€😀]{0,20}$/u).filter(text => text.trim() !== '');
		fc.assert(
			fc.property(
				fc.array(line, {minLength: 1}),
				fc.boolean(),
				fc.array(fc.nat(), {maxLength: 8}),
				(lines, crlf, cuts) => {
					const bytes = encode(`${lines.join(crlf ? '\r\n' : '\n')}\n`);
					const decoder = new LineDecoder();
					const ends = [...new Set([...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
					let from = 0;
					const found = ends.flatMap(end => {
						const part = decoder.push(bytes.subarray(from, end));
						from = end;
						return part;
					});
					expect(found).toEqual(lines);
				},
			),
		);
	});

	test('too long ones are left out, and those after them are read', () => {
		const decoder = new LineDecoder();
		const piece = Buffer.alloc(2 ** 20, 'x');
		for (let count = 0; count < 12; count++) expect(decoder.push(piece)).toEqual([]);
		expect(decoder.push(Buffer.from('x\nafter\n'))).toEqual(['after']);
	});
});

describe('messages', () => {
	test('a request is one line of ASCII whatever is in it, and comes to the script as it is', () => {
		fc.assert(
			fc.property(fc.string({unit: 'grapheme'}), value => {
				const line = requestLine(3, 'create', {name: value, path: 'C:\\Users\\ä "b"\n$(x)'});
				expect(line).toMatch(/^[\x20-\x7e]+\n$/);
				expect(JSON.parse(line)).toEqual({id: 3, op: 'create', args: {name: value, path: 'C:\\Users\\ä "b"\n$(x)'}});
			}),
		);
	});

	test('what is none of the script’s is none', () => {
		for (const line of ['', 'PS C:\\>', '[1]', 'null', '{', '{"id":1}', '{"id":"1","ok":true}', '{"event":"other"}']) {
			expect(parseMessage(line)).toBeUndefined();
		}
		expect(parseMessage(' {"id":1,"ok":true,"result":null}')).toEqual({id: 1, ok: true, result: null});
	});
});

describe('states', () => {
	test.each([
		['Running', 'running'],
		['Off', 'off'],
		['Saved', 'suspended'],
		['FastSaved', 'suspended'],
		['Paused', 'paused'],
		['Starting', 'loading'],
		['Stopping', 'running'],
		['OffCritical', 'unusable'],
		['ForceReboot', 'running'],
	] as const)('%s is %s', (state, power) => {
		expect(powerOf(state)).toMatchObject({power});
	});

	test('one that nobody has heard of is told as it is, and so is a number', () => {
		expect(powerOf('Levitating')).toEqual({power: 'unresponsive', reason: 'Hyper-V says that it is Levitating'});
		expect(powerOf('32782')).toMatchObject({power: 'unresponsive', reason: expect.stringContaining('32782')});
	});
});

describe('errors', () => {
	const failure = (id: string, category = 'NotSpecified', hresult = 0) => ({
		id,
		category,
		hresult,
		message: 'Zugriff?',
	});

	test.each([
		[failure('AccessDenied,Microsoft.HyperV.PowerShell.Commands.GetVM'), 'access'],
		[failure('X', 'PermissionDenied'), 'access'],
		[failure('X', 'NotSpecified', -2147024891), 'access'],
		[failure('CommandNotFoundException', 'ObjectNotFound'), 'no-module'],
		[failure('OutOfMemory,Microsoft.HyperV.PowerShell.Commands.StartVM'), 'memory'],
		[failure('X', 'NotSpecified', -2147023446), 'memory'],
		[failure('X', 'NotSpecified', -2147024784), 'disk-full'],
		[failure('X', 'NotSpecified', -2147024864), 'in-use'],
		[failure('X', 'NotSpecified', -1069940710), 'sparse'],
		[failure('X'), 'other'],
	] as const)('%o is told apart by numbers and names alone: %s', (given, kind) => {
		expect(kindOf(given)).toBe(kind);
	});

	test('each is a sentence with what to do, and says nothing of a text that Windows translates', () => {
		const told = hypervError(
			new HypervError('refused', 'Zugriff verweigert', failure('AccessDenied,X')),
			'starting it',
		);
		expect(told).toMatchObject({
			code: 'driver.unusable',
			message: 'Hyper-V does not allow starting it.',
			next: expect.stringContaining('S-1-5-32-578'),
		});
		expect(hypervError(new HypervError('crashed', 'it ended with code 1'), 'starting it')).toMatchObject({
			code: 'driver.failed',
			message: 'PowerShell ended while starting it: it ended with code 1.',
		});
		const other = new Error('not ours');
		expect(hypervError(other, 'x')).toBe(other);
	});

	test('control characters of Windows’s are not shown', () => {
		expect(new HypervError('refused', 'a\u001B[31mb\r\nc').message).toBe('ab c');
	});
});

describe('what is the matter with Hyper-V', () => {
	const fine: HealthFacts = {
		...{windows: '10.0.22631', sku: 48, hypervisor: true, module: '2.0.0.0', service: 'Running'},
		...{elevated: false, member: true, access: 'yes', defaultSwitch: true},
	};
	const verdict = (change: Partial<HealthFacts>, hasImageProgram = true) =>
		verdictOf({...fine, ...change}, '5.1.22621.1', hasImageProgram);

	test('all is well, and that it was never run is told', () => {
		expect(verdict({})).toEqual({
			installed: true,
			usable: true,
			version: '10.0.22631',
			summary:
				'Hyper-V of Windows 10.0.22631, module 2.0.0.0, PowerShell 5.1.22621.1. Experimental: drover’s Hyper-V driver has never been run on a real host.',
		});
		expect(verdict({}, false)).toMatchObject({usable: true, remedy: expect.stringContaining('winget')});
	});

	test.each([
		[{module: '', service: '', sku: 101}, false, /Home edition/, /virtualbox/],
		[{module: '', service: ''}, false, /not switched on/, /Enable-WindowsOptionalFeature/],
		[{module: ''}, false, /module for PowerShell/, /Enable-WindowsOptionalFeature/],
		[{hypervisor: false}, true, /hypervisor is not running/, /bcdedit/],
		[{service: 'Stopped', access: ''}, true, /vmms is Stopped/, /Start-Service/],
		[{member: false, access: 'AccessDenied,X'}, true, /may not use/, /S-1-5-32-578/],
		[{access: 'Unspecified,X'}, true, /refuses to be asked/, /Log out/],
		[{defaultSwitch: false}, true, /no Default Switch/, /Windows Server/],
	] as const)('%o', (change, installed, summary, remedy) => {
		const found = verdict(change);
		expect(found).toMatchObject({installed, usable: false});
		expect(found.summary).toMatch(summary);
		expect(found.remedy).toMatch(remedy);
	});
});

describe('what Hyper-V is told', () => {
	const hardware = {arch: 'x86_64', cpus: 1, memory: gibibyte, disk: 5 * gibibyte, mac: '52:54:00:ab:cd:ef'} as const;

	test('MAC addresses and memory as it wants them', () => {
		expect(hypervMac(hardware.mac)).toBe('525400ABCDEF');
		expect(memoryBytes(gibibyte)).toBe(gibibyte);
		expect(memoryBytes(gibibyte + 1)).toBe(gibibyte + 2 * mebibyte);
	});

	test('no hardware that it cannot give', () => {
		checkHardware({hardware});
		for (const change of [{cpus: 0}, {cpus: 241}, {cpus: 1.5}, {memory: mebibyte}, {disk: 1025}]) {
			expect(() => checkHardware({hardware: {...hardware, ...change}})).toThrowError(/./);
		}
	});

	test('secure boot only for what is known to be signed for it', () => {
		for (const os of ['Ubuntu', 'Debian', 'Fedora', 'AlmaLinux', 'Rocky Linux', 'openSUSE']) {
			expect(bootsSecurely({os}), os).toBe(true);
		}
		for (const os of ['Alpine', 'Arch Linux', 'Micro', '', 'drover']) expect(bootsSecurely({os}), os).toBe(false);
	});

	test('PowerShell gets what it needs of the environment, and none of its owner’s secrets', () => {
		const environment = {
			SystemRoot: 'D:\\Win',
			Path: 'D:\\bin',
			AWS_SECRET_ACCESS_KEY: 'x',
			PSModulePath: 'C:\\pwsh7\\Modules',
			TEMP: 'D:\\t',
		};
		const tools = windowsTools({platform: 'win32', environment});
		expect(tools.environment).toEqual({SystemRoot: 'D:\\Win', Path: 'D:\\bin', TEMP: 'D:\\t'});
		expect(tools.shells[0]).toBe('D:\\Win\\System32\\WindowsPowerShell\\v1.0\\powershell.exe');
		expect(tools.shellArguments('C:\\a b\\x.ps1').slice(-2)).toEqual(['-File', 'C:\\a b\\x.ps1']);
	});
});

describe('addresses', () => {
	const record = {name: 'web', hardware: {mac: '52:54:00:00:00:01'}} as InstanceRecord;
	const machine = (...nics: Machine['nics']): Machine => ({
		...{vm: 'v', machine: 'm', phase: 'ready', name: 'n', state: 'Running', uptime: 1},
		nics,
	});

	test('of the interface that every instance has come first, and made-up ones are none', () => {
		const addresses = new Addresses(async () => []);
		const first = {mac: '525400000001', switch: 'Default Switch', ipv4: ['169.254.3.4', '172.20.1.2']};
		const other = {mac: '525400000002', switch: 'House', ipv4: ['192.168.1.7', 'fe80::1']};
		expect(addresses.of(machine(other, first), record)).toEqual(['172.20.1.2', '192.168.1.7']);
	});

	test('are asked of DNS when nobody tells any, and nobody waits for that', async () => {
		const asked: string[] = [];
		let answer!: (found: readonly string[]) => void;
		const addresses = new Addresses(name => {
			asked.push(name);
			return new Promise(resolve => (answer = resolve));
		});
		const silent = machine({mac: '525400000001', switch: 'Default Switch', ipv4: []});
		expect(addresses.of(silent, record)).toEqual([]);
		expect(addresses.of(silent, record)).toEqual([]);
		expect(asked).toEqual(['web.mshome.net']);
		answer(['172.20.5.6', '169.254.1.1']);
		await new Promise(resolve => setImmediate(resolve));
		expect(addresses.of(silent, record)).toEqual(['172.20.5.6']);
	});
});

test('what a guest says of itself is taken as far as it makes sense', () => {
	const text =
		'0.50 0.20 0.10 1/80 999\nPRETTY_NAME="Ubuntu\u001B[31m 24.04"\ncpus=2\nMemTotal:  1000 kB\nMemAvailable:  400 kB\nroot /dev/sda1 5000 1000 4000 20% /\n';
	expect(parseGuest(text)).toEqual({
		release: 'Ubuntu 24.04',
		load: [0.5, 0.2, 0.1],
		cpus: 2,
		memory: {used: 600 * 1024, total: 1000 * 1024},
		disks: {root: {used: 1000 * 1024, total: 5000 * 1024}},
	});
	expect(parseGuest('nonsense\ncpus=many\nMemTotal: 1 kB')).toEqual({});
});
