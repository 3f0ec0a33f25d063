import type {Capabilities} from '../drivers/capabilities.ts';
import type {Adoptable, DriverHealth} from '../drivers/driver.ts';
import type {Features} from '../drivers/features.ts';
import type {Verification} from '../drivers/verification.ts';
import type {DriverName, ScopeName} from '../model/driver-name.ts';
import type {Forward, ForwardKey} from '../model/forward.ts';
import type {GuestAccess} from '../model/guest-access.ts';
import type {FindRequest, FoundImages, ImageReport, PruneReport} from '../model/image-info.ts';
import type {ImportPlan} from '../model/import-plan.ts';
import type {ActionOptions, InstanceDetail, InstanceEvent, InstanceView} from '../model/instance.ts';
import type {Metrics} from '../model/metrics.ts';
import type {Mount} from '../model/mount.ts';
import type {MovePlan} from '../model/move-plan.ts';
import type {HostNetwork} from '../model/network.ts';
import type {LogLine, OperationView} from '../model/operation.ts';
import type {CloudTemplate, Profiles} from '../model/profile.ts';
import type {InstanceSnapshots} from '../model/snapshot.ts';
import type {SshAccess} from '../model/ssh-access.ts';
import type {SwitchPlan} from '../model/switch.ts';
import type {SwitchStory} from '../model/switch-story.ts';

/** A driver as clients see it. */
export type DriverInfo = {
	readonly name: DriverName;
	/** Whether this platform has it at all; the reason when not. */
	readonly supported: boolean;
	readonly unsupportedReason?: string;
	readonly current: boolean;
	readonly health: DriverHealth;
	readonly capabilities: Capabilities;
	/** Why this host cannot mount its directories over SSH, whatever the driver: without a full stop; absent where it can. */
	readonly classicMountProblem?: string;
	/** How far it is vouched for on this platform; absent where it is not supported. */
	readonly verification?: Verification;
	readonly scope: ScopeName;
	/** Instances in its scope, the deleted ones included. */
	readonly instances: number;
} & Features;

/** Something a person should know that belongs to no single operation: a setting that was not usable, an upgrade. */
export type Notice = {
	readonly id: string;
	readonly at: number;
	readonly level: 'info' | 'warning' | 'error';
	readonly text: string;
};

/** Everything the first screen shows, in one answer. */
export type Overview = {
	readonly driver: DriverInfo;
	readonly instances: readonly InstanceView[];
	readonly operations: readonly OperationView[];
	readonly notices: readonly Notice[];
	readonly host: HostFacts;
	/** Data of an installed Multipass, whose instances could be imported. */
	readonly multipass?: string;
	/** Instances in scopes other than the current one. */
	readonly elsewhere: ReadonlyArray<{readonly scope: ScopeName; readonly count: number}>;
	readonly settings: Readonly<Record<string, string>>;
	readonly daemon: {readonly version: string; readonly pid: number; readonly startedAt: number};
};

export type HostFacts = {
	readonly name: string;
	readonly user: string;
	readonly cpus: number;
	/** Bytes. */
	readonly memoryTotal: number;
	readonly memoryAvailable: number;
	/** Free bytes where instances are kept. */
	readonly diskFree: number;
};

export type LaunchRequest = {
	/** `micro`, `file:///path`, `https://…`, a plain path is not accepted. Default: what `local.default-image` names. */
	readonly image?: string;
	readonly name?: string;
	readonly cpus?: number;
	/** Bytes. */
	readonly memory?: number;
	/** Bytes. */
	readonly disk?: number;
	/** The text of a cloud-config, already read from its file. */
	readonly cloudInit?: string;
	/** Instead: the name of a template of {@link Engine.templates}. */
	readonly template?: string;
	/** The name of a profile, which has a say in all that is not asked for here. */
	readonly profile?: string;
	/** As Multipass has them: `ID`, or `name=ID[,mode=auto|manual][,mac=…]`; `bridged` is the configured network. */
	readonly networks?: readonly string[];
	/** A further interface on the network that `local.bridged-network` names. */
	readonly bridged?: boolean;
	/** Mounted once the guest answers; their directories must exist. */
	readonly mounts?: readonly Mount[];
	/** The member of a cluster it is to be placed on. */
	readonly target?: string;
	/** Seconds the guest may take to answer, and as many to initialize itself. Default 300. */
	readonly answerTimeout?: number;
	/** The host user who asks, for the records. */
	readonly by: string;
};

