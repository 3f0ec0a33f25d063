import {closeSync, fstatSync, rmSync, writeSync} from 'node:fs';
import process from 'node:process';
import {setTimeout as delay} from 'node:timers/promises';
import type {Engine} from '../engine/engine.ts';
import {buildId, version} from '../model/build.ts';
import {DroverError, errorData} from '../model/errors.ts';
import {accountName} from '../platform/user-name.ts';
import {type Lock, lockHolder, takeLock} from '../state/lock.ts';
import {makePrivate, type Paths} from '../state/paths.ts';
import {isListening, now} from './connect.ts';
import {type DaemonLog, openDaemonLog} from './daemon-log.ts';
import {checkPrivate} from './private-place.ts';
import {type EngineServer, serve} from './server.ts';
import {readyDescriptor, readyVariable, type StartReport} from './start-daemon.ts';
import {isUpgrade, stampOf} from './upgrade.ts';

/** The engine as the daemon needs it. `isIdle`: no operation runs and nothing is waited for. */
export type DaemonEngine = Engine & {isIdle(): boolean};

export type DaemonOptions = {
	readonly createEngine?: (paths: Paths) => Promise<DaemonEngine>;
	/** Seconds without client and operation after which it ends. Default: `DROVER_IDLE`, else 15 minutes. */
	readonly idleSeconds?: number;
};

/** Milliseconds a daemon waits for another one that is just ending. */
const lockPatience = 3000;
/** Milliseconds the engine may take to let go. */
const closingLimit = 10_000;
const defaultIdleSeconds = 15 * 60;

/**
 * Is the user's daemon until it is no longer needed, is told to end, or hands over to a newer one. The process must be
 * the daemon's own (its signals and its umask are changed), and must end when this returns.
 * @throws DroverError `daemon.unreachable` when there is another daemon already, `host.failed` when it cannot start
 */
export async function runDaemon(paths: Paths, options: DaemonOptions = {}): Promise<void> {
	process.umask(0o077);
	// It outlives the terminal and the login that it was started from.
	process.on('SIGHUP', () => {});
	const report = reporter();
	try {
		for (const directory of [paths.data, paths.runtime]) makePrivate(directory);
		checkPrivate(paths.socket);
		const lock = await waitForLock(paths);
		if (lock === undefined) {
			report({busy: true});
			throw anotherRuns(paths);
		}
		try {
			await live(paths, options, report);
		} finally {
			lock.release();
		}
	} catch (error) {
		report({error: errorData(error)});
		throw error;
	}
}

/** From the engine's beginning to its end, under the lock. */
async function live(paths: Paths, options: DaemonOptions, report: (report: StartReport) => void) {
	const log = openDaemonLog(paths.daemonLog);
	const {promise: end, resolve: endBecause} = Promise.withResolvers<string>();
	// For good, not once: packages that want to know of the end (`when-exit`, below `conf`) send each signal again.
	process.on('SIGTERM', () => endBecause('SIGTERM'));
	process.on('SIGINT', () => endBecause('SIGINT'));
	endOnDefect(log);
	log.write(`daemon ${version} (${buildId}) begins as process ${process.pid}`);
	try {
		removeStaleSocket(paths.socket);
		const engine = await (options.createEngine ?? createRealEngine)(paths);
		try {
			const server = await open(engine, paths.socket, log, endBecause);
			endWhenIdle(server, engine, idleSeconds(options, log), endBecause);
			report({ready: true});
			log.write(`daemon ends: ${await end}`);
			await server.close();
		} finally {
			await letGo(engine, log);
		}
	} catch (error) {
		const {message, cause} = errorData(error);
		log.write(`daemon failed: ${message}${cause === undefined ? '' : ` (${cause})`}`);
		throw error;
	} finally {
		log.close();
	}
}

async function createRealEngine(paths: Paths): Promise<DaemonEngine> {
	const {createEngine} = await import('../engine/create-engine.ts');
	return createEngine(paths);
}

