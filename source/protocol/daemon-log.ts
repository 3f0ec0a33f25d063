import {closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readSync, writeSync} from 'node:fs';

/** Bytes a log may have; the one before it is kept beside it. */
const sizeLimit = 2 ** 20;

export type DaemonLog = {
	write(line: string): void;
	close(): void;
};

/**
 * The daemon's log, bounded: when full it is copied to `daemon.log.1` and emptied in place, because the standard
 * output of this process, which Node itself writes to when it dies, leads to the same file. A full disk ends no daemon:
 * lines that cannot be written are lost.
 */
export function openDaemonLog(path: string, limit = sizeLimit): DaemonLog {
	const file = openLogFile(path);
	let size = fstatSync(file).size;
	return {
		write(line) {
			try {
				if (size > limit) {
					copyFileSync(path, `${path}.1`);
					ftruncateSync(file, 0);
					size = 0;
				}
				size += writeSync(file, `${new Date().toISOString()} ${line}\n`);
			} catch {}
		},
		close() {
			closeSync(file);
		},
	};
}

/** For appending; only its owner can read it. The caller closes it. */
export function openLogFile(path: string): number {
	return openSync(path, 'a', 0o600);
}

/** The last lines of a log, at most `count`, from its last 4 KiB. Empty when there is none. */
export function lastLines(path: string, count: number): string[] {
	let file: number | undefined;
	try {
		file = openSync(path, 'r');
		const buffer = Buffer.alloc(4096);
		const {size} = fstatSync(file);
		const read = readSync(file, buffer, 0, buffer.length, Math.max(0, size - buffer.length));
		return buffer.toString('utf8', 0, read).trim().split('\n').slice(-count);
	} catch {
		return [];
	} finally {
		if (file !== undefined) closeSync(file);
	}
}
