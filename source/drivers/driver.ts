import type {ImageForm} from '../images/image.ts';
import type {DriverName} from '../model/driver-name.ts';
import type {Forward} from '../model/forward.ts';
import type {DirectAccess} from '../model/guest-access.ts';
import type {GuestFacts, InstanceRecord, Observation, RecordChange, SuspendStamp} from '../model/instance.ts';
import type {Metrics} from '../model/metrics.ts';
import type {GuestMount, Mount, MountGuest} from '../model/mount.ts';
import type {HostNetwork, Nic} from '../model/network.ts';

/** The value of a setting that is in force; asked each time, as a person may change it. */
export type SettingReader = (key: string) => string;

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

/** A native mount that is plugged in. */
export type Plugged = GuestMount & {
	/** Whether it was not there before. */
	readonly isNew: boolean;
};

/** What is wrong with a native mount that is plugged in. */
export type PlugProblem = {
	/**
	 * `away`: the directory is gone or does not answer; it may come back. `replaced`: there is another one in its place.
	 * `ended`: what serves it is gone, and programs of the guest that wait for it wait for ever: it must be unplugged
	 * before the guest is asked to unmount it.
	 */
	readonly kind: 'away' | 'replaced' | 'ended';
	/** Without a full stop. */
	readonly reason: string;
};

/** What is needed to make an instance's files. */
export type CreateInput = {
	/** A verified image in the cache, read-only, never written to; see `isOwn`. */
	readonly imagePath: string;
	/** `rootfs`: a tar archive with `metadata.yaml`, `templates/` and `rootfs/`, as LXD and Incus have it. */
	readonly imageFormat: 'qcow2' | 'raw' | 'rootfs';
	/** `sha256:…` of its content: what a hypervisor that keeps images itself finds it again by. */
	readonly imageHash: string;
	/**
	 * The image is the disk of this one instance, brought from elsewhere: it is beside the record, may be moved or changed,
	 * and is gone afterwards. Nothing of the new instance may depend on it, and no other is made from it.
	 */
	readonly isOwn?: true;
	/** The seed's files: `meta-data`, `user-data`, `network-config`, `vendor-data`. */
	readonly seed: Readonly<Record<string, string>>;
};

/** A machine of drover's that runs without a record. */
export type Stranger = {readonly id: string; readonly name: string; readonly pid: number};

/** An instance that other software made and drover could take over. */
export type Adoptable = {
	/** What it is called where it is. */
	readonly name: string;
	/** Who made it: `multipass`. */
	readonly from: string;
	readonly state: string;
	/** The id it was marked with when it was taken over; a mark without a record is of an attempt that failed. */
	readonly id?: string;
	/** Why it cannot be taken over. */
	readonly problem?: string;
};

/** Something happened to an instance that was not asked for through this driver object: look again. */
export type DriverEvent = {readonly id: string; readonly what: string};

/** A port that could not be forwarded, and why, in words without a full stop. */
export type ForwardFailure = {readonly forward: Forward; readonly reason: string};

/** What can be changed of an instance's hardware. Memory and disk in bytes. */
export type Resources = {readonly cpus?: number; readonly memory?: number; readonly disk?: number};

/** What a driver may be able to change while an instance runs. */
export type LiveChange = keyof Resources | 'networks';

/**
 * Snapshots of an instance's disk, each under a tag of drover's own (`drover-…`) that no other has. The tree over them,
 * names and comments are the engine's. Called for an instance that is off, and `take` and `remove` also for one that runs
 * where `isLive` says so.
 */
export type DriverSnapshots = {
	/** Of one that runs: its disk as after a power cut. One of that tag that is there already is no error. */
	take(record: InstanceRecord, place: InstancePlace, tag: string, work: WorkContext): Promise<void>;
	/**
	 * Makes the disk what it was; what it is now is gone, and so is any saved memory.
	 * @returns the size of the disk as it is then, in bytes
	 * @throws DroverError `snapshot.missing` when the hypervisor has none of that tag; nothing has been changed then
	 */
	restore(
		record: InstanceRecord,
		place: InstancePlace,
		tag: string,
		work: WorkContext,
	): Promise<{readonly disk: number}>;
	/** One that is not there is no error. */
	remove(record: InstanceRecord, place: InstancePlace, tag: string, work: WorkContext): Promise<void>;
	readonly isLive: boolean;
};

