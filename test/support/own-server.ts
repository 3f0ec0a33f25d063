import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdir, readFile, rm} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';

/** An LXD or Incus of the tests' own, which neither sees nor touches the one of this host. */
export type OwnServer = {
	readonly title: 'LXD' | 'Incus';
	/** What a client is given to find it. */
	readonly environment: Readonly<Record<string, string>>;
	readonly directory: string;
	readonly pid: () => number | undefined;
	/** The interfaces that are on a bridge of its. */
	ports(bridge: string): Promise<string>;
	/** Ends its daemon alone, as a crash would: instances go on. */
	kill(): Promise<void>;
	start(): Promise<void>;
	/** Ends everything it runs, then itself, and removes what it made on the host. */
	close(): Promise<void>;
};

export type OwnServerPlan = {
	readonly title: OwnServer['title'];
	/** The daemon's program, behind what it is run in. */
	readonly command: readonly string[];
	/** The same, as it is called to speak with the daemon. */
	readonly control: readonly string[];
	readonly directory: string;
	/** Names the directory to the daemon and to clients. */
	readonly variable: 'LXD_DIR' | 'INCUS_DIR';
	readonly ports: OwnServer['ports'];
	/** Takes what is left on the host away, after its processes. */
	clear(): Promise<void>;
};

/** Starts a daemon with a directory of its own. @returns why there can be none here */
export async function ownServer(plan: OwnServerPlan): Promise<OwnServer | string> {
	const {title, directory, variable, ports} = plan;
	const {PATH = ''} = process.env;
	const environment = {[variable]: directory, PATH: `${PATH}:/usr/sbin:/sbin`, HOME: '/root', LC_ALL: 'C'};
	const log = path.join(directory, 'test.log');
	let child: ChildProcess | undefined;
	const ask = (...words: string[]) => {
		const [program = '', ...before] = plan.control;
		return execa(program, [...before, ...words], {env: environment, reject: false, timeout: 70_000, stdin: 'ignore'});
	};
	const own: OwnServer = {
		title,
		environment: {[variable]: directory},
		directory,
		pid: () => child?.pid,
		ports,
		async start() {
			const [program = '', ...before] = plan.command;
			child = spawn(program, [...before, '--group', 'root', `--logfile=${log}`], {
				env: environment,
				stdio: 'ignore',
				detached: true,
			});
			const ready = await ask('waitready', '--timeout=60');
			if (ready.exitCode === 0) return;
			throw new Error(`${title} did not start: ${(await readFile(log, 'utf8').catch(() => '')).slice(-1000)}`);
		},
		async kill() {
			if (!child || child.exitCode !== null || child.signalCode !== null) return;
			const ended = once(child, 'exit');
			child.kill('SIGKILL');
			await ended;
		},
		async close() {
			if (child && child.exitCode === null && child.signalCode === null) {
				const ended = once(child, 'exit');
				// Stops its instances, ends dnsmasq and takes its bridges away.
				await ask('shutdown', '--timeout', '20');
				await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 10_000))]);
				await own.kill();
			}
			await endProcessesNaming(directory);
			await plan.clear();
			await rm(directory, {recursive: true, force: true, maxRetries: 5, retryDelay: 200});
		},
	};
	try {
		await own.start();
		return own;
	} catch (error) {
		await own.close();
		return (error as Error).message;
	}
}

/** What a daemon that was killed has left running: monitors of containers, dnsmasq. */
async function endProcessesNaming(directory: string): Promise<void> {
	for (const name of await readdir('/proc')) {
		if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
		const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
		if (!line.includes(directory)) continue;
		try {
			process.kill(Number(name), 'SIGKILL');
		} catch {
			// It has ended by itself.
		}
	}
}
