import {createHash} from 'node:crypto';
import {EventEmitter, once} from 'node:events';
import {createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse} from 'node:http';
import {createServer as createSecure} from 'node:https';
import type {AddressInfo} from 'node:net';
import {TLSSocket} from 'node:tls';

/** What is answered: JSON, or a text as it is. `hang`: nothing, ever. */
export type FakeAnswer = {readonly status?: number; readonly json?: unknown; readonly text?: string} | 'hang';

export type FakeRequest = {
	readonly method: string;
	readonly path: string;
	readonly query: URLSearchParams;
	readonly body: unknown;
};

type Handler = (request: FakeRequest) => FakeAnswer | undefined;

export type Place = {readonly socket: string} | {readonly key: string; readonly cert: string};

/** Answers in the way of an LXD or Incus that has nothing, but for what a test has it say. */
export class FakeServer {
	/** `GET /1.0/instances`, as they came. */
	readonly requests: string[] = [];
	/** SHA-256 of the certificates that clients have shown. */
	readonly certificates = new Set<string>();
	readonly #server: Server;
	/** The first that has an answer gives it. */
	readonly #handlers: Handler[] = [];
	readonly #changed = new EventEmitter();

	private constructor(server: Server) {
		this.#server = server;
	}

	/** On a unix socket, or with TLS on a port of this host. */
	static async listen(place: Place, ...handlers: Handler[]): Promise<FakeServer> {
		const listener: RequestListener = (request, response) => void fake.#answer(request, response);
		const server =
			'socket' in place
				? createServer(listener)
				: createSecure({...place, requestCert: true, rejectUnauthorized: false}, listener);
		const fake = new FakeServer(server);
		fake.#handlers.push(...handlers);
		if ('socket' in place) server.listen(place.socket);
		else server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		return fake;
	}

	get url(): string {
		return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** From now on, and before everything that was said earlier. */
	say(handler: Handler): void {
		this.#handlers.unshift(handler);
	}

	/** Waits for a request. */
	async asked(request: string): Promise<void> {
		while (!this.requests.includes(request)) await once(this.#changed, 'request');
	}

	async close(): Promise<void> {
		this.#server.close();
		this.#server.closeAllConnections();
		await once(this.#server, 'close');
	}

	async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
		const {method = '', url = '', socket} = incoming;
		const {raw} = socket instanceof TLSSocket ? socket.getPeerCertificate() : {};
		if (raw) this.certificates.add(createHash('sha256').update(raw).digest('hex'));
		const {pathname: path, searchParams: query} = new URL(url, 'http://fake');
		const parts: Buffer[] = [];
		for await (const part of incoming) parts.push(part as Buffer);
		const text = Buffer.concat(parts).toString('utf8');
		const request = {method, path, query, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text};
		this.requests.push(`${method} ${path}`);
		this.#changed.emit('request');
		for (const handler of [...this.#handlers, standard]) {
			const answer = handler(request);
			if (answer === undefined) continue;
			if (answer === 'hang') return;
			response.writeHead(answer.status ?? 200, {'content-type': 'application/json'});
			response.end(answer.text ?? JSON.stringify(answer.json));
			return;
		}
	}
}

export function done(metadata: unknown): FakeAnswer {
	return {json: {type: 'sync', status: 'Success', status_code: 200, metadata}};
}

export function refused(status: number, error: string): FakeAnswer {
	return {status, json: {type: 'error', error_code: status, error}};
}

/** An operation that was begun. */
export function begun(id: string): FakeAnswer {
	return {
		status: 202,
		json: {type: 'async', status_code: 100, operation: `/1.0/operations/${id}`, metadata: {id, status_code: 103}},
	};
}

/** How an operation stands, as a wait for it tells. */
export function operation(code: number, err = ''): FakeAnswer {
	return done({status_code: code, err, metadata: null});
}

export function facts(changes: {auth?: string; server?: string; driver?: string} = {}): FakeAnswer {
	const {auth = 'trusted', server = 'lxd', driver = 'lxc'} = changes;
	return done({
		auth,
		api_extensions: [],
		environment: {server, server_version: '5.0.2', driver, kernel_features: {}, architectures: ['x86_64']},
	});
}

function standard({path}: FakeRequest): FakeAnswer {
	if (path === '/1.0') return facts();
	if (path === '/1.0/warnings' || path === '/1.0/instances' || path === '/1.0/networks') return done([]);
	return refused(404, 'not found');
}
