import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {DroverError} from '../../source/model/errors.ts';
import {ownHello, protocolVersion} from '../../source/protocol/messages.ts';
import {lockHolder, takeLock} from '../../source/state/lock.ts';
import {daemonEntry, isAlive, until, World} from './support/world.ts';

let world: World;

beforeEach(() => {
	world = new World();
});

afterEach(() => world.end());

const names = async (connection: Awaited<ReturnType<World['connect']>>) =>
	(await connection.engine.list()).map(({name}) => name);

test('the first client starts a daemon, the second finds it, and it belongs to nobody’s terminal', async () => {
	const first = await world.connect();
	expect(await names(first)).toEqual(['web']);
	const second = await world.connect({start: false});
	expect(second.daemon.pid).toBe(first.daemon.pid);
	const [, , , , , session] = readFileSync(`/proc/${first.daemon.pid}/stat`, 'utf8').split(' ');
	expect(Number(session)).toBe(first.daemon.pid);
	const environment = readFileSync(`/proc/${first.daemon.pid}/environ`, 'utf8');
	expect(environment).toContain(`DROVER_HOME=${world.home}`);
	expect(environment).not.toMatch(/(^|\0)(TERM|SSH_CONNECTION|npm_command)=/);
	expect(readFileSync(world.paths.daemonLog, 'utf8')).toContain(`begins as process ${first.daemon.pid}`);
});

test('only its user can reach it', async () => {
	await world.connect();
	for (const place of [world.paths.socket, world.paths.daemonLog, world.paths.lock]) {
		expect([place, statSync(place).mode & 0o077]).toEqual([place, 0]);
	}
	for (const place of [world.paths.runtime, world.paths.data]) {
		expect([place, statSync(place).mode & 0o777]).toEqual([place, 0o700]);
	}
});

test('without one, and told not to start one, a client says so', async () => {
	await expect(world.connect({start: false})).rejects.toMatchObject({code: 'daemon.unreachable'});
	expect(existsSync(world.paths.socket)).toBe(false);
});

test('of twenty clients at once one starts the daemon', async () => {
	const connections = await Promise.all(Array.from({length: 20}, () => world.connect()));
	expect(new Set(connections.map(({daemon}) => daemon.pid)).size).toBe(1);
	expect(readFileSync(world.paths.daemonLog, 'utf8').match(/begins as process/g)).toHaveLength(1);
});

test('two daemons: the second leaves at once and says why', async () => {
	const {daemon} = await world.connect();
	const second = spawn(process.execPath, [daemonEntry], {stdio: ['ignore', 'ignore', 'pipe']});
	let errors = '';
	second.stderr.on('data', data => {
		errors += data;
	});
	const [code] = await once(second, 'close');
	expect(code).toBe(1);
	expect(errors).toContain(`Another drover daemon (process ${daemon.pid})`);
	expect(await names(await world.connect({start: false}))).toEqual(['web']);
});

test('two daemons that are started in the same instant: one stays', async () => {
	const both = [0, 1].map(() => spawn(process.execPath, [daemonEntry], {stdio: 'ignore'}));
	try {
		const [code] = await Promise.race(both.map(child => once(child, 'exit')));
		expect(code).toBe(1);
		await until(() => existsSync(world.paths.socket));
		expect(both.map(({pid}) => pid)).toContain((await world.connect({start: false})).daemon.pid);
		expect(both.filter(({exitCode}) => exitCode === null)).toHaveLength(1);
	} finally {
		for (const child of both) child.kill('SIGKILL');
	}
});

test('kill -9 is seen at once, and the next client starts a new daemon over the stale socket', async () => {
	const first = await world.connect();
	const pending = first.engine.wait({id: (await first.engine.act({action: 'stop', names: ['web'], by: 'kim'})).id});
	await pending;
	process.kill(first.daemon.pid, 'SIGKILL');
	await first.closed;
	expect(existsSync(world.paths.socket)).toBe(true);
	await expect(first.engine.list()).rejects.toMatchObject({code: 'daemon.unreachable'});
	const second = await world.connect();
	expect(second.daemon.pid).not.toBe(first.daemon.pid);
	expect(await names(second)).toEqual(['web']);
});

