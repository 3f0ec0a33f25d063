import type {ErrorData} from './errors.ts';

export type OperationKind =
	| 'launch'
	| 'start'
	| 'stop'
	| 'restart'
	| 'suspend'
	| 'delete'
	| 'recover'
	| 'purge'
	| 'switch'
	| 'mount'
	| 'umount'
	| 'resize'
	| 'snapshot'
	| 'restore'
	| 'delete-snapshots'
	| 'clone'
	| 'forward'
	| 'adopt'
	| 'import'
	| 'move'
	| 'download';

export type OperationState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** The part of an operation that concerns one instance (or one image). */
export type OperationItem = {
	readonly target: string;
	readonly state: OperationState | 'skipped';
	/** What is being done or waited for, a few words: `downloading`, `waiting for SSH`. */
	readonly stage: string;
	/** 0 to 100; absent while it cannot be told. Never goes backwards within a stage. */
	readonly percent?: number;
	/** A remark worth showing at the end: `already running`. */
	readonly note?: string;
	readonly error?: ErrorData;
};

/** A piece of work with an id, progress, a log, an owner and an end. */
export type OperationView = {
	/** Short and increasing within one daemon: `7`. */
	readonly id: string;
	readonly kind: OperationKind;
	/** `launch web`, `stop web, db`. */
	readonly title: string;
	/** The host user who asked for it. */
	readonly by: string;
	readonly state: OperationState;
	readonly items: readonly OperationItem[];
	readonly cancellable: boolean;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	readonly startedAt?: number;
	readonly endedAt?: number;
	/** Set when it failed or was cancelled: the first error of its items, or its own. */
	readonly error?: ErrorData;
};

/** One line of an operation's log. */
export type LogLine = {readonly at: number; readonly text: string};

export function isEnded(operation: OperationView): boolean {
	return operation.state === 'done' || operation.state === 'failed' || operation.state === 'cancelled';
}
