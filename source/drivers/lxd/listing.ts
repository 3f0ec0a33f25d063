import {code, type Listed, parseLeases, parseListed} from './instance-state.ts';
import type {Server} from './server.ts';

/** All of a project, as it was at one moment. */
export type Snapshot = {
	readonly byName: ReadonlyMap<string, Listed>;
	/** MAC address -> IPv4 address. */
	readonly leases: ReadonlyMap<string, string>;
};

const timeoutMs = 900;

/**
 * Listings of a project, shared by all who ask at the same time: fifty instances are looked at by one request for the
 * instances and one for their addresses. Who asks while one is under way gets the next one, so that nobody is told of
 * a time before his question.
 */
export class Listing {
	readonly #current = new Map<string, Pending>();
	/** How many listings were made. */
	count = 0;

	get(server: Server, project: string): Promise<Snapshot> {
		const key = `${server.remote} ${project}`;
		const found = this.#current.get(key);
		if (found === undefined) return this.#begin(key, server, project).result;
		if (!found.isAsked) return found.result;
		const again = () => this.#begin(key, server, project).result;
		found.next ??= found.result.then(again, again);
		return found.next;
	}

	#begin(key: string, server: Server, project: string): Pending {
		const mine: Pending = {isAsked: false, result: Promise.resolve(nothing)};
		// Those who ask in the same turn of the event loop are served together.
		mine.result = new Promise<void>(resolve => setImmediate(resolve)).then(() => {
			mine.isAsked = true;
			return this.#ask(server, project);
		});
		this.#current.set(key, mine);
		const done = () => {
			if (this.#current.get(key) === mine && mine.next === undefined) this.#current.delete(key);
		};
		mine.result.then(done, done);
		return mine;
	}

	async #ask({client}: Server, project: string): Promise<Snapshot> {
		this.count++;
		const list = await client.get('/1.0/instances', {recursion: 1, project}, {timeoutMs});
		const entries = (Array.isArray(list) ? list : []).flatMap(entry => parseListed(entry) ?? []);
		const networks = new Set(entries.flatMap(networksOf));
		const leases = await Promise.all(
			[...networks].map(async network =>
				client
					.find(`/1.0/networks/${encodeURIComponent(network)}/leases`, {project}, {timeoutMs})
					.then(parseLeases, () => new Map<string, string>()),
			),
		);
		return {
			byName: new Map(entries.map(entry => [entry.name, entry])),
			leases: new Map(leases.flatMap(each => [...each])),
		};
	}
}

type Pending = {isAsked: boolean; result: Promise<Snapshot>; next?: Promise<Snapshot>};

const nothing: Snapshot = {byName: new Map(), leases: new Map()};

/** Networks of the server's own making that a running instance is on: they know its address. */
function networksOf({devices, status}: Listed): string[] {
	if (status === code.stopped) return [];
	return Object.values(devices).flatMap(device => (device['type'] === 'nic' ? (device['network'] ?? []) : []));
}
