import type {DriverName} from './driver-name.ts';

/** Where an instance was brought from: by this it is known when it is to be brought again. */
export type Origin = {
	readonly software: 'multipass';
	/** The part of their data it was in: empty, `qemu`, `virtualbox`. */
	readonly scope: string;
	/** What it is called there. */
	readonly name: string;
	/** Its MAC address there, where it has one: another instance that gets its name has another. */
	readonly mac?: string;
};

/** What an import would do with one instance. Sizes in bytes. */
export type ImportLine = {
	/** What it is asked for by: its name there, behind the part of their data where that has a name: `virtualbox/web`. */
	readonly ref: string;
	/** What it would be called here, or is. */
	readonly name: string;
	/** Their state of it, in the words of the states here. */
	readonly state: string;
	readonly cpus: number;
	readonly memory: number;
	readonly disk: number;
	/** What the copy takes at most; 0 where none is made. */
	readonly bytes: number;
	/** `here`: it has been brought before. */
	readonly verdict: 'import' | 'here' | 'skip';
	/** Why it is not brought; without a full stop. */
	readonly reason?: string;
	/** What to do about that: a sentence. */
	readonly next?: string;
	/** Sentences about what is not brought along with it, or is changed. */
	readonly notes: readonly string[];
};

export type ImportPlan = {
	readonly driver: DriverName;
	/** The directory of their data that was found; absent: none was. */
	readonly directory?: string;
	/** Where was looked for one. */
	readonly lookedAt: readonly string[];
	readonly instances: readonly ImportLine[];
	/** Sentences about files of theirs that could not be read. */
	readonly problems: readonly string[];
	readonly needsBytes: number;
	readonly freeBytes: number;
};

/** Whether all that is there has been brought, or would be. */
export function isWhole({instances, problems}: ImportPlan): boolean {
	return problems.length === 0 && instances.every(line => line.verdict !== 'skip');
}
