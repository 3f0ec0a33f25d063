import type {Driver, InstancePlace} from '../../source/drivers/driver.ts';
import type {CachedImage} from '../../source/images/image.ts';
import type {ScopeName} from '../../source/model/driver-name.ts';
import type {Paths} from '../../source/state/paths.ts';
import type {Subject} from './subject.ts';

export type ContractSetup = {
	readonly scope: ScopeName;
	/** A driver object as a new daemon would make it. */
	makeDriver(paths: Paths): Driver;
	image(): Promise<CachedImage>;
	readonly canSuspend: boolean;
	/** Where the driver keeps what the tests damage; `undefined`: it has no such file. */
	files(place: InstancePlace): {readonly disk: string; readonly state?: string; readonly pid?: string};
};

/** What the tests of one driver share, as it is at the moment of asking. */
export type Stage = {
	readonly paths: Paths;
	readonly driver: Driver;
	readonly web: Subject;
	/** Of the guest's present boot. */
	readonly bootId: string;
};
