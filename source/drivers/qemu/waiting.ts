import {DroverError} from '../../model/errors.ts';
import {asObject} from '../machine/json.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {diskStuck} from '../machine/space.ts';
import type {Qmp, QmpEvent} from './qmp.ts';

export type UntilOptions = {
	/** Events that are a reason to look again at once. */
	readonly events: readonly string[];
	/** Looks again after this long without an event. */
	readonly everyMs: number;
	readonly timeoutMs: number;
	readonly signal?: AbortSignal;
};

/**
 * Asks until something is so: at each event, and now and then in case one was missed.
 * @returns whether it came to be within the time
 * @throws QmpError, DroverError `operation.cancelled`, and what `check` throws
 */
export async function until(monitor: Qmp, check: () => Promise<boolean>, options: UntilOptions): Promise<boolean> {
	const deadline = Date.now() + options.timeoutMs;
	let wasRung = false;
	let ring = () => {};
	const call = () => {
		wasRung = true;
		ring();
	};
	const subscription = monitor.onEvent(event => {
		if (options.events.includes(event.name)) call();
	});
	options.signal?.addEventListener('abort', call, {once: true});
	void monitor.closed.then(call);
	try {
		for (;;) {
			wasRung = false;
			if (options.signal) checkCancelled(options.signal);
			if (await check()) return true;
			const left = deadline - Date.now();
			if (left <= 0) return false;
			if (wasRung) continue;
			await new Promise<void>(resolve => {
				const timer = setTimeout(resolve, Math.min(options.everyMs, left));
				ring = () => {
					clearTimeout(timer);
					resolve();
				};
			});
		}
	} finally {
		subscription.close();
		options.signal?.removeEventListener('abort', call);
	}
}

/** QEMU's word for what the guest's processors do: `running`, `paused`, `inmigrate` ... @throws QmpError */
export async function runState(monitor: Qmp, timeoutMs = 5000): Promise<string> {
	return String(asObject(await monitor.execute('query-status', undefined, {timeoutMs})).status);
}

/** Milliseconds within which a write that is tried again has failed again. */
const writeAgainMs = 500;

/** What could not be written is tried again by going on; a disk that is still full stops the guest at once. */
async function goOnWriting(monitor: Qmp): Promise<void> {
	let isStuck = false;
	const subscription = monitor.onEvent(event => {
		if (isHeldByDisk(event)) isStuck = true;
	});
	try {
		await monitor.execute('cont', undefined, {timeoutMs: 10_000});
		await until(monitor, async () => isStuck, {
			events: ['BLOCK_IO_ERROR'],
			everyMs: writeAgainMs,
			timeoutMs: writeAgainMs,
		});
	} finally {
		subscription.close();
	}
	if (isStuck || (await runState(monitor)) === 'io-error') throw diskStuck('go on');
}

/** QEMU has stopped the guest, as something could not be written. Source: QEMU, `qapi/block-core.json`. */
export function isHeldByDisk({name, data}: QmpEvent): boolean {
	return name === 'BLOCK_IO_ERROR' && data.action === 'stop';
}

export type Migration = {
	readonly status: string;
	readonly isActive: boolean;
	readonly error?: string;
	/** Bytes of guest memory. */
	readonly remaining?: number;
	readonly total?: number;
};

const resting = new Set(['none', 'completed', 'failed', 'cancelled']);

/** @throws QmpError */
export async function migration(monitor: Qmp): Promise<Migration> {
	const answer = asObject(await monitor.execute('query-migrate'));
	const ram = asObject(answer.ram);
	const status = typeof answer.status === 'string' ? answer.status : 'none';
	const {remaining, total} = ram;
	return {
		status,
		isActive: !resting.has(status),
		...(typeof answer['error-desc'] === 'string' ? {error: answer['error-desc']} : {}),
		...(typeof remaining === 'number' && typeof total === 'number' ? {remaining, total} : {}),
	};
}

/**
 * Sets the guest's processors going and makes sure that they are.
 * @throws QmpError, DroverError `driver.failed`, `host.disk-full`
 */
export async function goOn(monitor: Qmp): Promise<void> {
	if ((await runState(monitor)) === 'io-error') return goOnWriting(monitor);
	await monitor.execute('cont', undefined, {timeoutMs: 10_000});
	const isRunning = await until(monitor, async () => (await runState(monitor)) === 'running', {
		events: ['RESUME'],
		everyMs: 20,
		timeoutMs: 5000,
	});
	if (!isRunning) {
		throw new DroverError('driver.failed', `QEMU does not set the guest going: it is ${await runState(monitor)}.`);
	}
}

/** Ends a memory image that is being written. @throws QmpError */
export async function callOffSaving(monitor: Qmp): Promise<void> {
	if (!(await migration(monitor)).isActive) return;
	await monitor.execute('migrate_cancel');
	await until(monitor, async () => !(await migration(monitor)).isActive, {
		events: ['MIGRATION'],
		everyMs: 50,
		timeoutMs: 10_000,
	});
}
