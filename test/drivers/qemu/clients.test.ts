import {mkdtempSync, rmSync} from 'node:fs';
import {createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import type {InstanceFiles} from '../../../source/drivers/machine/files.ts';
import {parseFacts} from '../../../source/drivers/machine/guest.ts';
import {newestOf} from '../../../source/drivers/machine/host.ts';
import {Monitors} from '../../../source/drivers/qemu/monitors.ts';
import {connectGuestAgent} from '../../../source/drivers/qemu/qga.ts';
import {connectQmp} from '../../../source/drivers/qemu/qmp.ts';
import {until} from '../../../source/drivers/qemu/waiting.ts';

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

/** A server that answers each line as the test says. */
async function serve(
	onLine: (line: string, socket: Socket) => void,
	hello = '',
	onConnect: (socket: Socket) => void = () => {},
): Promise<string> {
	const directory = mkdtempSync(path.join(tmpdir(), 'drover-test-'));
	const file = path.join(directory, 's');
	const sockets = new Set<Socket>();
	const server = createServer(socket => {
		sockets.add(socket);
		socket.on('error', () => {});
		socket.write(hello);
		onConnect(socket);
		let rest = '';
		socket.setEncoding('latin1');
		socket.on('data', (text: string) => {
			const lines = (rest + text).split('\n');
			rest = lines.pop() ?? '';
			for (const line of lines) onLine(line, socket);
		});
	}).listen(file);
	await new Promise(resolve => server.once('listening', resolve));
	onTestFinished(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
		rmSync(directory, {recursive: true, force: true});
	});
	return file;
}

const reply = (socket: Socket, line: string, value: object) => {
	const {id} = JSON.parse(line) as {id: string};
	socket.write(`${JSON.stringify({...value, id})}\r\n`);
};

test('events between a command and its answer are not taken for it', async () => {
	const file = await serve((line, socket) => {
		socket.write('{"event": "STOP", "data": {"a": 1}}\r\n');
		reply(socket, line, {return: {done: line.includes('query-status')}});
	}, greeting);
	const monitor = await connectQmp(file);
	const events: unknown[] = [];
	monitor.onEvent(event => events.push(event));
	expect(await monitor.execute('query-status')).toEqual({done: true});
	expect(events).toEqual([{name: 'STOP', data: {a: 1}}]);
	monitor.close();
});

test('answers find their questions in whatever order and pieces they come', async () => {
	const held: string[] = [];
	const file = await serve((line, socket) => {
		if (line.includes('qmp_capabilities')) return reply(socket, line, {return: {}});
		held.push(line);
		if (held.length < 2) return;
		const text = held
			.reverse()
			.map(one => `${JSON.stringify({return: JSON.parse(one).execute, id: JSON.parse(one).id})}\r\n`)
			.join('');
		socket.write(text.slice(0, 7));
		setImmediate(() => socket.write(text.slice(7)));
	}, greeting);
	const monitor = await connectQmp(file);
	expect(await Promise.all([monitor.execute('one'), monitor.execute('two')])).toEqual(['one', 'two']);
	monitor.close();
});

test('why there is no answer is told apart', async () => {
	await expect(connectQmp('/nonexistent/s')).rejects.toMatchObject({problem: 'absent'});
	const silent = await serve(() => {});
	await expect(connectQmp(silent, {timeoutMs: 50})).rejects.toMatchObject({problem: 'silent'});
	const refusing = await serve(
		(line, socket) =>
			line.includes('qmp_capabilities')
				? reply(socket, line, {return: {}})
				: reply(socket, line, {error: {class: 'GenericError', desc: 'no\u001B[31m such'}}),
		greeting,
	);
	const monitor = await connectQmp(refusing);
	await expect(monitor.execute('x')).rejects.toMatchObject({problem: 'refused', message: 'no such'});
	monitor.close();
	await expect(monitor.execute('x')).rejects.toMatchObject({problem: 'closed'});
	const closing = await serve((_line, socket) => socket.destroy(), greeting);
	await expect(connectQmp(closing)).rejects.toMatchObject({problem: 'closed'});
	const abort = new AbortController();
	const waiting = connectQmp(silent, {signal: abort.signal});
	abort.abort();
	await expect(waiting).rejects.toMatchObject({problem: 'aborted'});
});

test('what is no message at all does no harm', async () => {
	const file = await serve((line, socket) => {
		socket.write('\r\nnull\r\n[]\r\n"x"\r\n{broken\r\n{"id": 7, "return": 1}\r\n{"event": 5}\r\n');
		reply(socket, line, {return: {}});
	}, greeting);
	const monitor = await connectQmp(file);
	expect(await monitor.execute('x')).toEqual({});
	monitor.close();
});

