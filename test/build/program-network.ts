import {EventEmitter} from 'node:events';
import * as files from 'node:fs/promises';
import http, {createServer, request} from 'node:http';
import type {AddressInfo} from 'node:net';
import path, {join} from 'node:path';

/** Uses Node's modules in each way they can be imported. */
export async function answer(): Promise<string> {
	const server = createServer((_request, response) => response.end('pong'));
	await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
	const {port} = server.address() as AddressInfo;
	const text = await new Promise<string>((resolve, reject) => {
		request({port, host: '127.0.0.1'}, response => response.on('data', data => resolve(String(data))))
			.on('error', reject)
			.end();
	});
	await new Promise(resolve => server.close(resolve));
	const isWhole =
		http.request === request &&
		path.join === join &&
		typeof files.readFile === 'function' &&
		server instanceof EventEmitter;
	return isWhole ? text : 'not whole';
}
