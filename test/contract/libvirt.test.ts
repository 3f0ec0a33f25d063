import path from 'node:path';
import {afterAll, describe, test} from 'vitest';
import {createLibvirtDriver} from '../../source/drivers/libvirt/driver.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {microImage} from '../support/micro-image.ts';
import {machineSetup} from './machine-setup.ts';
import {contractSuite} from './suite.ts';

const libvirt = await ownLibvirt();

if (typeof libvirt === 'string') {
	describe(`the driver contract: libvirt (${libvirt})`, () => test.skip('needs a libvirt', () => {}));
} else {
	afterAll(() => libvirt.close(), 60_000);
	contractSuite('libvirt', {
		...machineSetup,
		makeDriver: paths => createLibvirtDriver({paths, uri: libvirt.uri}),
		image: microImage,
		files: ({directory}) => ({disk: path.join(directory, 'disk.qcow2'), state: path.join(directory, 'state')}),
	});
}
