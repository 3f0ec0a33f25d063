import {defaultDriver, driversOn, platformProblem} from '../../drivers/platforms.ts';
import {type Platform, parseDriverName} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import {nameProblem} from '../../model/names.ts';
import {plainLine} from '../../model/text.ts';

/** Whether new instances of the scope of QEMU are on its private network. */
export const networkSetting = 'local.qemu.network';

export type Host = {readonly platform: Platform /** Node's spelling: `x64`. */; readonly architecture: string};

type SettingKey = {
	readonly key: string;
	readonly standard: (host: Host) => string;
	/** Returns the value as it is kept. @throws DroverError `setting.invalid` */
	readonly parse: (value: string, host: Host) => string;
};

const invalid = (key: string, value: string, why: string, next?: string) =>
	new DroverError('setting.invalid', `Invalid setting '${key}=${plainLine(value).slice(0, 100)}': ${why}`, {next});

const yes = new Set(['on', 'yes', '1', 'true']);
const no = new Set(['off', 'no', '0', 'false']);

/** As LXD and Incus allow names of projects and pools, and then some: no slash, no blank. */
const serverName = /^[A-Za-z\d][\w.-]{0,62}$/;

const lxdTypes: Readonly<Record<string, string>> = {
	auto: 'auto',
	vm: 'vm',
	'virtual-machine': 'vm',
	container: 'container',
};

/** `https://host[:port]`, and after `#` the SHA-256 of the certificate that the server must show. */
function parseRemote(value: string): string {
	if (value === '') return '';
	const [address = '', fingerprint] = value.trim().split('#', 2);
	if (!URL.canParse(address) || new URL(address).protocol !== 'https:') {
		throw invalid('local.lxd.remote', value, 'it must be an https:// address.', 'Write it as https://host:8443.');
	}
	const url = new URL(address);
	if (url.username !== '' || url.password !== '' || url.search !== '' || !['', '/'].includes(url.pathname)) {
		throw invalid('local.lxd.remote', value, 'it must be a host and a port only.', 'Write it as https://host:8443.');
	}
	const port = url.port === '' ? '8443' : url.port;
	if (fingerprint === undefined) return `https://${url.hostname}:${port}`;
	const digits = fingerprint
		.toLowerCase()
		.replace(/^sha256:/, '')
		.replaceAll(':', '');
	if (!/^[\da-f]{64}$/.test(digits)) {
		throw invalid('local.lxd.remote', value, 'what follows # is not the SHA-256 fingerprint of a certificate.');
	}
	return `https://${url.hostname}:${port}#${digits}`;
}

function parseSwitch(key: string, value: string): string {
	const lower = value.trim().toLowerCase();
	if (yes.has(lower)) return 'true';
	if (no.has(lower)) return 'false';
	throw invalid(key, value, 'it is either true or false.');
}

