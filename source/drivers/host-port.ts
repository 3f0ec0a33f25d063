import {createSocket} from 'node:dgram';
import {createServer} from 'node:net';
import type {Forward} from '../model/forward.ts';

/** Why a program of ours could not listen on a port of this host now, in words. It is tried, and given back at once. */
export async function hostPortProblem(
	forward: Pick<Forward, 'protocol' | 'address' | 'host'>,
): Promise<string | undefined> {
	const code = await (forward.protocol === 'tcp' ? tryTcp(forward) : tryUdp(forward));
	switch (code) {
		case undefined:
			return undefined;
		case 'EADDRINUSE':
			return 'another program has the port';
		case 'EACCES':
		case 'EPERM':
			return 'ports below 1024 are for root';
		case 'EADDRNOTAVAIL':
			return `this host has no address ${forward.address}`;
		default:
			return `the host does not give it (${code})`;
	}
}

type At = {readonly address: string; readonly host: number};

function tryTcp({address, host}: At): Promise<string | undefined> {
	return new Promise(resolve => {
		const server = createServer();
		server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
		server.listen({host: address, port: host, exclusive: true}, () => server.close(() => resolve(undefined)));
	});
}

function tryUdp({address, host}: At): Promise<string | undefined> {
	return new Promise(resolve => {
		const socket = createSocket('udp4');
		socket.once('error', (error: NodeJS.ErrnoException) => {
			socket.close();
			resolve(error.code ?? 'unknown');
		});
		socket.bind({address, port: host, exclusive: true}, () => socket.close(() => resolve(undefined)));
	});
}
