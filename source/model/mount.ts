import {DroverError} from './errors.ts';

/** `-1` on the guest's side: the user that drover logs in as. */
export type IdMap = {readonly host: number; readonly guest: number};

/**
 * A directory of the host that is seen in a guest. `classic` goes over SSH and works on every driver, `native` is the
 * driver's own way. Empty maps: the caller's ids are the guest user's.
 */
export type Mount = {
	/** Absolute path of a directory of the host. */
	readonly source: string;
	/** Absolute path in the guest. */
	readonly target: string;
	readonly type: 'classic' | 'native';
	readonly uidMap: readonly IdMap[];
	readonly gidMap: readonly IdMap[];
};

/** Maps with the guest's own user put in. */
export function resolvedMaps(maps: readonly IdMap[], defaultId: number): readonly IdMap[] {
	return maps.map(({host, guest}) => ({host, guest: guest === -1 ? defaultId : guest}));
}

/** A mount as it is shown. */
export type MountView = Mount & {
	/** Why the guest does not see the directory as it should, while it runs: without a full stop. */
	readonly problem?: string;
};

/** How a native mount that is plugged in is mounted inside the guest: what its `mount` is told. */
export type GuestMount = {
	readonly fileSystem: 'virtiofs' | '9p';
	/** What it is known by in the guest. */
	readonly tag: string;
	readonly options: string;
};

/** What a guest tells of itself before a native mount is plugged in. */
export type MountGuest = {
	/** Whom drover logs in as. */
	readonly uid: number;
	readonly gid: number;
	/** What its kernel can mount. */
	readonly known: ReadonlyArray<GuestMount['fileSystem']>;
};

/** Below these a guest's own file systems are; mounting over them breaks it. Source: Multipass 1.16. */
const ownTrees = ['/dev', '/proc', '/sys'];

/** Where a mount appears when only part of it, or nothing, is said: below the user's home. */
export function mountTarget(target: string | undefined, source: string, user: string): string {
	const home = user === 'root' ? '/root' : `/home/${user}`;
	if (target === undefined || target === '')
		return normalize(`${home}/${source.split('/').filter(Boolean).at(-1) ?? ''}`);
	return normalize(target.startsWith('/') ? target : `${home}/${target}`);
}

/** Why a directory of the guest cannot be mounted on, or `undefined`. Rules: Multipass 1.16, plus what no path can hold. */
export function targetProblem(target: string, user: string): string | undefined {
	if (/[\u0000-\u001F\u007F]/.test(target)) return 'it has control characters';
	if (target.length > 4000) return 'it is too long';
	if (!target.startsWith('/')) return 'it is not an absolute path';
	const plain = normalize(target);
	if (plain === '/') return 'it is the guest’s root directory';
	if (ownTrees.some(tree => plain === tree || plain.startsWith(`${tree}/`))) return 'it belongs to the guest’s kernel';
	if (plain === '/home' || plain === '/root' || plain === `/home/${user}`)
		return 'it would hide the guest’s home directories';
	return undefined;
}

/** @throws DroverError `instance.invalid` */
export function checkTarget(target: string, user: string): void {
	const problem = targetProblem(target, user);
	if (problem === undefined) return;
	throw new DroverError('instance.invalid', `unable to mount to ${JSON.stringify(target.slice(0, 200))}: ${problem}.`, {
		next: 'Choose another directory of the guest, for example one below its user’s home.',
	});
}

/** Reads `HOST:GUEST`, two whole numbers. @returns `undefined` when it is not one */
export function parseIdMap(text: string): IdMap | undefined {
	const match = /^(\d{1,10}):(\d{1,10})$/.exec(text);
	if (!match) return undefined;
	const [host, guest] = [Number(match[1]), Number(match[2])];
	return host > 0xff_ff_ff_fe || guest > 0xff_ff_ff_fe ? undefined : {host, guest};
}

/** As Multipass writes it: `1000:default`. */
export function idMapText({host, guest}: IdMap): string {
	return `${host}:${guest === -1 ? 'default' : guest}`;
}

/** Where a directory of the host is seen in a guest that has these mounts; `undefined`: nowhere. */
export function seenAt(directory: string, mounts: readonly Mount[]): string | undefined {
	const path = normalize(directory);
	const below = mounts
		.map(({source, target}) => ({source: normalize(source), target}))
		.filter(({source}) => source === '/' || path === source || path.startsWith(`${source}/`))
		// The innermost: what is nearer is what is meant.
		.sort((a, b) => b.source.length - a.source.length)[0];
	return below === undefined ? undefined : normalize(`${below.target}/${path.slice(below.source.length)}`);
}

/** A path without `.`, `..`, doubled and trailing slashes. */
function normalize(target: string): string {
	const parts: string[] = [];
	for (const part of target.split('/')) {
		if (part === '' || part === '.') continue;
		if (part === '..') parts.pop();
		else parts.push(part);
	}
	return `/${parts.join('/')}`;
}
