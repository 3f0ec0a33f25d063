import {once} from 'node:events';
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
import {afterEach, describe, expect, test} from 'vitest';
import {readBanner, type WaitTools, waitForSsh} from '../../source/guest/answer.ts';
import {DroverError} from '../../source/model/errors.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
	for (const socket of sockets) socket.destroy();
	sockets.clear();
	await Promise.all(servers.splice(0).map(server => new Promise(resolve => server.close(resolve))));
});

/** A server of the given behaviour on a free port. */
async function serve(behave: (socket: Socket, connection: number) => void): Promise<{host: string; port: number}> {
	let connections = 0;
	const server = createServer(socket => {
		sockets.add(socket);
		socket.on('error', () => {});
		behave(socket, ++connections);
	});
	servers.push(server);
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return {host: '127.0.0.1', port: (server.address() as AddressInfo).port};
}

const signal = () => new AbortController().signal;

describe('readBanner', () => {
	test('reads the banner, also in pieces and after other lines', async () => {
		const address = await serve(socket => {
			socket.write('Welcome\r\nSSH-2.');
			setImmediate(() => socket.write('0-dropbear_2022.83\r\n\0\0\x01binary'));
		});
		expect(await readBanner({...address, timeoutMs: 5000, signal: signal()})).toBe('SSH-2.0-dropbear_2022.83');
	});

	test('a banner is text from a stranger', async () => {
		const address = await serve(socket => {
			socket.write(`SSH-2.0-\u001B[31mred\u001B]0;title\u0007\u0000${'x'.repeat(1000)}\n`);
		});
		const banner = await readBanner({...address, timeoutMs: 5000, signal: signal()});
		expect(banner.startsWith('SSH-2.0-redx')).toBe(true);
		expect(banner).toHaveLength(255);
	});

	test.each<[string, RegExp, number, (socket: Socket) => void]>([
		['closes', /closed/, 15_000, socket => void socket.end()],
		['is silent', /nothing came/, 100, () => {}],
		['speaks something else for ever', /not SSH/, 15_000, socket => void socket.write('HTTP/1.1 200\n'.repeat(2000))],
		['never ends its line', /no SSH banner/, 1500, socket => void socket.write('SSH-2.0-half')],
	])('gives up on a server that %s', async (_, words, timeoutMs, behave) => {
		const address = await serve(behave);
		await expect(readBanner({...address, timeoutMs, signal: signal()})).rejects.toThrow(words);
	});

	test('a closed port is told', async () => {
		const address = await serve(() => {});
		servers.pop()!.close();
		await expect(readBanner({...address, timeoutMs: 5000, signal: signal()})).rejects.toThrow(/ECONNREFUSED/);
	});

	test('lets go of the connection', async () => {
		const closed = Promise.withResolvers<void>();
		const address = await serve(socket => {
			socket.on('close', () => closed.resolve());
			socket.write('SSH-2.0-x\n');
		});
		await readBanner({...address, timeoutMs: 5000, signal: signal()});
		await closed.promise;
	});
});

describe('waitForSsh', () => {
	test('hears a server whose first connections lead nowhere', async () => {
		const address = await serve((socket, connection) => {
			if (connection === 1) return; // As before the guest listens: accepted, then silence.
			if (connection === 2) socket.destroy();
			else socket.write('SSH-2.0-ready\r\n');
		});
		expect(await waitForSsh({...address, timeoutMs: 30_000, signal: signal()})).toBe('SSH-2.0-ready');
	});

	test('ends at once when it is called off, with the reason', async () => {
		const address = await serve(() => {});
		const controller = new AbortController();
		const waiting = waitForSsh({
			...address,
			timeoutMs: 60_000,
			signal: controller.signal,
			onWait: () => controller.abort(),
		});
		await expect(waiting).rejects.toMatchObject({code: 'operation.cancelled'});
		const reason = new DroverError('guest.failed', 'it died');
		await expect(waitForSsh({...address, timeoutMs: 60_000, signal: AbortSignal.abort(reason)})).rejects.toBe(reason);
	});

	/** A clock that moves only when it is slept on, and a network that answers as told. */
	function simulate(answersFrom: number, takesMs: number) {
		let now = 0;
		const attempts: Array<{at: number; timeoutMs: number}> = [];
		const pending: Array<{at: number; settle(): void}> = [];
		const tools: WaitTools = {
			now: () => now,
			async sleep(milliseconds) {
				now += milliseconds;
				for (const each of pending) if (each.at <= now) each.settle();
				// Lets what was settled be heard first.
				await new Promise(setImmediate);
			},
			attempt: ({timeoutMs}) => {
				attempts.push({at: now, timeoutMs});
				const answers = now >= answersFrom && takesMs <= timeoutMs;
				return new Promise((resolve, reject) => {
					pending.push({
						at: now + (answers ? takesMs : timeoutMs),
						settle: () => (answers ? resolve('SSH-2.0-x') : reject(new Error('nothing came'))),
					});
				});
			},
		};
		return {tools, attempts, now: () => now};
	}
	const request = () => ({host: '127.0.0.1', port: 1, signal: signal()});

	test('a guest that is ready is heard within 100 ms of its answer', async () => {
		const {tools, attempts, now} = simulate(3500, 50);
		await waitForSsh({...request(), timeoutMs: 300_000}, tools);
		expect(now()).toBeLessThanOrEqual(3500 + 100 + 50 + 100);
		expect(attempts[1]!.at - attempts[0]!.at).toBe(100);
		expect(attempts[0]!.timeoutMs).toBe(400);
	});

	test('a guest that takes seconds for its banner is heard too', async () => {
		const {tools} = simulate(1000, 3000);
		expect(await waitForSsh({...request(), timeoutMs: 300_000}, tools)).toBe('SSH-2.0-x');
	});

	test('says after the time that it did not answer, and why', async () => {
		const {tools, attempts, now} = simulate(Number.POSITIVE_INFINITY, 0);
		const seen: Array<[number, string | undefined]> = [];
		const waiting = waitForSsh({...request(), timeoutMs: 60_000, onWait: (...all) => seen.push(all)}, tools);
		await expect(waiting).rejects.toMatchObject({
			code: 'guest.unanswered',
			message: 'the guest did not answer on SSH within 60 s (nothing came)',
		});
		expect(now()).toBe(60_000);
		expect(seen[0]).toEqual([0, undefined]);
		expect(seen.at(-1)![1]).toBe('nothing came');
		// Not a flood: each costs the guest a process.
		expect(attempts.length).toBeLessThan(200);
	});
});
