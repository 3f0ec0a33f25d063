import path from 'node:path';
import {createQemuDriver} from '../../source/drivers/qemu/driver.ts';
import {microImage} from '../support/micro-image.ts';
import {machineSetup} from './machine-setup.ts';
import {contractSuite} from './suite.ts';

contractSuite('qemu', {
	...machineSetup,
	makeDriver: paths => createQemuDriver({paths}),
	image: microImage,
	files: ({directory}) => ({
		disk: path.join(directory, 'disk.qcow2'),
		state: path.join(directory, 'state'),
		pid: path.join(directory, 'pid'),
	}),
});
