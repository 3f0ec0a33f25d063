import {spawn} from 'node:child_process';
import {open, readFile, rm, stat} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {environment, findProgram, lastLine, run} from '../../machine/programs.ts';

/** Which of the two programs of that name: QEMU's own in C, up to 7.2, or the later one in Rust. */
export type FileServer = {readonly program: string; readonly kind: 'c' | 'rust'};

/** Where distributions put what is not meant to be called by people. */
const places = [
	'virtiofsd',
	'/usr/libexec/virtiofsd',
	'/usr/lib/qemu/virtiofsd',
	'/usr/lib/virtiofsd',
	'/usr/libexec/qemu/virtiofsd',
];

/** How it locks itself up; where namespaces cannot be made (in a container), the second will do. */
const sandboxes = ['namespace', 'chroot'] as const;

/** No devices and no rights that stick to files: both would be rights on the host. */
const withheld = '-mknod:-setfcap';

/** Milliseconds until it listens. */
const readyTimeoutMs = 5000;

/**
 * The virtiofsd of this host.
 * @returns a sentence without a full stop where it is missing or of no use: it needs root to act for the guest's users
 */
export async function findFileServer(isRoot = process.getuid?.() === 0): Promise<FileServer | string> {
	if (!isRoot) return 'virtiofsd needs root to act for the guest’s users';
	for (const place of places) {
		const program = await findProgram(place);
		if (program === undefined) continue;
		const {stdout, stderr} = await run(program, ['--version'], {timeoutMs: 3000});
		const kind = kindOf(`${stdout}\n${stderr}`);
		if (kind !== undefined) return {program, kind};
	}
	return 'virtiofsd is not installed';
}

/** `virtiofsd version 7.2.22 (Debian …)` is QEMU's own, `virtiofsd 1.10.1` the later one. */
export function kindOf(version: string): FileServer['kind'] | undefined {
	if (/^virtiofsd version \d+\./m.test(version)) return 'c';
	return /^virtiofsd \d+\./m.test(version) ? 'rust' : undefined;
}

export function fileServerArguments(
	{kind}: Pick<FileServer, 'kind'>,
	{source, socket, sandbox}: {source: string; socket: string; sandbox: string},
): readonly string[] {
	if (kind === 'rust') {
		const directory = `--shared-dir=${source}`;
		return [`--socket-path=${socket}`, directory, `--sandbox=${sandbox}`, '--cache=auto', `--modcaps=${withheld}`];
	}
	// Its options are taken apart at commas; a backslash takes their meaning away.
	const escaped = source.replace(/[\\,]/g, String.raw`\$&`);
	return [
		`--socket-path=${socket}`,
		...['-o', `source=${escaped}`],
		...['-o', `sandbox=${sandbox}`],
		...['-o', 'cache=auto'],
		...['-o', `modcaps=${withheld}`],
		...['-o', 'log_level=err'],
	];
}

/**
 * Starts one for a directory, in a session of its own: it serves a machine that outlives us, and ends with it.
 * @returns why it does not run, without a full stop; `undefined` when it listens
 */
export async function startFileServer(
	server: FileServer,
	{source, socket, logFile}: {source: string; socket: string; logFile: string},
): Promise<string | undefined> {
	let problem = '';
	for (const sandbox of sandboxes) {
		await rm(socket, {force: true});
		const log = await open(logFile, 'w', 0o600);
		let ended: string | undefined;
		try {
			const child = spawn(server.program, fileServerArguments(server, {source, socket, sandbox}), {
				cwd: path.dirname(logFile),
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
			for (const deadline = Date.now() + readyTimeoutMs; ended === undefined && Date.now() < deadline; ) {
				if (await stat(socket).catch(() => undefined)) return undefined;
				await sleep(5);
			}
			if (ended === undefined) child.kill('SIGKILL');
		} finally {
			await log.close();
		}
		problem = lastLine(await readFile(logFile, 'utf8').catch(() => '')) || (ended ?? 'it does not listen');
	}
	return `virtiofsd did not start: ${problem.replace(/\.$/, '')}`;
}
