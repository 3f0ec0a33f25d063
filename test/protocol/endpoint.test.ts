import {existsSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {createServer, type Socket} from 'node:net';
import process from 'node:process';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {endpointAddress, newEndpoint} from '../../source/protocol/endpoint.ts';
import {isAlive, until, World} from './support/world.ts';

let world: World;

beforeEach(() => {
	world = new World();
	world.usePipes();
});

afterEach(() => world.end());

test('a daemon is found by the file that names its pipe, which is ours alone and gone with the daemon', async () => {
	const {engine, daemon} = await world.connect();
	expect((await engine.list()).map(({name}) => name)).toEqual(['web']);
	expect(readFileSync(world.paths.socket, 'utf8')).toMatch(/^[\da-f]{32}\n$/);
	expect(statSync(world.paths.socket).mode & 0o777).toBe(0o600);
	expect((await world.connect({start: false})).daemon.pid).toBe(daemon.pid);
	process.kill(daemon.pid, 'SIGTERM');
	await until(() => !isAlive(daemon.pid));
	expect(existsSync(world.paths.socket)).toBe(false);
});

test('each daemon has another name, also after one that was killed', async () => {
	const first = await world.connect();
	const name = readFileSync(world.paths.socket, 'utf8');
	process.kill(first.daemon.pid, 'SIGKILL');
	await until(() => !isAlive(first.daemon.pid));
	// Its file is left; nobody listens there.
	expect(readFileSync(world.paths.socket, 'utf8')).toBe(name);
	const second = await world.connect();
	expect(second.daemon.pid).not.toBe(first.daemon.pid);
	expect(readFileSync(world.paths.socket, 'utf8')).not.toBe(name);
});

test('a pipe that others opened is never asked, whatever they call it', async () => {
	world.prepare();
	const callers: Socket[] = [];
	const other = createServer(socket => callers.push(socket));
	await new Promise<void>(resolve => other.listen(`${world.paths.runtime}/drover-00000000`, resolve));
	try {
		const {engine} = await world.connect();
		expect(await engine.list()).toHaveLength(1);
		expect(callers).toEqual([]);
	} finally {
		other.close();
	}
});

test('a file with anything else in it names no pipe', async () => {
	world.prepare();
	for (const text of ['', 'x', `${'a'.repeat(31)}\n`, `../${'a'.repeat(32)}\n`, `${'a'.repeat(32)}\n\n`]) {
		writeFileSync(world.paths.socket, text);
		expect(endpointAddress(world.paths.socket)).toBeUndefined();
	}
	expect(await (await world.connect()).engine.list()).toHaveLength(1);
});

test('a daemon that ends takes only its own file away', () => {
	world.prepare();
	const [old, young] = [newEndpoint(world.paths.socket), newEndpoint(world.paths.socket)];
	old.announce();
	young.announce();
	old.withdraw();
	expect(endpointAddress(world.paths.socket)).toBe(young.address);
	young.withdraw();
	expect(endpointAddress(world.paths.socket)).toBeUndefined();
});

test('elsewhere the socket is its own address', () => {
	expect(newEndpoint('/run/drover.sock').address).toBe('/run/drover.sock');
	expect(endpointAddress('/run/drover.sock')).toBe('/run/drover.sock');
});