test('waiting for something wakes at its event and ends with its time', async () => {
	let state = 'paused';
	const file = await serve((line, socket) => {
		reply(socket, line, {return: {status: state}});
		if (!line.includes('query-status')) return;
		state = 'running';
		socket.write('{"event": "RESUME"}\r\n');
	}, greeting);
	const monitor = await connectQmp(file);
	const ask = async () => (await monitor.execute('query-status')) as {status: string};
	const isRunning = async () => (await ask()).status === 'running';
	// Without the event it would look again after an hour only.
	expect(await until(monitor, isRunning, {events: ['RESUME'], everyMs: 3_600_000, timeoutMs: 3_600_000})).toBe(true);
	expect(await until(monitor, async () => false, {events: [], everyMs: 5, timeoutMs: 20})).toBe(false);
	const abort = new AbortController();
	const waiting = until(monitor, async () => false, {
		events: [],
		everyMs: 3_600_000,
		timeoutMs: 3_600_000,
		signal: abort.signal,
	});
	abort.abort();
	await expect(waiting).rejects.toMatchObject({code: 'operation.cancelled'});
	monitor.close();
});

test('everybody shares one connection, and the impatience of one does not spoil it for another', async () => {
	let connections = 0;
	const file = await serve(
		(line, socket) => reply(socket, line, {return: {}}),
		'',
		socket => {
			connections++;
			// The first one hears nothing, as from a QEMU that is still getting ready.
			if (connections > 1) socket.write(greeting);
		},
	);
	const files = {monitor: file} as InstanceFiles;
	const monitors = new Monitors();
	const hasty = monitors.use(files, {timeoutMs: 50}, async () => 'hasty').catch((error: unknown) => error);
	const patient = monitors.use(files, {timeoutMs: 10_000}, async () => 'patient');
	expect(await hasty).toMatchObject({problem: 'silent'});
	expect(await patient).toBe('patient');
	expect(connections).toBe(2);
	const both = await Promise.all([
		monitors.use(files, {}, async monitor => monitor),
		monitors.use(files, {}, async monitor => monitor),
	]);
	expect(both[0]).toBe(both[1]);
	expect(connections).toBe(3);
	await both[0].closed;
	await monitors.use(files, {}, async monitor => expect(monitor.isClosed).toBe(false));
});

test('the agent’s channel is cleared of what an earlier client left', async () => {
	const file = await serve((line, socket) => {
		const {execute, arguments: parameters} = JSON.parse(line.replace(/^\u00FF/, '')) as {
			execute: string;
			arguments?: {id: number};
		};
		if (execute === 'guest-sync-delimited') {
			expect(line.startsWith('\u00FF')).toBe(true);
			socket.write(Buffer.concat([Buffer.from('{"return": "late"}\n'), Buffer.from([0xff])]));
			socket.write(`{"return": ${parameters?.id}}\n`);
		} else if (execute === 'bad') socket.write('{"error": {"desc": "not \\u0007allowed"}}\n');
		else if (execute !== 'mute') socket.write(`{"return": "${execute}"}\n`);
	}, '{"return": "older"}\n');
	const agent = await connectGuestAgent(file);
	expect(await agent.execute('one')).toBe('one');
	await expect(agent.execute('bad')).rejects.toMatchObject({problem: 'refused', message: 'not allowed'});
	expect(await agent.execute('two')).toBe('two');
	await expect(agent.execute('mute', undefined, {timeoutMs: 30})).rejects.toMatchObject({problem: 'silent'});
	await expect(agent.execute('three')).rejects.toMatchObject({problem: 'closed'});
});

test('an agent that answers a question nobody asked is not believed', async () => {
	const file = await serve((_line, socket) => {
		socket.write(Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return": 1.5}\n')]));
	});
	await expect(connectGuestAgent(file)).rejects.toMatchObject({problem: 'refused'});
	await expect(connectGuestAgent(await serve(() => {}), {timeoutMs: 30})).rejects.toMatchObject({problem: 'silent'});
});

test('of what a guest says about itself, only what makes sense is taken', () => {
	const proc = '0.52 0.40 0.10 1/70 99\nMemTotal:  200000 kB\nMemAvailable:  50000 kB\n';
	expect(
		parseFacts({
			osinfo: {'pretty-name': 'Evil\u001B[2J\nOS'},
			fsinfo: [
				{name: 'vda2', 'used-bytes': 5, 'total-bytes': 10},
				{name: 'vdb', 'used-bytes': 11, 'total-bytes': 10},
				{name: '\u001B]0;x\u0007', 'used-bytes': 1, 'total-bytes': 10},
				{name: '__proto__', 'used-bytes': 1, 'total-bytes': 10},
				{name: 'neg', 'used-bytes': -1, 'total-bytes': 10},
				null,
			],
			vcpus: [{online: true}, {online: false}, {}],
			proc,
		}),
	).toEqual({
		release: 'Evil OS',
		disks: {vda2: {used: 5, total: 10}},
		load: [0.52, 0.4, 0.1],
		memory: {used: 150_000 * 1024, total: 200_000 * 1024},
		cpus: 2,
	});
	expect(
		parseFacts({osinfo: 5, fsinfo: {}, vcpus: 'x', proc: 'Inf NaN 0\nMemTotal: 1 kB\nMemAvailable: 2 kB'}),
	).toEqual({});
});

test('the newest machine type is the highest number, not the last in the alphabet', () => {
	expect(
		newestOf(['pc', 'pc-i440fx-9.2', 'pc-i440fx-10.0', 'pc-q35-11.0', 'pc-i440fx-2.12', 'pc-i440fx-rhel7.6.0']),
	).toBe('pc-i440fx-10.0');
	expect(newestOf(['pc', 'microvm'])).toBeUndefined();
});
