import {expect, test} from 'vitest';
import {defaultDriver, driversOn, platformProblem} from '../../source/drivers/platforms.ts';
import {driverNames, driverTitles, type Platform, platformTitles} from '../../source/model/driver-name.ts';
import {platformOf} from '../../source/platform/system.ts';

const platforms: readonly Platform[] = ['linux', 'darwin', 'win32'];

test('each platform has its drivers', () => {
	expect(driversOn('linux')).toEqual(['qemu', 'lxd', 'libvirt']);
	expect(driversOn('darwin')).toEqual(['qemu', 'virtualbox']);
	expect(driversOn('win32')).toEqual(['hyperv', 'virtualbox']);
	for (const driver of driverNames) expect(platforms.some(platform => driversOn(platform).includes(driver))).toBe(true);
});

test('the default until a user chooses can always be chosen', () => {
	expect(defaultDriver('linux', 'x64')).toBe('qemu');
	expect(defaultDriver('linux', 'arm64')).toBe('lxd');
	expect(defaultDriver('linux', 's390x')).toBe('lxd');
	expect(defaultDriver('darwin', 'arm64')).toBe('qemu');
	expect(defaultDriver('win32', 'x64')).toBe('hyperv');
	for (const platform of platforms) {
		for (const architecture of ['x64', 'arm64', 'ppc64']) {
			expect(driversOn(platform)).toContain(defaultDriver(platform, architecture));
		}
	}
});

test('a driver that a platform does not have says where it is', () => {
	expect(platformProblem('virtualbox', 'linux')).toBe(
		'VirtualBox is not supported on Linux, only on macOS and Windows',
	);
	expect(platformProblem('hyperv', 'darwin')).toBe('Hyper-V is not supported on macOS, only on Windows');
	for (const driver of driverNames) {
		for (const platform of platforms) {
			const problem = platformProblem(driver, platform);
			expect(problem === undefined, `${driver} on ${platform}`).toBe(driversOn(platform).includes(driver));
			if (problem === undefined) continue;
			expect(problem).toContain(driverTitles[driver]);
			for (const other of platforms) {
				const says = problem.split('only on ')[1]!.includes(platformTitles[other]);
				expect(says).toBe(driversOn(other).includes(driver));
			}
		}
	}
});

test('platforms we have no name for are treated as Linux', () => {
	expect(platformOf('darwin')).toBe('darwin');
	expect(platformOf('win32')).toBe('win32');
	for (const other of ['linux', 'freebsd', 'openbsd', 'sunos', 'aix'] as const) expect(platformOf(other)).toBe('linux');
});
