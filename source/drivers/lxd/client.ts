import {readFileSync} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type {ConnectionOptions, TLSSocket} from 'node:tls';
import type {LxdEndpoint} from '../../model/guest-access.ts';
import {asObject} from '../machine/json.ts';
import {LxdError} from './errors.ts';

type HttpsEndpoint = Extract<LxdEndpoint, {kind: 'https'}>;

export type RequestOptions = {
	readonly query?: Readonly<Record<string, string | number | undefined>>;
	/** Sent as JSON, unless it is a stream or bytes. */
	readonly body?: unknown;
	readonly stream?: NodeJS.ReadableStream | Buffer;
	readonly headers?: Readonly<Record<string, string>>;
	/** Until the answer is complete; default 15 s. Uploads: `undefined` means none. */
	readonly timeoutMs?: number | undefined;
	readonly signal?: AbortSignal | undefined;
};

export type Answer = {
	/** What was asked for: any JSON, not checked. */
	readonly metadata: unknown;
	/** The operation that was begun, as its path; absent when the answer is complete. */
	readonly operation?: string;
	readonly etag?: string;
};

/** A raw answer, for what is not JSON: files, logs. */
export type RawAnswer = {
	readonly status: number;
	readonly headers: http.IncomingHttpHeaders;
	readonly body: http.IncomingMessage;
};

const standardTimeoutMs = 15_000;
/** A listing of a thousand instances has some 4 MB. */
const maximumBytes = 256 * 2 ** 20;

/** Talks with one LXD or Incus server. Every failure is an {@link LxdError}. */
export class LxdClient {
	readonly endpoint: LxdEndpoint;
	readonly #agent: http.Agent;
	readonly #transport: typeof http | typeof https;
	readonly #base: http.RequestOptions;
	/** How many requests were made: for those who watch the traffic. */
	requests = 0;

	constructor(endpoint: LxdEndpoint) {
		this.endpoint = endpoint;
		this.#agent = agentFor(endpoint);
		if (endpoint.kind === 'socket') {
			this.#transport = http;
			this.#base = {socketPath: endpoint.path};
		} else {
			const {hostname, port} = new URL(endpoint.url);
			this.#transport = https;
			this.#base = {host: hostname.replace(/^\[|\]$/g, ''), port};
		}
	}

	close(): void {
		this.#agent.destroy();
	}

	/** Asks, and reads a JSON answer. An answer of type `error`, by whatever status, is thrown. */
	async ask(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
		const {timeoutMs = standardTimeoutMs} = options;
		const limit = AbortSignal.timeout(timeoutMs);
		const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
		try {
			const {status, headers, body} = await this.raw(method, path, {...options, signal});
			return parseAnswer(status, await textOf(body, signal), headers.etag);
		} catch (error) {
			if (options.signal?.aborted) throw new LxdError('aborted', 'it was called off');
			if (limit.aborted) throw new LxdError('silent', `no answer within ${Math.round(timeoutMs / 100) / 10} s`);
			throw error;
		}
	}

	/** The `metadata` of a GET. */
	async get(path: string, query?: RequestOptions['query'], options: RequestOptions = {}): Promise<unknown> {
		return (await this.ask('GET', path, {...options, ...(query ? {query} : {})})).metadata;
	}

	/** As {@link get}; `undefined` when there is no such thing. */
	async find(path: string, query?: RequestOptions['query'], options: RequestOptions = {}): Promise<unknown> {
		return this.get(path, query, options).catch((error: unknown) => {
			if (error instanceof LxdError && error.problem === 'refused' && error.status === 404) return undefined;
			throw error;
		});
	}

