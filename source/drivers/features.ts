import type {Driver, LiveChange} from './driver.ts';

/** Parts of the contract that a driver may have or not, by the methods they are. */
export const driverFeatures = [
	'mount',
	'plug',
	'networks',
	'resize',
	'metrics',
	'forwards',
	'direct',
	'members',
	'snapshots',
	'clone',
	'linkedClone',
	'privateNetwork',
] as const;
export type DriverFeature = (typeof driverFeatures)[number];

export type Features = {
	/** What this version of drover does with the driver; what the driver could do is its capabilities. */
	readonly features: readonly DriverFeature[];
	/** What can be changed of an instance while it runs. */
	readonly resizesLive: readonly LiveChange[];
	/** Whether snapshots can be taken and deleted while an instance runs. */
	readonly snapshotsLive: boolean;
	/** Whether every clone shares by itself what neither has changed, where the storage can. */
	readonly sharesByItself: boolean;
};

/** A driver that this version does not have has none. */
export function featuresOf(driver: Driver | undefined): Features {
	return {
		features: driverFeatures.filter(name => driver?.[name] !== undefined),
		resizesLive: [...(driver?.resizesLive ?? [])],
		snapshotsLive: driver?.snapshots?.isLive ?? false,
		sharesByItself: driver?.sharesByItself ?? false,
	};
}