test('what is awaited when the daemon is killed is rejected, not left hanging', async () => {
	const {engine, daemon} = await world.connect();
	// The engine in memory finishes its work in no time, so the daemon is stopped first: the answer cannot come.
	process.kill(daemon.pid, 'SIGSTOP');
	const pending = engine.list();
	process.kill(daemon.pid, 'SIGKILL');
	await expect(pending).rejects.toMatchObject({code: 'daemon.unreachable', next: expect.stringContaining('Try again')});
});

test('a daemon that does not answer is named, with its process', async () => {
	const {daemon} = await world.connect();
	process.kill(daemon.pid, 'SIGSTOP');
	await expect(world.connect({timeoutMs: 300})).rejects.toMatchObject({
		code: 'daemon.unreachable',
		message: expect.stringContaining(`process ${daemon.pid}`),
		next: expect.stringContaining(`kill -9 ${daemon.pid}`),
	});
});

test('SIGHUP changes nothing; SIGTERM ends it and cleans up', async () => {
	const {daemon, engine, closed} = await world.connect();
	process.kill(daemon.pid, 'SIGHUP');
	expect(await engine.list()).toHaveLength(1);
	process.kill(daemon.pid, 'SIGTERM');
	await closed;
	await until(() => !isAlive(daemon.pid));
	expect(existsSync(world.paths.socket)).toBe(false);
	expect(lockHolder(world.paths.lock)).toBeUndefined();
	expect(readFileSync(world.paths.daemonLog, 'utf8')).toContain('ends: SIGTERM');
});

test('an engine that does not let go takes the process with it', async () => {
	process.env.DROVER_TEST_DAEMON = 'clings';
	const {daemon} = await world.connect();
	process.kill(daemon.pid, 'SIGTERM');
	await until(() => !isAlive(daemon.pid));
	const lock = await takeLock(world.paths.lock);
	expect(lock).toBeDefined();
	lock?.release();
	expect(readFileSync(world.paths.daemonLog, 'utf8')).toContain('it clings');
});

test('it ends when nobody has needed it for a while, but not while it is at work', async () => {
	process.env.DROVER_IDLE = '0.2';
	const idle = await world.connect();
	await new Promise(resolve => setTimeout(resolve, 400));
	expect(isAlive(idle.daemon.pid)).toBe(true);
	await idle.engine.close();
	await until(() => !isAlive(idle.daemon.pid));
	expect(readFileSync(world.paths.daemonLog, 'utf8')).toContain('nothing to do for 0.2 s');

	process.env.DROVER_TEST_DAEMON = 'busy';
	const busy = await world.connect();
	await busy.engine.close();
	await new Promise(resolve => setTimeout(resolve, 600));
	expect(isAlive(busy.daemon.pid)).toBe(true);
});

test('a defect ends the daemon, is in its log, and the next one takes over', async () => {
	process.env.DROVER_TEST_DAEMON = 'defect';
	const first = await world.connect();
	await first.engine.refresh().catch(() => {});
	await first.closed;
	expect(readFileSync(world.paths.daemonLog, 'utf8')).toMatch(/defect, the daemon dies: Error: a defect\n +at /);
	delete process.env.DROVER_TEST_DAEMON;
	expect(await names(await world.connect())).toEqual(['web']);
});

test('a daemon that cannot start says why, with what to do', async () => {
	process.env.DROVER_TEST_DAEMON = 'fails';
	const error = await world.connect().catch((error: unknown) => error as DroverError);
	expect(error).toBeInstanceOf(DroverError);
	expect(error).toMatchObject({
		code: 'daemon.unreachable',
		message: 'The drover daemon could not be started: The data cannot be read.',
		next: 'Repair the disk.',
	});
});

