import {buildId, version} from '../model/build.ts';
import {DroverError, type ErrorData, errorData} from '../model/errors.ts';

/** Raised whenever an older client or daemon could misunderstand a newer one. */
export const protocolVersion = 2;

/**
 * The first message, in both directions. This type, the method names `hello` and `handover` and the framing are the
 * same in all versions for ever: they are what versions that know nothing of each other agree with.
 */
export type Hello = {
	readonly protocol: number;
	readonly version: string;
	readonly build: string;
	readonly pid: number;
	readonly user: string;
};

/** `force`: also while operations run (the next daemon takes them up again); else only when none does. */
export type HandoverRequest = {readonly force: boolean};
export type HandoverAnswer = {readonly accepted: boolean};

export type RequestMessage = {
	readonly jsonrpc: '2.0';
	readonly id: number | string;
	readonly method: string;
	readonly params?: unknown;
};
export type NotificationMessage = {readonly jsonrpc: '2.0'; readonly method: string; readonly params?: unknown};
export type AnswerMessage = {
	readonly jsonrpc: '2.0';
	readonly id: number | string | null;
	readonly result?: unknown;
	readonly error?: {readonly code: number; readonly message: string; readonly data?: unknown};
};

/** JSON-RPC's own codes, for peers that are not drover; drover reads `data`. */
const codes = {invalid: -32600, params: -32602, failed: -32000} as const;

export function ownHello(user: string): Hello {
	return {protocol: protocolVersion, version, build: buildId, pid: process.pid, user};
}

export function answer(id: number | string, result: unknown): AnswerMessage {
	return {jsonrpc: '2.0', id, result: result ?? null};
}

export function failure(id: number | string | null, error: unknown): AnswerMessage {
	const data = errorData(error);
	const code =
		data.code === 'daemon.protocol' ? codes.invalid : data.code === 'usage.invalid' ? codes.params : codes.failed;
	return {jsonrpc: '2.0', id, error: {code, message: data.message, data}};
}

/** The error of an answer as it was thrown on the other side. */
export function errorOf(error: NonNullable<AnswerMessage['error']>): DroverError {
	const data = error.data as Partial<ErrorData> | null | undefined;
	if (typeof data?.code === 'string' && typeof data.message === 'string') return DroverError.from(data as ErrorData);
	return new DroverError('daemon.protocol', `The drover daemon refused the request: ${error.message}`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws DroverError `daemon.protocol` when the other side is not drover */
export function readHello(value: unknown): Hello {
	if (
		isRecord(value) &&
		Number.isSafeInteger(value.protocol) &&
		typeof value.version === 'string' &&
		typeof value.build === 'string' &&
		Number.isSafeInteger(value.pid) &&
		typeof value.user === 'string'
	) {
		return {
			protocol: value.protocol as number,
			version: value.version.slice(0, 80),
			build: value.build.slice(0, 80),
			pid: value.pid as number,
			user: value.user.slice(0, 80),
		};
	}
	throw new DroverError('daemon.protocol', 'What answers on drover’s socket does not speak drover’s protocol.', {
		next: 'End the program that listens there, then try again.',
	});
}

export type Agreement =
	| 'use'
	/** Speaks the same, but is another build: it may hand over if nothing is under way. */
	| 'prefer-handover'
	/** Older than we are: it must hand over. */
	| 'need-handover'
	/** Newer than we are: we must be upgraded. */
	| 'too-new';

/** What a client does about the daemon it found. */
export function agree(client: Hello, daemon: Hello): Agreement {
	if (daemon.protocol > client.protocol) return 'too-new';
	if (daemon.protocol < client.protocol) return 'need-handover';
	return daemon.build === client.build ? 'use' : 'prefer-handover';
}
