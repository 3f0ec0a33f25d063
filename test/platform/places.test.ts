import {describe, expect, test} from 'vitest';
import {atHome, splitMount} from '../../source/platform/home.ts';
import {closingArguments, isBelowProfile} from '../../source/platform/private-directory.ts';
import {candidates, environment, spawnable} from '../../source/platform/programs.ts';
import {canBeStopped, endingSignals, hangUp} from '../../source/platform/signals.ts';
import {homeOf, systemOf} from '../../source/platform/system.ts';
import {environmentUser} from '../../source/platform/user-name.ts';
import {locate} from '../../source/state/paths.ts';

const onWindows = {
	USERPROFILE: String.raw`C:\Users\Ada`,
	LOCALAPPDATA: String.raw`D:\Local`,
	APPDATA: String.raw`D:\Roaming`,
};

describe('where everything is', () => {
	test('on macOS: Application Support, and Caches for what can be had again', () => {
		expect(locate({HOME: '/Users/ada'}, 'darwin')).toEqual({
			config: '/Users/ada/Library/Application Support/drover/config',
			data: '/Users/ada/Library/Application Support/drover/data',
			cache: '/Users/ada/Library/Caches/drover',
			runtime: '/Users/ada/Library/Application Support/drover/run',
			socket: '/Users/ada/Library/Application Support/drover/run/drover.sock',
			lock: '/Users/ada/Library/Application Support/drover/data/lock',
			daemonLog: '/Users/ada/Library/Application Support/drover/data/daemon.log',
		});
	});

	test('on Windows: what goes along with the user, and what stays on this machine', () => {
		expect(locate(onWindows, 'win32')).toEqual({
			config: String.raw`D:\Roaming\drover`,
			data: String.raw`D:\Local\drover\data`,
			cache: String.raw`D:\Local\drover\cache`,
			runtime: String.raw`D:\Local\drover\run`,
			socket: String.raw`D:\Local\drover\run\drover.pipe`,
			lock: String.raw`D:\Local\drover\data\lock`,
			daemonLog: String.raw`D:\Local\drover\data\daemon.log`,
		});
		expect(locate({USERPROFILE: String.raw`C:\Users\Ada`}, 'win32')).toMatchObject({
			config: String.raw`C:\Users\Ada\AppData\Roaming\drover`,
			data: String.raw`C:\Users\Ada\AppData\Local\drover\data`,
		});
	});

	test('below DROVER_HOME on each, in its own spelling', () => {
		expect(locate({DROVER_HOME: String.raw`E:\d`}, 'win32').config).toBe(String.raw`E:\d\config`);
		expect(locate({DROVER_HOME: '/d'}, 'darwin')).toMatchObject({config: '/d/config', cache: '/d/cache'});
		for (const [home, platform] of [
			['d', 'win32'],
			[String.raw`E:\d`, 'linux'],
			['~/d', 'darwin'],
		] as const) {
			expect(() => locate({DROVER_HOME: home}, platform)).toThrow('absolute');
		}
	});

	test('sockets stay within what macOS allows, which is less', () => {
		for (const length of [1, 20, 39, 40, 41, 42, 43, 44, 45, 60, 200]) {
			const {runtime} = locate({HOME: `/Users/${'a'.repeat(length)}`}, 'darwin');
			expect(Buffer.byteLength(`${runtime}/i/12345678/console.sock`)).toBeLessThanOrEqual(103);
		}
	});
});

describe('the user’s home', () => {
	const mac = {home: '/Users/ada', platform: 'darwin'} as const;
	const windows = {home: String.raw`C:\Users\Ada`, platform: 'win32'} as const;
	test.each([
		['~', mac, '/Users/ada'],
		['~/src', mac, '/Users/ada/src'],
		[String.raw`~\src`, mac, String.raw`~\src`],
		['~bob/src', mac, '~bob/src'],
		['~', windows, String.raw`C:\Users\Ada`],
		[String.raw`~\src`, windows, String.raw`C:\Users\Ada\src`],
		['~/src', windows, String.raw`C:\Users\Ada\src`],
		['~~', windows, '~~'],
		['/a/~', mac, '/a/~'],
	])('%s', (text, user, expected) => {
		expect(atHome(text, user)).toBe(expected);
	});

	test('is what the environment says', () => {
		expect(homeOf('darwin', {HOME: '/h', USERPROFILE: 'x'})).toBe('/h');
		expect(homeOf('win32', {HOME: '/h', ...onWindows})).toBe(String.raw`C:\Users\Ada`);
		expect(environmentUser({USERNAME: 'Ada'})).toBe('Ada');
		expect(environmentUser({USER: 'ada\u001B[2J'})).toBe('ada');
		expect(environmentUser({})).toBeUndefined();
	});

	test.each([
		['/a:/b', 'linux', {source: '/a', target: '/b'}],
		['/a', 'linux', {source: '/a'}],
		['/a:', 'linux', {source: '/a', target: ''}],
		[String.raw`C:\a:/b`, 'win32', {source: String.raw`C:\a`, target: '/b'}],
		['C:/a', 'win32', {source: 'C:/a'}],
		['C:a:/b', 'win32', {source: 'C', target: 'a:/b'}],
		['C:/a', 'linux', {source: 'C', target: '/a'}],
	] as const)('a mount %s is taken apart on %s', (text, platform, expected) => {
		expect(splitMount(text, platform)).toEqual(expected);
	});
});

