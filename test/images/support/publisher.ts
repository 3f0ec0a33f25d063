import {createHash} from 'node:crypto';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {createServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {onTestFinished} from 'vitest';
import {type Authority, type Issued, makeAuthority, trust} from '../../support/certificates.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let known: Authority | undefined;

/** One authority for a test file, which this process trusts. */
export function authority(): Authority {
	if (known === undefined) {
		known = makeAuthority();
		trust(known);
	}
	return known;
}

/** A file as a server has it. */
export type Published = {
	readonly body: Buffer;
	/** Absent: the server tells nothing by which its file could be known again. */
	readonly etag?: string;
	readonly lastModified?: string;
};

/** A publisher's server on this machine, over https, whose files and faults a test sets. */
export class Publisher {
	readonly files = new Map<string, Published>();
	/** What is done instead of sending the file, by its path; a handler that returns `false` lets it be sent. */
	readonly faults = new Map<string, (request: IncomingMessage, response: ServerResponse) => boolean | undefined>();
	/** `GET /path bytes=5-` */
	readonly requests: string[] = [];
	origin = '';
	close = async () => {};

	static async open(certificate: Issued = authority().issue()): Promise<Publisher> {
		const publisher = new Publisher();
		const server = createServer({...certificate}, (request, response) => publisher.#answer(request, response));
		// A client that does not like the certificate hangs up.
		server.on('tlsClientError', () => undefined);
		await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
		publisher.origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
		publisher.close = () =>
			new Promise<void>(resolve => {
				server.close(() => resolve());
				server.closeAllConnections();
			});
		onTestFinished(publisher.close);
		return publisher;
	}

	/** @returns its address */
	put(path: string, body: Buffer | string, more: Omit<Published, 'body'> = {etag: etagOf(body)}): string {
		this.files.set(`/${path}`, {body: Buffer.from(body), ...more});
		return this.origin + path;
	}

	/** How often a path was asked for. */
	asked(path: string, method = 'GET'): number {
		return this.requests.filter(line => line.split(' ').slice(0, 2).join(' ') === `${method} /${path}`).length;
	}

	/** Cuts the connection after so many bytes of each answer, so many times. */
	cut(path: string, after: number, times = 1): void {
		let left = times;
		this.faults.set(`/${path}`, (request, response) => {
			if (left-- <= 0) return false;
			const file = this.files.get(`/${path}`)!;
			const {status, headers, body} = answerFor(file, request);
			response.writeHead(status, headers);
			response.write(body.subarray(0, after), () => setTimeout(() => response.destroy(), 10));
			return true;
		});
	}

	#answer(request: IncomingMessage, response: ServerResponse): void {
		const {range} = request.headers;
		const path = request.url ?? '';
		this.requests.push(`${request.method} ${path}${range === undefined ? '' : ` ${range}`}`);
		if (this.faults.get(path)?.(request, response) ?? false) return;
		const file = this.files.get(path);
		if (file === undefined) {
			response.writeHead(404).end('nothing is here');
			return;
		}
		const {status, headers, body} = answerFor(file, request);
		response.writeHead(status, headers);
		response.end(request.method === 'HEAD' ? undefined : body);
	}
}

function etagOf(body: Buffer | string): string {
	return `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
}

/** What a server of files answers: ranges, conditions, validators. */
export function answerFor(
	{body, etag, lastModified}: Published,
	request: IncomingMessage,
): {status: number; headers: Record<string, string | number>; body: Buffer} {
	const validators = {
		...(etag === undefined ? {} : {etag}),
		...(lastModified === undefined ? {} : {'last-modified': lastModified}),
	};
	const {'if-none-match': noneMatch, 'if-modified-since': since, 'if-range': condition, range} = request.headers;
	const isSame = etag === undefined ? lastModified !== undefined && since === lastModified : noneMatch === etag;
	if (isSame) return {status: 304, headers: validators, body: Buffer.alloc(0)};
	const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? Number.NaN);
	const isPart =
		Number.isInteger(from) && (condition === undefined || condition === etag || condition === lastModified);
	if (!isPart) return {status: 200, headers: {...validators, 'content-length': body.length}, body};
	if (from >= body.length) return {status: 416, headers: validators, body: Buffer.alloc(0)};
	return {
		status: 206,
		headers: {
			...validators,
			'content-length': body.length - from,
			'content-range': `bytes ${from}-${body.length - 1}/${body.length}`,
		},
		body: body.subarray(from),
	};
}
