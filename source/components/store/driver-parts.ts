import {defaultMountType, featureProblem, nativeMountProblem} from '../../engine/availability.ts';
import type {DriverInfo} from '../../engine/engine.ts';
import type {FormOption} from './form.ts';
import type {Facts} from './model.ts';

/** Why there are no mounts, whatever the instance. */
export function whyNoMounts({settings, driver}: Pick<Facts, 'settings' | 'driver'>): string | undefined {
	if (settings['local.privileged-mounts'] === 'false') {
		return 'mounts are disabled: drover set local.privileged-mounts=true allows them';
	}
	return nativeMountProblem(driver) === undefined ? undefined : driver.classicMountProblem;
}

/** Why there are no further networks, whatever the instance: the table first, then this version. */
export function whyNoNetworks(driver: DriverInfo): string | undefined {
	const {extraNetworks} = driver.capabilities;
	if (extraNetworks.can === 'no') return `extra: ${extraNetworks.reason}`;
	return featureProblem('networks', driver);
}

/** Both ways to mount, the usual one first; one that cannot be taken says why. */
export function mountTypes({driver}: Pick<Facts, 'driver'>): readonly FormOption[] {
	const usual = defaultMountType(driver);
	const {nativeMounts} = driver.capabilities;
	const reason = nativeMounts.can === 'no' ? nativeMounts.reason : nativeMountProblem(driver);
	const native = {value: 'native', label: 'native', ...(reason === undefined ? {} : {reason})};
	const noSsh = driver.classicMountProblem;
	const classic = {value: 'classic', label: 'classic', ...(noSsh === undefined ? {} : {reason: noSsh})};
	return usual === 'native' ? [native, classic] : [classic, native];
}
