import type {DriverName, ScopeName} from './driver-name.ts';
import type {ErrorData} from './errors.ts';
import type {Forward} from './forward.ts';
import type {Origin} from './import-plan.ts';
import type {Mount, MountView} from './mount.ts';
import type {Nic} from './network.ts';
import type {PrivateNic, PrivatePlace} from './private-network.ts';
import type {PlannedSnapshot, SnapshotView} from './snapshot.ts';
import type {InstanceState} from './state.ts';

/** What drover remembers of an instance. One JSON file each; see `state/records.ts` for how it is kept. */
export type InstanceRecord = {
	readonly schema: 1;
	/** UUID; also the hypervisor's UUID of the machine. Never changes, unlike the name. */
	readonly id: string;
	readonly name: string;
	readonly scope: ScopeName;
	/** ISO 8601, UTC. */
	readonly createdAt: string;
	/** The host user who asked for it. */
	readonly createdBy: string;
	/** `creating` until the first start has succeeded; what is found in this phase after a crash is finished or undone. */
	readonly phase: 'creating' | 'ready';
	readonly image: ImageReference;
	readonly hardware: Hardware;
	readonly ssh: SshIdentity;
	/** What the user wants it to be; what it is, is observed. */
	readonly desired: 'running' | 'stopped' | 'suspended';
	readonly deleted?: {readonly at: string; readonly by: string};
	/** Work that was begun and not yet ended: taken up again by the next daemon. */
	readonly intent?: Intent;
	/** The saved memory that belongs to the disk as it is now. Present exactly while the instance is suspended. */
	readonly suspended?: SuspendStamp;
	/** The guest did not answer in time when it was last started: shown as Unknown until it answers. */
	readonly unanswered?: {readonly since: string; readonly reason: string};
	/** When a delayed stop is due, ISO 8601. */
	readonly shutdownAt?: string;
	/** What a switch did to it when its scope was left; removed when it is brought back, or when the user acts on it. */
	readonly parked?: Parked;
	/** What is done to it when its scope is entered, and after a reboot of the host. Absent: as it was. */
	readonly restore?: RestorePolicy;
	/** Directories of the host that it sees; made anew at each start where the driver does not keep them itself. */
	readonly mounts?: readonly Mount[];
	/** Ports of the host that lead into it while it runs; made anew at each start. */
	readonly forwards?: readonly Forward[];
	/** The member of a cluster that it was asked to be placed on; where it is now, is observed. */
	readonly target?: string;
	/** Where it is on an LXD or Incus server. */
	readonly lxd?: LxdPlacement;
	/** How many clones were made of it: a name that is made up from it is never used again. */
	readonly clones?: number;
	/** What its guest's cloud-init knows it by, where that is not its id: it is a copy of an instance that went on as itself. */
	readonly seedId?: string;
	/** Where it was brought from; absent: it was made here. */
	readonly origin?: Origin;
	/** It was moved to another driver, where its copy goes on; this one is kept until it is deleted. */
	readonly moved?: Moved;
};

export type Moved = {
	readonly to: DriverName;
	/** The copy's. */
	readonly id: string;
	readonly at: string;
};

/** What identifies an instance on an LXD or Incus server, beside its name there. */
export type LxdPlacement = {
	readonly type: 'container' | 'virtual-machine';
	/** The server's project it is in. */
	readonly project: string;
	/** The server it is on: `https://host:8443`. Absent: the one on this host. */
	readonly remote?: string;
};

/** `as-it-was`: runs again if it ran. `suspended`: what was suspended stays so. */
export type RestorePolicy = 'as-it-was' | 'always' | 'never' | 'suspended';
export const restorePolicies = ['as-it-was', 'always', 'never', 'suspended'] as const;

export type Parked = {
	/** The switch's id. */
	readonly switch: string;
	/** The driver it was left for. */
	readonly to: DriverName;
	readonly how: 'suspended' | 'stopped';
	readonly at: string;
	/** Why it could not be brought back when its scope was entered; it stays parked until the user decides. */
	readonly failure?: ErrorData;
};

/** A change of a record: fields to set, and optional ones to remove (`undefined`). */
export type RecordChange = {
	readonly [Key in Exclude<keyof InstanceRecord, 'schema' | 'id' | 'scope'>]?: InstanceRecord[Key] | undefined;
};

