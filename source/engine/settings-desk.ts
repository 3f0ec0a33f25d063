import {isBuilt} from '../drivers/registry.ts';
import {driverTitles, parseDriverName} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import type {SettingsStore} from '../state/settings.ts';
import type {SettingValue} from './engine.ts';
import {type Host, settingInForce, settingKey, settingNames} from './setting-keys.ts';

/** The settings in force: what is kept, checked against the rules. */
export class Settings {
	/** Sentences about settings that could not be used. */
	readonly problems: readonly string[];
	readonly #store: SettingsStore;
	readonly #host: Host;

	constructor(store: SettingsStore, host: Host) {
		this.#store = store;
		this.#host = host;
		const warnings = settingNames().flatMap(key => settingInForce(key, store.get(key), host).warning ?? []);
		this.problems = [...(store.problem === undefined ? [] : [store.problem]), ...warnings];
	}

	all(): SettingValue[] {
		return settingNames().map(key => this.get(key));
	}

	/** @throws DroverError `setting.unknown` */
	get(key: string): SettingValue {
		settingKey(key);
		const {value, isDefault} = settingInForce(key, this.#store.get(key), this.#host);
		return {key, value, isDefault};
	}

	primaryName(): string {
		return this.get('client.primary-name').value;
	}

	/** @throws DroverError `setting.unknown`, `setting.invalid`, `driver.unsupported` */
	set(key: string, value: string): SettingValue {
		const parsed = settingKey(key).parse(value, this.#host);
		if (key === 'local.driver') this.#checkDriver(parsed);
		this.#store.set(key, parsed);
		return this.get(key);
	}

	#checkDriver(value: string): void {
		const driver = parseDriverName(value);
		if (driver !== undefined && isBuilt(driver)) return;
		const title = driver === undefined ? value : driverTitles[driver];
		throw new DroverError('driver.unsupported', `This version of drover cannot switch to ${title} yet.`, {
			next: `The driver stays ${this.get('local.driver').value}.`,
		});
	}
}
