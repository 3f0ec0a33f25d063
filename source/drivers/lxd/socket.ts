import {connect} from 'node:net';
import {connect as connectTls} from 'node:tls';
import WebSocket from 'ws';
import type {LxdEndpoint} from '../../model/guest-access.ts';
import {pin, tlsOptions} from './client.ts';

/** Opens a websocket to a server. `path` begins with `/1.0/` and holds the query. */
export function openSocket(endpoint: LxdEndpoint, path: string): WebSocket {
	const common = {handshakeTimeout: 10_000, perMessageDeflate: false, maxPayload: 64 * 2 ** 20} as const;
	if (endpoint.kind === 'socket') {
		return new WebSocket(`ws://drover${path}`, {...common, createConnection: () => connect(endpoint.path)});
	}
	const {hostname, port} = new URL(endpoint.url);
	return new WebSocket(`${endpoint.url.replace(/^https:/, 'wss:')}${path}`, {
		...common,
		createConnection: () => {
			const host = hostname.replace(/^\[|\]$/g, '');
			const socket = connectTls({host, port: Number(port), ...tlsOptions(endpoint), ALPNProtocols: ['http/1.1']});
			pin(socket, endpoint.fingerprint);
			return socket;
		},
	});
}
