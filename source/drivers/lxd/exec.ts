import type WebSocket from 'ws';
import {asObject} from '../machine/json.ts';
import {type LxdClient, textOf} from './client.ts';
import {LxdError} from './errors.ts';
import {perform} from './operation.ts';
import {openSocket} from './socket.ts';

export type Output = {readonly code: number; readonly stdout: string; readonly stderr: string};

export type ExecTarget = {readonly client: LxdClient; readonly path: string; readonly project: string};

const maximumOutput = 2 ** 20;

/**
 * Runs a command in an instance to its end, by way of the server. Output beyond a mebibyte is cut.
 * Over the websocket: what `record-output` keeps would have to be fetched and removed again, four requests more.
 * @throws LxdError `refused` when it cannot be run (frozen, no agent); a command that is missing has code 127
 */
export async function exec(
	{client, path, project}: ExecTarget,
	command: readonly string[],
	options: {readonly timeoutMs: number; readonly signal?: AbortSignal; readonly input?: string} = {timeoutMs: 10_000},
): Promise<Output> {
	const parts: Record<'1' | '2', Buffer[]> = {'1': [], '2': []};
	const length = {'1': 0, '2': 0};
	const sockets: WebSocket[] = [];
	const limit = AbortSignal.timeout(options.timeoutMs);
	const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
	const ended: Array<Promise<void>> = [];
	try {
		const done = await perform(client, 'POST', `${path}/exec`, {
			query: {project},
			body: {
				command,
				'wait-for-websocket': true,
				interactive: false,
				environment: {PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', HOME: '/root'},
			},
			timeoutMs: options.timeoutMs,
			patienceMs: options.timeoutMs,
			signal,
			onBegun(operation, metadata) {
				const secrets = asObject(metadata['fds']);
				for (const fd of ['0', '1', '2', 'control'] as const) {
					const socket = openSocket(
						client.endpoint,
						`${operation.split('?')[0]}/websocket?secret=${encodeURIComponent(String(secrets[fd]))}`,
					);
					sockets.push(socket);
					socket.on('error', () => {});
					if (fd === '0') {
						socket.on('open', () => {
							if (options.input !== undefined) socket.send(Buffer.from(options.input));
							// An empty text is the end of the input.
							socket.send('');
						});
					} else if (fd !== 'control') {
						ended.push(
							new Promise(resolve => {
								socket.on('close', () => resolve());
								socket.on('message', (data, isBinary) => {
									const part = data as Buffer;
									if (!isBinary && part.length === 0) return resolve();
									if (length[fd] < maximumOutput) parts[fd].push(part);
									length[fd] += part.length;
								});
							}),
						);
					}
				}
			},
		});
		await Promise.race([Promise.all(ended), new Promise(resolve => setTimeout(resolve, 1000).unref())]);
		const code = done['return'];
		return {
			code: typeof code === 'number' ? code : -1,
			stdout: Buffer.concat(parts['1']).toString('utf8'),
			stderr: Buffer.concat(parts['2']).toString('utf8'),
		};
	} catch (error) {
		// Both servers fail the operation when there is no such command.
		if (error instanceof LxdError && error.problem === 'refused' && /command not found/i.test(error.message)) {
			return {code: 127, stdout: '', stderr: error.message};
		}
		if (limit.aborted && !options.signal?.aborted) throw new LxdError('silent', 'the command has not ended in time');
		throw error;
	} finally {
		for (const socket of sockets) socket.close();
	}
}

/** A file of an instance as text; `undefined` when there is none. At most a mebibyte. */
export async function readGuestFile({client, path, project}: ExecTarget, file: string): Promise<string | undefined> {
	const {status, body, headers} = await client.raw('GET', `${path}/files`, {
		query: {path: file, project},
		signal: AbortSignal.timeout(10_000),
	});
	const text = await textOf(body);
	const type = headers['x-lxd-type'] ?? headers['x-incus-type'];
	return status === 200 && type !== 'directory' ? text.slice(0, maximumOutput) : undefined;
}
