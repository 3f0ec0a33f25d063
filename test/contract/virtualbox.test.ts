import {afterAll, describe, test} from 'vitest';
import {findOnPath} from '../support/find-program.ts';
import {standIn} from '../support/virtualbox/stand-in.ts';
import {contractSuite} from './suite.ts';
import {virtualboxSetup} from './virtualbox-setup.ts';

/** The stand-in plays machines that run with QEMU. */
const missing = ['qemu-system-x86_64', 'qemu-img'].find(name => findOnPath(name) === undefined);

if (missing !== undefined) {
	describe('the driver contract: virtualbox', () => test.skip(`needs ${missing} for the stand-in`, () => {}));
} else {
	const virtualBox = await standIn({guest: 'qemu'});
	await virtualBox.warm();
	afterAll(() => virtualBox.close(), 60_000);
	contractSuite('virtualbox (a stand-in for VBoxManage, with real guests)', virtualboxSetup(virtualBox));
}