async function open(
	engine: DaemonEngine,
	socketPath: string,
	log: DaemonLog,
	endBecause: (reason: string) => void,
): Promise<EngineServer> {
	const program = process.argv[1] ?? '';
	const stamp = stampOf(program);
	return serve(engine, socketPath, {
		user: accountName(),
		log: line => log.write(line),
		handover(request) {
			const found = {clientVersion: request.version, stamp: stampOf(program)};
			// What runs is journalled, so a client that cannot talk to us at all need not wait for its end.
			const isRight = request.force || (engine.isIdle() && isUpgrade({version, stamp}, found));
			if (isRight) setImmediate(endBecause, `hands over to ${request.version} (${request.build})`);
			return isRight;
		},
	});
}

/** An engine that does not let go must not share the data with the next daemon: then this process dies with its lock. */
async function letGo(engine: DaemonEngine, log: DaemonLog) {
	try {
		const hasClosed = await Promise.race([engine.close().then(() => true), delay(closingLimit, false, {ref: false})]);
		if (hasClosed) return;
		log.write(`the engine has not closed within ${closingLimit} ms`);
	} catch (error) {
		log.write(`the engine failed to close: ${errorData(error).message}`);
	}
	process.exit(1);
}

/** Nobody listens on it: we have the lock. */
function removeStaleSocket(socketPath: string) {
	try {
		rmSync(socketPath, {force: true});
	} catch (error) {
		throw new DroverError('host.failed', `${socketPath} is in the way of drover’s socket.`, {
			next: 'Remove it, then try again.',
			cause: error,
		});
	}
}

/** `undefined` when another daemon is alive, or has not ended in time. One that ends stops listening first. */
async function waitForLock(paths: Paths): Promise<Lock | undefined> {
	const deadline = now() + lockPatience;
	for (;;) {
		const lock = await takeLock(paths.lock);
		if (lock !== undefined || now() > deadline || (await isListening(paths.socket))) return lock;
		await delay(20);
	}
}

function anotherRuns(paths: Paths): DroverError {
	const pid = lockHolder(paths.lock);
	return new DroverError(
		'daemon.unreachable',
		`Another drover daemon${pid === undefined ? '' : ` (process ${pid})`} looks after ${paths.data} already.`,
		{next: 'There is nothing to do: drover’s commands use that one.'},
	);
}

/** A defect ends the daemon; what was under way is in the journal, and the next daemon takes it up. */
function endOnDefect(log: DaemonLog) {
	process.on('uncaughtException', error => {
		log.write(`defect, the daemon dies: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
		process.exit(1);
	});
}

function endWhenIdle(
	server: EngineServer,
	engine: DaemonEngine,
	seconds: number,
	endBecause: (reason: string) => void,
) {
	let timer: NodeJS.Timeout | undefined;
	const arm = () => {
		clearTimeout(timer);
		if (server.clients > 0) return;
		timer = setTimeout(() => {
			if (engine.isIdle()) endBecause(`nothing to do for ${seconds} s`);
			else arm();
		}, seconds * 1000);
		timer.unref();
	};
	server.onClients(arm);
	arm();
}

function idleSeconds(options: DaemonOptions, log: DaemonLog): number {
	if (options.idleSeconds !== undefined) return options.idleSeconds;
	const text = process.env.DROVER_IDLE;
	if (text === undefined || text === '') return defaultIdleSeconds;
	const seconds = Number(text);
	// A timer takes no more than 2^31 milliseconds.
	if (seconds > 0 && seconds <= 2_000_000) return seconds;
	log.write(
		`DROVER_IDLE is not a number of seconds: ${JSON.stringify(text.slice(0, 40))}; ${defaultIdleSeconds} is used`,
	);
	return defaultIdleSeconds;
}

/** Tells who started us, once, over the pipe that was handed to us; nobody is told when there is none. */
function reporter(): (report: StartReport) => void {
	const isTold = process.env[readyVariable] === String(readyDescriptor) && isPipe(readyDescriptor);
	delete process.env[readyVariable];
	let isOpen = isTold;
	return report => {
		if (!isOpen) return;
		isOpen = false;
		try {
			writeSync(readyDescriptor, `${JSON.stringify(report)}\n`);
		} catch {
			// Whoever started us is gone; the next client finds the socket.
		}
		closeSync(readyDescriptor);
	};
}

function isPipe(descriptor: number): boolean {
	try {
		const found = fstatSync(descriptor);
		return found.isSocket() || found.isFIFO();
	} catch {
		return false;
	}
}