/** The settings there are, with Multipass's names and rules. */
const settingKeys: readonly SettingKey[] = [
	{
		key: 'client.primary-name',
		standard: () => 'primary',
		parse(value) {
			const problem = value === '' ? undefined : nameProblem(value);
			if (problem !== undefined) throw invalid('client.primary-name', value, `not an instance name: ${problem}.`);
			return value;
		},
	},
	{
		key: 'local.bridged-network',
		standard: () => '',
		parse: value => plainLine(value),
	},
	{
		key: 'local.default-image',
		// The newest Ubuntu LTS, as in Multipass.
		standard: () => 'default',
		parse(value) {
			const image = value.trim();
			if (image === '') return 'default';
			if (/[\s\u0000-\u001F\u007F]/.test(image) || image.length > 1000) {
				throw invalid('local.default-image', value, 'it is not the name or the address of an image.');
			}
			return image;
		},
	},
	{
		key: 'local.driver',
		standard: host => defaultDriver(host.platform, host.architecture),
		parse(value, host) {
			const driver = parseDriverName(value);
			if (driver === undefined) {
				throw invalid('local.driver', value, 'Invalid driver.', `Use one of ${driversOn(host.platform).join(', ')}.`);
			}
			const problem = platformProblem(driver, host.platform);
			if (problem !== undefined) {
				throw invalid('local.driver', value, `${problem}.`, `Use one of ${driversOn(host.platform).join(', ')}.`);
			}
			return driver;
		},
	},
	{
		key: 'local.image.mirror',
		standard: () => '',
		parse(value) {
			if (value === '') return '';
			if (!URL.canParse(value) || new URL(value).protocol !== 'https:') {
				throw invalid('local.image.mirror', value, 'a mirror must be an https:// address.');
			}
			return value.endsWith('/') ? value : `${value}/`;
		},
	},
	{
		key: 'local.lxd.pool',
		standard: () => '',
		parse(value) {
			if (value === '' || serverName.test(value)) return value;
			throw invalid('local.lxd.pool', value, 'it is not the name of a storage pool.');
		},
	},
	{
		key: 'local.lxd.project',
		standard: () => 'drover',
		parse(value) {
			if (serverName.test(value)) return value;
			throw invalid('local.lxd.project', value, 'it is not the name of a project.');
		},
	},
	{
		key: 'local.lxd.remote',
		standard: () => '',
		parse: value => parseRemote(value),
	},
	{
		key: 'local.lxd.type',
		standard: () => 'auto',
		parse(value) {
			const type = lxdTypes[value.trim().toLowerCase()];
			if (type !== undefined) return type;
			throw invalid('local.lxd.type', value, 'it is one of auto, vm and container.');
		},
	},
	{
		key: 'local.privileged-mounts',
		standard: host => String(host.platform !== 'win32'),
		parse: value => parseSwitch('local.privileged-mounts', value),
	},
	{
		key: networkSetting,
		standard: () => 'true',
		parse: value => parseSwitch(networkSetting, value),
	},
];

/** @throws DroverError `setting.unknown`, naming the keys there are */
export function settingKey(key: string): SettingKey {
	const found = settingKeys.find(setting => setting.key === key);
	if (found) return found;
	throw new DroverError('setting.unknown', `Unrecognized settings key: '${plainLine(key).slice(0, 100)}'`, {
		next: nearKeys(key),
	});
}

/** The keys that one who wrote this may have meant. */
function nearKeys(key: string): string {
	if (key === 'local.passphrase') return 'There is no passphrase: only its own user can reach the daemon.';
	const [first, , ...properties] = key.split('.');
	const isGlobal = settingKeys.some(setting => setting.key.startsWith(`${key.split('.').slice(0, 2).join('.')}.`));
	if (first !== 'local' || properties.length === 0 || isGlobal) {
		return `The keys are ${settingKeys.map(setting => setting.key).join(', ')}; "drover get --keys" lists those of instances, too.`;
	}
	return properties.length === 1
		? 'An instance has the keys bridged, cpus, disk, memory and restore, for example local.web.memory.'
		: 'A snapshot has the keys name and comment, for example local.web.before-upgrade.comment.';
}

export function settingNames(): readonly string[] {
	return settingKeys.map(setting => setting.key);
}

/**
 * The value in force: what is kept, or the default where nothing is kept or what is kept cannot be used here
 * (an old file, another platform); the latter with a warning, and without touching what is kept.
 */
export function settingInForce(
	key: string,
	kept: string | undefined,
	host: Host,
): {value: string; isDefault: boolean; warning?: string} {
	const setting = settingKey(key);
	if (kept === undefined) return {value: setting.standard(host), isDefault: true};
	try {
		return {value: setting.parse(kept, host), isDefault: false};
	} catch (error) {
		const value = setting.standard(host);
		return {
			value,
			isDefault: true,
			warning: `${(error as Error).message} "${value}" is used instead; the setting was left as it is.`,
		};
	}
}
