import {mkdtempSync, rmSync} from 'node:fs';
import {createServer, type Server, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {FrameReader, framed} from '../../source/network/frames.ts';
import {checksum, macNumber} from '../../source/network/packets.ts';
import type {PlannedPort, PortReport} from '../../source/network/plan.ts';
import {NetworkSession} from '../../source/network/session.ts';
import {until} from '../support/engine.ts';

/** A machine, as far as its socket goes: as QEMU's, it has room for one at a time. */
class Machine {
	readonly port: PlannedPort;
	readonly got: Buffer[] = [];
	readonly #server: Server;
	socket: Socket | undefined;
	/** How often somebody has come. */
	count = 0;

	constructor(directory: string, last: number) {
		const socket = path.join(directory, `${last}.sock`);
		this.port = {id: `m${last}`, socket, mac: `52:54:00:00:00:0${last}`, address: `10.86.0.${last}`, prefix: 22};
		this.#server = createServer(connection => {
			this.count++;
			this.socket = connection;
			const reader = new FrameReader();
			connection.on('error', () => {});
			connection.on('data', piece => reader.read(piece, frame => this.got.push(Buffer.from(frame.subarray(4)))));
		});
		this.#server.maxConnections = 1;
		this.#server.listen(socket);
	}

	send(frame: Buffer): void {
		this.socket?.write(framed(frame));
	}

	close(): void {
		this.socket?.destroy();
		this.#server.close();
	}
}

function packet(from: PlannedPort, to: PlannedPort, size = 20): Buffer {
	const frame = Buffer.alloc(34 + size);
	frame.writeUIntBE(macNumber(to.mac), 0, 6);
	frame.writeUIntBE(macNumber(from.mac), 6, 6);
	frame.writeUInt16BE(0x0800, 12);
	frame[14] = 0x45;
	frame.writeUInt16BE(20 + size, 16);
	for (const [at, {address}] of [
		[26, from],
		[30, to],
	] as const) {
		for (const [index, part] of address.split('.').entries()) frame[at + index] = Number(part);
	}
	frame.writeUInt16BE(checksum(frame.subarray(14, 34)), 24);
	return frame;
}

let directory: string;
let session: NetworkSession;
let web: Machine;
let db: Machine;
const reports = new Map<string, PortReport>();

const areConnected = (...ids: string[]) => ids.every(id => reports.get(id)?.isConnected === true);
const follow = (...machines: Machine[]) => session.follow({ports: machines.map(({port}) => port), names: {}});
const untilConnected = (...machines: Machine[]) =>
	until(
		() => areConnected(...machines.map(({port}) => port.id)),
		done => done,
		15_000,
	);

beforeEach(async () => {
	directory = mkdtempSync(path.join(tmpdir(), 'drover-net-'));
	reports.clear();
	[web, db] = [new Machine(directory, 2), new Machine(directory, 3)];
	session = new NetworkSession({
		program: [fileURLToPath(new URL('serve-child.ts', import.meta.url))],
		onReport: report => void reports.set(report.id, report),
	});
	follow(web, db);
	await untilConnected(web, db);
});

afterEach(() => {
	session.close();
	web.close();
	db.close();
	rmSync(directory, {recursive: true, force: true});
});

test('carries frames between machines', async () => {
	const frame = packet(web.port, db.port);
	web.send(frame);
	await until(
		() => db.got.length,
		length => length === 1,
	);
	expect(db.got[0]).toEqual(frame);
});

test('comes back to a machine that was away, and to all after its own end', async () => {
	web.socket?.destroy();
	await until(
		() => web.count,
		count => count === 2,
	);
	const {pid} = session;
	process.kill(pid!, 'SIGKILL');
	await until(
		() => session.pid,
		next => next !== undefined && next !== pid,
	);
	await untilConnected(web, db);
	web.send(packet(web.port, db.port));
	await until(
		() => db.got.length,
		length => length === 1,
	);
});

test('without machines there is no process, and a plan changes only what it changes', async () => {
	const mail = new Machine(directory, 4);
	try {
		follow(web, db, mail);
		await untilConnected(mail);
		expect([web.count, db.count]).toEqual([1, 1]);
		follow();
		expect(session.pid).toBeUndefined();
		follow(web);
		await until(
			() => web.count,
			count => count === 2,
		);
	} finally {
		mail.close();
	}
});

test('a machine whose address another has is told of, and let in when the other is gone', async () => {
	const twin = new Machine(directory, 4);
	try {
		const port = {...twin.port, address: web.port.address};
		session.follow({ports: [web.port, db.port, port], names: {}});
		await until(
			() => reports.get(port.id)?.problem,
			problem => problem === 'another instance has its private address',
		);
		expect(twin.count).toBe(0);
		session.follow({ports: [db.port, port], names: {}});
		await until(
			() => reports.get(port.id)?.isConnected,
			isConnected => isConnected === true,
		);
	} finally {
		twin.close();
	}
});

test('a machine that does not take what is sent to it costs no memory, and the sender goes on', async () => {
	db.socket?.pause();
	const frame = packet(web.port, db.port, 1400);
	const many = Buffer.concat(Array.from({length: 1000}, () => framed(frame)));
	// 140 MB, and none of it read at the other end: the sender is not held up by that.
	for (let count = 0; count < 100; count++) {
		await new Promise<void>(resolve => web.socket!.write(many, () => resolve()));
	}
	const {readFile} = await import('node:fs/promises');
	const status = await readFile(`/proc/${session.pid}/status`, 'utf8').catch(() => '');
	const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
	expect(resident).toBeLessThan(140 * 1024);
	db.socket?.resume();
	await until(
		() => db.got.length,
		length => length > 0,
	);
	// Whole frames arrive, whatever was dropped between them.
	expect(db.got.every(each => each.equals(frame))).toBe(true);
});

test('what is no frame ends the line, and it is made anew', async () => {
	web.socket?.write(Buffer.alloc(4));
	await until(
		() => web.count,
		count => count === 2,
	);
	web.send(packet(web.port, db.port));
	await until(
		() => db.got.length,
		length => length === 1,
	);
});
