import type {
	ActRequest,
	AddNetworkRequest,
	CloneRequest,
	DeleteSnapshotsRequest,
	DoctorReport,
	DriverInfo,
	LaunchRequest,
	MountRequest,
	Overview,
	ResizeRequest,
	RestoreRequest,
	SnapshotRequest,
	UnmountRequest,
} from '../../engine/engine.ts';
import type {DriverName} from '../../model/driver-name.ts';
import type {ErrorData} from '../../model/errors.ts';
import type {ImportPlan} from '../../model/import-plan.ts';
import type {InstanceView} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import type {LogLine, OperationView} from '../../model/operation.ts';
import type {SwitchPlan} from '../../model/switch.ts';
import type {SwitchStory} from '../../model/switch-story.ts';
import type {KeyPress} from '../keys/key-name.ts';
import type {DetailLayer, FormLayer, Layer, NetworksLayer, SnapshotsLayer} from './layer.ts';
import type {Roster} from './roster.ts';
import type {MetricsState} from './usage.ts';

export type * from './layer.ts';

/** How it stands with the daemon. Times in milliseconds since the epoch. */
export type Link =
	| {readonly kind: 'connecting'; readonly attempt: number; readonly error?: ErrorData}
	| {readonly kind: 'live'}
	| {readonly kind: 'stale'; readonly since: number; readonly attempt: number; readonly error?: ErrorData};

export type Facts = Omit<Overview, 'instances' | 'operations' | 'notices'>;

export type Alert = {
	readonly id: string;
	readonly at: number;
	readonly level: 'info' | 'warning' | 'error';
	readonly text: string;
	readonly next?: string;
	readonly cause?: string;
};

export type Toast = {readonly text: string; readonly level: 'info' | 'good' | 'problem'; readonly number: number};

export type TableState = {
	/** The cursor belongs to an instance, not to a row. */
	readonly cursor: string | undefined;
	/** The row of the cursor, and the first row on the screen. */
	readonly index: number;
	readonly top: number;
	readonly marks: ReadonlySet<string>;
	readonly isPaneOpen: boolean;
	readonly isPaused: boolean;
	/** A row to put the cursor on as soon as it is there: what was just launched. */
	readonly wanted: string | undefined;
};

export type Model = {
	readonly size: {readonly columns: number; readonly rows: number};
	readonly user: string;
	readonly link: Link;
	readonly facts: Facts | undefined;
	readonly roster: Roster;
	/** Newest first. */
	readonly operations: readonly OperationView[];
	/** Operations begun from here, whose end is told. */
	readonly mine: ReadonlySet<string>;
	/** The switch under way, or the last one. */
	readonly story: SwitchStory | undefined;
	readonly alerts: readonly Alert[];
	readonly unseenAlerts: number;
	readonly table: TableState;
	/** Screens and dialogs over the table; the last one gets the keys. */
	readonly layers: readonly Layer[];
	readonly toast: Toast | undefined;
	readonly metrics: MetricsState;
	readonly hasShownDoctor: boolean;
	readonly lastKeyAt: number;
};

/** `at` is always milliseconds since the epoch: the model has no clock of its own. */
export type Message =
	| {readonly type: 'key'; readonly presses: readonly KeyPress[]; readonly at: number}
	| {readonly type: 'paste'; readonly text: string; readonly at: number}
	| {readonly type: 'action'; readonly id: string; readonly at: number; readonly key?: string}
	| {readonly type: 'resize'; readonly columns: number; readonly rows: number}
	| {readonly type: 'connecting'; readonly attempt: number; readonly error?: ErrorData; readonly at: number}
	| {readonly type: 'lost'; readonly at: number}
	| {readonly type: 'overview'; readonly overview: Overview; readonly at: number}
	| {
			readonly type: 'events';
			readonly changed: readonly InstanceView[];
			readonly removed: readonly string[];
			readonly operations: readonly OperationView[];
			readonly at: number;
	  }
	| {readonly type: 'settle'; readonly at: number}
	| {readonly type: 'alert'; readonly alert: Alert}
	| {readonly type: 'toast'; readonly text: string; readonly level: Toast['level']}
	| {readonly type: 'toast-over'; readonly number: number}
	| {readonly type: 'failed'; readonly what: string; readonly error: ErrorData; readonly at: number}
	| {readonly type: 'begun'; readonly operation: OperationView; readonly at: number}
	| {
			readonly type: 'form-refused';
			readonly purpose: FormLayer['purpose'];
			readonly error: ErrorData;
			readonly at: number;
	  }
	/** What was asked for from a form, and is no operation, is done. */
	| {readonly type: 'form-done'; readonly purpose: FormLayer['purpose']; readonly text: string}
	| {readonly type: 'detail'; readonly id: string; readonly part: Partial<DetailLayer>}
	| {readonly type: 'log'; readonly id: string; readonly log: readonly LogLine[]}
	/** What a form's choices are made from. */
	| {
			readonly type: 'form-data';
			readonly part: Partial<
				Pick<
					FormLayer,
					| 'images'
					| 'imagesError'
					| 'found'
					| 'networks'
					| 'networksError'
					| 'members'
					| 'profiles'
					| 'profileProblems'
					| 'templates'
					| 'cloudInit'
				>
			>;
	  }
	/** What was filled in last time. */
	| {readonly type: 'last-launch'; readonly values: Readonly<Record<string, string>>}
	| {readonly type: 'networks'; readonly id: string; readonly part: Partial<NetworksLayer>}
	| {readonly type: 'snapshots'; readonly id: string; readonly part: Pick<SnapshotsLayer, 'list' | 'error'>}
	| {readonly type: 'drivers'; readonly list?: readonly DriverInfo[]; readonly error?: ErrorData}
	| {readonly type: 'switch-plan'; readonly to: DriverName; readonly plan?: SwitchPlan; readonly error?: ErrorData}
	| {readonly type: 'import-plan'; readonly plan?: ImportPlan; readonly error?: ErrorData}
	| {readonly type: 'story'; readonly story: SwitchStory | undefined; readonly at: number}
	| {readonly type: 'sample-due'; readonly turn: number}
	| {
			readonly type: 'samples';
			readonly turn: number;
			/** By instance name; absent: the question was not answered. */
			readonly samples?: Readonly<Record<string, Metrics>>;
	  }
	| {readonly type: 'driver-shown'; readonly index: number}
	| {readonly type: 'driver-chosen'; readonly index: number}
	| {readonly type: 'order-chosen'; readonly order: Roster['order']}
	| {readonly type: 'doctor'; readonly report?: DoctorReport; readonly error?: ErrorData};

