import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {findOnPath} from './find-program.ts';
import {imageCache} from './micro-image.ts';

/** A libvirt of the tests' own, which neither sees nor touches the one of this host or user. */
export type OwnLibvirt = {
	readonly uri: string;
	/** Ends its daemon alone, as a crash would: machines go on. */
	kill(): Promise<void>;
	/** Starts the daemon again. */
	start(): Promise<void>;
	/** Ends everything it runs, then itself. */
	close(): Promise<void>;
};

/**
 * Starts a user's libvirt in directories of its own. For root, libvirt knows only the system's: there the daemon is
 * given a user namespace, in which it is not root, and its files are root's all the same.
 * @returns why there can be none here
 */
export async function ownLibvirt(): Promise<OwnLibvirt | string> {
	if (process.platform !== 'linux') return 'libvirt is for Linux';
	const daemon = findOnPath('libvirtd') ?? findOnPath('virtqemud');
	const virsh = findOnPath('virsh');
	if (daemon === undefined || virsh === undefined) return 'libvirt is not installed';
	const isRoot = process.getuid?.() === 0;
	const namespace = ['--user', '--map-user=1000', '--map-group=1000'];
	if (isRoot && (await execa('unshare', [...namespace, 'true'], {reject: false})).exitCode !== 0) {
		return 'user namespaces cannot be made here, and root has no libvirt of its own';
	}
	const home = await mkdtemp(path.join(tmpdir(), 'drover-lv-'));
	const runtime = path.join(home, 'run');
	const config = path.join(home, 'config');
	// What libvirt has found out about QEMU is worth keeping: it takes 10 s.
	const cache = path.join(imageCache, 'libvirt');
	await mkdir(runtime, {mode: 0o700});
	await mkdir(path.join(config, 'libvirt'), {recursive: true});
	await mkdir(cache, {recursive: true, mode: 0o700});
	// Without this it starts a second daemon for logs, which outlives it.
	await writeFile(path.join(config, 'libvirt', 'qemu.conf'), 'stdio_handler = "file"\n');
	const {PATH = '', HOME = '/'} = process.env;
	const environment = {
		PATH: `${PATH}:/usr/sbin:/sbin`,
		HOME,
		LC_ALL: 'C',
		XDG_RUNTIME_DIR: runtime,
		XDG_CONFIG_HOME: config,
		XDG_CACHE_HOME: cache,
	};
	const name = path.basename(daemon);
	const socket = path.join(runtime, 'libvirt', name === 'libvirtd' ? 'libvirt-sock' : `${name}-sock`);
	const log = path.join(home, 'log');
	let child: ReturnType<typeof spawn> | undefined;
	const uri = `qemu:///session?socket=${socket}`;
	const own: OwnLibvirt = {
		uri,
		async start() {
			await rm(socket, {force: true});
			const [program, args] = isRoot ? ['unshare', [...namespace, daemon]] : [daemon, []];
			const started = spawn(program, args, {env: environment, stdio: 'ignore', detached: true});
			child = started;
			for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
				if (started.exitCode !== null) break;
				if (await stat(socket).catch(() => undefined)) {
					const answer = await execa(virsh, ['-q', '-c', uri, 'list'], {
						reject: false,
						timeout: 20_000,
						env: environment,
					});
					if (answer.exitCode === 0) return;
				}
				await new Promise(resolve => setTimeout(resolve, 50));
			}
			throw new Error(`${name} did not start: ${await readFile(log, 'utf8').catch(() => '')}`);
		},
		async kill() {
			if (!child || child.exitCode !== null || child.signalCode !== null) return;
			const ended = once(child, 'exit');
			child.kill('SIGKILL');
			await ended;
		},
		async close() {
			const options = {reject: false, timeout: 30_000, env: environment} as const;
			const {stdout} = await execa(virsh, ['-q', '-c', uri, 'list', '--uuid'], options);
			for (const id of stdout.split('\n').filter(Boolean)) await execa(virsh, ['-c', uri, 'destroy', id], options);
			await own.kill();
			await rm(home, {recursive: true, force: true});
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