describe('programs', () => {
	test('are looked for in PATH, then where package managers put them', () => {
		expect(candidates('qemu-img', {PATH: '/usr/bin:bin:/opt/homebrew/bin'}, 'darwin')).toEqual([
			'/usr/bin/qemu-img',
			'/opt/homebrew/bin/qemu-img',
			'/usr/local/bin/qemu-img',
			'/opt/local/bin/qemu-img',
		]);
		expect(candidates('/opt/q', {PATH: '/usr/bin'}, 'darwin')).toEqual(['/opt/q']);
	});

	test('have their endings on Windows', () => {
		const found = candidates('ssh', {Path: String.raw`C:\W;here`, PATHEXT: '.COM;.EXE'}, 'win32');
		expect(found.slice(0, 2)).toEqual([String.raw`C:\W\ssh.com`, String.raw`C:\W\ssh.exe`]);
		expect(found).toContain(String.raw`C:\Windows\System32\OpenSSH\ssh.exe`);
		expect(candidates('VBoxManage.exe', {}, 'win32')).toContain(
			String.raw`C:\Program Files\Oracle\VirtualBox\VBoxManage.exe`,
		);
	});

	test('on Windows are never those in the directory one stands in', async () => {
		const found = String.raw`C:\Windows\System32\OpenSSH\ssh.exe`;
		expect(await spawnable('ssh', {}, 'win32', async () => found)).toBe(found);
		expect(await spawnable('ssh', {}, 'win32', async () => undefined)).toBe(String.raw`C:\not-found\ssh`);
		expect(await spawnable('ssh', {}, 'darwin')).toBe('ssh');
	});

	test('are given no secrets, and on Windows what they cannot run without', () => {
		const all = {PATH: 'p', HOME: 'h', TOKEN: 't', SystemRoot: 'C:\\Windows', TEMP: 'x'};
		expect(environment(all, 'linux')).toEqual({PATH: 'p', HOME: 'h', LC_ALL: 'C'});
		expect(environment(all, 'win32')).toEqual({PATH: 'p', SystemRoot: 'C:\\Windows', TEMP: 'x'});
	});
});

describe('private directories on Windows', () => {
	test('are those below the profile; others are closed', () => {
		for (const inside of [String.raw`C:\Users\Ada\x`, String.raw`d:\local\drover\data`]) {
			expect(isBelowProfile(inside, onWindows)).toBe(true);
		}
		for (const outside of [String.raw`C:\Users\Bob`, String.raw`E:\drover`, String.raw`C:\Users\Ada2\x`]) {
			expect(isBelowProfile(outside, onWindows)).toBe(false);
		}
		expect(isBelowProfile(String.raw`E:\drover`, {})).toBe(false);
	});

	test('to all but the user, the system and the administrators', () => {
		expect(closingArguments(String.raw`E:\d`, String.raw`PC\Ada`)).toEqual([
			String.raw`E:\d`,
			'/inheritance:r',
			...['/grant:r', String.raw`PC\Ada:(OI)(CI)F`],
			...['/grant:r', '*S-1-5-18:(OI)(CI)F', '/grant:r', '*S-1-5-32-544:(OI)(CI)F'],
			'/q',
		]);
	});
});

describe('the host', () => {
	const answering = (answers: Readonly<Record<string, string>>) => async (program: string, args: readonly string[]) => {
		const said =
			program === 'powershell.exe' ? Buffer.from(args.at(-1)!, 'base64').toString('utf16le') : args.join(' ');
		const key = Object.keys(answers).find(each => `${program} ${said}`.includes(each));
		return {
			code: key === undefined ? 1 : 0,
			stdout: key === undefined ? '' : answers[key]!,
			stderr: '',
			timedOut: false,
		};
	};
	/** As vm_stat(1) of macOS prints it on a machine with pages of 16 KiB. */
	const pages = `Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            200000.
Pages inactive:                           30000.
Pages speculative:                         2000.
Pages throttled:                              0.
Pages wired down:                        100000.
Pages purgeable:                           1000.
"Translation faults":                 123456789.
`;

	test('on macOS tells its boot and its memory', async () => {
		const run = answering({
			'kern.bootsessionuuid': '5A2C8F5D-0000-4000-8000-ABCDEF012345\n',
			vm_stat: pages,
		});
		const system = systemOf('darwin', {run});
		expect(await system.bootId()).toBe('5A2C8F5D-0000-4000-8000-ABCDEF012345');
		expect(await system.availableMemory()).toBe(43_000 * 16_384);
	});

	test('on a macOS without such ids goes by the time', async () => {
		const run = answering({'kern.boottime': '{ sec = 1762156800, usec = 12345 } Mon Nov  3 08:00:00 2025\n'});
		expect(await systemOf('darwin', {run}).bootId()).toBe('1762156800');
		expect(await systemOf('darwin', {run: answering({})}).bootId()).toBeUndefined();
		expect(await systemOf('darwin', {run: answering({})}).availableMemory()).toBeGreaterThan(0);
	});

	test('on Windows tells its boot', async () => {
		const run = answering({LastBootUpTime: '133742112345678901\r\n'});
		expect(await systemOf('win32', {run}).bootId()).toBe('133742112345678901');
		expect(await systemOf('win32', {run: answering({LastBootUpTime: 'x'})}).bootId()).toBeUndefined();
	});

	test('here tells the same boot twice', async () => {
		const {bootId, availableMemory} = systemOf('linux');
		expect(await bootId()).toBe(await bootId());
		expect(await availableMemory()).toBeGreaterThan(0);
	});
});

test('Windows has signals of its own, and no stopping', () => {
	expect(Object.keys(endingSignals('win32'))).toEqual(['SIGHUP', 'SIGINT', 'SIGBREAK']);
	expect(endingSignals('darwin')).toEqual(endingSignals('linux'));
	expect(canBeStopped('win32')).toBe(false);
	expect([hangUp('win32'), hangUp('darwin')]).toEqual(['SIGTERM', 'SIGHUP']);
});
