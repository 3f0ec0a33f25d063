import type {
	ActRequest,
	AddNetworkRequest,
	DeleteSnapshotsRequest,
	DoctorReport,
	DriverInfo,
	RestoreRequest,
	UnmountRequest,
} from '../../engine/engine.ts';
import type {DriverName} from '../../model/driver-name.ts';
import type {ErrorData} from '../../model/errors.ts';
import type {ImageInfo} from '../../model/image-info.ts';
import type {ImportPlan} from '../../model/import-plan.ts';
import type {InstanceDetail, InstanceEvent} from '../../model/instance.ts';
import type {HostNetwork} from '../../model/network.ts';
import type {LogLine} from '../../model/operation.ts';
import type {CloudTemplate, Profile} from '../../model/profile.ts';
import type {InstanceSnapshots, SnapshotView} from '../../model/snapshot.ts';
import type {SwitchPlan} from '../../model/switch.ts';
import type {Field} from './field.ts';

/** What a confirmation will do when it is given. */
export type Intention =
	| {readonly kind: 'act'; readonly request: Omit<ActRequest, 'by'>; readonly ids: readonly string[]}
	| {readonly kind: 'unmount'; readonly request: Omit<UnmountRequest, 'by'>; readonly ids: readonly string[]}
	| {readonly kind: 'add-network'; readonly request: Omit<AddNetworkRequest, 'by'>; readonly ids: readonly string[]}
	| {readonly kind: 'restore'; readonly request: Omit<RestoreRequest, 'by'>; readonly ids: readonly string[]}
	| {
			readonly kind: 'delete-snapshot';
			readonly request: Omit<DeleteSnapshotsRequest, 'by'>;
			readonly ids: readonly string[];
	  }
	| {readonly kind: 'cancel'; readonly id: string}
	| {readonly kind: 'switch'; readonly to: DriverName; readonly force: readonly string[]}
	| {readonly kind: 'import'}
	| {readonly kind: 'leave-form'}
	| {readonly kind: 'quit'};

export type ConfirmLayer = {
	readonly kind: 'confirm';
	readonly level: 1 | 2;
	readonly title: string;
	/** What will happen, in sentences. */
	readonly effects: readonly string[];
	/** The same on the command line. */
	readonly command?: string;
	readonly intention: Intention;
	/** Level 2: what has to be typed. */
	readonly word?: string;
	readonly field: Field;
	readonly openedAt: number;
	readonly openedBy: string;
};

export type DetailLayer = {
	readonly kind: 'detail';
	readonly id: string;
	readonly tab: 0 | 1 | 2;
	readonly top: number;
	readonly detail?: InstanceDetail;
	readonly events?: readonly InstanceEvent[];
	readonly console?: readonly string[];
	readonly error?: ErrorData;
};

/** What a form is for. `launch` is about no instance yet. */
export type FormPurpose = 'launch' | 'mount' | 'edit' | 'snapshot' | 'snapshot-edit' | 'clone';

export type FormLayer = {
	readonly kind: 'form';
	readonly purpose: FormPurpose;
	/** The instance it is about. */
	readonly id?: string;
	/** What is typed, by the name of its row. */
	readonly fields: Readonly<Record<string, Field>>;
	/** What is chosen, by the name of its row or group of rows. */
	readonly chosen: Readonly<Record<string, readonly string[]>>;
	/** The name of the row that has the keys; `submit` is the button. */
	readonly focus: string;
	readonly isEdited: boolean;
	/** The snapshot that is changed, as it was when the form was opened. */
	readonly snapshot?: SnapshotView;
	readonly images?: readonly ImageInfo[];
	readonly imagesError?: ErrorData;
	/** What was found for a text that nothing in that list has in it. */
	readonly found?: {readonly query: string; readonly images: readonly ImageInfo[]};
	readonly profiles?: readonly Profile[];
	/** Sentences about the file they are in. */
	readonly profileProblems?: readonly string[];
	readonly templates?: readonly CloudTemplate[];
	/** What is to be said of the file that is named for cloud-init. */
	readonly cloudInit?: {readonly source: string; readonly note?: string; readonly problem?: string};
	readonly networks?: readonly HostNetwork[];
	readonly networksError?: ErrorData;
	/** Members of the cluster; none where there is no cluster. */
	readonly members?: readonly string[];
	/** The row of the suggestions, -1 for none. */
	readonly suggestion: number;
	readonly isSending: boolean;
	readonly error?: ErrorData;
};

/** The directories of the host that an instance sees. */
export type MountsLayer = {readonly kind: 'mounts'; readonly id: string; readonly index: number};

/** The snapshots of an instance. */
export type SnapshotsLayer = {
	readonly kind: 'snapshots';
	readonly id: string;
	/** The row of the snapshots, as they are drawn. */
	readonly index: number;
	readonly list?: InstanceSnapshots;
	readonly error?: ErrorData;
};

/** The interfaces of an instance, and the networks of the host that it can be given another one on. */
export type NetworksLayer = {
	readonly kind: 'networks';
	readonly id: string;
	/** The row of the host's networks. */
	readonly index: number;
	readonly detail?: InstanceDetail;
	readonly detailError?: ErrorData;
	readonly host?: readonly HostNetwork[];
	readonly hostError?: ErrorData;
};

/** What an import would do, before it is said yes to. */
export type ImportLayer = {
	readonly kind: 'import';
	readonly index: number;
	readonly plan?: ImportPlan;
	readonly error?: ErrorData;
};

/** What a switch would do, before it is said yes to. */
export type SwitchPlanLayer = {
	readonly kind: 'switch-plan';
	readonly to: DriverName;
	readonly plan?: SwitchPlan;
	readonly error?: ErrorData;
	readonly side: 'park' | 'restore';
	readonly index: number;
	/** Names whose power is to be cut instead of being asked to stop. */
	readonly force: ReadonlySet<string>;
};

export type SwitchRunLayer = {
	readonly kind: 'switch-run';
	readonly top: number;
	/** It was just asked for: what is shown is not yet it as long as the story is the one of before. */
	readonly asked?: {readonly to: DriverName; readonly before: string | undefined};
};

export type Layer =
	| {readonly kind: 'menu'; readonly ids: readonly string[]; readonly index: number; readonly openedAt: number}
	| ConfirmLayer
	| DetailLayer
	| FormLayer
	| MountsLayer
	| NetworksLayer
	| SnapshotsLayer
	| ImportLayer
	| SwitchPlanLayer
	| SwitchRunLayer
	| {
			readonly kind: 'operations';
			readonly cursor: string | undefined;
			readonly isLogOpen: boolean;
			readonly logTop: number;
			readonly log?: readonly LogLine[];
	  }
	| {readonly kind: 'alerts'; readonly index: number}
	| {
			readonly kind: 'finder';
			readonly mode: 'help' | 'palette';
			readonly field: Field;
			readonly index: number;
			readonly openedAt: number;
	  }
	| {readonly kind: 'filter'; readonly field: Field; readonly before: string}
	| {
			readonly kind: 'drivers';
			readonly list?: readonly DriverInfo[];
			readonly error?: ErrorData;
			readonly index: number;
	  }
	| {readonly kind: 'doctor'; readonly report?: DoctorReport; readonly error?: ErrorData; readonly top: number}
	| {
			readonly kind: 'copy';
			readonly title: string;
			readonly choices: readonly string[];
			readonly index: number;
			readonly copied?: string;
	  }
	| {readonly kind: 'order'};
