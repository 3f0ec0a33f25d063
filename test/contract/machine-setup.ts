import {rename} from 'node:fs/promises';
import path from 'node:path';
import type {Driver} from '../../source/drivers/driver.ts';
import {forwards} from './forwards.ts';
import {metrics} from './metrics.ts';
import {resources} from './resources.ts';
import type {ContractSetup} from './setup.ts';
import {processesNaming, type Subject} from './subject.ts';

const disk = (web: Subject) => path.join(web.place.directory, 'disk.qcow2');

/** What holds for every driver whose machines are processes of QEMU. */
export const machineSetup: Pick<
	ContractSetup,
	| 'scope'
	| 'canSuspend'
	| 'machines'
	| 'hypervisor'
	| 'deafen'
	| 'loss'
	| 'hasAgent'
	| 'hasPort'
	| 'keepsProcess'
	| 'limitsDisk'
	| 'more'
> = {
	scope: 'qemu',
	canSuspend: true,
	machines: web => processesNaming(web.record.id),
	hypervisor: (web: Subject, driver: Driver) => web.pid(driver),
	async deafen(web, driver) {
		await web.ssh(driver, 'killall', 'acpid', 'qemu-ga');
	},
	loss: web => ({
		words: /missing/,
		remove: () => rename(disk(web), `${disk(web)}.away`),
		mend: () => rename(`${disk(web)}.away`, disk(web)),
	}),
	hasAgent: true,
	hasPort: true,
	keepsProcess: true,
	limitsDisk: true,
	more(stage) {
		resources(stage);
		metrics(stage);
		forwards(stage, 'suspend');
	},
};