/** Which image an instance was made from. */
export type ImageReference = {
	/** What the user asked for: `micro`, `file:///…`. */
	readonly query: string;
	/** Shown in tables: `Micro 1`, `24.04 LTS`. */
	readonly release: string;
	readonly os: string;
	/** `sha256:…` of the image's content. */
	readonly hash: string;
};

export type Hardware = {
	readonly arch: 'x86_64' | 'aarch64';
	readonly cpus: number;
	/** Bytes. */
	readonly memory: number;
	/** Bytes that the machine was started with, where it was given less since while it ran: saved memory belongs to it. */
	readonly builtMemory?: number;
	/** Virtual size of the disk in bytes. */
	readonly disk: number;
	/** `52:54:00:xx:xx:xx`, unique over all scopes. */
	readonly mac: string;
	/** Versioned machine type, chosen at the first start and kept: a saved memory image depends on it. */
	readonly machine?: string;
	/** Network interfaces beside the first. */
	readonly nics?: readonly Nic[];
	/** Its card on the private network of its scope. Absent: it is not on it, and never will be. */
	readonly privateNic?: PrivateNic;
};

export type SshIdentity = {
	readonly user: string;
	/** Loopback port that leads to the guest's port 22; kept from start to start where it is still free. */
	readonly port?: number;
	/**
	 * Public host key line (`ssh-ed25519 AAAA…`) that the guest was given, so that the first connection is verified. Empty
	 * for one that was taken over and whose key is not known: then SSH is no way into it.
	 */
	readonly hostKey: string;
};

/** What is taken up again when a daemon dies in the middle of it. */
export const intentActions = [
	'launch',
	'start',
	'stop',
	'restart',
	'suspend',
	'delete',
	'purge',
	'resize',
	'snapshot',
	'restore',
	'delete-snapshots',
	'clone',
	'import',
	'move',
] as const;

export type Intent = {
	readonly action: (typeof intentActions)[number];
	readonly options: ActionOptions;
	readonly by: string;
	readonly at: string;
};

export type ActionOptions = {
	/** stop: cut the power. */
	readonly force?: boolean;
	/** stop: minutes to wait before. */
	readonly delayMinutes?: number;
	/** stop: call off a delayed stop. */
	readonly cancelDelayed?: boolean;
	/** delete: also purge. */
	readonly purge?: boolean;
	/** start: throw the saved memory away and boot the disk. */
	readonly discardMemory?: boolean;
	/** launch, start, restart: how long the guest may take to answer, in seconds. Default 300. launch: and to initialize. */
	readonly answerTimeout?: number;
	/** launch: mounted once the guest answers. */
	readonly mounts?: readonly Mount[];
	/** resize: what is to be changed; memory and disk in bytes. */
	readonly cpus?: number;
	readonly memory?: number;
	readonly disk?: number;
	/** resize: a further interface. */
	readonly nic?: Nic;
	/** snapshot: what is taken; restore: what is taken of the present before. */
	readonly snapshot?: PlannedSnapshot;
	/** restore, delete-snapshots: the tags of those it is about. */
	readonly tags?: readonly string[];
	/** clone: what it is made from. */
	readonly source?: {readonly id: string; readonly name: string};
	/** clone: a linked one, and the id of the layer that is made for it. */
	readonly layer?: string;
	/** import: where it is brought from. */
	readonly import?: {
		/** The directory of the other software's data. */
		readonly directory: string;
		/** What it is asked for by there. */
		readonly ref: string;
		readonly discardMemory?: boolean;
	};
	/** move: of the original where it goes, of the copy where it comes from. */
	readonly move?: {readonly driver: DriverName; readonly id: string; readonly purge?: boolean};
};

/** What a saved memory image depends on; who loads it compares this first. */
export type SuspendStamp = {
	readonly driver: DriverName;
	/** Version of the hypervisor that saved it. */
	readonly version: string;
	readonly machine: string;
	readonly accelerator: string;
	readonly cpus: number;
	readonly memory: number;
	/** SHA-256 over the devices of the machine, as both sides list them. */
	readonly devices: string;
	/** The disk as it was when the memory was saved: loading the memory over another disk would destroy it. */
	readonly disk: {readonly bytes: number; readonly modifiedMs: number};
	/** Bytes of the memory image. */
	readonly size: number;
	readonly at: string;
	readonly by: 'user' | 'switch';
};

