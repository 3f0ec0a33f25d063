/**
 * What went wrong, as a stable code. Codes are grouped by their first word:
 * - `usage.*`: the request itself is not understood (exit 1, nothing was contacted or changed)
 * - `instance.*`, `snapshot.*`, `image.*`, `setting.*`, `driver.*`, `host.*`, `guest.*`, `operation.*`: refused or failed (exit 2)
 * - `daemon.*`: drover's own process cannot be reached or understood (exit 3)
 */
export type ErrorCode =
	| 'usage.invalid'
	| 'instance.name-invalid'
	| 'instance.exists'
	| 'instance.missing'
	| 'instance.deleted'
	| 'instance.state'
	| 'instance.busy'
	| 'instance.broken'
	| 'instance.invalid'
	| 'snapshot.missing'
	| 'snapshot.exists'
	| 'snapshot.name-invalid'
	| 'snapshot.broken'
	| 'image.unknown'
	| 'image.unusable'
	| 'image.download'
	| 'image.untrusted'
	| 'setting.unknown'
	| 'setting.invalid'
	| 'driver.unsupported'
	| 'driver.not-installed'
	| 'driver.unusable'
	| 'driver.incapable'
	| 'driver.failed'
	| 'driver.unresponsive'
	| 'driver.switching'
	| 'host.disk-full'
	| 'host.failed'
	| 'guest.unanswered'
	| 'guest.failed'
	| 'operation.missing'
	| 'operation.cancelled'
	| 'operation.timeout'
	| 'daemon.unreachable'
	| 'daemon.protocol'
	| 'internal';

/** The form in which an error crosses the socket and is kept in operations. */
export type ErrorData = {
	readonly code: ErrorCode;
	/** One sentence: what happened and why. */
	readonly message: string;
	/** What the reader can do about it, one sentence. */
	readonly next?: string;
	/** The technical cause, free of control characters. */
	readonly cause?: string;
};

/** An error that is meant for a person: what, why, what to do. Everything drover refuses or fails at is one of these. */
export class DroverError extends Error {
	override readonly name = 'DroverError';
	readonly code: ErrorCode;
	readonly next: string | undefined;
	readonly detail: string | undefined;

	constructor(code: ErrorCode, message: string, options: {next?: string | undefined; cause?: unknown} = {}) {
		super(message, options.cause === undefined ? undefined : {cause: options.cause});
		this.code = code;
		this.next = options.next;
		this.detail = options.cause === undefined ? undefined : causeText(options.cause);
	}

	static from(data: ErrorData): DroverError {
		return new DroverError(data.code, data.message, {next: data.next, cause: data.cause});
	}

	toData(): ErrorData {
		return {
			code: this.code,
			message: this.message,
			...(this.next === undefined ? {} : {next: this.next}),
			...(this.detail === undefined ? {} : {cause: this.detail}),
		};
	}
}

/** Any thrown value as error data; what is not a {@link DroverError} is a defect of drover's own and says so. */
export function errorData(error: unknown): ErrorData {
	if (error instanceof DroverError) return error.toData();
	return {code: 'internal', message: `drover itself failed: ${causeText(error)}`};
}

/** The first line of a thrown value's message. */
export function causeText(error: unknown): string {
	const text = wordsOf(error);
	return (text.split('\n')[0] ?? '').replace(/[\u0000-\u001F\u007F-\u009F]/g, ' ').slice(0, 500);
}

/** Anything can be thrown, also what has no text: telling of an error must not fail itself. */
function wordsOf(error: unknown): string {
	try {
		return error instanceof Error ? error.message : String(error);
	} catch {
		return 'something that cannot be told';
	}
}

/** The exit code of the command line for an error, as Multipass has it. */
export function exitCodeOf(code: ErrorCode): number {
	if (code.startsWith('usage.')) return 1;
	if (code.startsWith('daemon.')) return 3;
	if (code === 'operation.timeout') return 5;
	return 2;
}
