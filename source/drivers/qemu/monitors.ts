import {DroverError} from '../../model/errors.ts';
import type {InstanceFiles} from '../machine/files.ts';
import {connectQmp, type Qmp, QmpError, type QmpOptions} from './qmp.ts';

/** What connecting may take when nothing else is said. */
const defaultTimeoutMs = 5000;

type Shared = {readonly client: Promise<Qmp>; users: number};

/**
 * The monitors in use. QEMU serves one client at a time, so everybody here who needs a monitor at the same time shares
 * one connection (commands carry ids); it is closed when the last one is done. A watch that is connected anyway answers
 * short questions, which saves connecting and works while somebody else holds the first monitor.
 */
export class Monitors {
	readonly #shared = new Map<string, Shared>();
	readonly #watches = new Map<string, Qmp>();

	/** @throws QmpError, and whatever `work` throws */
	async use<T>(files: InstanceFiles, options: QmpOptions, work: (monitor: Qmp) => Promise<T>): Promise<T> {
		const deadline = Date.now() + (options.timeoutMs ?? defaultTimeoutMs);
		for (;;) {
			const shared = this.#join(files.monitor, Math.max(1, deadline - Date.now()));
			try {
				const client = await orAborted(shared.client, options.signal).catch(error => {
					// Whoever opened it may have had less patience than we have.
					const isHasty = error instanceof QmpError && error.problem === 'silent' && Date.now() < deadline - 50;
					if (isHasty) return undefined;
					throw error;
				});
				if (client === undefined) continue;
				if (client.isClosed) throw new QmpError('closed', 'QEMU closed the connection');
				return await work(client);
			} finally {
				this.#leave(files.monitor, shared);
			}
		}
	}

	#join(path: string, timeoutMs: number): Shared {
		const found = this.#shared.get(path);
		if (found) {
			found.users++;
			return found;
		}
		// Without a signal: others may come to wait for the same connection.
		const shared: Shared = {client: connectQmp(path, {timeoutMs}), users: 1};
		this.#shared.set(path, shared);
		// A connection that failed or ended is not passed on to the next one.
		const forget = () => {
			if (this.#shared.get(path) === shared) this.#shared.delete(path);
		};
		shared.client.then(client => client.closed.then(forget), forget);
		return shared;
	}

	#leave(path: string, shared: Shared): void {
		shared.users--;
		if (shared.users > 0) return;
		if (this.#shared.get(path) === shared) this.#shared.delete(path);
		shared.client.then(
			client => client.close(),
			() => {},
		);
	}

	/** One short question, over the watch when there is one. @throws QmpError */
	async ask(
		files: InstanceFiles,
		command: string,
		options: QmpOptions,
		parameters?: Readonly<Record<string, unknown>>,
	): Promise<unknown> {
		const watch = this.#watches.get(files.watchMonitor);
		if (watch && !watch.isClosed) return watch.execute(command, parameters, options);
		return this.use(files, options, monitor => monitor.execute(command, parameters, options));
	}

	addWatch(files: InstanceFiles, client: Qmp): void {
		this.#watches.set(files.watchMonitor, client);
		void client.closed.then(() => {
			if (this.#watches.get(files.watchMonitor) === client) this.#watches.delete(files.watchMonitor);
		});
	}
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (!signal) return promise;
	return new Promise((resolve, reject) => {
		const aborted = () => reject(new QmpError('aborted', 'no longer wanted'));
		if (signal.aborted) aborted();
		signal.addEventListener('abort', aborted, {once: true});
		promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
	});
}

/** What a monitor did not do, in words. */
export function monitorError(error: unknown, doing: string): unknown {
	if (!(error instanceof QmpError)) return error;
	switch (error.problem) {
		case 'aborted':
			return new DroverError('operation.cancelled', `Cancelled while ${doing}.`);
		case 'refused':
			return new DroverError('driver.failed', `QEMU refused while ${doing}: ${error.message}.`, {cause: error});
		case 'closed':
			return new DroverError('driver.failed', `QEMU ended while ${doing}.`, {
				next: 'Look into qemu.log in the instance’s directory.',
				cause: error,
			});
		default:
			return new DroverError('driver.unresponsive', `QEMU does not answer while ${doing}.`, {
				next: 'Wait a moment, or cut its power with stop --force.',
				cause: error,
			});
	}
}
