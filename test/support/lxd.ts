import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readdir, readFile, readlink, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {findOnPath} from './find-program.ts';

/** An LXD of the tests' own, which neither sees nor touches the one of this host. */
export type OwnLxd = {
	/** What a client is given to find it. */
	readonly environment: {readonly LXD_DIR: string};
	readonly directory: string;
	readonly pid: () => number | undefined;
	/** Ends its daemon alone, as a crash would: instances go on. */
	kill(): Promise<void>;
	start(): Promise<void>;
	/** Ends everything it runs, then itself, and removes what it made on the host. */
	close(): Promise<void>;
};

const interfaces = '/sys/class/net';

/**
 * Starts an LXD daemon with a directory of its own. It makes bridges, name spaces and control groups, so it needs root.
 * @param within a command that runs it elsewhere, as in a network of its own
 * @returns why there can be none here
 */
export async function ownLxd({within = []}: {within?: readonly string[]} = {}): Promise<OwnLxd | string> {
	if (process.platform !== 'linux') return 'LXD is for Linux';
	if (process.getuid?.() !== 0) return 'an LXD daemon of its own needs root';
	const program = findOnPath('lxd');
	if (program === undefined) return 'LXD is not installed';
	if (findOnPath('dnsmasq') === undefined) return 'dnsmasq is not installed, which LXD needs for a network';
	// Short: the paths of sockets in it are limited.
	const directory = await mkdtemp('/tmp/dl-');
	const before = new Set(await readdir(interfaces).catch(() => []));
	const environment = {LXD_DIR: directory, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, HOME: '/root', LC_ALL: 'C'};
	const log = path.join(directory, 'test.log');
	let child: ChildProcess | undefined;
	const own: OwnLxd = {
		environment: {LXD_DIR: directory},
		directory,
		pid: () => child?.pid,
		async start() {
			const [command = program, ...args] = [...within, program, '--group', 'root', `--logfile=${log}`];
			const started = spawn(command, args, {
				env: environment,
				stdio: 'ignore',
				detached: true,
			});
			child = started;
			const ready = await execa(program, ['waitready', '--timeout=60'], {env: environment, reject: false});
			if (ready.exitCode === 0) return;
			throw new Error(`LXD did not start: ${(await readFile(log, 'utf8').catch(() => '')).slice(-1000)}`);
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
				await execa(program, ['shutdown', '--timeout', '20'], {env: environment, reject: false, timeout: 60_000});
				await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 10_000))]);
				await own.kill();
			}
			await endProcessesIn(directory);
			await removeInterfaces(before);
			await unmountBelow(directory);
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
async function endProcessesIn(directory: string): Promise<void> {
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

/** Bridges, and the ends of interfaces that failed starts leave behind. */
async function removeInterfaces(before: ReadonlySet<string>): Promise<void> {
	for (const name of await readdir(interfaces).catch(() => [])) {
		if (before.has(name) || !(await isOurs(name))) continue;
		await execa('ip', ['link', 'delete', name], {reject: false});
	}
}

async function isOurs(name: string): Promise<boolean> {
	const own = /^(?:droverbr0|drt)/;
	if (own.test(name)) return true;
	if (!name.startsWith('veth')) return false;
	const master = await readlink(path.join(interfaces, name, 'master')).catch(() => undefined);
	return master === undefined || own.test(path.basename(master));
}

async function unmountBelow(directory: string): Promise<void> {
	const text = await readFile('/proc/self/mounts', 'utf8');
	const points = text.split('\n').flatMap(line => {
		const point = line.split(' ')[1] ?? '';
		return point.startsWith(`${directory}/`) ? [point] : [];
	});
	for (const point of points.reverse()) await execa('umount', ['-l', point], {reject: false});
	await stat(directory).catch(() => undefined);
}
