import type {ActRequest, DoctorReport, DriverInfo, LaunchRequest, Overview} from '../../engine/engine.ts';
import type {DriverName} from '../../model/driver-name.ts';
import type {ErrorData} from '../../model/errors.ts';
import type {ImageInfo} from '../../model/image-info.ts';
import type {InstanceDetail, InstanceEvent, InstanceView} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import type {LogLine, OperationView} from '../../model/operation.ts';
import type {SwitchPlan} from '../../model/switch.ts';
import type {SwitchStory} from '../../model/switch-story.ts';
import type {KeyPress} from '../keys/key-name.ts';
import type {Field} from './field.ts';
import type {Roster} from './roster.ts';
import type {MetricsState} from './usage.ts';

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

/** What a confirmation will do when it is given. */
export type Intention =
	| {readonly kind: 'act'; readonly request: Omit<ActRequest, 'by'>; readonly ids: readonly string[]}
	| {readonly kind: 'cancel'; readonly id: string}
	| {readonly kind: 'switch'; readonly to: DriverName; readonly force: readonly string[]}
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

export const formFields = ['name', 'image', 'cpus', 'memory', 'disk'] as const;
export type FormField = (typeof formFields)[number];

export type FormLayer = {
	readonly kind: 'form';
	readonly fields: Readonly<Record<FormField, Field>>;
	/** Index into `formFields`; one beyond stands for the Launch button. */
	readonly focus: number;
	readonly isEdited: boolean;
	readonly images?: readonly ImageInfo[];
	readonly imagesError?: ErrorData;
	/** The row of the image suggestions, -1 for none. */
	readonly suggestion: number;
	readonly isSending: boolean;
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
	| {readonly type: 'launch-failed'; readonly error: ErrorData; readonly at: number}
	| {readonly type: 'detail'; readonly id: string; readonly part: Partial<DetailLayer>}
	| {readonly type: 'log'; readonly id: string; readonly log: readonly LogLine[]}
	| {readonly type: 'images'; readonly images?: readonly ImageInfo[]; readonly error?: ErrorData}
	| {readonly type: 'drivers'; readonly list?: readonly DriverInfo[]; readonly error?: ErrorData}
	| {readonly type: 'switch-plan'; readonly to: DriverName; readonly plan?: SwitchPlan; readonly error?: ErrorData}
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
	| {readonly type: 'launch'; readonly request: Omit<LaunchRequest, 'by'>}
	| {readonly type: 'cancel'; readonly id: string}
	| {readonly type: 'load-detail'; readonly id: string; readonly name: string; readonly tab: number}
	| {readonly type: 'load-log'; readonly id: string}
	| {readonly type: 'load-images'}
	| {readonly type: 'load-drivers'}
	| {readonly type: 'load-plan'; readonly to: DriverName}
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