/** What a clone is made from: an instance that is off. */
export type CloneSource = {readonly record: InstanceRecord; readonly place: InstancePlace};

/** Where the disk of an instance is, for whoever copies it. */
export type DiskFile = {readonly file: string; readonly format: 'qcow2' | 'raw' | 'vdi' | 'vhdx'};

/** The private network of a scope, as far as it is the driver's: machines have a card, and a socket for its frames. */
export type DriverPrivateNetwork = {
	/** Why instances cannot be on it here, in words without a full stop. Looks only. */
	problem(): Promise<string | undefined>;
	/** Where a machine that runs listens for the one who carries its frames, as QEMU's `-netdev stream` has them. */
	socket(place: InstancePlace): string;
};

/** What the engine gives an adopted instance. */
export type AdoptSeed = {
	readonly id: string;
	readonly by: string;
	readonly now: string;
	/** The public key of drover's that is to be let in. */
	readonly clientKey: string;
};

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
	inspect(
		record: InstanceRecord,
		place: InstancePlace,
	): Promise<{pid?: number; accelerator?: string; ipv4?: readonly string[]; notes?: readonly string[]}>;

	/** Asks inside the guest (agent first). Throws `guest.unanswered`. */
	guestFacts(record: InstanceRecord, place: InstancePlace, signal: AbortSignal): Promise<GuestFacts>;

	/** The form of image a new instance is made from, decided once: what it decides on is kept in the record. Absent: a disk. */
	imageForm?(record: Pick<InstanceRecord, 'lxd'>): Promise<ImageForm>;

	/** Mounts a directory of the host natively, now if it runs and else at its start. Mounting what is mounted is no error. */
	mount?(record: InstanceRecord, place: InstancePlace, mount: Mount, work: WorkContext): Promise<void>;
	/** Ends a native mount; one that is not there is no error. */
	unmount?(record: InstanceRecord, place: InstancePlace, mount: Mount, work: WorkContext): Promise<void>;

	/**
	 * Plugs a native mount into an instance that runs, for the guest to mount; what is plugged in already stays, unless
	 * something is wrong with it. For drivers whose native mounts come and go with the guest's running: `suspend` unplugs
	 * them. They outlive whoever has plugged them in, and end with the machine.
	 * @throws DroverError `driver.incapable`, `instance.busy` when the guest has an old one in use, `instance.state`
	 */
	plug?(
		record: InstanceRecord,
		place: InstancePlace,
		mount: Mount,
		work: WorkContext,
		guest: MountGuest,
	): Promise<Plugged>;
	/** Takes it out when the guest has unmounted it; one that is not there is no error. @throws DroverError `instance.busy` */
	unplug?(record: InstanceRecord, place: InstancePlace, mount: Mount, work: WorkContext): Promise<void>;
	/** What is wrong with what is plugged in; `undefined`: nothing, or nobody can tell now. Looks only. */
	plugProblem?(record: InstanceRecord, place: InstancePlace, mount: Mount): Promise<PlugProblem | undefined>;
	/**
	 * Whether this host can mount so, as far as that can be told without the guest.
	 * @param instance absent for one that is to be launched
	 * @throws DroverError `driver.incapable`, `instance.state`
	 */
	checkPlug?(mount: Mount, instance?: {readonly record: InstanceRecord; readonly place: InstancePlace}): Promise<void>;

	/** Networks of the host that instances can be given a further interface on. */
	networks?(): Promise<readonly HostNetwork[]>;
	/** Why no instance could be put on one of them now, in words without a full stop. Looks only. */
	networkProblem?(): Promise<string | undefined>;
	/** Gives an instance a further interface; `create` does it for those its record has already. */
	addNic?(record: InstanceRecord, place: InstancePlace, nic: Nic, work: WorkContext): Promise<void>;

	/**
	 * Makes the hypervisor follow a record whose processors, memory or disk were changed. Whether it may run meanwhile is
	 * `resizesLive`. @throws DroverError `instance.invalid` (a disk that would shrink), `driver.*`
	 */
	resize?(record: InstanceRecord, place: InstancePlace, hardware: Resources, work: WorkContext): Promise<void>;
	/** Which of them, and whether interfaces, can be changed while it runs. */
	readonly resizesLive?: ReadonlySet<LiveChange>;

	readonly snapshots?: DriverSnapshots;

	readonly privateNetwork?: DriverPrivateNetwork;

	/**
	 * Makes what `create` makes, with the disk of another instance: a copy that depends on nothing of the other's, without
	 * its snapshots. The record has an id, MAC addresses and a host key of its own, and the seed tells the guest of them.
	 * @throws DroverError `host.disk-full` before anything is written
	 */
	clone?(
		source: CloneSource,
		record: InstanceRecord,
		place: InstancePlace,
		seed: CreateInput['seed'],
		work: WorkContext,
	): Promise<void>;

	/**
	 * As `clone`, and copies nothing: what the other's disk has becomes a layer that nobody writes to any more, and both
	 * disks lie over it. The other's is whole at every moment.
	 * @param layer the file that is to be the layer: chosen for this clone, the same at every attempt; another that has the
	 * same may be used instead
	 * @throws DroverError `instance.state` when it cannot be shared, as it is
	 */
	linkedClone?(
		source: CloneSource,
		record: InstanceRecord,
		place: InstancePlace,
		layer: string,
		seed: CreateInput['seed'],
		work: WorkContext,
	): Promise<void>;
	/** Every clone shares by itself what neither has changed, where the hypervisor's storage can: nothing need be asked for. */
	readonly sharesByItself?: boolean;

	/**
	 * The disk of an instance that is off, as one file that has all of it: it is copied to another driver from there. Looks
	 * only. A text: why there is none, as the end of a sentence. Absent: this driver gives none.
	 */
	diskFile?(record: InstanceRecord, place: InstancePlace): Promise<DiskFile | string>;

	/**
	 * Makes the ports of the host that lead into an instance those of its record, now if it runs; `start` does it too.
	 * @returns those that could not be made
	 */
	forwards?(record: InstanceRecord, place: InstancePlace, work: WorkContext): Promise<readonly ForwardFailure[]>;
	/** Why a port could not lead into an instance, in words without a full stop. Looks only. */
	forwardProblem?(record: InstanceRecord, place: InstancePlace, forward: Forward): Promise<string | undefined>;

	/** One sample of what it uses, without asking the guest. At most 1 s. `undefined`: not running. */
	metrics?(
		record: InstanceRecord,
		place: InstancePlace,
		options?: {
			/** It is looked at alone: what only the guest can tell may be asked of it, too. */
			readonly closely?: boolean;
		},
	): Promise<Metrics | undefined>;

	/** How to reach the guest without SSH; `undefined`: it cannot be (not running, no agent). */
	direct?(record: InstanceRecord, place: InstancePlace): Promise<DirectAccess | undefined>;
	/** Whether the guest is up, asked by way of the hypervisor. @throws DroverError `guest.unanswered` */
	answers?(record: InstanceRecord, place: InstancePlace, signal: AbortSignal): Promise<string>;

	/**
	 * Runs a command in the guest as root by way of the hypervisor, to its end; a command that is missing has code 127.
	 * @throws DroverError `guest.unanswered` when it cannot be run there, or has not ended in time
	 */
	execute?(
		record: InstanceRecord,
		place: InstancePlace,
		command: readonly string[],
		options: {timeoutMs: number; signal: AbortSignal},
	): Promise<{readonly code: number; readonly stdout: string}>;

	/** What the guest wrote to its console last, where that is not in `console.log`; empty when there is nothing. */
	consoleText?(record: InstanceRecord, place: InstancePlace): Promise<string>;

	/** Members of a cluster that a launch can be placed on; empty: no cluster. */
	members?(): Promise<readonly string[]>;

	/** Instances of other software that could be taken over. Looks only. */
	adoptables?(): Promise<readonly Adoptable[]>;
	/** A record for one of them; changes nothing of it but what marks it as drover's. @throws DroverError `instance.*` */
	adopt?(name: string, seed: AdoptSeed): Promise<InstanceRecord>;

	/** Whether `watch` is to be called for what rests too: the hypervisor tells of starts by others. */
	readonly watchesResting?: boolean;

	/** Ends connections and timers; instances go on. */
	close?(): void;

	/** Tells about changes nobody here asked for (a guest powers itself off, a process dies). Called for each instance that runs. */
	watch(record: InstanceRecord, place: InstancePlace, listener: (event: DriverEvent) => void): {close(): void};
};
