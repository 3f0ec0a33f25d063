import {connect as open, type Socket} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as delay} from 'node:timers/promises';
import type {Connection} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {environmentUser} from '../platform/user-name.ts';
import type {Paths} from '../state/paths.ts';
import {endpointAddress} from './endpoint.ts';
import {agree, type Hello, isRecord, ownHello, readHello} from './messages.ts';
import {checkPrivate} from './private-place.ts';
import {remoteEngine} from './remote-engine.ts';
import {RpcClient} from './rpc-client.ts';

export type ConnectOptions = {
	/** Whether to start a daemon when there is none. Default: yes. */
	readonly start?: boolean;
	/** Milliseconds all of it may take. Default 15,000. */
	readonly timeoutMs?: number;
	/** What Node runs to become the daemon. Default: this very program with the argument `daemon`. */
	readonly command?: readonly string[];
	/** Who we say we are; tests of upgrades say something else. */
	readonly hello?: Hello;
};

/** A connection to a daemon, and which daemon it is. */
export type DaemonConnection = Connection & {readonly daemon: Hello};

/** An older client may start an older daemon once more in the moment between two. */
const forcedHandovers = 2;

/** Milliseconds between two looks for a daemon that somebody else is starting. */
const pause = 10;

/**
 * Connects to the user's daemon, and starts it when there is none. Of many clients that find none, one starts it.
 * A daemon of an older protocol is made to hand over to a new one, and one of another build is asked to.
 * @throws DroverError `daemon.unreachable` (no daemon, it cannot be started, it does not answer), `daemon.protocol`
 */
export async function connect(paths: Paths, options: ConnectOptions = {}): Promise<DaemonConnection> {
	const {start = true, timeoutMs = 15_000, hello = ownHello(userName())} = options;
	const deadline = now() + timeoutMs;
	const left = () => deadline - now();
	let handovers = 0;
	while (left() > 0) {
		checkPrivate(paths.socket);
		const socket = await tryOpen(paths.socket);
		if (socket === undefined) {
			if (!start) throw noDaemon();
			await startOne(paths, options.command ?? ownCommand(), left());
			continue;
		}
		const rpc = new RpcClient(socket);
		const daemon = await greet(rpc, hello, left());
		if (daemon === 'gone') {
			await delay(pause);
			continue;
		}
		const agreement = agree(hello, daemon);
		if (agreement === 'too-new') {
			rpc.close();
			throw outdated(hello, daemon);
		}
		// Asked a bounded number of times: programs of different builds must not go on ending each other's daemon.
		const force = agreement === 'need-handover';
		const isWanted = start && handovers < (force ? forcedHandovers : 1) && agreement !== 'use';
		if (isWanted && (await handOver(rpc, force, left()))) {
			handovers++;
			continue;
		}
		if (force) {
			rpc.close();
			throw outdated(hello, daemon);
		}
		return {engine: remoteEngine(rpc), closed: rpc.closed.then(() => {}), daemon};
	}
	throw await unanswered(paths, timeoutMs);
}

/** `undefined` when nobody listens there. */
async function tryOpen(socketPath: string): Promise<Socket | undefined> {
	const address = endpointAddress(socketPath);
	if (address === undefined) return undefined;
	const socket = open(address);
	try {
		await new Promise<void>((resolve, reject) => {
			socket.once('connect', resolve);
			socket.once('error', reject);
		});
		socket.removeAllListeners('error');
		return socket;
	} catch (error) {
		const {code} = error as NodeJS.ErrnoException;
		if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
		// Its queue of callers is full: it is there, and busy.
		if (code === 'EAGAIN') {
			await delay(pause);
			return tryOpen(socketPath);
		}
		throw new DroverError('daemon.unreachable', `The socket ${socketPath} cannot be opened.`, {
			next: 'Check who owns it and its directory; drover makes both anew when they are removed.',
			cause: error,
		});
	}
}

