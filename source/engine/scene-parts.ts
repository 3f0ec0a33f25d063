import type {Driver} from '../drivers/driver.ts';
import type {Instances} from './instances.ts';
import type {Operations} from './operations.ts';
import type {Host} from './settings/setting-keys.ts';
import type {Workshop} from './workshop.ts';

/** What a scene is put together from: the driver, the instances of its scope, and what work on them needs. */
export type SceneParts = {
	readonly driver: Driver;
	readonly instances: Instances;
	readonly shop: Workshop;
	readonly operations: Operations;
	readonly host: Host;
};
