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
	/** Where the driver keeps what the tests damage; absent: it keeps no files of its own. */
	files?(place: InstancePlace): {readonly disk: string; readonly state?: string; readonly pid?: string};
	/** Pids of the machines there are of an instance: one when it runs, none when it does not. */
	machines(web: Subject): Promise<number[]>;
	/** Whose hanging makes an instance unresponsive. */
	hypervisor(web: Subject, driver: Driver): Promise<number>;
	/** Makes the guest deaf to being asked to power off, while it runs on. */
	deafen(web: Subject, driver: Driver): Promise<void>;
	/** Takes away what an instance cannot be without, and what the reason says then; `mend` puts it back. */
	loss(web: Subject): {readonly words: RegExp; remove(): Promise<void>; mend(): Promise<void>};
	/** Whether guests have QEMU's agent and power button. */
	readonly hasAgent: boolean;
	/** Whether guests are reached through a port of this host. */
	readonly hasPort: boolean;
	/** Whether a reboot keeps the machine's process. */
	readonly keepsProcess: boolean;
	/** Whether the driver limits a disk and tells how full it is. */
	readonly limitsDisk: boolean;
	/** What only drivers of this kind have; the guest is off when it begins, and when it ends. */
	more?(stage: Stage): void;
};

/** What the tests of one driver share, as it is at the moment of asking. */
export type Stage = {
	readonly paths: Paths;
	readonly driver: Driver;
	readonly web: Subject;
	/** Of the guest's present boot. */
	readonly bootId: string;
};
