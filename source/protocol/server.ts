import {createServer, type Server} from 'node:net';
import type {Engine} from '../engine/engine.ts';
import {DroverError} from '../model/errors.ts';
import {type Endpoint, newEndpoint} from './endpoint.ts';
import {ClientSession, type SessionHost} from './session.ts';

/** Clients at once. Beyond it newcomers are hung up on: it takes a runaway script to get there. */
const clientLimit = 256;

export type ServerHost = {
	/** The user the daemon runs as. */
	readonly user: string;
	/** Asked by a client to make way. Answers whether it will; if so, `serve`'s caller closes everything afterwards. */
	handover(request: {force: boolean; version: string; build: string}): boolean;
	log(line: string): void;
};

export type EngineServer = {
	/** Clients that are connected now. */
	readonly clients: number;
	/** Stops accepting, sends what is on its way, hangs up. Removes the socket. */
	close(): Promise<void>;
	/** Called when the number of clients has changed. */
	onClients(listener: (count: number) => void): void;
};

/**
 * Lets clients use the engine through a socket that only its user can open.
 * @throws DroverError `host.failed` when the socket cannot be made
 */
export async function serve(engine: Engine, socketPath: string, host: ServerHost): Promise<EngineServer> {
	const sessions = new Set<ClientSession>();
	let listener: (count: number) => void = () => {};
	const sessionHost: SessionHost = {...host, engine};
	const server = createServer(socket => {
		const session = new ClientSession(socket, sessionHost);
		sessions.add(session);
		listener(sessions.size);
		void session.ended.then(() => {
			sessions.delete(session);
			listener(sessions.size);
		});
	});
	server.maxConnections = clientLimit;
	const endpoint = newEndpoint(socketPath);
	await listen(server, endpoint, socketPath);
	return {
		get clients() {
			return sessions.size;
		},
		onClients(newListener) {
			listener = newListener;
		},
		async close() {
			endpoint.withdraw();
			const hasClosed = new Promise<void>(resolve => server.close(() => resolve()));
			await Promise.all([...sessions].map(session => session.close()));
			await hasClosed;
		},
	};
}

async function listen(server: Server, endpoint: Endpoint, socketPath: string) {
	try {
		await new Promise<void>((resolve, reject) => {
			server.once('error', reject);
			server.listen(endpoint.address, resolve);
		});
		endpoint.announce();
	} catch (error) {
		throw new DroverError('host.failed', `The socket ${socketPath} cannot be opened, so drover cannot be reached.`, {
			next: 'Check that its directory can be written to and that no other program uses it.',
			cause: error,
		});
	}
}
