import {rename, stat} from 'node:fs/promises';
import path from 'node:path';
import {afterAll, describe, test} from 'vitest';
import {createHypervDriver, type HypervInside} from '../../source/drivers/hyperv/driver.ts';
import {findProgram} from '../../source/platform/programs.ts';
import {HypervWorld} from '../support/hyperv/world.ts';
import {microImage} from '../support/micro-image.ts';
import {hypervMore} from './hyperv-more.ts';
import type {Subject} from './subject.ts';
import {processesNaming} from './subject.ts';
import {contractSuite} from './suite.ts';

const program = await findProgram('qemu-system-x86_64');

if (program === undefined) {
	describe('the driver contract: hyperv (there is no QEMU to stand in for it)', () =>
		test.skip('needs QEMU', () => {}));
} else {
	// Everything but PowerShell and Hyper-V is real: QEMU boots the VHDX that is made for Hyper-V.
	const world = new HypervWorld({guests: 'qemu'});
	const disk = (web: Subject) => path.join(web.place.directory, 'disk.vhdx');
	afterAll(() => world.close());
	contractSuite('hyperv, on a stand-in for PowerShell', {
		scope: 'hyperv',
		makeDriver: paths => createHypervDriver({paths, tools: world.tools}),
		image: microImage,
		canSuspend: false,
		files: ({directory}) => ({disk: path.join(directory, 'disk.vhdx')}),
		machines: web => processesNaming(web.record.id),
		async hypervisor(_web, driver) {
			const pid = await (driver as unknown as HypervInside).lookerPid();
			if (pid === undefined) throw new Error('no script looks');
			return pid;
		},
		async deafen(web, driver) {
			await web.ssh(driver, 'killall', 'acpid');
		},
		loss: web => ({
			words: /disk is missing/,
			remove: () => rename(disk(web), `${disk(web)}.away`),
			async mend() {
				await rename(`${disk(web)}.away`, disk(web));
				await stat(disk(web));
			},
		}),
		hasAgent: false,
		hasPort: false,
		keepsProcess: false,
		limitsDisk: true,
		more: stage => hypervMore(stage, world),
	});
}
