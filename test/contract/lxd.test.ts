import process from 'node:process';
import {afterAll, describe, test} from 'vitest';
import {LxdClient} from '../../source/drivers/lxd/client.ts';
import {createLxdDriver} from '../../source/drivers/lxd/driver.ts';
import {perform} from '../../source/drivers/lxd/operation.ts';
import {ownLxd} from '../support/lxd.ts';
import {microRoot} from '../support/micro-image.ts';
import {processesNaming, type Subject} from './subject.ts';
import {contractSuite} from './suite.ts';

const lxd = await ownLxd();

if (typeof lxd === 'string') {
	describe(`the driver contract: lxd (${lxd})`, () => test.skip('needs an LXD', () => {}));
} else {
	afterAll(() => lxd.close(), 90_000);
	const settings: Readonly<Record<string, string>> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
	const client = new LxdClient({kind: 'socket', path: `${lxd.directory}/unix.socket`});
	const rename = (from: string, to: string) =>
		perform(client, 'POST', `/1.0/instances/${from}`, {query: {project: 'drover'}, body: {name: to}});
	contractSuite('lxd', {
		scope: 'lxd',
		makeDriver: paths => createLxdDriver({paths, setting: key => settings[key] ?? '', environment: lxd.environment}),
		image: microRoot,
		canSuspend: false,
		async machines(web: Subject) {
			// The process that watches over a container is there as long as it runs.
			const monitors = await processesNaming(`${lxd.directory}/containers drover_${web.record.name}`);
			const state = (await client.find(`/1.0/instances/${web.record.name}/state`, {project: 'drover'})) as
				| {pid: number}
				| undefined;
			return monitors.map(() => state?.pid ?? 0);
		},
		hypervisor: async () => lxd.pid()!,
		async deafen(web, driver) {
			// Its first process stands still; what else runs goes on.
			process.kill(await web.pid(driver), 'SIGSTOP');
		},
		loss: web => ({
			words: /does not have it any more/,
			async remove() {
				// While a launch is under way it need not be there yet.
				web.record = {...web.record, phase: 'ready'};
				await rename(web.record.name, 'away');
			},
			mend: async () => void (await rename('away', web.record.name)),
		}),
		hasAgent: false,
		hasPort: false,
		keepsProcess: false,
		limitsDisk: false,
	});
}
