import {access} from 'node:fs/promises';
import path from 'node:path';
import {LxdClient} from './client.ts';
import {LxdError} from './errors.ts';
import {parseFacts, type ServerFacts} from './server-facts.ts';

/** Why a socket cannot be used, in the order in which a reason is worth telling. */
export type SocketProblem = 'no-right' | 'down' | 'silent' | 'odd' | 'absent';

export type Found =
	| {readonly client: LxdClient; readonly facts: ServerFacts}
	| {
			readonly problem: SocketProblem;
			readonly path: string;
			readonly tried: readonly string[];
			readonly detail: string;
	  };

const answerTimeoutMs = 2500;

/** In a server's directory: the one for those who may do everything, and the restricted one. */
const sockets = ['unix.socket', 'unix.socket.user'] as const;

/**
 * Where a server's socket can be, best first. Source: the servers' packages; the restricted sockets of `lxd-user` and
 * `incus-user` come last.
 */
export function socketCandidates(environment: NodeJS.ProcessEnv): readonly string[] {
	const named = ['LXD_SOCKET', 'INCUS_SOCKET'].flatMap(name => environment[name] || []);
	const directories = ['LXD_DIR', 'INCUS_DIR'].flatMap(name => environment[name] || []);
	const inside = directories.flatMap(directory => sockets.map(socket => path.join(directory, socket)));
	const own = [...named, ...inside].filter(path.isAbsolute);
	// Who names one wants that one and no other.
	if (own.length > 0) return own;
	return [
		'/var/snap/lxd/common/lxd/unix.socket',
		'/var/lib/lxd/unix.socket',
		'/run/incus/unix.socket',
		'/var/lib/incus/unix.socket',
		'/var/snap/lxd/common/lxd-user/unix.socket',
		'/var/lib/lxd/unix.socket.user',
		'/run/incus/unix.socket.user',
		'/var/lib/incus/unix.socket.user',
	];
}

const order: readonly SocketProblem[] = ['no-right', 'silent', 'odd', 'down', 'absent'];

/** The first socket whose server answers and trusts us; else the problem most worth telling. Never throws. */
export async function findSocket(candidates: readonly string[]): Promise<Found> {
	const failures: Array<{problem: SocketProblem; path: string; detail: string}> = [];
	for (const socket of candidates) {
		const client = new LxdClient({kind: 'socket', path: socket});
		try {
			const facts = parseFacts(await client.get('/1.0', undefined, {timeoutMs: answerTimeoutMs}));
			if (facts.isTrusted) return {client, facts};
			failures.push({problem: 'no-right', path: socket, detail: 'it does not trust this user'});
		} catch (error) {
			failures.push({problem: problemOf(error), path: socket, detail: (error as Error).message});
		}
		client.close();
	}
	const worst = order.flatMap(problem => failures.filter(failure => failure.problem === problem))[0];
	return {...(worst ?? {problem: 'absent', path: '', detail: 'no socket is known'}), tried: candidates};
}

function problemOf(error: unknown): SocketProblem {
	if (!(error instanceof LxdError)) return 'odd';
	if (error.errno === 'EACCES' || error.errno === 'EPERM' || error.status === 403) return 'no-right';
	if (error.errno === 'ENOENT' || error.errno === 'ENOTDIR') return 'absent';
	// A reset comes from a daemon that is just ending.
	if (['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.errno ?? '')) return 'down';
	return error.problem === 'silent' ? 'silent' : 'odd';
}

/** Whose socket it is, by its path and by what named it. */
export function flavourOf(socket: string, environment: NodeJS.ProcessEnv): 'lxd' | 'incus' {
	const {INCUS_SOCKET = '', INCUS_DIR = ''} = environment;
	const isNamed = socket === INCUS_SOCKET || (INCUS_DIR !== '' && path.dirname(socket) === path.resolve(INCUS_DIR));
	return isNamed || socket.includes('incus') ? 'incus' : 'lxd';
}

/** Whether one of these programs is installed: then an absent socket means a server that is not started. */
export async function installedProgram(environment: NodeJS.ProcessEnv): Promise<'lxd' | 'incus' | undefined> {
	const places = [...(environment['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/libexec/incus', '/snap/bin'];
	for (const [program, name] of [
		['lxd', 'lxd'],
		['incusd', 'incus'],
	] as const) {
		for (const directory of places.filter(path.isAbsolute)) {
			const isThere = await access(path.join(directory, program)).then(
				() => true,
				() => false,
			);
			if (isThere) return name;
		}
	}
	return undefined;
}
