import {connect} from 'node:net';
import {setTimeout as delay} from 'node:timers/promises';
import {causeText, DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';

/** A server may send other lines before its banner (RFC 4253, 4.2); this much of them is read. */
const maximumBytes = 8192;

/**
 * One try to read an SSH server's banner.
 * @returns the line that begins with `SSH-`, made safe to show, at most 255 characters
 * @throws Error with a few words when there is none within `timeoutMs`, counted from the connecting
 */
export function readBanner(options: {
	host: string;
	port: number;
	timeoutMs: number;
	signal: AbortSignal;
}): Promise<string> {
	const {host, port, timeoutMs, signal} = options;
	return new Promise((resolve, reject) => {
		const socket = connect({host, port});
		let received = Buffer.alloc(0);
		const end = (settle: () => void) => {
			clearTimeout(timer);
			signal.removeEventListener('abort', abort);
			socket.destroy();
			settle();
		};
		const fail = (words: string) => end(() => reject(new Error(words)));
		const abort = () => fail('given up');
		const timer = setTimeout(() => fail(received.length === 0 ? 'nothing came' : 'no SSH banner came'), timeoutMs);
		socket.on('error', error => fail(causeText(error)));
		socket.on('close', () => fail('the connection was closed'));
		socket.on('data', chunk => {
			received = Buffer.concat([received, chunk]);
			const banner = /^SSH-[^\r\n]*(?=\r?\n)/m.exec(received.toString('latin1'));
			if (banner) end(() => resolve(plainLine(banner[0]).slice(0, 255)));
			else if (received.length > maximumBytes) fail('what answers there is not SSH');
		});
		if (signal.aborted) abort();
		else signal.addEventListener('abort', abort);
	});
}

export type WaitRequest = {
	readonly host: string;
	readonly port: number;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
	/** Told at each try how long it has been waited for, in milliseconds, and how the last try ended. */
	readonly onWait?: (elapsedMs: number, last: string | undefined) => void;
};

/** What time and network are to {@link waitForSsh}; tests bring their own. */
export type WaitTools = {
	/** Milliseconds on a clock that never goes back. */
	now(): number;
	sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
	attempt: typeof readBanner;
};

const realTools: WaitTools = {
	now: () => performance.now(),
	sleep: async (milliseconds, signal) => {
		await delay(milliseconds, undefined, {signal});
	},
	attempt: readBanner,
};

/**
 * Waits until a guest answers on its SSH port.
 *
 * QEMU's user network accepts a connection before the guest listens and then repeats its SYN ever more slowly, so an old
 * connection is of no use: a new one is tried every 100 ms, and each is given 400 ms. Both grow slowly with the time
 * waited, so that a guest on a busy host, whose banner takes seconds, is heard in the end too.
 * @returns the banner, made safe to show
 * @throws DroverError `guest.unanswered` after `timeoutMs`; `operation.cancelled`, or the signal's own reason
 */
export async function waitForSsh(request: WaitRequest, tools: WaitTools = realTools): Promise<string> {
	const {host, port, timeoutMs, signal, onWait} = request;
	const ended = new AbortController();
	const either = AbortSignal.any([signal, ended.signal]);
	const begin = tools.now();
	let last: string | undefined;
	let hear: (banner: string) => void;
	const heard = new Promise<string>(resolve => {
		hear = resolve;
	});
	try {
		for (;;) {
			signal.throwIfAborted();
			const elapsed = tools.now() - begin;
			const left = timeoutMs - elapsed;
			if (left <= 0) throw unanswered(timeoutMs, last);
			onWait?.(elapsed, last);
			const patience = Math.min(Math.max(400, elapsed / 10), 5000);
			tools.attempt({host, port, timeoutMs: Math.min(patience, left), signal: either}).then(
				banner => hear(banner),
				error => {
					last = causeText(error);
				},
			);
			const banner = await Promise.race([heard, tools.sleep(Math.min(patience / 4, left), either)]);
			if (banner !== undefined) return banner;
		}
	} catch (error) {
		if (!signal.aborted) throw error;
		throw signal.reason instanceof DroverError
			? signal.reason
			: new DroverError('operation.cancelled', 'Waiting for the guest was called off.', {cause: signal.reason});
	} finally {
		ended.abort();
	}
}

function unanswered(timeoutMs: number, last: string | undefined): DroverError {
	return new DroverError(
		'guest.unanswered',
		`the guest did not answer on SSH within ${Math.round(timeoutMs / 1000)} s${last === undefined ? '' : ` (${last})`}`,
		{next: 'Wait longer, look at its console, or stop it with --force.'},
	);
}
