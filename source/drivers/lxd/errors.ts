import {DroverError, type ErrorCode} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';

/**
 * What went wrong with a request: `refused` (the server answered with an error, or an operation ended with one, whichever
 * of the three ways it was told), `gone` (an operation the server no longer knows: look how things are), `unreachable`
 * (no connection), `silent` (no answer in time), `malformed` (an answer that makes no sense), `aborted`.
 */
export type LxdProblem = 'refused' | 'gone' | 'unreachable' | 'silent' | 'malformed' | 'aborted';

/** One way of failing, whoever told it: HTTP, an operation, or Incus's answer to a wait. */
export class LxdError extends Error {
	override readonly name = 'LxdError';
	readonly problem: LxdProblem;
	/** The HTTP status, or the code in the answer or operation: 400, 403, 404, 412. 0 where there is none. */
	readonly status: number;
	/** `EACCES`, `ENOENT`, `ECONNREFUSED`, when there was no connection. */
	readonly errno: string | undefined;

	constructor(problem: LxdProblem, message: string, options: {status?: number; errno?: string | undefined} = {}) {
		super(plainLine(message).slice(0, 500) || problem);
		this.problem = problem;
		this.status = options.status ?? 0;
		this.errno = options.errno;
	}
}

export function isMissing(error: unknown): boolean {
	return error instanceof LxdError && error.problem === 'refused' && error.status === 404;
}

/** Whether the server does not allow it to this user. Incus tells some of these as failures of its own (500). */
export function isForbidden(error: unknown): boolean {
	if (!(error instanceof LxdError) || error.problem !== 'refused') return false;
	return error.status === 403 || /certificate is restricted|user does not have permissions? for/i.test(error.message);
}

/** An error of the server's as one for a person; others pass. `doing`: `starting the instance`. */
export function serverError(error: unknown, doing: string): unknown {
	if (!(error instanceof LxdError)) return error;
	const sentence = (code: ErrorCode, text: string, next?: string) =>
		new DroverError(code, text, {next, cause: error.message});
	switch (error.problem) {
		case 'aborted':
			return new DroverError('operation.cancelled', 'The work was cancelled.');
		case 'unreachable':
			return sentence(
				'driver.unusable',
				`LXD cannot be reached while ${doing}: ${error.message}.`,
				'drover doctor tells what is the matter with it.',
			);
		case 'silent':
			return sentence(
				'driver.unresponsive',
				`LXD does not answer while ${doing}.`,
				'Look whether its daemon hangs; drover doctor asks it again.',
			);
		case 'gone':
			return sentence(
				'driver.failed',
				`LXD forgot about ${doing} before it could be asked how that ended.`,
				'Try again.',
			);
		case 'malformed':
			return sentence('driver.failed', `LXD gave an answer that makes no sense while ${doing}.`);
		case 'refused':
			break;
	}
	if (/no space left|disk quota exceeded|not enough space/i.test(error.message)) {
		return sentence(
			'host.disk-full',
			`The storage pool is full while ${doing}.`,
			'Free some space in it, or choose another pool: drover set local.lxd.pool=NAME.',
		);
	}
	if (isForbidden(error)) {
		return sentence(
			'driver.unusable',
			`LXD does not allow ${doing}: ${error.message}.`,
			'Ask who runs the server for the right to do it in this project.',
		);
	}
	return sentence('driver.failed', `LXD failed at ${doing}: ${trimmed(error.message)}.`);
}

/** Without the full stop, and without the chain of wrappings that say the same again. */
export function trimmed(message: string): string {
	return message.replace(/\.$/, '').replace(/^Failed to run: /, '');
}