	/** Sends a request; resolves with the head of the answer and the body to read. Follows no redirects. */
	raw(method: string, path: string, options: RequestOptions = {}): Promise<RawAnswer> {
		const {query = {}, body, stream, headers = {}, signal} = options;
		const search = new URLSearchParams();
		for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
		const text = search.size === 0 ? '' : `${path.includes('?') ? '&' : '?'}${search}`;
		const json = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
		this.requests++;
		return new Promise((resolve, reject) => {
			const request = this.#transport.request(
				{
					...this.#base,
					agent: this.#agent,
					method,
					path: `${path}${text}`,
					headers: {
						host: 'drover',
						'user-agent': 'drover',
						...(json ? {'content-type': 'application/json', 'content-length': json.length} : {}),
						...headers,
					},
					...(signal ? {signal} : {}),
				},
				response => resolve({status: response.statusCode ?? 0, headers: response.headers, body: response}),
			);
			request.on('error', error => reject(connectionError(error, signal)));
			if (stream === undefined || Buffer.isBuffer(stream)) request.end(stream ?? json);
			else {
				stream.on('error', error => request.destroy(error));
				stream.pipe(request);
			}
		});
	}
}

/** Whom a TLS connection is made as, and whom it trusts: one certificate, or what the system trusts. */
export function tlsOptions({certificateFile, keyFile, fingerprint}: HttpsEndpoint): ConnectionOptions {
	return {
		cert: readFileSync(certificateFile),
		key: readFileSync(keyFile),
		minVersion: 'TLSv1.2',
		// A server with a certificate of its own making is known by its fingerprint instead.
		...(fingerprint === undefined ? {} : {rejectUnauthorized: false}),
	};
}

/** Gives a connection up, before anything is sent over it, when the server shows another certificate. */
export function pin(socket: TLSSocket, fingerprint: string | undefined): void {
	if (fingerprint === undefined) return;
	socket.prependOnceListener('secureConnect', () => {
		if (fingerprintOf(socket) === fingerprint) return;
		socket.destroy(
			new Error(
				`it shows a certificate with the fingerprint ${fingerprintOf(socket) || 'none'}, which is not the expected one`,
			),
		);
	});
}

function agentFor(endpoint: LxdEndpoint): http.Agent {
	const common = {keepAlive: true, maxSockets: 16};
	if (endpoint.kind === 'socket') return new http.Agent(common);
	// A resumed session does not show the certificate again.
	const agent = new https.Agent({...common, ...tlsOptions(endpoint), maxCachedSessions: 0});
	const connect = agent.createConnection.bind(agent);
	agent.createConnection = (options, callback) => {
		const socket = connect(options, callback) as TLSSocket;
		pin(socket, endpoint.fingerprint);
		return socket;
	};
	return agent;
}

/** SHA-256 of the certificate the other side shows, in hexadecimal. */
export function fingerprintOf(socket: TLSSocket): string {
	return (socket.getPeerCertificate().fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
}

function connectionError(error: NodeJS.ErrnoException, signal: AbortSignal | undefined): LxdError {
	if (signal?.aborted) return new LxdError('aborted', 'it was called off');
	return new LxdError('unreachable', error.message, {errno: error.code});
}

/** All of a body as text. @throws LxdError `malformed` when it is too long, `unreachable` when it breaks off */
export async function textOf(body: http.IncomingMessage, signal?: AbortSignal): Promise<string> {
	const parts: Buffer[] = [];
	let length = 0;
	try {
		for await (const part of body as AsyncIterable<Buffer>) {
			length += part.length;
			if (length > maximumBytes) throw new LxdError('malformed', 'the answer is too long');
			parts.push(part);
		}
	} catch (error) {
		if (error instanceof LxdError) throw error;
		throw connectionError(error as NodeJS.ErrnoException, signal);
	}
	return Buffer.concat(parts).toString('utf8');
}

/** The envelope every JSON answer has. @throws LxdError */
export function parseAnswer(status: number, text: string, etag?: string): Answer {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		throw new LxdError('malformed', `status ${status}, and no JSON`, {status});
	}
	const {type, metadata, operation, error, error_code: code} = asObject(json);
	// Incus tells of a failed operation with status 200 and this type: the body has the last word.
	if (type === 'error' || status >= 400) {
		throw new LxdError('refused', typeof error === 'string' && error !== '' ? error : `status ${status}`, {
			status: typeof code === 'number' && code > 0 ? code : status,
		});
	}
	if (type !== 'sync' && type !== 'async') throw new LxdError('malformed', 'neither answer nor operation', {status});
	return {
		metadata,
		...(type === 'async' && typeof operation === 'string' && operation.startsWith('/1.0/operations/')
			? {operation}
			: {}),
		...(etag === undefined ? {} : {etag}),
	};
}
