import type {DriverName} from '../../model/driver-name.ts';
import type {SettingsStore} from '../../state/settings.ts';
import type {SettingValue} from '../engine.ts';
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

	/** @throws DroverError `setting.unknown`, `setting.invalid`, `host.*`; `local.driver` is set by a switch only */
	set(key: string, value: string): SettingValue {
		const parsed = this.parse(key, value);
		this.#store.set(key, parsed);
		return this.get(key);
	}

	/** The value as it would be kept. @throws DroverError `setting.unknown`, `setting.invalid` */
	parse(key: string, value: string): string {
		return settingKey(key).parse(value, this.#host);
	}

	driver(): DriverName {
		return this.get('local.driver').value as DriverName;
	}

	/** The one write that a switch commits with: atomic. @throws DroverError `host.*` */
	setDriver(driver: DriverName): void {
		this.#store.set('local.driver', driver);
	}
}
