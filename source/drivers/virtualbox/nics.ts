import {DroverError} from '../../model/errors.ts';
import type {HostNetwork, Nic} from '../../model/network.ts';
import {plainLine} from '../../model/text.ts';
import {type Job, type Machine, requireMachine} from './context.ts';
import {type Manage, ManageError} from './manage.ts';
import {parseBlocks} from './parse.ts';
import {isOnline} from './states.ts';

type Kind = 'bridged' | 'hostonly' | 'hostonlynet';

/** A network of the host as VirtualBox knows it. */
export type Adapter = {
	readonly kind: Kind;
	/** Exactly as VirtualBox has to be told it. */
	readonly name: string;
	readonly network: HostNetwork;
	readonly isUp: boolean;
};

/** Interfaces of the kernel's and of other programs' are no networks to a person. Names: Linux and macOS. */
const internal = /^(?:lo\d*$|ifb|veth|tap|docker|virbr\d+-nic|vnet|utun|awdl|llw|gif|stf|ap\d|anpi|bridge\d+$|p2p)/;

/** `list bridgedifs`. macOS says `en0: Wi-Fi (AirPort)`: a person says `en0`. */
export function parseBridged(text: string): Adapter[] {
	return parseBlocks(text).flatMap(block => {
		const name = block.get('Name') ?? '';
		if (name === '' || internal.test(name)) return [];
		const [, short = name, words = ''] = /^([a-z]+\d+): (.+)$/.exec(name) ?? [];
		const isWireless = block.get('Wireless') === 'Yes' || /wi-?fi|airport/i.test(name);
		const address = block.get('IPAddress') ?? '';
		const description = [words, address === '' || address === '0.0.0.0' ? '' : address].filter(Boolean).join(', ');
		return [
			{
				kind: 'bridged' as const,
				name,
				isUp: block.get('Status') !== 'Down',
				network: {
					name: plainLine(short),
					type: isWireless ? 'wifi' : 'ethernet',
					description: plainLine(description) || (isWireless ? 'Wi-Fi card of the host' : 'network card of the host'),
				},
			},
		];
	});
}

/** `list hostonlyifs` (Linux, Windows) and `list hostonlynets` (macOS since VirtualBox 7). */
export function parseHostOnly(text: string, kind: 'hostonly' | 'hostonlynet'): Adapter[] {
	return parseBlocks(text).flatMap(block => {
		const name = block.get('Name') ?? '';
		if (name === '') return [];
		const address = block.get('IPAddress') ?? block.get('LowerIP') ?? '';
		return [
			{
				kind,
				name,
				isUp: block.get('Status') !== 'Down' && (block.get('State') ?? 'Enabled') !== 'Disabled',
				network: {
					name: plainLine(name),
					type: 'host-only',
					description: plainLine(
						`VirtualBox’s own, between this host and its guests${address === '' ? '' : `, ${address}`}`,
					),
				},
			},
		];
	});
}

async function adapters(manage: Manage): Promise<Adapter[]> {
	const list = async (what: string) =>
		manage.look(['list', what], {isList: true, timeoutMs: 10_000}).catch((error: unknown) => {
			// Not every platform has both kinds of host-only networks.
			if (error instanceof ManageError && error.problem === 'refused') return '';
			throw error;
		});
	const [bridged, hostOnly, nets] = await Promise.all([list('bridgedifs'), list('hostonlyifs'), list('hostonlynets')]);
	return [...parseBridged(bridged), ...parseHostOnly(hostOnly, 'hostonly'), ...parseHostOnly(nets, 'hostonlynet')];
}

/** What `networks` lists: what is up, each name once. */
export async function hostNetworks(manage: Manage): Promise<HostNetwork[]> {
	const seen = new Set<string>();
	return (await adapters(manage)).flatMap(({network, isUp}) => {
		if (!isUp || seen.has(network.name)) return [];
		seen.add(network.name);
		return [network];
	});
}

/** Source: `list systemproperties`, network adapters of the chipset PIIX3. */
const mostNics = 8;

export function nicArguments(slot: number, {kind, name}: Pick<Adapter, 'kind' | 'name'>, mac: string): string[] {
	const adapter = {
		bridged: `--bridgeadapter${slot}`,
		hostonly: `--hostonlyadapter${slot}`,
		hostonlynet: `--host-only-net${slot}`,
	}[kind];
	return [
		...[`--nic${slot}`, kind, adapter, name],
		...[`--nictype${slot}`, 'virtio', `--macaddress${slot}`, machineMac(mac), `--cableconnected${slot}`, 'on'],
	];
}

/** VirtualBox writes addresses without colons. */
export function machineMac(mac: string): string {
	return mac.replaceAll(':', '').toUpperCase();
}

/** The first slot that has no card. @returns `undefined` when the interface is there already */
export function freeSlot(info: ReadonlyMap<string, string>, mac: string): number | 'full' | undefined {
	for (let slot = 1; slot <= mostNics; slot++) {
		if (info.get(`macaddress${slot}`)?.toUpperCase() === machineMac(mac) && info.get(`nic${slot}`) !== 'none')
			return undefined;
	}
	for (let slot = 2; slot <= mostNics; slot++) if ((info.get(`nic${slot}`) ?? 'none') === 'none') return slot;
	return 'full';
}

/** Gives a machine at rest a further interface. One that is there already is no error. */
export async function addNic(job: Job, nic: Nic): Promise<void> {
	const machine = await requireMachine(job);
	if (freeSlot(machine.info, nic.mac) === undefined) return;
	demandRest(machine);
	await plugNic(job, machine, nic);
}

/** Also for a machine that has just been made. @throws DroverError `instance.invalid` */
export async function plugNic(job: Job, machine: Machine, nic: Nic): Promise<void> {
	const {manage, record} = job;
	const slot = freeSlot(machine.info, nic.mac);
	if (slot === undefined) return;
	if (slot === 'full') {
		throw new DroverError('instance.invalid', `A machine of VirtualBox’s has at most ${mostNics} network interfaces.`);
	}
	const all = await adapters(manage);
	// VirtualBox itself takes any name and says yes.
	const found = all.find(({network, name}) => network.name === nic.network || name === nic.network);
	if (found === undefined) {
		throw new DroverError('instance.invalid', `There is no network "${plainLine(nic.network).slice(0, 60)}".`, {
			next: 'drover networks lists those there are.',
		});
	}
	await manage.work(['modifyvm', record.id, ...nicArguments(slot, found, nic.mac)]);
}

/** @throws DroverError `instance.state` while it runs or has saved memory */
export function demandRest({phase, state}: Machine): void {
	if (phase === 'saved') {
		throw new DroverError('instance.state', 'The instance is suspended: its memory belongs to the hardware it has.', {
			next: 'Start it and stop it first.',
		});
	}
	if (phase === 'off' && !isOnline(state)) return;
	throw new DroverError('instance.state', 'The instance runs, so its hardware cannot be changed.', {
		next: 'Stop it first.',
	});
}
