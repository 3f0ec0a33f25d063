import type WebSocket from 'ws';
import {asObject} from '../machine/json.ts';
import type {LxdClient} from './client.ts';
import type {Server, ServerDesk} from './server.ts';
import {openSocket} from './socket.ts';

/** `lost`: the line broke; `back`: it is there again, and nobody knows what happened meanwhile. */
export type LxdEvent =
	| {readonly what: 'lost' | 'back'}
	| {readonly what: string; readonly project: string; readonly instance: string};

type Listener = (event: LxdEvent) => void;

const firstPauseMs = 250;
const longestPauseMs = 5000;
/** A line that is dead without having been closed is found out by asking. */
const pingEveryMs = 20_000;

/**
 * What happens to instances, as the server tells it over one websocket that all share. It is open while somebody
 * listens. The server keeps no history: after a break everything has to be looked at again.
 */
export class Events {
	readonly #desk: ServerDesk;
	readonly #listeners = new Set<Listener>();
	#socket: WebSocket | undefined;
	#timer: NodeJS.Timeout | undefined;
	#pauseMs = firstPauseMs;
	#isOpening = false;
	#wasLost = false;
	/** How often a connection was made. */
	connections = 0;

	constructor(desk: ServerDesk) {
		this.#desk = desk;
	}

	listen(listener: Listener): {close(): void} {
		this.#listeners.add(listener);
		void this.#open();
		return {
			close: () => {
				if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.close();
			},
		};
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const socket = this.#socket;
		this.#socket = undefined;
		socket?.terminate();
	}

	#tell(event: LxdEvent): void {
		for (const listener of [...this.#listeners]) listener(event);
	}

	async #open(): Promise<void> {
		if (this.#socket !== undefined || this.#isOpening || this.#timer !== undefined) return;
		this.#isOpening = true;
		let server: Server | undefined;
		try {
			server = await this.#desk.require();
			if (this.#listeners.size === 0) return;
			await this.#connect(server, server.client);
		} catch {
			if (server) this.#desk.lost(server);
			this.#later();
		} finally {
			this.#isOpening = false;
		}
	}

	async #connect(server: Server, client: LxdClient): Promise<void> {
		const socket = openSocket(client.endpoint, '/1.0/events?type=lifecycle&all-projects=true');
		this.#socket = socket;
		let isAlive = true;
		const ping = setInterval(() => {
			if (!isAlive) return socket.terminate();
			isAlive = false;
			socket.ping();
		}, pingEveryMs);
		ping.unref();
		socket.on('pong', () => {
			isAlive = true;
		});
		socket.on('message', data => {
			isAlive = true;
			const event = parseEvent(String(data));
			if (event) this.#tell(event);
		});
		socket.on('close', () => {
			clearInterval(ping);
			if (this.#socket !== socket) return;
			this.#socket = undefined;
			this.#desk.lost(server);
			this.#wasLost = true;
			this.#tell({what: 'lost'});
			this.#later();
		});
		await new Promise<void>((resolve, reject) => {
			socket.once('open', resolve);
			socket.once('error', reject);
		}).catch((error: unknown) => {
			if (this.#socket === socket) this.#socket = undefined;
			clearInterval(ping);
			throw error;
		});
		socket.on('error', () => {});
		this.connections++;
		this.#pauseMs = firstPauseMs;
		if (this.#wasLost) {
			this.#wasLost = false;
			this.#tell({what: 'back'});
		}
	}

	#later(): void {
		if (this.#listeners.size === 0 || this.#timer !== undefined) return;
		this.#wasLost = true;
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			void this.#open();
		}, this.#pauseMs);
		this.#timer.unref();
		this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
	}
}

/** What matters of what is told; the names are the same on both servers. */
const words: Readonly<Record<string, string>> = {
	'instance-created': 'made',
	'instance-started': 'started',
	'instance-stopped': 'stopped',
	'instance-shutdown': 'powered off',
	'instance-restarted': 'restarted',
	'instance-paused': 'frozen',
	'instance-resumed': 'goes on',
	'instance-updated': 'changed',
	'instance-renamed': 'renamed',
	'instance-deleted': 'removed',
	'instance-restored': 'put back to a snapshot',
	'instance-ready': 'ready',
};

/** One message of the stream. @returns `undefined` for what nobody has to look at */
export function parseEvent(text: string): LxdEvent | undefined {
	let message: unknown;
	try {
		message = JSON.parse(text);
	} catch {
		return undefined;
	}
	const {type, metadata, project} = asObject(message);
	if (type !== 'lifecycle') return undefined;
	const {action, source} = asObject(metadata);
	if (typeof action !== 'string' || typeof source !== 'string') return undefined;
	const what = Object.hasOwn(words, action) ? words[action] : undefined;
	if (what === undefined) return undefined;
	// Only Incus gives the name by itself; both have it in the path.
	const match = /^\/1\.0\/(?:instances|containers|virtual-machines)\/([^/?]+)(?:\?(.*))?$/.exec(source);
	if (!match) return undefined;
	const query = new URLSearchParams(match[2] ?? '');
	const own = typeof project === 'string' && project !== '' ? project : (query.get('project') ?? 'default');
	return {what, project: own, instance: decode(match[1]!)};
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
