import {asObject} from '../machine/json.ts';
import type {LxdClient, RequestOptions} from './client.ts';
import {LxdError} from './errors.ts';

export type OperationOptions = RequestOptions & {
	/** How long the whole may take; default 5 minutes. */
	readonly patienceMs?: number;
	/** Told what the server says of how far it is. */
	readonly onProgress?: (stage: string, percent?: number) => void;
	/** Told the operation's answer as soon as it has begun: exec's secrets are in it. */
	readonly onBegun?: (operation: string, metadata: Readonly<Record<string, unknown>>) => void;
};

/** An operation is waited for so long at a time; the server holds the answer back meanwhile. Seconds. */
const waitSeconds = 20;

const running = new Set([100, 103, 105, 106, 107]);

/**
 * Asks for something and waits until it has happened, whether the server answers at once or with an operation.
 * Which of the two it is differs between versions and cases.
 * @returns the operation's own metadata, or the answer's
 * @throws LxdError `refused` however the failure is told; `gone` when the server forgot the operation before it was asked
 */
export async function perform(
	client: LxdClient,
	method: string,
	path: string,
	options: OperationOptions = {},
): Promise<Readonly<Record<string, unknown>>> {
	const {patienceMs = 5 * 60_000, onProgress, onBegun, ...request} = options;
	const answer = await client.ask(method, path, request);
	if (answer.operation === undefined) return asObject(answer.metadata);
	onBegun?.(answer.operation, asObject(asObject(answer.metadata)['metadata']));
	return waitFor(client, answer.operation, {patienceMs, onProgress, signal: options.signal});
}

/** Waits for an operation that was begun. A cancelled wait tells the server, where the operation can be cancelled. */
export async function waitFor(
	client: LxdClient,
	operation: string,
	options: {
		readonly patienceMs: number;
		readonly onProgress?: ((stage: string, percent?: number) => void) | undefined;
		readonly signal?: AbortSignal | undefined;
	},
): Promise<Readonly<Record<string, unknown>>> {
	const {patienceMs, onProgress, signal} = options;
	// The operation is named with its project on Incus and without on LXD; it is found by its id alone.
	const path = operation.split('?')[0]!;
	const deadline = Date.now() + patienceMs;
	for (;;) {
		const left = Math.ceil((deadline - Date.now()) / 1000);
		if (left <= 0) throw new LxdError('silent', `it has not ended within ${Math.round(patienceMs / 1000)} s`);
		const timeout = Math.min(left, onProgress ? 1 : waitSeconds);
		let metadata: unknown;
		try {
			metadata = await client.get(`${path}/wait`, {timeout}, {timeoutMs: (timeout + 15) * 1000, signal});
		} catch (error) {
			if (!(error instanceof LxdError)) throw error;
			if (error.problem === 'aborted') void client.ask('DELETE', path, {timeoutMs: 5000}).catch(() => {});
			// It is forgotten five seconds after its end.
			if (error.problem === 'refused' && error.status === 404)
				throw new LxdError('gone', 'the operation is not known any more');
			throw error;
		}
		const {status_code: code, err, metadata: own} = asObject(metadata);
		if (typeof code !== 'number') throw new LxdError('malformed', 'an operation without a state');
		if (code === 200) return asObject(own);
		if (!running.has(code)) {
			throw new LxdError('refused', typeof err === 'string' && err !== '' ? err : `it ended with code ${code}`, {
				status: code,
			});
		}
		const {percent, stage} = asObject(asObject(own)['progress']);
		if (onProgress && typeof stage === 'string') {
			onProgress(stageWords[stage] ?? stage.replaceAll('_', ' '), percentOf(percent));
		}
	}
}

const stageWords: Readonly<Record<string, string>> = {
	create_instance_from_image_unpack: 'unpacking the image',
	create_container_from_image_unpack: 'unpacking the image',
	import: 'importing the image',
};

function percentOf(value: unknown): number | undefined {
	const number = typeof value === 'string' ? Number(value) : value;
	return typeof number === 'number' && number >= 0 && number <= 100 ? number : undefined;
}
