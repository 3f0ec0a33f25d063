import type {DriverName} from '../model/driver-name.ts';
import type {GuestFacts, InstanceRecord, Observation, RecordChange, SuspendStamp} from '../model/instance.ts';

/** Is it there, and may we use it? Two questions, each with words for a person. */
export type DriverHealth = {
	readonly installed: boolean;
	readonly usable: boolean;
	/** `7.2.22`, when installed. */
	readonly version?: string;
	/** `tcg`, `kvm`, `hvf`: how guests are run, where the driver has a choice. */
	readonly accelerator?: string;
	/** Good news or bad, one sentence: `QEMU 7.2.22, software emulation: /dev/kvm …`. */
	readonly summary: string;
	/** When it is not installed or not usable (or slower than it could be): what to do, as commands or a sentence. */
	readonly remedy?: string;
	/** When this was found out, milliseconds since the epoch. */
	readonly checkedAt: number;
};

/** What the engine lends a driver for one piece of work. */
export type WorkContext = {
	/** Aborted when the user cancels or the daemon ends. Every wait must end on it. */
	readonly signal: AbortSignal;
	/** Tells what is going on. `percent` 0 to 100 when known. */
	progress(stage: string, percent?: number): void;
	log(line: string): void;
	/** Persists a change of the record at once (atomic) and returns the new record; `undefined` removes a field. */
	update(change: RecordChange): Promise<InstanceRecord>;
};

/** Where an instance's files are. */
export type InstancePlace = {
	/** Its directory, 0700: `instance.json` belongs to the records, all else here to the driver. */
	readonly directory: string;
	/** A short private directory for sockets (a socket's path is limited to 107 bytes). Same over restarts of the daemon. */
	readonly sockets: string;
};

/** What is needed to make an instance's files. */
export type CreateInput = {
	/** A verified image in the cache, read-only, never written to. */
	readonly imagePath: string;
	readonly imageFormat: 'qcow2' | 'raw';
	/** The seed's files: `meta-data`, `user-data`, `network-config`, `vendor-data`. */
	readonly seed: Readonly<Record<string, string>>;
};

/** A machine of drover's that runs without a record. */
export type Stranger = {readonly id: string; readonly name: string; readonly pid: number};

/** Something happened to an instance that was not asked for through this driver object: look again. */
export type DriverEvent = {readonly id: string; readonly what: string};

/**
 * The contract of a driver. Every method may be called again after a crash in the middle of it: each looks at what is
 * there first and goes on from it. All throw `DroverError` (`driver.*`, `guest.*`, `host.*`, `operation.cancelled`).
 */
export type Driver = {
	readonly name: DriverName;

	/** Asked seldom and cached; `again` forces every probe to run anew. Never throws. Takes at most 5 s. */
	health(options?: {again?: boolean}): Promise<DriverHealth>;

	/** Makes disk and seed. Leaves nothing half made: parts are written aside and renamed. */
	create(record: InstanceRecord, place: InstancePlace, input: CreateInput, work: WorkContext): Promise<void>;

	/**
	 * Boots, or resumes when there is saved memory (`record.suspended`); returns when the hypervisor runs the guest's
	 * processors, not when the guest answers. Already running: returns at once. After a resume the guest's clock is
	 * set right by `awake`.
	 */
	start(record: InstanceRecord, place: InstancePlace, work: WorkContext): Promise<void>;

	/** Called right after a resume: sets the guest's clock, as soon as its agent answers. A failure is logged, not thrown. */
	awake(record: InstanceRecord, place: InstancePlace, work: WorkContext): Promise<void>;

	/** Asks the guest to power off and waits until it has; `guest.unanswered` when it has not within `timeoutMs`. */
	stop(record: InstanceRecord, place: InstancePlace, options: {timeoutMs: number}, work: WorkContext): Promise<void>;

	/** Cuts the power, and throws saved memory away. Already off: returns at once. */
	powerOff(record: InstanceRecord, place: InstancePlace, work: WorkContext): Promise<void>;

	/** Asks the guest to reboot; returns when the reboot has begun. */
	reboot(record: InstanceRecord, place: InstancePlace, work: WorkContext): Promise<void>;

	/** Saves memory and frees the host's; the returned stamp is put into the record by the driver through `work.update`. */
	suspend(
		record: InstanceRecord,
		place: InstancePlace,
		options: {by: 'user' | 'switch'},
		work: WorkContext,
	): Promise<SuspendStamp>;

	/**
	 * Why this driver could not load an instance's saved memory, whoever saved it; `undefined` when nothing speaks
	 * against it or there is none. Looks only. Absent: a driver without saved memory.
	 */
	loadProblem?(record: InstanceRecord, place: InstancePlace): Promise<string | undefined>;

	/** Machines that were started from drover's directories and have no record. Looks only. */
	strangers?(known: ReadonlySet<string>): Promise<readonly Stranger[]>;

	/** Cuts the power of such a machine. @returns whether it is gone */
	endStranger?(stranger: Stranger): Promise<boolean>;

	/** Removes what the hypervisor itself keeps of the instance (processes, registrations); files are removed by the engine. */
	destroy(record: InstanceRecord, place: InstancePlace, work: WorkContext): Promise<void>;

	/** What is true now, from evidence. One bad instance yields `unusable` or `unresponsive`, never a throw. At most 1 s. */
	observe(record: InstanceRecord, place: InstancePlace): Promise<Observation>;

	/** Facts from the hypervisor for the detail page (pid, accelerator). */
	inspect(record: InstanceRecord, place: InstancePlace): Promise<{pid?: number; accelerator?: string}>;

	/** Asks inside the guest (agent first). Throws `guest.unanswered`. */
	guestFacts(record: InstanceRecord, place: InstancePlace, signal: AbortSignal): Promise<GuestFacts>;

	/** Tells about changes nobody here asked for (a guest powers itself off, a process dies). Called for each instance that runs. */
	watch(record: InstanceRecord, place: InstancePlace, listener: (event: DriverEvent) => void): {close(): void};
};
