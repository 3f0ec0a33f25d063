import type WebSocket from 'ws';
import {DroverError} from '../../model/errors.ts';
import type {DirectAccess} from '../../model/guest-access.ts';
import {asObject} from '../machine/json.ts';
import {LxdClient} from './client.ts';
import {instancePath} from './context.ts';
import {LxdError, serverError} from './errors.ts';
import {waitFor} from './operation.ts';
import {openSocket} from './socket.ts';

export type DirectOptions = {
	/** Each reaches the guest's program as it is. None: a login shell. */
	readonly command?: readonly string[];
	/** Absolute, or relative to the user's home. */
	readonly workingDirectory?: string;
	/** Whether the guest gives a terminal. */
	readonly tty: boolean;
	readonly stdin: NodeJS.ReadStream;
	readonly stdout: NodeJS.WriteStream;
	readonly stderr: NodeJS.WriteStream;
};

/** As long as a person likes. */
const patienceMs = 2 ** 30;

/**
 * The command that runs as a user in the guest: in a session of theirs, in their home or another directory. `su` is
 * part of every system; the words of the command are its arguments and never part of a script.
 */
export function guestCommand(
	user: string,
	command: readonly string[] = [],
	workingDirectory: string | undefined = undefined,
): string[] {
	const script = [
		// Without the user, as in a root file system that has none, the one there is.
		'user=$1; dir=$2; shift 2',
		'home=$(getent passwd "$user" 2>/dev/null | cut -d: -f6); [ -n "$home" ] || home=$(awk -F: -v u="$user" \'$1 == u {print $6}\' /etc/passwd)',
		'[ -n "$home" ] || { user=root; home=/root; }',
		'cd "$home" 2>/dev/null || cd /',
		'[ -z "$dir" ] || cd -- "$dir" || exit 1',
		'export HOME="$home" USER="$user" LOGNAME="$user"',
		'uid=$(id -u "$user")',
		'if [ $# -eq 0 ]; then',
		'  [ "$uid" = "$(id -u)" ] && exec "$(command -v bash || echo /bin/sh)" -l',
		'  exec su -l "$user"',
		'fi',
		'[ "$uid" = "$(id -u)" ] && exec "$@"',
		'command -v setpriv >/dev/null 2>&1 && exec setpriv --reuid "$uid" --regid "$(id -g "$user")" --init-groups -- "$@"',
		'exec su "$user" -s /bin/sh -c \'exec "$0" "$@"\' -- "$@"',
	].join('\n');
	return ['sh', '-c', script, 'sh', user, workingDirectory ?? '', ...command];
}

/**
 * Runs a command, or a shell, in a guest by way of the server, on these streams.
 * @returns its exit code; 128 + n when signal n ended it
 * @throws DroverError
 */
export async function runDirect(direct: DirectAccess, options: DirectOptions): Promise<number> {
	const {command, workingDirectory, tty, stdin, stdout, stderr} = options;
	const client = new LxdClient(direct.endpoint);
	const sockets = new Map<string, WebSocket>();
	const wasRaw = stdin.isRaw === true;
	const undo: Array<() => void> = [];
	try {
		const answer = await client.ask('POST', `${instancePath(direct.instance)}/exec`, {
			query: {project: direct.project},
			body: {
				command: guestCommand(direct.user, command, workingDirectory),
				'wait-for-websocket': true,
				interactive: tty,
				environment: environmentFor(tty),
				...(tty ? {width: stdout.columns ?? 80, height: stdout.rows ?? 24} : {}),
			},
		});
		if (answer.operation === undefined) throw new LxdError('malformed', 'a command without an operation');
		const secrets = asObject(asObject(asObject(answer.metadata)['metadata'])['fds']);
		const path = answer.operation.split('?')[0]!;
		for (const fd of tty ? ['0', 'control'] : ['0', '1', '2', 'control']) {
			const secret = encodeURIComponent(String(secrets[fd]));
			const socket = openSocket(direct.endpoint, `${path}/websocket?secret=${secret}`);
			socket.on('error', () => {});
			sockets.set(fd, socket);
		}
		const written = Promise.all([
			copyOut(sockets.get(tty ? '0' : '1')!, stdout, tty),
			...(tty ? [] : [copyOut(sockets.get('2')!, stderr, false)]),
		]);
		await opened(sockets.get('0')!);
		undo.push(copyIn(stdin, sockets.get('0')!, tty));
		if (tty) {
			if (stdin.isTTY) stdin.setRawMode(true);
			undo.push(followSize(stdout, sockets.get('control')!));
		} else undo.push(passSignals(sockets.get('control')!));
		const done = await waitFor(client, answer.operation, {patienceMs});
		await Promise.race([written, new Promise(resolve => setTimeout(resolve, 2000).unref())]);
		const code = done['return'];
		return typeof code === 'number' ? (code < 0 ? 255 : code) : 255;
	} catch (error) {
		if (error instanceof LxdError && error.problem === 'refused') {
			if (/command not found/i.test(error.message)) return 127;
			throw new DroverError(
				'guest.unanswered',
				`${direct.name} cannot be entered by way of the server: ${error.message.replace(/\.$/, '')}.`,
				{
					next: 'A virtual machine needs the LXD agent in it; a frozen instance has to go on first (drover start).',
					cause: error,
				},
			);
		}
		throw serverError(error, 'running the command');
	} finally {
		for (const act of undo) act();
		if (tty && stdin.isTTY) stdin.setRawMode(wasRaw);
		stdin.pause();
		for (const socket of sockets.values()) socket.close();
		client.close();
	}
}

