import process from 'node:process';
import {LxdClient} from '../../source/drivers/lxd/client.ts';
import {createLxdDriver} from '../../source/drivers/lxd/driver.ts';
import {perform} from '../../source/drivers/lxd/operation.ts';
import {microRoot} from '../support/micro-image.ts';
import type {OwnServer} from '../support/own-server.ts';
import type {ContractSetup} from './setup.ts';
import {eventually, processesNaming} from './subject.ts';

/** Containers on an LXD or Incus of the tests' own. */
export function lxdSetup(server: OwnServer): ContractSetup {
	const settings: Readonly<Record<string, string>> = {'local.lxd.type': 'container', 'local.lxd.project': 'drover'};
	const client = new LxdClient({kind: 'socket', path: `${server.directory}/unix.socket`});
	const rename = (from: string, to: string) =>
		perform(client, 'POST', `/1.0/instances/${from}`, {query: {project: 'drover'}, body: {name: to}});
	return {
		scope: 'lxd',
		makeDriver: paths => createLxdDriver({paths, setting: key => settings[key] ?? '', environment: server.environment}),
		image: microRoot,
		canSuspend: false,
		async machines(web) {
			// The process that watches over a container is there as long as it runs.
			const monitors = () => processesNaming(`${server.directory}/containers drover_${web.record.name}`);
			const found = await monitors();
			const state = await client
				.find(`/1.0/instances/${web.record.name}/state`, {project: 'drover'})
				// Incus has none to tell of one that is just ending.
				.catch(() => undefined);
			const {pid = 0} = (state ?? {}) as {pid?: number};
			if (pid > 0) return found.map(() => pid);
			// It is gone, and so is what watched over it, a moment later.
			await eventually('nobody watches over it', async () => (await monitors()).length === 0, 2000);
			return [];
		},
		hypervisor: async () => server.pid()!,
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
	};
}
