import {causeText} from './errors.ts';

/** What is said of a file, for the codes that Node's errors have. */
const ofFiles: Readonly<Record<string, string>> = {
	ENOENT: 'there is no such file or directory',
	ENOTDIR: 'a part of the path is not a directory',
	EISDIR: 'it is a directory',
	EEXIST: 'it is there already',
	EACCES: 'permission is denied',
	EPERM: 'it is not permitted',
	EROFS: 'the file system is read-only',
	ENOSPC: 'there is no space left on the disk',
	EDQUOT: 'your share of the disk is used up',
	ELOOP: 'its symbolic links lead in a circle',
	ENAMETOOLONG: 'the name is too long',
	ENOTEMPTY: 'the directory is not empty',
	EMFILE: 'too many files are open',
	EIO: 'the disk cannot be read or written',
};

/** What is said of a host. */
const ofHosts: Readonly<Record<string, string>> = {
	ENOTFOUND: 'its name is not known',
	EAI_AGAIN: 'its name cannot be looked up',
	ECONNREFUSED: 'it refuses the connection',
	ECONNRESET: 'the connection was cut',
	UND_ERR_SOCKET: 'the connection was cut',
	ETIMEDOUT: 'it does not answer',
	ENETUNREACH: 'there is no network',
	EHOSTUNREACH: 'there is no way to it',
};

/**
 * An error of the system in words, without a full stop: `/etc/x: permission is denied`, `its name is not known`. What
 * fetch hides behind "fetch failed" is what counts. Errors whose code is not known give their own first line.
 */
export function causeWords(error: unknown): string {
	const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
	const {code, path, name} = asSystemError(cause);
	if (name === 'TimeoutError') return 'it did not answer in time';
	if (code === undefined) return causeText(cause);
	const words = ofFiles[code];
	if (words === undefined) return ofHosts[code] ?? causeText(cause);
	return path === undefined ? words : `${causeText(path)}: ${words}`;
}

function asSystemError(error: unknown): {readonly code?: string; readonly path?: string; readonly name?: string} {
	return typeof error === 'object' && error !== null ? (error as {code?: string}) : {};
}
