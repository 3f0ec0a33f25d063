import type {YAMLMap, YAMLSeq} from 'yaml';
import type {Nic} from '../model/network.ts';
import type {PrivateNic} from '../model/private-network.ts';
import {type CloudConfig, cloudConfigText, problem, readCloudConfig} from './cloud-config.ts';
import type {KeyPair} from './openssh-key.ts';
import {privateCard} from './private-card.ts';

export type SeedInput = {
	/** A new id makes cloud-init treat the disk as a new machine. */
	readonly id: string;
	/** A checked instance name; becomes the host name. */
	readonly name: string;
	/** The user drover logs in as; cloud-init makes it, with sudo. */
	readonly user: string;
	/** drover's public key line. */
	readonly clientKey: string;
	/** The key the guest shows to ssh clients. */
	readonly hostKey: KeyPair;
	/** Text of the user's cloud-config. */
	readonly cloudInit?: string;
	/** Binds the network configuration to the one card that drover made; without it every Ethernet card is set up. */
	readonly mac?: string;
	/** Interfaces beside that one; those that are `manual` are left to the user. */
	readonly nics?: readonly Nic[];
	/** Its card on the private network. */
	readonly privateNic?: PrivateNic | undefined;
	/** What the image calls its system, where that is known: `Ubuntu`. */
	readonly os?: string;
	/** A container's cards have the names that were asked for (`eth0` on), and no permanent address to know them by. */
	readonly isContainer?: boolean;
	/** Its disk is another machine's: what that one knew itself by is made anew. */
	readonly isClone?: boolean;
};

export type SeedFiles = Readonly<Record<'meta-data' | 'user-data' | 'vendor-data' | 'network-config', string>>;

/**
 * The files of a NoCloud seed. What drover needs stands in the user-data beside what the user asked for, because lists
 * there replace those of the vendor-data; plain block-style YAML in a fixed order, which small readers understand too.
 * Rule for users and keys: Multipass (`default` and the key are appended to lists of the user's).
 * @throws DroverError `usage.invalid` when the cloud-config cannot be used: not YAML (with the line), or in the way of
 * drover's own login
 */
export async function seedFiles(input: SeedInput): Promise<SeedFiles> {
	const {stringify} = await import('yaml');
	// Version 1.1 is what cloud-init reads: there an instance called `no` or `on` must be quoted.
	const write = (value: unknown) => stringify(value, {version: '1.1', lineWidth: 0});
	const config = await readCloudConfig(input.cloudInit ?? '{}');
	await addDrover(config, input);
	if (input.isClone) await addCloneWork(config);
	return {
		'meta-data': write({'instance-id': input.id, 'local-hostname': input.name, 'cloud-name': 'drover'}),
		'user-data': cloudConfigText(config),
		'vendor-data': `#cloud-config\n${write({
			growpart: {mode: 'auto', devices: ['/']},
			resize_rootfs: true,
			manage_etc_hosts: true,
		})}`,
		'network-config': write({
			version: 2,
			ethernets: Object.fromEntries([
				[input.isContainer ? 'eth0' : 'default', {...match(input, input.mac), ...dhcp}],
				...(input.nics ?? []).flatMap((nic, index) => further(input, nic, index)),
				...(input.privateNic === undefined ? [] : [['private', privateCard(input.privateNic, input.os ?? '')]]),
			]),
		}),
	};
}

const dhcp = {dhcp4: true, 'dhcp-identifier': 'mac'} as const;

/** What a card is known by; nothing where its settings stand under its name. */
function match({isContainer}: SeedInput, mac: string | undefined) {
	if (isContainer) return {};
	return {match: mac === undefined ? {name: 'e*'} : {macaddress: mac}};
}

/** A boot does not wait for it, and the first interface stays the way out. Values: Multipass. */
function further(input: SeedInput, {mac, mode}: Nic, index: number) {
	if (mode === 'manual') return [];
	const settings = {
		...match(input, mac),
		dhcp4: true,
		'dhcp4-overrides': {'route-metric': 200},
		'dhcp-identifier': 'mac',
		optional: true,
	};
	return [[input.isContainer ? `eth${index + 1}` : `extra${index}`, settings] as const];
}

/**
 * The id by which systemd and D-Bus know a machine is a file on its disk, which a new instance id does not change. What
 * runs already goes on with the old one until the next boot; addresses are asked for by the MAC address anyway.
 */
