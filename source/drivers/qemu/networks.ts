import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {HostNetwork, Nic} from '../../model/network.ts';
import {plainLine} from '../../model/text.ts';
import type {System} from '../../platform/system.ts';
import type {Driver, InstancePlace, WorkContext} from '../driver.ts';
import {demandRest} from '../machine/resize.ts';
import {type Job, jobOf, type Shared} from './context.ts';

/**
 * Further interfaces on macOS: QEMU bridges them to a card of the Mac's by way of vmnet, which is for root only (or for
 * programs that Apple has signed for it). Their command line follows the record, so that adding one is no more than looking.
 */
export function darwinNetworks(shared: Shared): Pick<Driver, 'networks' | 'networkProblem' | 'addNic'> {
	const {system} = shared;
	return {
		networks: () => bridgeable(system),
		networkProblem: async () => vmnetProblem(system),
		addNic: (record: InstanceRecord, place: InstancePlace, nic: Nic, work: WorkContext) =>
			shared.lanes.run(record.id, work.signal, async signal => {
				const job = jobOf(shared, record, place, work, signal);
				await demandRest(job);
				demandVmnet(system);
				await demandNetwork(system, nic);
			}),
	};
}

/** Asked before a machine with further interfaces is started. @throws DroverError `driver.unusable`, `driver.incapable` */
export async function demandNics({record, system}: Job): Promise<void> {
	if ((record.hardware.nics?.length ?? 0) === 0) return;
	if (system.platform !== 'darwin') {
		throw new DroverError('driver.incapable', 'Further interfaces of QEMU are there on macOS only.', {
			next: 'Launch it anew without --network, or under the lxd driver.',
		});
	}
	demandVmnet(system);
}

function demandVmnet(system: System): void {
	const problem = vmnetProblem(system);
	if (problem === undefined) return;
	throw new DroverError('driver.unusable', `${problem}.`, {
		next: 'Start drover’s daemon as root (sudo drover …); root has instances of its own.',
	});
}

/** Why vmnet cannot be used. */
function vmnetProblem({uid}: System): string | undefined {
	return uid === 0
		? undefined
		: 'macOS lets only root open networks for further interfaces (vmnet), and this is not root';
}

/** @throws DroverError `instance.invalid` */
async function demandNetwork(system: System, {network}: Nic): Promise<void> {
	if ((await bridgeable(system)).some(({name}) => name === network)) return;
	throw new DroverError('instance.invalid', `There is no network "${plainLine(network).slice(0, 60)}".`, {
		next: 'drover networks lists those there are.',
	});
}

/** The Mac's cards that an interface can be bridged to, those that are connected first. */
async function bridgeable({run}: System): Promise<HostNetwork[]> {
	const [ports, interfaces] = await Promise.all([
		run('/usr/sbin/networksetup', ['-listallhardwareports'], {timeoutMs: 5000}),
		run('/sbin/ifconfig', ['-a'], {timeoutMs: 5000}),
	]);
	return hardwarePorts(ports.stdout, interfaces.stdout);
}

/**
 * Cards from what `networksetup -listallhardwareports` and `ifconfig -a` print: a block for each port, with its name,
 * device and address. Bluetooth and the like (devices other than `en…` and `bridge…`) cannot be bridged.
 */
export function hardwarePorts(ports: string, interfaces: string): HostNetwork[] {
	const active = new Set(
		interfaces.split(/\n(?=\S)/).flatMap(block => {
			const name = /^([\w.]+):/.exec(block)?.[1];
			return name !== undefined && /^\s+status: active/m.test(block) ? [name] : [];
		}),
	);
	const found = [...ports.matchAll(/^Hardware Port: (.+)\r?\nDevice: ((?:en|bridge)\d{1,4})\s*$/gm)].map(
		([, title = '', name = '']) => ({
			name,
			type: typeOf(title, name),
			description: `${plainLine(title)}${active.has(name) ? '' : ' (not connected)'}`,
		}),
	);
	const rank = ({name}: HostNetwork) => (active.has(name) ? 0 : 1);
	return found.sort((one, other) => rank(one) - rank(other));
}

/** As Multipass calls them. */
function typeOf(title: string, name: string): string {
	if (name.startsWith('bridge')) return 'bridge';
	return /^(?:wi-?fi|airport)\b/i.test(title) ? 'wifi' : 'ethernet';
}
