import type {IdMap} from '../../model/mount.ts';

/**
 * What the process that serves one mount and the daemon tell each other: a line of JSON each, the settings first. The
 * process may be of another build, when drover was upgraded under a running daemon: both compare the version.
 */
export const controlVersion = 1;

export type MountSettings = {
	readonly version: typeof controlVersion;
	/** Arguments of `ssh`; what it runs in the guest speaks SFTP. */
	readonly ssh: readonly string[];
	readonly source: string;
	/** With the guest's own ids put in. */
	readonly uidMap: readonly IdMap[];
	readonly gidMap: readonly IdMap[];
};

export type MountOrder = 'ping' | 'end';

export type MountReport =
	/** `ssh` was started. */
	| {readonly event: 'begun'; readonly ssh: number}
	/** The guest sees the directory. */
	| {readonly event: 'mounted'}
	| {readonly event: 'pong'}
	/** What is wrong with the directory on this host; absent: nothing any more. */
	| {readonly event: 'source'; readonly problem?: string}
	/** `ssh` has ended: its exit code, and what it and the guest complained of. */
	| {readonly event: 'ended'; readonly code?: number; readonly complaint: string};

/** @returns `undefined` for what is no report */
export function readReport(line: string): MountReport | undefined {
	const value = parse(line) as Partial<Record<string, unknown>> | undefined;
	const text = (name: string) => (typeof value?.[name] === 'string' ? {[name]: value[name]} : {});
	const number = (name: string) => (Number.isSafeInteger(value?.[name]) ? {[name]: value?.[name]} : {});
	switch (value?.['event']) {
		case 'begun':
			return typeof value['ssh'] === 'number' ? {event: 'begun', ssh: value['ssh']} : undefined;
		case 'mounted':
			return {event: 'mounted'};
		case 'pong':
			return {event: 'pong'};
		case 'source':
			return {event: 'source', ...text('problem')};
		case 'ended':
			return {event: 'ended', complaint: '', ...text('complaint'), ...number('code')};
		default:
			return undefined;
	}
}

/** @returns `undefined` for settings of another version, or none */
export function readSettings(line: string): MountSettings | undefined {
	const value = parse(line) as Partial<MountSettings> | undefined;
	return value?.version === controlVersion ? (value as MountSettings) : undefined;
}

function parse(line: string): object | undefined {
	try {
		const value: unknown = JSON.parse(line);
		return typeof value === 'object' && value !== null ? value : undefined;
	} catch {
		return undefined;
	}
}
