import {describe, expect, test} from 'vitest';
import {
	type CapabilityName,
	capabilities,
	capability,
	capabilityNames,
	capabilityTitles,
} from '../../source/drivers/capabilities.ts';
import {driversOn} from '../../source/drivers/platforms.ts';
import {driverNames, driverTitles, type Platform} from '../../source/model/driver-name.ts';

const platforms: readonly Platform[] = ['linux', 'darwin', 'win32'];

describe('the table', () => {
	/** On Linux; y or n for suspend, snapshots, native mounts, extra networks. Source: Multipass's driver documentation. */
	test.each([
		['qemu', 'y y y n'],
		['libvirt', 'y n n n'],
		['lxd', 'n n y y'],
		['virtualbox', 'y n n y'],
		['hyperv', 'n y y y'],
	] as const)('%s', (driver, row) => {
		const answers = capabilityNames.map(name => (capability(driver, 'linux', name).can === 'yes' ? 'y' : 'n'));
		expect(answers.join(' ')).toBe(row);
	});

	test('QEMU has extra networks on macOS only', () => {
		expect(platforms.map(platform => capability('qemu', platform, 'extraNetworks').can)).toEqual(['no', 'yes', 'no']);
	});
});

describe('a no', () => {
	test('names the driver and those that can', () => {
		expect(capability('lxd', 'linux', 'suspend')).toEqual({
			can: 'no',
			reason: 'not supported by LXD; supported by QEMU, libvirt, VirtualBox',
			drivers: ['qemu', 'libvirt'],
		});
		expect(capability('qemu', 'linux', 'extraNetworks')).toEqual({
			can: 'no',
			reason: 'not supported by QEMU on Linux; supported by QEMU on macOS, LXD, VirtualBox, Hyper-V',
			drivers: ['lxd'],
		});
	});

	test('is consistent: who is offered instead is on this platform and can, and no one is forgotten', () => {
		for (const driver of driverNames) {
			for (const platform of platforms) {
				for (const name of capabilityNames) {
					const answer = capability(driver, platform, name);
					if (answer.can !== 'no') continue;
					const able = driversOn(platform).filter(other => capability(other, platform, name).can === 'yes');
					expect([...answer.drivers].sort(), `${driver} ${platform} ${name}`).toEqual([...able].sort());
					expect(answer.drivers).not.toContain(driver);
					expect(answer.reason).toContain(driverTitles[driver]);
					for (const other of answer.drivers) expect(answer.reason).toContain(driverTitles[other]);
				}
			}
		}
	});
});

test('capabilities gives all answers, each with a title', () => {
	for (const driver of driverNames) {
		const all = capabilities(driver, 'linux');
		expect(Object.keys(all).sort()).toEqual([...capabilityNames].sort());
		for (const name of Object.keys(all) as CapabilityName[]) {
			expect(all[name]).toEqual(capability(driver, 'linux', name));
			expect(capabilityTitles[name]).not.toBe('');
		}
	}
});
