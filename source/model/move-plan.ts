import type {DriverName} from './driver-name.ts';
import type {ErrorData} from './errors.ts';

/** What a move of an instance to another driver would do, before anything is done. */
export type MovePlan = {
	readonly name: string;
	readonly from: DriverName;
	readonly to: DriverName;
	/** What it is there. */
	readonly becomes: 'virtual-machine' | 'container';
	/** It runs, and has to be stopped. */
	readonly isRunning: boolean;
	/** Sentences about what it has here and would not have there, or not in the same way. */
	readonly losses: readonly string[];
	/** Why it cannot be done; nothing is touched while there is one. */
	readonly problems: readonly ErrorData[];
	/** Bytes of disk that it takes at most, and that are free. */
	readonly needsBytes: number;
	readonly freeBytes: number;
};
