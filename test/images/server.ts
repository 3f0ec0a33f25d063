import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {onTestFinished} from 'vitest';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on this machine; what it does can be changed while it runs. */
export async function serve(first: Handler) {
	const state = {handler: first, requests: [] as string[], url: '', close: async () => {}};
	const server = createServer((request, response) => {
		const {range} = request.headers;
		state.requests.push(`${request.method} ${request.url}${range === undefined ? '' : ` ${range}`}`);
		state.handler(request, response);
	});
	await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
	state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	state.close = () =>
		new Promise<void>(resolve => {
			server.close(() => resolve());
			server.closeAllConnections();
		});
	onTestFinished(state.close);
	return state;
}

/** Sends a file as servers do: HEAD, ranges, validators. */
export function sends(data: Buffer, etag: string): Handler {
	return (request, response) => {
		const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
		const from = range !== null && request.headers['if-range'] === etag ? Number(range[1]) : 0;
		response.writeHead(from > 0 ? 206 : 200, {
			etag,
			'content-length': data.length - from,
			...(from > 0 ? {'content-range': `bytes ${from}-${data.length - 1}/${data.length}`} : {}),
		});
		response.end(request.method === 'HEAD' ? undefined : data.subarray(from));
	};
}
