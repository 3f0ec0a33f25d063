import {defaultDriver, driversOn, platformProblem} from '../drivers/platforms.ts';
import {type Platform, parseDriverName} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import {nameProblem} from '../model/names.ts';
import {plainLine} from '../model/text.ts';

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
		key: 'local.privileged-mounts',
		standard: host => String(host.platform !== 'win32'),
		parse(value) {
			const lower = value.trim().toLowerCase();
			if (yes.has(lower)) return 'true';
			if (no.has(lower)) return 'false';
			throw invalid('local.privileged-mounts', value, 'it is either true or false.');
		},
	},
];

/** @throws DroverError `setting.unknown`, naming the keys there are */
export function settingKey(key: string): SettingKey {
	const found = settingKeys.find(setting => setting.key === key);
	if (found) return found;
	throw new DroverError('setting.unknown', `Unrecognized settings key: '${plainLine(key).slice(0, 100)}'`, {
		next: `The keys are ${settingKeys.map(setting => setting.key).join(', ')}.`,
	});
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