/** What a driver sees of an instance right now. */
export type Observation = {
	readonly power: 'off' | 'running' | 'paused' | 'loading' | 'suspended' | 'unresponsive' | 'unusable';
	/** A sentence for a person when `power` is `unresponsive` or `unusable`. */
	readonly reason?: string;
	/** Milliseconds since the epoch. */
	readonly observedAt: number;
	readonly runningSince?: number;
	/** Addresses that can be reached from the host. */
	readonly ipv4: readonly string[];
	readonly ssh?: {readonly host: string; readonly port: number};
	/** No address of it leads there from this host: it can be reached by way of the hypervisor only. */
	readonly isOutOfReach?: boolean;
	/** The member of a cluster it runs on. */
	readonly member?: string;
};

/** What clients are shown: the record, the observation and the work under way, put together. */
export type InstanceView = {
	readonly id: string;
	readonly name: string;
	readonly scope: ScopeName;
	/** The driver it runs under, or would. */
	readonly driver: DriverName;
	readonly state: InstanceState;
	/** Why the state is Unknown or Broken, or what is being waited for. */
	readonly reason?: string;
	/** It is there and stands still, as when the host's disk is full: starting it sets it going again. */
	readonly isPaused?: boolean;
	readonly suspendedBy?: 'user' | 'switch';
	readonly image: ImageReference;
	readonly cpus: number;
	readonly memory: number;
	readonly disk: number;
	readonly ipv4: readonly string[];
	readonly ssh?: {readonly host: string; readonly port: number; readonly user: string};
	readonly createdAt: string;
	readonly createdBy: string;
	/** Milliseconds since the epoch. */
	readonly runningSince?: number;
	readonly observedAt: number;
	/** When a delayed stop is due, ISO 8601. */
	readonly shutdownAt?: string;
	/** The member of a cluster it lives on. */
	readonly member?: string;
	/** `container` where it is not a virtual machine. */
	readonly kind?: 'container' | 'virtual-machine';
	readonly mounts?: readonly MountView[];
	readonly forwards?: readonly Forward[];
	/** How many snapshots it has; absent where the driver has none, or they cannot be told. */
	readonly snapshotCount?: number;
	/** The operation at work on it. */
	readonly operation?: {readonly id: string; readonly kind: string; readonly stage: string; readonly percent?: number};
};

/** More about one instance, gathered on request; guest questions have a deadline of their own. */
export type InstanceDetail = InstanceView & {
	readonly directory: string;
	readonly mac: string;
	readonly pid?: number;
	readonly accelerator?: string;
	readonly suspended?: SuspendStamp;
	/** Absent when the guest was not asked or did not answer; `guestError` then says why. */
	readonly guest?: GuestFacts;
	readonly guestError?: ErrorData;
	/** Network interfaces beside the first. */
	readonly nics?: readonly Nic[];
	/** What its disk shares with linked clones, that is read and never written: absent when it shares nothing. */
	readonly linked?: {
		/** How many layers it lies over. */
		readonly layers: number;
		/** The instances whose disks lie over one of them, too. */
		readonly with: readonly string[];
	};
	/** Absent: it is not on the private network. */
	readonly privateNetwork?: PrivatePlace;
	/** Oldest first; absent as the count is. */
	readonly snapshots?: readonly SnapshotView[];
	/** Sentences worth knowing about it: a limit that is not enforced, a mount whose files belong to nobody. */
	readonly notes?: readonly string[];
};

export type GuestFacts = {
	readonly release?: string;
	readonly load?: readonly [number, number, number];
	/** Bytes, by device. */
	readonly disks?: Readonly<Record<string, {readonly used: number; readonly total: number}>>;
	/** Bytes. */
	readonly memory?: {readonly used: number; readonly total: number};
	readonly cpus?: number;
};

/** One line of an instance's history. */
export type InstanceEvent = {
	/** ISO 8601. */
	readonly at: string;
	readonly what: string;
	readonly by?: string;
};

/** What an instance's disk shares, in words. */
export function linkedText({layers, with: others}: NonNullable<InstanceDetail['linked']>): string {
	const what = layers === 1 ? 'a layer' : `${layers} layers`;
	return others.length === 0
		? `its disk lies over ${what} that no other instance shares any more`
		: `its disk lies over ${what} shared with ${others.join(', ')}`;
}
