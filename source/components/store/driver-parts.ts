import {featureProblem} from '../../engine/availability.ts';
import type {DriverInfo} from '../../engine/engine.ts';
import type {FormOption} from './form.ts';
import type {Facts} from './model.ts';

/** Why there are no mounts, or no further networks, whatever the instance: the table first, then this version. */
export function whyNoMounts({driver, settings}: Pick<Facts, 'driver' | 'settings'>): string | undefined {
	const {nativeMounts} = driver.capabilities;
	if (nativeMounts.can === 'no') return `native mounts are ${nativeMounts.reason}`;
	if (settings['local.privileged-mounts'] === 'false') {
		return 'mounts are disabled: drover set local.privileged-mounts=true allows them';
	}
	return featureProblem('mounts', driver);
}

export function whyNoNetworks(driver: DriverInfo): string | undefined {
	const {extraNetworks} = driver.capabilities;
	if (extraNetworks.can === 'no') return `extra: ${extraNetworks.reason}`;
	return featureProblem('networks', driver);
}

/** Both ways to mount; the one that cannot be taken says why. */
export function mountTypes(facts: Facts): readonly FormOption[] {
	const reason = whyNoMounts(facts);
	return [
		{value: 'native', label: 'native', ...(reason === undefined ? {} : {reason})},
		{value: 'classic', label: 'classic', reason: 'not in this version of drover'},
	];
}
