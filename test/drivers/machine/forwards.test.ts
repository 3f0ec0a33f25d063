import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {type AddressInfo, createServer} from 'node:net';
import {describe, expect, onTestFinished, test} from 'vitest';
import {hostPortProblem} from '../../../source/drivers/host-port.ts';
import {forwardNotes, parseUsernet, planForwards, syncForwards} from '../../../source/drivers/machine/forwards.ts';
import {parseForward} from '../../../source/model/forward.ts';

/** As QEMU 7.2 prints it. */
const usernet = `Hub -1 (n0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   29       127.0.0.1 40022       10.0.2.15    22     0     0
  TCP[HOST_FORWARD]  12       127.0.0.1 40022       10.0.2.15    22     0     0
  TCP[HOST_FORWARD]  13               *  8080       10.0.2.15    80     0     0
  UDP[HOST_FORWARD]  14       127.0.0.1  5353       10.0.2.15    53     0     0
  UDP[236 sec]       15       10.0.2.15 48012        10.0.2.3    53     0     0
`;
const ssh = parseForward('40022:22');
const web = parseForward('0.0.0.0:8080:80');
const dns = parseForward('5353:53/udp');

describe('the forwards of a machine', () => {
	test('are read from what QEMU prints', () => {
		expect(parseUsernet(usernet)).toEqual([ssh, web, dns]);
		expect(parseUsernet('')).toEqual([]);
		expect(parseUsernet('unknown command: info usernet')).toEqual([]);
	});

	test('are changed only as far as they differ, and the one for SSH not at all', () => {
		const active = parseUsernet(usernet);
		expect(planForwards([web, dns], active, 40_022)).toEqual({remove: [], add: []});
		expect(planForwards([], active, 40_022)).toEqual({remove: [web, dns], add: []});
		const moved = parseForward('8080:8080');
		expect(planForwards([moved, dns], active, 40_022)).toEqual({remove: [web], add: [moved]});
		// Another port that leads to 22 is one like any other.
		const more = parseForward('2222:22');
		expect(planForwards([more], [ssh, more], 40_022)).toEqual({remove: [], add: []});
		expect(planForwards([], [ssh, more], 40_022)).toEqual({remove: [more], add: []});
	});

	test('are asked for one by one; a port that is taken is told with its reason', async () => {
		const said: string[] = [];
		const taken = await listening();
		const failures = await syncForwards([dns, taken], 40_022, async line => {
			said.push(line);
			if (line === 'info usernet') return usernet;
			return line.startsWith('hostfwd_add') ? "Could not set up host forwarding rule 'tcp'\r\n" : 'removed';
		});
		expect(said).toEqual([
			'info usernet',
			'hostfwd_remove n0 tcp:0.0.0.0:8080',
			`hostfwd_add n0 tcp:127.0.0.1:${taken.host}-:80`,
		]);
		expect(failures).toEqual([{forward: taken, reason: 'another program has the port'}]);
	});

	test('those that are not in force are told of', async () => {
		const say = async () => usernet;
		expect(await forwardNotes(undefined, async () => Promise.reject(new Error('asked in vain')))).toEqual([]);
		expect(await forwardNotes([web, dns], say)).toEqual([]);
		expect(await forwardNotes([web, parseForward('9000:90')], say)).toEqual([
			expect.stringContaining('127.0.0.1:9000 -> 90/tcp is not in force'),
		]);
	});
});

async function listening() {
	const server = createServer().listen(0, '127.0.0.1');
	onTestFinished(() => void server.close());
	await once(server, 'listening');
	return parseForward(`${(server.address() as AddressInfo).port}:80`);
}

describe('a port of this host', () => {
	test('is free, taken, or somebody else’s', async () => {
		const taken = await listening();
		expect(await hostPortProblem(taken)).toBe('another program has the port');
		expect(await hostPortProblem({...taken, protocol: 'udp'})).toBeUndefined();
		expect(await hostPortProblem({...taken, address: '203.0.113.7'})).toBe('this host has no address 203.0.113.7');
	});

	test('also of UDP', async () => {
		const socket = createSocket('udp4');
		onTestFinished(() => void socket.close());
		socket.bind(0, '127.0.0.1');
		await once(socket, 'listening');
		const forward = {protocol: 'udp' as const, address: '127.0.0.1', host: socket.address().port};
		expect(await hostPortProblem(forward)).toBe('another program has the port');
	});
});