export type Effect =
	| {readonly type: 'act'; readonly request: Omit<ActRequest, 'by'>}
	| {
			readonly type: 'launch';
			readonly request: Omit<LaunchRequest, 'by'>;
			/** A file or an address whose text is its cloud-config. */
			readonly cloudInit?: string;
			/** What is to be filled in next time. */
			readonly keep: Readonly<Record<string, string>>;
	  }
	| {readonly type: 'mount'; readonly request: Omit<MountRequest, 'by'>}
	| {readonly type: 'unmount'; readonly request: Omit<UnmountRequest, 'by'>}
	| {readonly type: 'resize'; readonly request: Omit<ResizeRequest, 'by'>}
	| {readonly type: 'add-network'; readonly request: Omit<AddNetworkRequest, 'by'>}
	| {readonly type: 'snapshot'; readonly request: Omit<SnapshotRequest, 'by'>}
	| {readonly type: 'restore'; readonly request: Omit<RestoreRequest, 'by'>}
	| {readonly type: 'delete-snapshot'; readonly request: Omit<DeleteSnapshotsRequest, 'by'>}
	/** Settings of one snapshot, in this order. */
	| {
			readonly type: 'change-snapshot';
			readonly id: string;
			readonly name: string;
			readonly values: ReadonlyArray<{readonly key: string; readonly value: string}>;
	  }
	| {readonly type: 'clone'; readonly request: Omit<CloneRequest, 'by'>}
	| {readonly type: 'cancel'; readonly id: string}
	| {readonly type: 'load-detail'; readonly id: string; readonly name: string; readonly tab: number}
	| {readonly type: 'load-log'; readonly id: string}
	| {readonly type: 'load-images'}
	| {readonly type: 'load-launch-choices'}
	/** When nothing more has been typed for a moment. */
	| {readonly type: 'search-images'; readonly query: string}
	| {readonly type: 'check-cloud-init'; readonly source: string}
	| {readonly type: 'load-host-networks'}
	| {readonly type: 'load-members'}
	| {readonly type: 'load-networks'; readonly id: string; readonly name: string}
	| {readonly type: 'load-snapshots'; readonly id: string; readonly name: string}
	| {readonly type: 'load-drivers'}
	| {readonly type: 'load-plan'; readonly to: DriverName}
	| {readonly type: 'load-import'}
	| {readonly type: 'import'}
	| {readonly type: 'switch'; readonly to: DriverName; readonly force: readonly string[]}
	| {readonly type: 'load-doctor'; readonly again: boolean}
	| {readonly type: 'load-overview'}
	| {readonly type: 'refresh'}
	| {readonly type: 'reconnect'}
	| {readonly type: 'shell'; readonly name: string}
	| {readonly type: 'copy'; readonly text: string}
	| {readonly type: 'redraw'}
	| {readonly type: 'stop'}
	| {readonly type: 'quit'}
	| {readonly type: 'settle-later'}
	| {readonly type: 'sample'; readonly turn: number; readonly names: readonly string[]}
	/** Replaces the one that is waited for. */
	| {readonly type: 'sample-later'; readonly turn: number; readonly inMs: number}
	| {readonly type: 'toast-timer'; readonly number: number};

export type Step = {readonly model: Model; readonly effects: readonly Effect[]};
