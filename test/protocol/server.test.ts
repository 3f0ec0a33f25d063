import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {connect, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {createMessageConnection, StreamMessageReader, StreamMessageWriter} from 'vscode-jsonrpc/node';
import {type Engine, type EngineEvent, type EngineMethod, engineMethods} from '../../source/engine/engine.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {OperationView} from '../../source/model/operation.ts';
import {encodeMessage, MessageDecoder, requestLimit} from '../../source/protocol/framing.ts';
import {type AnswerMessage, ownHello} from '../../source/protocol/messages.ts';
import {remoteEngine} from '../../source/protocol/remote-engine.ts';
import {RpcClient} from '../../source/protocol/rpc-client.ts';
import {type EngineServer, serve} from '../../source/protocol/server.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {until} from './support/world.ts';

let home: string;
let socketPath: string;
let local: FakeEngine;
let server: EngineServer;
let log: string[];
let handovers: unknown[];
const sockets: Socket[] = [];

beforeEach(async () => {
	home = mkdtempSync(path.join(tmpdir(), 'drover-server-'));
	socketPath = path.join(home, 'drover.sock');
	local = new FakeEngine({instances: [fakeInstance('web'), fakeInstance('db', 'Stopped')]});
	log = [];
	handovers = [];
	server = await serve(local, socketPath, {
		user: 'kim',
		log: line => log.push(line),
		handover(request) {
			handovers.push(request);
			return request.force;
		},
	});
});

afterEach(async () => {
	for (const socket of sockets.splice(0)) socket.destroy();
	await server.close();
	rmSync(home, {recursive: true, force: true});
});

async function open(): Promise<Socket> {
	const socket = connect(socketPath);
	sockets.push(socket);
	socket.on('error', () => {});
	await once(socket, 'connect');
	return socket;
}

/** A client as `connect` makes it, without the looking for a daemon. */
async function client(): Promise<{rpc: RpcClient; engine: Engine}> {
	const rpc = new RpcClient(await open());
	await rpc.request('hello', ownHello('kim'));
	return {rpc, engine: remoteEngine(rpc)};
}

/** What the server answers, message by message, until it hangs up. */
function answers(socket: Socket): {all: AnswerMessage[]; ended: Promise<void>} {
	const decoder = new MessageDecoder(2 ** 28);
	const all: AnswerMessage[] = [];
	socket.on('data', (chunk: Buffer) => {
		decoder.push(chunk);
		for (let message = decoder.next(); message !== undefined; message = decoder.next()) {
			all.push(message as AnswerMessage);
		}
	});
	return {all, ended: once(socket, 'close').then(() => {})};
}

const request = (id: number, method: string, params?: unknown) =>
	encodeMessage({jsonrpc: '2.0', id, method, ...(params === undefined ? {} : {params})});

const hello = () => request(0, 'hello', ownHello('kim'));

const ended: OperationView = {
	id: '41',
	kind: 'stop',
	title: 'stop web',
	by: 'kim',
	state: 'done',
	items: [],
	cancellable: false,
	createdAt: 0,
};

const examples: {readonly [Method in EngineMethod]: Parameters<Engine[Method]>} = {
	overview: [],
	list: [],
	info: [{names: ['web'], runtime: true}],
	launch: [
		{
			image: 'micro',
			name: 'cache',
			cpus: 2,
			memory: 2 ** 30,
			disk: 2 ** 33,
			cloudInit: '#cloud-config\n',
			template: 'docker',
			profile: 'dev',
			by: 'kim',
			networks: ['name=br0'],
			bridged: true,
			target: 'node2',
			mounts: [{source: '/srv', target: '', type: 'native', uidMap: [{host: 1000, guest: -1}], gidMap: []}],
		},
	],
	act: [{action: 'stop', names: ['web'], options: {delayMinutes: 5, force: false}, by: 'kim'}],
	operations: [],
	operation: [{id: '41'}],
	wait: [{id: '41', timeoutSeconds: 3}],
	cancel: [{id: '41', by: 'kim'}],
	operationLog: [{id: '41'}],
	ssh: [{name: 'web'}],
	access: [{name: 'web'}],
	mount: [{name: 'web', mount: {source: '/srv', target: '/srv', type: 'native', uidMap: [], gidMap: []}, by: 'kim'}],
	unmount: [{name: 'web', by: 'kim'}],
	snapshot: [{name: 'web', snapshot: 'before', comment: 'first line\nsecond', by: 'kim'}],
	restore: [{name: 'web', snapshot: 'before', destructive: true, by: 'kim'}],
	deleteSnapshots: [{name: 'web', snapshots: ['before', 'after'], by: 'kim'}],
	snapshots: [{names: ['web']}],
	clone: [{name: 'web', as: 'web2', linked: true, by: 'kim'}],
	networks: [],
	resize: [{name: 'db', cpus: 2, memory: 2 ** 30, disk: 2 ** 33, by: 'kim'}],
	addNetwork: [{name: 'db', network: 'br0', by: 'kim'}],
	forward: [{name: 'db', forward: {protocol: 'udp', address: '127.0.0.1', host: 5353, guest: 53}, by: 'kim'}],
	unforward: [{name: 'db', key: {protocol: 'tcp', host: 8080}, by: 'kim'}],
	metrics: [{names: ['web']}],
	members: [],
	adoptables: [],
	importPlan: [{from: '/data', names: ['web'], as: 'web2', discardMemory: true}],
	importInstances: [{by: 'kim'}],
	movePlan: [{name: 'web', to: 'lxd'}],
	move: [{name: 'web', to: 'lxd', by: 'kim', stop: true, purge: false}],
	profiles: [],
	templates: [],
	instanceEvents: [{name: 'web'}],
	consoleLog: [{name: 'web', lines: 10}],
	drivers: [],
	doctor: [{again: true}],
	find: [{query: 'noble', showUnsupported: true, forceUpdate: false}],
	images: [],
	pruneImages: [{all: true, by: 'kim'}],
	settings: [],
	get: [{key: 'local.driver'}],
	set: [{key: 'local.driver', value: 'lxd', by: 'kim'}],
	adopt: [{name: 'web', by: 'kim'}],
	forget: [{name: 'web', by: 'kim'}],
	switchPlan: [{to: 'lxd'}],
	switchDriver: [{to: 'lxd', by: 'kim', force: []}],
	switchStory: [],
	refresh: [],
};

test.each(engineMethods)('%s gives the same over the socket as in the process', async method => {
	const {engine} = await client();
	local.putOperation(ended);
	let given: unknown;
	const seen: unknown[] = [];
	const call = local[method] as (...parameters: unknown[]) => Promise<unknown>;
	(local as unknown as Record<string, unknown>)[method] = async (...parameters: unknown[]) => {
		seen.push(parameters[0]);
		given = await call.apply(local, parameters);
		return given;
	};
	const got: unknown = await (engine[method] as (...parameters: unknown[]) => Promise<unknown>)(...examples[method]);
	expect(seen).toEqual([examples[method][0]]);
	expect(got).toEqual(given === undefined ? undefined : JSON.parse(JSON.stringify(given)));
});

test('an error arrives as it was thrown', async () => {
	const {engine} = await client();
	const thrown = new DroverError('host.disk-full', 'The disk is full.', {
		next: 'Free some.',
		cause: new Error('ENOSPC'),
	});
	local.list = () => Promise.reject(thrown);
	const error = await engine.list().catch((error: unknown) => error);
	expect(error).toBeInstanceOf(DroverError);
	expect((error as DroverError).toData()).toEqual(thrown.toData());
});

test('a defect in the engine is an error of its own kind and ends nothing', async () => {
	const {engine} = await client();
	local.list = () => {
		throw new TypeError('x is not a function');
	};
	await expect(engine.list()).rejects.toMatchObject({code: 'internal'});
	expect(log[0]).toContain('TypeError');
	expect(await engine.operations()).toEqual([]);
});

test.each([
	['info', {names: 'web', runtime: true}, '"names"'],
	['info', {names: ['web']}, '"runtime"'],
	['info', undefined, 'undefined'],
	['list', {}, 'list'],
	['act', {action: 'explode', names: [], by: 'kim'}, '"action"'],
	['act', {action: 'stop', names: [], by: 'kim', options: {forced: true}}, '"options.forced"'],
	['launch', {by: 'kim', memory: '1G'}, '"memory"'],
	['launch', {by: 'kim', name: 'x'.repeat(5000)}, '"name"'],
	['get', {key: 'a', extra: 1}, '"extra"'],
])('%s with a request that does not fit is refused and not passed on: %o', async (method, params, where) => {
	const {rpc} = await client();
	await expect(rpc.request(method, params)).rejects.toMatchObject({
		code: 'usage.invalid',
		message: expect.stringContaining(where),
	});
	expect(local.calls).toEqual([]);
});

test('only the engine’s requests exist, not everything an object has', async () => {
	const {rpc} = await client();
	for (const method of ['nonsense', 'constructor', 'close', 'emit', '__proto__', 'toString']) {
		await expect(rpc.request(method)).rejects.toMatchObject({code: 'daemon.protocol'});
	}
});

test('nothing is done before hello, nor for a client of another protocol', async () => {
	const early = new RpcClient(await open());
	await expect(early.request('refresh')).rejects.toMatchObject({code: 'daemon.protocol'});
	await expect(early.request('handover', {force: true})).rejects.toMatchObject({code: 'daemon.protocol'});
	const newer = new RpcClient(await open());
	await newer.request('hello', {...ownHello('kim'), protocol: 99, also: 'something'});
	await expect(newer.request('refresh')).rejects.toMatchObject({code: 'daemon.protocol'});
	expect(local.calls).toEqual([]);
	expect(await newer.request('handover', {force: true})).toEqual({accepted: true});
	expect(handovers).toHaveLength(1);
});

test('events reach those who subscribed, while they do', async () => {
	const {engine} = await client();
	const {engine: other} = await client();
	const events: EngineEvent[] = [];
	const others: EngineEvent[] = [];
	other.subscribe(event => others.push(event));
	const subscription = engine.subscribe(event => events.push(event));
	await Promise.all([engine.operations(), other.operations()]);
	local.put(fakeInstance('web', 'Stopped'));
	await until(() => events.length === 1);
	expect(events).toEqual([{type: 'instances', changed: [fakeInstance('web', 'Stopped')], removed: []}]);
	subscription.close();
	await engine.operations();
	local.remove('web');
	await until(() => others.length === 2);
	expect(events).toHaveLength(1);
});

test('what happens after subscribe is called is not missed', async () => {
	const {engine} = await client();
	const events: EngineEvent[] = [];
	engine.subscribe(event => events.push(event));
	const operation = await engine.act({action: 'stop', names: ['web'], by: 'kim'});
	await until(() => events.some(event => event.type === 'operation' && event.operation.state === 'done'));
	expect(events.filter(event => event.type === 'operation').every(event => event.operation.id === operation.id)).toBe(
		true,
	);
});

test('a burst of changes of 500 instances is a handful of messages with the last states', async () => {
	const {engine} = await client();
	const events: EngineEvent[] = [];
	engine.subscribe(event => events.push(event));
	await engine.operations();
	for (let round = 0; round < 20; round++) {
		for (let index = 0; index < 500; index++) {
			local.emit({type: 'instances', changed: [fakeInstance(`i${index}`, 'Running', {cpus: round})], removed: []});
		}
	}
	const last = new Map<string, number>();
	await until(() => {
		for (const event of events) {
			if (event.type === 'instances') for (const {id, cpus} of event.changed) last.set(id, cpus);
		}
		return last.size === 500 && [...last.values()].every(cpus => cpus === 19);
	});
	expect(events.length).toBeLessThan(10);
});

test.each([
	['garbage', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
	['bytes without end', Buffer.alloc(4096, 0xff)],
	['a message over the limit', `Content-Length: ${requestLimit + 1}\r\n\r\n`],
	['half JSON', 'Content-Length: 5\r\n\r\n{"a":'],
	['an array', encodeMessage([1, 2])],
	['no method', encodeMessage({jsonrpc: '2.0', id: 1})],
])('a client that sends %s is told and hung up on; others do not notice', async (_what, bytes) => {
	const {engine} = await client();
	const socket = await open();
	const {all, ended} = answers(socket);
	socket.write(bytes);
	await ended;
	expect(all.at(-1)).toMatchObject({id: null, error: {data: {code: 'daemon.protocol'}}});
	expect(log.at(-1)).toContain('hung up');
	expect(await engine.list()).toHaveLength(2);
	await until(() => server.clients === 1);
});

test('a slow client, byte by byte, and several requests in one piece', async () => {
	const socket = await open();
	const {all} = answers(socket);
	for (const byte of hello()) {
		socket.write(byte);
		await new Promise(resolve => setImmediate(resolve));
	}
	socket.write(request(1, 'operations') + request(2, 'list') + request(3, 'nonsense'));
	await until(() => all.length === 4);
	expect(all.map(({id}) => id).sort()).toEqual([0, 1, 2, 3]);
});

test('a client that closes its half, or goes away in the middle of a message, leaves nothing behind', async () => {
	const half = await open();
	half.write(hello());
	half.end();
	const torn = await open();
	torn.write('Content-Length: 100\r\n\r\n{"jsonrpc"');
	torn.destroy();
	await until(() => server.clients === 0);
});

test('what a client began goes on when the client is gone', async () => {
	local.delayMs = 30;
	const {engine, rpc} = await client();
	const {id} = await engine.act({action: 'stop', names: ['web'], by: 'kim'});
	const waiting = engine.wait({id});
	rpc.close();
	await expect(waiting).rejects.toMatchObject({code: 'daemon.unreachable'});
	await until(async () => (await local.operation({id})).state === 'done');
});

test('a client that subscribes and does not read costs a bounded amount of memory', async () => {
	const {engine} = await client();
	const socket = await open();
	socket.write(hello() + request(1, 'subscribe'));
	await once(socket, 'data');
	await engine.operations();
	socket.pause();
	const text = 'x'.repeat(1000);
	for (let round = 0; round < 25; round++) {
		for (let index = 0; index < 1500; index++) {
			local.emit({type: 'notice', notice: {id: `${round}-${index}`, at: 0, level: 'info', text}});
		}
		// Long enough for a delivery to be due.
		await new Promise(resolve => setTimeout(resolve, 60));
	}
	// 37 MB of events were made. The client then finds a fraction of them, and the advice to ask anew.
	const {all} = answers(socket);
	socket.resume();
	const events = all as unknown as Array<{params: EngineEvent}>;
	await until(() => events.some(({params}) => params?.type === 'overview'));
	expect(JSON.stringify(all).length).toBeLessThan(8e6);
	expect(events.find(({params}) => params?.type === 'overview')?.params).toMatchObject({
		reason: 'some events were dropped',
	});
});

test('a client that asks and does not read the answers is not read on', async () => {
	const {engine} = await client();
	for (let index = 0; index < 100; index++) local.instances.set(`i${index}`, fakeInstance(`i${index}`));
	let asked = 0;
	const {list} = local;
	local.list = () => {
		asked++;
		return list.call(local);
	};
	const socket = await open();
	socket.pause();
	socket.write(hello());
	for (let index = 1; index <= 3000; index++) socket.write(request(index, 'list'));
	const settled = async () => {
		const before = asked;
		for (let turn = 0; turn < 20; turn++) await engine.operations();
		return before === asked && asked > 0;
	};
	await until(settled);
	expect(asked).toBeLessThan(600);
	// Read on, it gets them all: nothing was lost on the way.
	const {all} = answers(socket);
	socket.resume();
	await until(() => all.length === 3001);
	expect(asked).toBe(all.filter(({result}) => Array.isArray(result)).length);
});

test('more than 256 requests at once are refused, one by one', async () => {
	const {rpc} = await client();
	local.wait = () => new Promise<OperationView>(() => {});
	const waits = Array.from({length: 256}, () => rpc.request('wait', {id: '1'}));
	for (const wait of waits) wait.catch(() => {});
	await expect(rpc.request('list')).rejects.toMatchObject({
		code: 'usage.invalid',
		message: expect.stringContaining('256'),
	});
});

test('closing sends what is on its way, hangs up and removes the socket', async () => {
	const {engine, rpc} = await client();
	const listing = engine.list();
	await engine.operations();
	await server.close();
	expect(await listing).toHaveLength(2);
	expect(await rpc.closed).toMatchObject({code: 'daemon.unreachable'});
	expect(existsSync(socketPath)).toBe(false);
});

test('other JSON-RPC libraries can talk to it', async () => {
	const socket = await open();
	const connection = createMessageConnection(new StreamMessageReader(socket), new StreamMessageWriter(socket));
	const events: EngineEvent[] = [];
	connection.onNotification('event', (event: EngineEvent) => void events.push(event));
	connection.listen();
	try {
		expect(await connection.sendRequest('hello', ownHello('kim'))).toMatchObject({user: 'kim'});
		expect(await connection.sendRequest('info', {names: ['web'], runtime: false})).toMatchObject([{name: 'web'}]);
		await expect(connection.sendRequest('info', {names: ['x'], runtime: false})).rejects.toMatchObject({
			data: {code: 'instance.missing'},
		});
		await connection.sendRequest('subscribe');
		local.put(fakeInstance('web', 'Suspended'));
		await until(() => events.length === 1);
	} finally {
		connection.dispose();
	}
});
