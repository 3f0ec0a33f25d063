import {DroverError} from '../../model/errors.ts';
import {type RestorePolicy, restorePolicies} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import type {SettingValue} from '../engine.ts';
import type {Instances} from '../instances.ts';

const standard: RestorePolicy = 'as-it-was';

/** The instance a key is about (`local.NAME.restore`), or `undefined` when it is about none. */
export function restoreKey(key: string): string | undefined {
	return /^local\.([^.]+)\.restore$/.exec(key)?.[1];
}

/** @throws DroverError `instance.missing`, `instance.broken` */
export function getRestore(instances: Instances, name: string): SettingValue {
	const {restore} = instances.record(instances.get(name));
	return {key: `local.${name}.restore`, value: restore ?? standard, isDefault: restore === undefined};
}

/** What is done to an instance when its scope is entered and after a reboot. @throws DroverError `setting.invalid` too */
export async function setRestore(instances: Instances, name: string, value: string): Promise<SettingValue> {
	const policy = restorePolicies.find(known => known === value.trim().toLowerCase());
	if (policy === undefined) {
		throw new DroverError('setting.invalid', `Invalid restore policy "${plainLine(value).slice(0, 40)}".`, {
			next: `Use one of ${restorePolicies.join(', ')}.`,
		});
	}
	await instances.update(instances.get(name), {restore: policy === standard ? undefined : policy});
	return getRestore(instances, name);
}