const newMachineId = [
	'[ -e /etc/machine-id ] || exit 0',
	'rm -f /etc/machine-id',
	'[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id',
	'systemd-machine-id-setup || tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id',
	'[ ! -d /var/lib/dbus ] || [ -e /var/lib/dbus/machine-id ] || cp /etc/machine-id /var/lib/dbus/machine-id',
].join('; ');

/** What the guest does once, before what its user wants to be run. */
async function addCloneWork({document, root}: CloudConfig): Promise<void> {
	const {isSeq} = await import('yaml');
	const found = root.get('runcmd', true);
	const command = document.createNode(['sh', '-c', newMachineId]);
	if (isSeq(found)) found.items.unshift(command);
	else root.set('runcmd', document.createNode([command]));
}

/** Before anything is asked of the daemon. @throws DroverError `usage.invalid`, as {@link seedFiles} */
export async function checkCloudConfig(text: string, user = 'ubuntu'): Promise<void> {
	await addDrover(await readCloudConfig(text), {user, clientKey: '', hostKey: {private: '', public: ''}});
}

async function addDrover(
	{document, root}: CloudConfig,
	{user, clientKey, hostKey}: Pick<SeedInput, 'user' | 'clientKey' | 'hostKey'>,
): Promise<void> {
	const {isMap, isScalar, isSeq, Scalar} = await import('yaml');
	const value = (node: unknown) => (isScalar(node) ? node.value : node);
	/** The list at a key of the root, made when the key is absent or has no value. */
	const list = (key: string): YAMLSeq => {
		const found = root.get(key, true);
		if (found === undefined || value(found) === null) root.set(key, document.createNode([]));
		else if (!isSeq(found)) throw problem(`"${key}" must be a list`);
		return root.get(key, true) as unknown as YAMLSeq;
	};
	/** The mapping at a key, likewise. */
	const map = (parent: YAMLMap, key: string): YAMLMap => {
		const found = parent.get(key, true);
		if (found === undefined || value(found) === null) parent.set(key, document.createNode({}));
		else if (!isMap(found)) throw problem(`"${key}" must be a mapping`);
		return parent.get(key, true) as unknown as YAMLMap;
	};
	const isPresent = (parent: YAMLMap, key: string) => parent.has(key) && value(parent.get(key, true)) !== null;

	// drover logs in as the default user: that one must stay the one it knows.
	const advice = `Add a user of your own to the list "users" instead; drover needs ${user}.`;
	if (isPresent(root, 'user')) throw problem('"user" gives the default user another name', advice);
	const defaultUser = map(map(root, 'system_info'), 'default_user');
	if (isPresent(defaultUser, 'name')) {
		throw problem('"system_info" gives the default user another name', advice);
	}
	const presets = {
		name: user,
		lock_passwd: plain('true'),
		shell: '/bin/bash',
		sudo: ['ALL=(ALL) NOPASSWD:ALL'],
	};
	for (const [key, preset] of Object.entries(presets)) {
		if (!isPresent(defaultUser, key)) defaultUser.set(key, document.createNode(preset));
	}

	const users = list('users');
	if (!users.items.some(item => value(item) === 'default')) users.add(document.createNode('default'));
	list('ssh_authorized_keys').add(document.createNode(`${clientKey} drover`));

	if (!isPresent(root, 'ssh_deletekeys')) root.set('ssh_deletekeys', plain('true'));
	if (!isPresent(root, 'ssh_genkeytypes')) root.set('ssh_genkeytypes', document.createNode(['ed25519']));
	const keys = map(root, 'ssh_keys');
	if (isPresent(keys, 'ed25519_private') || isPresent(keys, 'ed25519_public')) {
		throw problem(
			'"ssh_keys" has an ed25519 key, but drover gives each instance one itself, to verify it by',
			'Leave ed25519_private and ed25519_public out; keys of other types may stay.',
		);
	}
	const block = new Scalar(hostKey.private);
	block.type = Scalar.BLOCK_LITERAL;
	keys.set('ed25519_private', block);
	keys.set('ed25519_public', document.createNode(hostKey.public));

	function plain(text: string) {
		const scalar = new Scalar(text);
		scalar.type = Scalar.PLAIN;
		return scalar;
	}
}