export const engineActions = ['start', 'stop', 'restart', 'suspend', 'delete', 'recover', 'purge'] as const;
export type EngineAction = (typeof engineActions)[number];

export type ActRequest = {
	readonly action: EngineAction;
	/** Instance names in the current scope; `purge` with none: all deleted ones. All are checked before any is touched. */
	readonly names: readonly string[];
	readonly options?: ActionOptions;
	readonly by: string;
};

export type {SshAccess};

export type SwitchRequest = {
	readonly to: DriverName;
	readonly by: string;
	/** Names of running instances whose power is cut where they cannot be suspended. */
	readonly force?: readonly string[];
};

export type MountRequest = {
	readonly name: string;
	readonly mount: Mount;
	readonly by: string;
};

export type UnmountRequest = {
	readonly name: string;
	/** Absent: all of the instance's. */
	readonly target?: string;
	readonly by: string;
};

/** What is not named stays. Memory and disk in bytes. */
export type ResizeRequest = {
	readonly name: string;
	readonly cpus?: number;
	readonly memory?: number;
	readonly disk?: number;
	readonly by: string;
};

export type AddNetworkRequest = {
	readonly name: string;
	/** As in {@link LaunchRequest.networks}. */
	readonly network: string;
	readonly by: string;
};

export type SnapshotRequest = {
	/** The instance's. */
	readonly name: string;
	/** Absent: `snapshotN`. */
	readonly snapshot?: string;
	readonly comment?: string;
	readonly by: string;
};

export type RestoreRequest = {
	readonly name: string;
	readonly snapshot: string;
	/** What the instance is now is thrown away; else a snapshot is taken of it before. */
	readonly destructive: boolean;
	readonly by: string;
};

export type DeleteSnapshotsRequest = {
	readonly name: string;
	readonly snapshots: readonly string[];
	readonly by: string;
};

export type CloneRequest = {
	/** What is cloned. */
	readonly name: string;
	/** Absent: `NAME-cloneN`. */
	readonly as?: string;
	/** Nothing is copied: what the disk has now is shared from then on, and never written again. Default: a full copy. */
	readonly linked?: boolean;
	readonly by: string;
};

export type ImportRequest = {
	/** A directory of the other software's data; absent: where it keeps it on this host. */
	readonly from?: string;
	/** Which of its instances; absent or empty: all. */
	readonly names?: readonly string[];
	/** What the one that is named is called here. */
	readonly as?: string;
	/** Brings suspended ones without their memory, as after a power cut. */
	readonly discardMemory?: boolean;
	readonly by: string;
};

/** What can be brought over, and the work that does so, when there is any. */
export type ImportAnswer = {readonly plan: ImportPlan; readonly operation?: OperationView};

export type MoveRequest = {
	readonly name: string;
	readonly to: DriverName;
	readonly by: string;
	/** Stops it, when it runs. */
	readonly stop?: boolean;
	/** Removes the original once its copy has answered. */
	readonly purge?: boolean;
};

export type ForwardRequest = {readonly name: string; readonly forward: Forward; readonly by: string};
export type UnforwardRequest = {readonly name: string; readonly key: ForwardKey; readonly by: string};

export type DoctorCheck = {
	readonly title: string;
	readonly verdict: 'ok' | 'warning' | 'problem';
	readonly text: string;
	readonly remedy?: string;
};
export type DoctorReport = {
	readonly drivers: readonly DriverInfo[];
	readonly checks: readonly DoctorCheck[];
	readonly tookMs: number;
};

export type SettingValue = {readonly key: string; readonly value: string; readonly isDefault: boolean};

/** What is pushed to clients. Sent after the state it tells of is in force. */
export type EngineEvent =
	| {
			readonly type: 'instances';
			readonly changed: readonly InstanceView[] /** ids */;
			readonly removed: readonly string[];
	  }
	| {readonly type: 'operation'; readonly operation: OperationView}
	| {readonly type: 'overview' /** Something else changed: ask for the overview again. */; readonly reason: string}
	| {readonly type: 'notice'; readonly notice: Notice}
	| {readonly type: 'switch'; readonly story: SwitchStory};

