import {spawn} from 'node:child_process';
import {open, readdir, readFile, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../../model/errors.ts';
import type {InstancePlace} from '../../driver.ts';
import {environment, lastLine} from '../../machine/programs.ts';
import {type FileServer, fileServerArguments, type Serving} from './file-server.ts';
import {serverLog, serverMark, serverSocket} from './native-mount.ts';
import {processesWith} from './served.ts';

/** Milliseconds until it listens: it needs some 30, on a host that is very busy much more. */
const readyTimeoutMs = 10_000;

/**
 * Starts a virtiofsd for a directory, in a session of its own: it serves a machine that outlives us, and ends when that
 * lets go of it. Returns when it listens.
 * @throws DroverError `driver.failed` with its own words
 */
export async function startServing(place: InstancePlace, id: string, server: FileServer, what: Serving): Promise<void> {
	const logFile = serverLog(place, id);
	const log = await open(logFile, 'w', 0o600);
	let ended: string | undefined;
	try {
		const child = spawn(server.program, fileServerArguments(server, what), {
			cwd: place.directory,
			detached: true,
			env: environment(),
			stdio: ['ignore', log.fd, log.fd],
		});
		child.once('error', error => {
			ended = error.message;
		});
		child.once('exit', (code, signal) => {
			ended = signal ?? `exit code ${code}`;
		});
		child.unref();
	} finally {
		await log.close();
	}
	for (const deadline = Date.now() + readyTimeoutMs; ended === undefined; await sleep(5)) {
		if (await stat(what.socket).catch(() => undefined)) return;
		if (Date.now() > deadline) break;
	}
	const words = lastLine(await readFile(logFile, 'utf8').catch(() => '')) || (ended ?? 'it does not listen');
	await endServing(place, id);
	throw new DroverError('driver.failed', `virtiofsd does not serve ${what.source}: ${words.replace(/\.$/, '')}.`, {
		next: 'Use --type classic, or look into the .log file beside the instance’s disk.',
	});
}

/** The processes that serve one of an instance's mounts, with their command lines: it may be two of one program. */
export function serversOf(place: InstancePlace, id: string): Promise<ReadonlyMap<number, readonly string[]>> {
	return processesWith(`--socket-path=${serverSocket(place, id)}`);
}

/** Ends what serves one mount, and takes its traces away. What is not there is no error. */
export async function endServing(place: InstancePlace, id: string): Promise<void> {
	await endAll(() => serversOf(place, id));
	await removeTraces(place, id);
}

async function removeTraces(place: InstancePlace, id: string): Promise<void> {
	const socket = serverSocket(place, id);
	// The one in C locks a file of the whole system, and leaves it. Source: QEMU 7.2, `tools/virtiofsd/fuse_virtio.c`.
	const lock = path.join('/var/run/virtiofsd', `${socket.replaceAll('/', '.')}.pid`);
	for (const file of [socket, `${socket}.pid`, lock, serverLog(place, id)]) await rm(file, {force: true});
}

/**
 * The same for all of an instance that no QEMU runs. They end by themselves when it does; one whose QEMU never came to it
 * waits for ever, as after a daemon that was killed in between.
 */
export async function endAllServing(place: InstancePlace): Promise<void> {
	const names = await readdir(place.sockets).catch(() => []);
	const left = names.filter(name => /^mnt-/.test(name));
	if (left.length === 0) return;
	await endAll(() => processesWith(serverMark(place)));
	for (const name of left) {
		await rm(path.join(place.sockets, name), {force: true});
		await removeTraces(place, name.replace(/\..*$/, ''));
	}
}

async function endAll(find: () => Promise<ReadonlyMap<number, readonly string[]>>): Promise<void> {
	for (let attempt = 0; attempt < 100; attempt++) {
		const found = await find();
		if (found.size === 0) return;
		for (const pid of found.keys()) {
			try {
				// Asked first, as it takes its traces away then.
				process.kill(pid, attempt < 20 ? 'SIGTERM' : 'SIGKILL');
			} catch {
				// It has ended.
			}
		}
		await sleep(10);
	}
}