/** `gone`: it hung up, as a daemon does that is just ending. */
async function greet(rpc: RpcClient, hello: Hello, limit: number): Promise<Hello | 'gone'> {
	try {
		const answer = await within(rpc.request('hello', hello), limit);
		return answer === undefined ? 'gone' : readHello(answer);
	} catch (error) {
		rpc.close();
		if (error instanceof DroverError && error.code === 'daemon.unreachable') return 'gone';
		throw error;
	}
}

/** Whether it made way. Then it has closed the line, and the lock is about to be free. */
async function handOver(rpc: RpcClient, force: boolean, limit: number): Promise<boolean> {
	try {
		const answer = await within(rpc.request('handover', {force}), limit);
		if (!isRecord(answer) || answer.accepted !== true) return false;
	} catch (error) {
		if (!(error instanceof DroverError) || error.code !== 'daemon.unreachable') return false;
	}
	await within(rpc.closed, limit);
	rpc.close();
	return true;
}

/** Starts a daemon, unless another client is at it: then waits a moment. */
async function startOne(paths: Paths, command: readonly string[], limit: number) {
	const [{startDaemon}, {takeLock}, {makePrivate}] = await Promise.all([
		import('./start-daemon.ts'),
		import('../state/lock.ts'),
		import('../state/paths.ts'),
	]);
	makePrivate(paths.data);
	const turn = await takeLock(`${paths.lock}.start`);
	if (turn === undefined) {
		await delay(pause);
		return;
	}
	try {
		// Another client may have started one while we waited for our turn.
		if (await isListening(paths.socket)) return;
		if ((await startDaemon(paths, command, limit)) === 'busy') await delay(pause);
	} finally {
		turn.release();
	}
}

/** Whether a daemon is there, busy or not. */
export async function isListening(socketPath: string): Promise<boolean> {
	const socket = await tryOpen(socketPath);
	socket?.destroy();
	return socket !== undefined;
}

/** Milliseconds, only ever forward. `performance` would be loaded first, which takes 2 ms of every command. */
export function now(): number {
	return process.uptime() * 1000;
}

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
	let timer: NodeJS.Timeout | undefined;
	const limit = new Promise<undefined>(resolve => {
		timer = setTimeout(resolve, Math.max(0, milliseconds), undefined);
	});
	try {
		return await Promise.race([promise, limit]);
	} finally {
		clearTimeout(timer);
	}
}

function ownCommand(): string[] {
	return [path.resolve(process.argv[1] ?? ''), 'daemon'];
}

/** For the log only. */
function userName(): string {
	return environmentUser(process.env) ?? String(process.getuid?.() ?? '');
}

function noDaemon(): DroverError {
	return new DroverError('daemon.unreachable', 'No drover daemon is running.', {
		next: 'Any command that needs one starts it, for instance: drover list',
	});
}

function outdated(client: Hello, daemon: Hello): DroverError {
	const isNewer = daemon.protocol > client.protocol;
	return new DroverError(
		'daemon.protocol',
		`The drover daemon is ${isNewer ? 'newer' : 'older'} (${daemon.version}) than this drover (${client.version}) and they do not understand each other.`,
		{
			next: isNewer
				? 'Start drover anew; if that does not help, upgrade it.'
				: `End the daemon, the next command starts a new one: kill ${daemon.pid}`,
		},
	);
}

async function unanswered(paths: Paths, timeoutMs: number): Promise<DroverError> {
	const {lockHolder} = await import('../state/lock.ts');
	const pid = lockHolder(paths.lock);
	return new DroverError(
		'daemon.unreachable',
		`The drover daemon${pid === undefined ? '' : ` (process ${pid})`} did not answer within ${Math.round(timeoutMs / 1000)} s.`,
		{
			next:
				pid === undefined
					? `Try again; its log tells more: ${paths.daemonLog}`
					: `Try again, or end it: kill -9 ${pid}. Instances are not affected, and the next command starts a new daemon.`,
		},
	);
}
