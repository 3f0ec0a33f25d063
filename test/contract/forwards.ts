import {connect, createServer} from 'node:net';
import {describe, expect, test} from 'vitest';
import {type Forward, parseForward} from '../../source/model/forward.ts';
import type {Stage} from './setup.ts';
import {eventually} from './subject.ts';

/**
 * Ports of the host that lead into a guest. The guest runs when it begins, and is off when it ends.
 * @param rest how it is brought to rest in between
 */
export function forwards(stage: Pick<Stage, 'driver' | 'web'>, rest: 'suspend' | 'stop'): void {
	describe('ports that lead into an instance', () => {
		/** What the guest's SSH server says on a port of the host; empty when nobody does. */
		const greeting = (port: number) =>
			new Promise<string>(resolve => {
				const socket = connect({host: '127.0.0.1', port, timeout: 2000});
				const end = (text: string) => {
					socket.destroy();
					resolve(text);
				};
				socket.once('data', data => end(data.toString('latin1')));
				socket.once('error', () => end(''));
				socket.once('timeout', () => end(''));
				socket.once('close', () => end(''));
			});
		const answers = async (port: number) => (await greeting(port)).startsWith('SSH-');
		const freePort = () =>
			new Promise<number>(resolve => {
				const server = createServer().listen(0, '127.0.0.1', () => {
					const {port} = server.address() as {port: number};
					server.close(() => resolve(port));
				});
			});
		const set = async (...wanted: readonly Forward[]) => {
			const {driver, web} = stage;
			web.record = {...web.record, forwards: wanted};
			return driver.forwards!(web.record, web.place, web.work());
		};
		const notes = async () => {
			const {notes: all = []} = await stage.driver.inspect(stage.web.record, stage.web.place);
			return all.filter(note => note.includes('not in force'));
		};
		let one: Forward;
		let two: Forward;

		test('come and go while it runs, and SSH stays', async () => {
			const {driver, web} = stage;
			one = parseForward(`${await freePort()}:22`);
			two = parseForward(`${await freePort()}:22`);
			const udp = parseForward(`${await freePort()}:9/udp`);
			expect(await set(one, two, udp)).toEqual([]);
			await eventually('both lead into it', async () => (await answers(one.host)) && (await answers(two.host)));
			expect(await set(one, two, udp)).toEqual([]);
			expect(await notes()).toEqual([]);
			expect(await set(two)).toEqual([]);
			expect(await greeting(one.host)).toBe('');
			expect(await answers(two.host)).toBe(true);
			await web.answer(driver);
			if (rest === 'stop') return;
			// The host is 10.0.2.2 to guests of QEMU's: so they reach each other.
			const words = await web.ssh(driver, 'sh', '-c', `sleep 2 | nc 10.0.2.2 ${two.host} | head -c 4`);
			expect(words).toBe('SSH-');
		});

		test(`stay over a ${rest}, though one is lost to another program meanwhile`, async () => {
			const {driver, web} = stage;
			await set(one, two);
			await (rest === 'suspend' ? web.suspend(driver) : web.stop(driver));
			expect(await driver.forwards!(web.record, web.place, web.work())).toEqual([]);
			const thief = createServer().listen(one.host, '127.0.0.1');
			await new Promise(resolve => thief.once('listening', resolve));
			try {
				expect(await driver.forwardProblem!(web.record, web.place, one)).toBe('another program has the port');
				await web.start(driver);
				expect(web.log.at(-1)).toMatch(/could not be forwarded: another program has the port/);
				await eventually('the other leads into it', () => answers(two.host), 60_000);
				expect(await notes()).toEqual([expect.stringMatching(/is not in force/)]);
				expect(await set(one, two)).toEqual([{forward: one, reason: 'another program has the port'}]);
			} finally {
				await new Promise(resolve => thief.close(resolve));
			}
			expect(await set(one, two)).toEqual([]);
			await eventually('it leads into it again', () => answers(one.host));
			expect(await notes()).toEqual([]);
		});

		test('are there after a start, and none are left when it is off', async () => {
			const {driver, web} = stage;
			await web.stop(driver);
			expect(await driver.forwards!(web.record, web.place, web.work())).toEqual([]);
			expect(await greeting(two.host)).toBe('');
			await web.start(driver);
			await web.answer(driver);
			await eventually('both lead into it', async () => (await answers(one.host)) && (await answers(two.host)));
			await set();
			await web.powerOff(driver);
		});
	});
}
