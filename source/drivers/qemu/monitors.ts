import {DroverError} from '../../model/errors.ts';
import type {InstanceFiles} from '../machine/files.ts';
import {connectQmp, type Qmp, QmpError, type QmpOptions} from './qmp.ts';

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
		const path = files.monitor;
		let shared = this.#shared.get(path);
		if (!shared) {
			// Without the first one's signal: others may be waiting for the same connection.
			shared = {
				client: connectQmp(path, options.timeoutMs === undefined ? {} : {timeoutMs: options.timeoutMs}),
				users: 0,
			};
			this.#shared.set(path, shared);
		}
		shared.users++;
		try {
			const client = await orAborted(shared.client, options.signal);
			if (client.isClosed) throw new QmpError('closed', 'QEMU closed the connection');
			return await work(client);
		} catch (error) {
			// A connection that failed is not passed on to the next one.
			if (error instanceof QmpError && error.problem !== 'refused' && this.#shared.get(path) === shared) {
				this.#shared.delete(path);
			}
			throw error;
		} finally {
			shared.users--;
			if (shared.users === 0) {
				if (this.#shared.get(path) === shared) this.#shared.delete(path);
				shared.client.then(
					client => client.close(),
					() => {},
				);
			}
		}
	}

	/** One short question, over the watch when there is one. @throws QmpError */
	async ask(files: InstanceFiles, command: string, options: QmpOptions): Promise<unknown> {
		const watch = this.#watches.get(files.watchMonitor);
		if (watch && !watch.isClosed) return watch.execute(command, undefined, options);
		return this.use(files, options, monitor => monitor.execute(command, undefined, options));
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