test('a daemon that dies without a word: the end of its log is shown', async () => {
	process.env.DROVER_TEST_DAEMON = 'dies';
	await expect(world.connect()).rejects.toMatchObject({
		code: 'daemon.unreachable',
		next: expect.stringContaining(world.paths.daemonLog),
		detail: expect.stringContaining('out of memory'),
	});
});

test('what is in the way of the socket is named', async () => {
	mkdirSync(path.join(world.paths.socket, 'full'), {recursive: true, mode: 0o700});
	await expect(world.connect()).rejects.toMatchObject({code: 'daemon.unreachable'});
});

test('a stale file in place of the socket is replaced', async () => {
	world.prepare();
	writeFileSync(world.paths.socket, '');
	expect(await names(await world.connect())).toEqual(['web']);
});

test('an open directory is refused, before anything is sent or started', async () => {
	mkdirSync(world.paths.runtime, {recursive: true, mode: 0o755});
	await expect(world.connect()).rejects.toMatchObject({
		code: 'daemon.unreachable',
		next: expect.stringContaining('chmod 700'),
	});
	expect(existsSync(world.paths.daemonLog)).toBe(false);
});

test('a program that speaks something else on the socket is told apart', async () => {
	world.prepare();
	const other = createServer(socket => {
		socket.on('error', () => {});
		socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
	});
	await new Promise<void>(resolve => other.listen(world.paths.socket, resolve));
	try {
		await expect(world.connect()).rejects.toMatchObject({code: 'daemon.protocol'});
	} finally {
		other.close();
	}
});

test('an upgrade: the old daemon hands over when nothing is under way', async () => {
	const old = await world.connect();
	const hello = {...ownHello('kim'), build: 'another', version: '99.0.0'};
	const next = await world.connect({hello});
	await old.closed;
	expect(next.daemon.pid).not.toBe(old.daemon.pid);
	expect(isAlive(old.daemon.pid)).toBe(false);
	expect(readFileSync(world.paths.daemonLog, 'utf8')).toContain('hands over to 99.0.0 (another)');
});

test('an upgrade while something is under way: the old daemon stays and is used', async () => {
	process.env.DROVER_TEST_DAEMON = 'busy';
	const old = await world.connect();
	const next = await world.connect({hello: {...ownHello('kim'), build: 'another', version: '99.0.0'}});
	expect(next.daemon.pid).toBe(old.daemon.pid);
	expect(await names(next)).toEqual(['web']);
});

test('a second installation of the same version uses the daemon that is there', async () => {
	const old = await world.connect();
	const next = await world.connect({hello: {...ownHello('kim'), build: 'another'}});
	expect(next.daemon.pid).toBe(old.daemon.pid);
});

test('a client of a newer protocol makes even a busy daemon hand over, and starts its own', async () => {
	process.env.DROVER_TEST_DAEMON = 'busy';
	const old = await world.connect();
	// The daemons that are started next are of this protocol too, so the client must give up on them in the end.
	await expect(
		world.connect({hello: {...ownHello('kim'), protocol: protocolVersion + 1, version: '99.0.0'}}),
	).rejects.toMatchObject({code: 'daemon.protocol'});
	await old.closed;
	expect(isAlive(old.daemon.pid)).toBe(false);
	expect(readFileSync(world.paths.daemonLog, 'utf8').match(/begins as process/g)).toHaveLength(3);
});

test('a client of an older protocol is told to be upgraded, and the daemon stays', async () => {
	const {daemon} = await world.connect();
	const hello = {...ownHello('kim'), protocol: protocolVersion - 1, version: '0.0.1'};
	await expect(world.connect({hello})).rejects.toMatchObject({
		code: 'daemon.protocol',
		message: expect.stringContaining('newer'),
	});
	expect(isAlive(daemon.pid)).toBe(true);
});
