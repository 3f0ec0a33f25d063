import {closeSync, constants, openSync, readlinkSync, statSync} from 'node:fs';

/** Opens nothing, but stands for it: enough for a place to go on from, and no right to read is needed. Linux. */
export const pathOnly = 0o10_000_000;

/** The longest path that is looked at, in bytes, as the kernel has it. */
const longestPath = 4096;

/** A place below the fence, good for as long as its directory is held open. */
export type Place = {
	/** What the system calls are given: the directory's descriptor and one name in it. */
	readonly path: Buffer;
	/** The directory of the fence itself. */
	readonly isTop: boolean;
};

/** The path a guest names cannot be one. */
export class NoPath extends Error {
	readonly code: string;

	constructor(code: 'EINVAL' | 'ENAMETOOLONG') {
		super(code);
		this.code = code;
	}
}

/**
 * One directory of the host, and nothing but it and what is below. A path is walked name by name, each opened relative to
 * the one before and never through a link, so that neither `..` nor a link (also one that is put there at that very
 * moment) leads out. Links are for the guest to follow, in its own tree. Node has no `openat`; a path that begins with
 * the kernel's own link to an open directory is the same thing.
 */
export class Fence {
	readonly source: string;
	#top: number | undefined;
	#identity = '';

	/** @param source absolute, without links: a guest that can write around it must not make it lead elsewhere */
	constructor(source: string) {
		this.source = source;
	}

	/** Whether there is something to show. */
	get isOpen(): boolean {
		return this.#top !== undefined;
	}

	/**
	 * Looks whether the path still leads to the same directory, and follows when another one has taken its place.
	 * @returns why there is nothing to show, `undefined` when all is well
	 */
	refresh(): string | undefined {
		let fresh: number;
		try {
			fresh = openWithoutLinks(this.source);
		} catch (error) {
			this.close();
			const {code} = error as NodeJS.ErrnoException;
			if (code === 'ENOENT') return 'is gone';
			return code === 'ENOTDIR' ? 'is no directory any more, or leads elsewhere' : `cannot be opened (${code})`;
		}
		const {dev, ino} = statSync(handlePath(fresh));
		const identity = `${dev} ${ino}`;
		if (this.#top !== undefined && identity === this.#identity) {
			closeSync(fresh);
			return undefined;
		}
		this.close();
		this.#top = fresh;
		this.#identity = identity;
		return undefined;
	}

	close(): void {
		if (this.#top !== undefined) closeSync(this.#top);
		this.#top = undefined;
	}

	/** Does something at a place, while its directory is held. @throws NoPath, and what the system says of the way there */
	at<Result>(path: Buffer, act: (place: Place) => Result): Result {
		const names = namesIn(path);
		const name = names.pop();
		const top = this.#top;
		if (top === undefined) throw Object.assign(new Error('the directory is gone'), {code: 'ENOENT'});
		if (name === undefined) return act({path: Buffer.from(`${handlePath(top)}/.`), isTop: true});
		const directory = walk(top, names);
		try {
			return act({path: below(directory, name), isTop: false});
		} finally {
			if (directory !== top) closeSync(directory);
		}
	}
}

/** Goes down name by name. @returns an open directory, the first one itself when there are no names */
function walk(from: number, names: readonly string[]): number {
	let directory = from;
	try {
		for (const name of names) {
			const next = openSync(below(directory, name), pathOnly | constants.O_DIRECTORY | constants.O_NOFOLLOW);
			if (directory !== from) closeSync(directory);
			directory = next;
		}
	} catch (error) {
		if (directory !== from) closeSync(directory);
		throw error;
	}
	return directory;
}

function openWithoutLinks(source: string): number {
	const root = openSync('/', pathOnly | constants.O_DIRECTORY);
	const found = namesIn(Buffer.from(source));
	if (found.length === 0) return root;
	try {
		return walk(root, found);
	} finally {
		closeSync(root);
	}
}

/** What a descriptor is called among the files of this process. */
export function handlePath(descriptor: number): string {
	return `/proc/self/fd/${descriptor}`;
}

/** Names are bytes, as the file system has them; latin1 keeps each byte. */
export function below(directory: number, name: string): Buffer {
	return Buffer.from(`${handlePath(directory)}/${name}`, 'latin1');
}

/** The names on the way, without `.`, with `..` undone: no link is ever followed, so that a name before it is its parent. */
export function namesIn(path: Buffer): string[] {
	if (path.length > longestPath) throw new NoPath('ENAMETOOLONG');
	if (path.includes(0)) throw new NoPath('EINVAL');
	const names: string[] = [];
	for (const name of path.toString('latin1').split('/')) {
		if (name === '' || name === '.') continue;
		if (name === '..') names.pop();
		else names.push(name);
	}
	return names;
}

/** Whether this system has what the fence stands on. */
export function canFence(): boolean {
	try {
		const probe = openSync('/', pathOnly | constants.O_DIRECTORY);
		try {
			return readlinkSync(handlePath(probe)) === '/';
		} finally {
			closeSync(probe);
		}
	} catch {
		return false;
	}
}