function environmentFor(tty: boolean): Record<string, string> {
	return {
		PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
		...(tty ? {TERM: process.env['TERM'] ?? 'xterm', ...(process.env['LANG'] ? {LANG: process.env['LANG']} : {})} : {}),
	};
}

function opened(socket: WebSocket): Promise<void> {
	return new Promise((resolve, reject) => {
		socket.once('open', resolve);
		socket.once('close', () => reject(new LxdError('unreachable', 'the line was closed')));
	});
}

/** What the guest writes; resolves at its end. A reader that is slow slows the guest down. */
function copyOut(socket: WebSocket, stream: NodeJS.WriteStream, isTerminal: boolean): Promise<void> {
	return new Promise(resolve => {
		socket.on('message', (data, isBinary) => {
			const part = data as Buffer;
			if (!isBinary && part.length === 0) {
				// On a terminal the server waits for this side to close, or the command never ends.
				if (isTerminal) socket.close();
				resolve();
				return;
			}
			// What was received before the pause still comes: it is waited for once.
			if (stream.write(part) || socket.isPaused) return;
			socket.pause();
			stream.once('drain', () => socket.resume());
		});
		socket.on('close', () => resolve());
	});
}

/** What is typed, or comes from a pipe; its end is an empty text. */
function copyIn(stdin: NodeJS.ReadStream, socket: WebSocket, tty: boolean): () => void {
	const onData = (data: Buffer | string) => {
		if (socket.readyState !== socket.OPEN) return;
		socket.send(typeof data === 'string' ? Buffer.from(data) : data, {binary: true}, () => {
			if (socket.bufferedAmount < 2 ** 20) stdin.resume();
		});
		if (socket.bufferedAmount > 4 * 2 ** 20) stdin.pause();
	};
	const onEnd = () => {
		if (socket.readyState === socket.OPEN && !tty) socket.send('');
	};
	stdin.on('data', onData);
	stdin.on('end', onEnd);
	stdin.resume();
	return () => {
		stdin.off('data', onData);
		stdin.off('end', onEnd);
	};
}

function followSize(stdout: NodeJS.WriteStream, control: WebSocket): () => void {
	const send = () => {
		if (control.readyState !== control.OPEN) return;
		const args = {width: String(stdout.columns ?? 80), height: String(stdout.rows ?? 24)};
		control.send(JSON.stringify({command: 'window-resize', args}));
	};
	control.once('open', send);
	stdout.on('resize', send);
	return () => void stdout.off('resize', send);
}

/** Without a terminal Ctrl-C reaches this process alone: the guest's is told. */
function passSignals(control: WebSocket): () => void {
	const numbers = {SIGINT: 2, SIGTERM: 15, SIGHUP: 1} as const;
	const handlers = Object.entries(numbers).map(([name, signal]) => {
		const handler = () => {
			if (control.readyState === control.OPEN) control.send(JSON.stringify({command: 'signal', signal}));
		};
		process.on(name, handler);
		return () => void process.off(name, handler);
	});
	return () => {
		for (const off of handlers) off();
	};
}