/**
 * What drover does, whoever asks. Two implementations: `LocalEngine` (in process) and `RemoteEngine` (over a socket).
 * Every method rejects with `DroverError`. A method takes at most one argument and everything is plain data, so that
 * each can be sent as a message; the list of their names is {@link engineMethods}.
 */
export type Engine = {
	overview(): Promise<Overview>;
	/** Instances of the current scope, sorted by name, primary first. Answered from memory, never asks a guest. */
	list(): Promise<readonly InstanceView[]>;
	/** All when `names` is empty. Unknown names reject as a whole. Guests are asked only with `runtime`, at most 3 s. */
	info(request: {names: readonly string[]; runtime: boolean}): Promise<readonly InstanceDetail[]>;
	/** Begins a launch. The operation has one item, whose target is the instance's name. */
	launch(request: LaunchRequest): Promise<OperationView>;
	/** Begins an action on instances. Refused as a whole when one name or state does not allow it. */
	act(request: ActRequest): Promise<OperationView>;
	operations(): Promise<readonly OperationView[]>;
	operation(request: {id: string}): Promise<OperationView>;
	/** Resolves when the operation has ended, or rejects with `operation.timeout`; the operation itself goes on then. */
	wait(request: {id: string; timeoutSeconds?: number}): Promise<OperationView>;
	cancel(request: {id: string; by: string}): Promise<OperationView>;
	operationLog(request: {id: string}): Promise<readonly LogLine[]>;
	/** Rejects unless the guest is up. */
	ssh(request: {name: string}): Promise<SshAccess>;
	/** How to get into a guest: SSH where it answers there, else by way of the hypervisor. Rejects unless the guest is up. */
	access(request: {name: string}): Promise<GuestAccess>;
	/** Begins mounting a directory; the operation's kind is `mount`. Refused when target, type or state do not allow it. */
	mount(request: MountRequest): Promise<OperationView>;
	/** Begins ending one mount, or all of an instance; the operation's kind is `umount`. */
	unmount(request: UnmountRequest): Promise<OperationView>;
	/** Networks for further interfaces. @throws DroverError `driver.incapable`, `driver.unusable` */
	networks(): Promise<readonly HostNetwork[]>;
	/** Begins changing processors, memory or disk; the operation's kind is `resize`. Refused unless size and state allow it. */
	resize(request: ResizeRequest): Promise<OperationView>;
	/** Begins giving a further interface; the operation's kind is `resize`. */
	addNetwork(request: AddNetworkRequest): Promise<OperationView>;
	/**
	 * Begins taking a snapshot; the operation's kind is `snapshot`, and its item is called `NAME.SNAPSHOT`. Refused unless the
	 * state allows it.
	 */
	snapshot(request: SnapshotRequest): Promise<OperationView>;
	/** Begins making a stopped instance what it was; the operation's kind is `restore`. */
	restore(request: RestoreRequest): Promise<OperationView>;
	/** Begins deleting snapshots, for good; the operation's kind is `delete-snapshots`. Refused when one is not there. */
	deleteSnapshots(request: DeleteSnapshotsRequest): Promise<OperationView>;
	/** The snapshots of instances, of all when `names` is empty. @throws DroverError `driver.incapable` */
	snapshots(request: {names: readonly string[]}): Promise<readonly InstanceSnapshots[]>;
	/** Begins making a clone of a stopped instance; the operation's kind is `clone`, and its item is called as the clone. */
	clone(request: CloneRequest): Promise<OperationView>;
	/** Begins having a port of the host lead into an instance, also while it runs; the operation's kind is `forward`. */
	forward(request: ForwardRequest): Promise<OperationView>;
	/** Begins ending that; the operation's kind is `forward`. */
	unforward(request: UnforwardRequest): Promise<OperationView>;
	/** A sample for each of these instances that runs and can be asked cheaply, by name. Others are left out. */
	metrics(request: {names: readonly string[]}): Promise<Readonly<Record<string, Metrics>>>;
	/** Members of the cluster that launches can be placed on; empty where there is none. */
	members(): Promise<readonly string[]>;
	/** Instances that other software made and the current driver could take over. */
	adoptables(): Promise<readonly Adoptable[]>;
	/** What an import of Multipass's instances would do; touches nothing. */
	importPlan(request: Omit<ImportRequest, 'by'>): Promise<ImportPlan>;
	/** Begins copying instances of Multipass's into the current scope; the operation's kind is `import`. */
	importInstances(request: ImportRequest): Promise<ImportAnswer>;
	/** What a move to another driver would do; touches nothing. */
	movePlan(request: Pick<MoveRequest, 'name' | 'to'>): Promise<MovePlan>;
	/** Begins moving an instance to another driver; the operation's kind is `move`. Refused when its plan has a problem. */
	move(request: MoveRequest): Promise<OperationView>;
	instanceEvents(request: {name: string}): Promise<readonly InstanceEvent[]>;
	/** The last lines the guest wrote to its console, made safe to show. */
	consoleLog(request: {name: string; lines: number}): Promise<readonly string[]>;
	drivers(): Promise<readonly DriverInfo[]>;
	doctor(request: {again: boolean}): Promise<DoctorReport>;
	/** Images that can be launched by name; what a person should know about the catalogues is in the answer's notes. */
	find(request: FindRequest): Promise<FoundImages>;
	/** Named sets of wishes for launches, from the user's file. */
	profiles(): Promise<Profiles>;
	/** Cloud-configs that can be chosen by name: the user's own first. */
	templates(): Promise<readonly CloudTemplate[]>;
	/** What is in the cache of images. */
	images(): Promise<ImageReport>;
	/** Removes images that were not used for a fortnight, with `all` all of them; never what an instance needs. */
	pruneImages(request: {all: boolean; by: string}): Promise<PruneReport>;
	settings(): Promise<readonly SettingValue[]>;
	get(request: {key: string}): Promise<SettingValue>;
	/** `local.driver` switches, and answers when the switch has ended; `local.NAME.SNAPSHOT.name` renames. */
	set(request: {key: string; value: string; by: string}): Promise<SettingValue>;
	/** Puts the last good record of a broken instance back. */
	adopt(request: {
		name: string /** Takes over an instance of other software instead. */;
		from?: string;
		by: string;
	}): Promise<InstanceView>;
	/** Lets go of a broken instance: its files are set aside, none is removed; a machine without a record is ended. */
	forget(request: {name: string; by: string}): Promise<{readonly keptIn?: string}>;
	/** What a switch would do; touches nothing. */
	switchPlan(request: {to: DriverName}): Promise<SwitchPlan>;
	/** Begins a switch. Refused, before anything is touched, when its plan has a problem. */
	switchDriver(request: SwitchRequest): Promise<OperationView>;
	/** The switch under way, or the last one; `undefined` when there was none. */
	switchStory(): Promise<SwitchStory | undefined>;
	/** Looks at all instances again now. */
	refresh(): Promise<void>;
	/** Events from now on. */
	subscribe(listener: (event: EngineEvent) => void): {close(): void};
	/** Local: ends timers and watches (instances go on). Remote: closes the connection. */
	close(): Promise<void>;
};

/** An engine that may go away: `closed` resolves when it can no longer be asked (the daemon ended, the line dropped). */
export type Connection = {readonly engine: Engine; readonly closed: Promise<void>};

/** The methods that cross the socket as requests. */
export const engineMethods = [
	'overview',
	'list',
	'info',
	'launch',
	'act',
	'operations',
	'operation',
	'wait',
	'cancel',
	'operationLog',
	'ssh',
	'access',
	'mount',
	'unmount',
	'networks',
	'resize',
	'addNetwork',
	'snapshot',
	'restore',
	'deleteSnapshots',
	'snapshots',
	'clone',
	'forward',
	'unforward',
	'metrics',
	'members',
	'adoptables',
	'importPlan',
	'importInstances',
	'movePlan',
	'move',
	'instanceEvents',
	'consoleLog',
	'drivers',
	'doctor',
	'find',
	'profiles',
	'templates',
	'images',
	'pruneImages',
	'settings',
	'get',
	'set',
	'adopt',
	'forget',
	'switchPlan',
	'switchDriver',
	'switchStory',
	'refresh',
] as const satisfies ReadonlyArray<keyof Engine>;
export type EngineMethod = (typeof engineMethods)[number];
