import {chmodSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {type ConnectOptions, connect, type DaemonConnection} from '../../../source/protocol/connect.ts';
import {lockHolder} from '../../../source/state/lock.ts';
import {locate, makePrivate, type Paths} from '../../../source/state/paths.ts';

export const daemonEntry = fileURLToPath(new URL('daemon.ts', import.meta.url));

/** A DROVER_HOME of a test's own, and the daemons that it brought up. */
export class World {
	readonly home = mkdtempSync(path.join(tmpdir(), 'drover-daemon-'));
	paths: Paths;
	readonly #connections: DaemonConnection[] = [];
	readonly #pids = new Set<number>();

	constructor() {
		process.env.DROVER_HOME = this.home;
		delete process.env.DROVER_TEST_DAEMON;
		delete process.env.DROVER_IDLE;
		delete process.env.DROVER_TEST_PIPE;
		this.paths = locate();
	}

	/** From here on daemons listen as they do on Windows: under a name of their own, which a file tells. */
	usePipes() {
		process.env.DROVER_TEST_PIPE = '1';
		this.paths = {...this.paths, socket: this.paths.socket.replace(/\.sock$/, '.pipe')};
	}

	/** Makes the directories, for tests that listen there themselves. */
	prepare() {
		makePrivate(this.paths.data);
		makePrivate(this.paths.runtime);
		chmodSync(this.paths.runtime, 0o700);
	}

	async connect(options: ConnectOptions = {}): Promise<DaemonConnection> {
		const connection = await connect(this.paths, {command: [daemonEntry], ...options});
		this.#connections.push(connection);
		this.#pids.add(connection.daemon.pid);
		return connection;
	}

	/** Ends the daemons and removes everything. */
	async end() {
		for (const connection of this.#connections) await connection.engine.close();
		const holder = lockHolder(this.paths.lock);
		if (holder !== undefined) this.#pids.add(holder);
		for (const pid of this.#pids) {
			if (pid !== process.pid && isAlive(pid)) {
				process.kill(pid, 'SIGKILL');
				await until(() => !isAlive(pid));
			}
		}
		rmSync(this.home, {recursive: true, force: true});
	}
}

export function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

/** Waits for a condition; fails after fifteen seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what = String(condition)) {
	const deadline = performance.now() + 15_000;
	while (!(await condition())) {
		if (performance.now() > deadline) throw new Error(`has not come true: ${what}`);
		await new Promise(resolve => setTimeout(resolve, 5));
	}
}
