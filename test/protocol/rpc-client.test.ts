import {once} from 'node:events';
import {Duplex} from 'node:stream';
import {expect, test} from 'vitest';
import {encodeMessage, MessageDecoder} from '../../source/protocol/framing.ts';
import {agree, ownHello, type RequestMessage} from '../../source/protocol/messages.ts';
import {RpcClient} from '../../source/protocol/rpc-client.ts';
import {isUpgrade} from '../../source/protocol/upgrade.ts';

/** A daemon's end of the line, played by the test. */
class Line extends Duplex {
	readonly requests: RequestMessage[] = [];
	readonly #decoder = new MessageDecoder(2 ** 20);
	readonly #reply: (request: RequestMessage, line: Line) => void;

	constructor(reply: (request: RequestMessage, line: Line) => void = () => {}) {
		super();
		this.#reply = reply;
	}

	override _read() {}

	override _write(chunk: Buffer, _encoding: string, done: () => void) {
		this.#decoder.push(chunk);
		for (let message = this.#decoder.next(); message !== undefined; message = this.#decoder.next()) {
			this.requests.push(message as RequestMessage);
			this.#reply(message as RequestMessage, this);
		}
		done();
	}
}

const limits = {silence: 20, lifeSign: 40};

test('answers find their requests, in any order', async () => {
	const line = new Line();
	const rpc = new RpcClient(line);
	const [first, second] = [rpc.request('a'), rpc.request('b')];
	line.push(encodeMessage({jsonrpc: '2.0', id: 2, result: 'B'}) + encodeMessage({jsonrpc: '2.0', id: 1, result: null}));
	expect(await second).toBe('B');
	expect(await first).toBeUndefined();
});

test('a silent daemon is asked whether it lives, and given up', async () => {
	const line = new Line();
	const rpc = new RpcClient(line, limits);
	await expect(rpc.request('list')).rejects.toMatchObject({
		code: 'daemon.unreachable',
		next: expect.stringContaining('end the daemon'),
	});
	expect(line.requests.map(({method}) => method)).toEqual(['list', 'ping']);
	expect(await rpc.closed).toMatchObject({code: 'daemon.unreachable'});
	expect(line.destroyed).toBe(true);
});

test('a daemon that is long about it but lives is waited for', async () => {
	const line = new Line(({method, id}, line) => {
		if (method === 'ping') line.push(encodeMessage({jsonrpc: '2.0', id, result: true}));
	});
	const rpc = new RpcClient(line, limits);
	const waiting = rpc.request('wait');
	await expect.poll(() => line.requests.filter(({method}) => method === 'ping').length).toBeGreaterThan(4);
	line.push(encodeMessage({jsonrpc: '2.0', id: 1, result: 'done'}));
	expect(await waiting).toBe('done');
});

test('a daemon that talks nonsense is an error, not a crash', async () => {
	for (const bytes of ['nonsense\r\n\r\n', 'Content-Length: 2\r\n\r\n{{']) {
		const line = new Line();
		const rpc = new RpcClient(line);
		const listing = rpc.request('list');
		line.push(bytes);
		await expect(listing).rejects.toMatchObject({code: 'daemon.protocol'});
		await expect(rpc.request('list')).rejects.toMatchObject({code: 'daemon.protocol'});
	}
	const line = new Line();
	const rpc = new RpcClient(line);
	const listing = rpc.request('list');
	for (const message of [[], {}, {id: 7, result: 1}, {id: 'x', error: {}}, {id: 1, result: [1]}]) {
		line.push(encodeMessage(message));
	}
	expect(await listing).toEqual([1]);
});

test('an error without drover’s data is an error of the protocol', async () => {
	const line = new Line();
	const rpc = new RpcClient(line);
	const listing = rpc.request('list');
	line.push(encodeMessage({jsonrpc: '2.0', id: 1, error: {code: -32601, message: 'no such method'}}));
	await expect(listing).rejects.toMatchObject({
		code: 'daemon.protocol',
		message: expect.stringContaining('no such method'),
	});
});

test('closing rejects what is awaited and tells of no error', async () => {
	const line = new Line();
	const rpc = new RpcClient(line);
	const listing = rpc.request('list');
	rpc.close();
	await expect(listing).rejects.toMatchObject({code: 'daemon.unreachable'});
	expect(await rpc.closed).toBeUndefined();
	if (!line.closed) await once(line, 'close');
});

test('which daemon is used, asked or made to hand over, and which is too new', () => {
	const own = ownHello('kim');
	expect(agree(own, {...own, pid: 1})).toBe('use');
	expect(agree(own, {...own, build: 'another'})).toBe('prefer-handover');
	expect(agree(own, {...own, protocol: own.protocol - 1})).toBe('need-handover');
	expect(agree(own, {...own, protocol: own.protocol + 1})).toBe('too-new');
});

test('an upgrade is a changed program or a higher version, and not another installation', () => {
	const daemon = {version: '1.10.0', stamp: 'a'};
	expect(isUpgrade(daemon, {clientVersion: '1.10.0', stamp: 'a'})).toBe(false);
	expect(isUpgrade(daemon, {clientVersion: '1.9.9', stamp: 'a'})).toBe(false);
	expect(isUpgrade(daemon, {clientVersion: 'nonsense', stamp: 'a'})).toBe(false);
	expect(isUpgrade(daemon, {clientVersion: '1.10.1', stamp: 'a'})).toBe(true);
	expect(isUpgrade(daemon, {clientVersion: '1.9.9', stamp: 'b'})).toBe(true);
	expect(isUpgrade(daemon, {clientVersion: '1.10.0', stamp: 'gone'})).toBe(true);
});
