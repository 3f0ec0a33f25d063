import {connect} from 'node:net';
import type {InstanceRecord, Observation} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import {elsewhereReason, isOwn, projectOf, type Shared} from './context.ts';
import {LxdError} from './errors.ts';
import {powerOf} from './instance-state.ts';
import type {Snapshot} from './listing.ts';
import {bridgeName} from './scope.ts';
import type {Server} from './server.ts';

/** What is so, by the server's answer. One bad instance, or no server at all, is a reason in a row and never a throw. */
export async function observe(shared: Shared, reach: Reach, record: InstanceRecord): Promise<Observation> {
	const nowhere = {ipv4: [], observedAt: Date.now()};
	try {
		const {server, elsewhere, snapshot} = await within(look(shared, record));
		if (elsewhere !== undefined) return {power: 'unresponsive', reason: elsewhere, ...nowhere};
		const found = snapshot.byName.get(record.name);
		if (found === undefined) {
			// A launch that has not got so far.
			if (record.phase === 'creating') return {power: 'off', ...nowhere};
			return {
				power: 'unusable',
				reason: 'the server does not have it any more: it was removed there by somebody else',
				...nowhere,
			};
		}
		if (!isOwn(found, record)) {
			return {
				power: 'unusable',
				reason: 'the server has another instance of this name, which is not drover’s',
				...nowhere,
			};
		}
		const state = powerOf(found.status);
		const member = found.location === '' ? {} : {member: plainLine(found.location)};
		const address = snapshot.leases.get((found.devices['eth0']?.['hwaddr'] ?? record.hardware.mac).toLowerCase());
		const isAlive = state.power === 'running';
		// Each member, and each server, has a network of its own behind this bridge: its addresses mean others elsewhere.
		const isHere = server.remote === '' && (found.location === '' || found.location === server.facts.name);
		const isBehindBridge = found.devices['eth0']?.['network'] === bridgeName;
		const hasSsh = isAlive && address !== undefined && (isHere || (!isBehindBridge && (await reach.isThere(address))));
		return {
			...state,
			...member,
			observedAt: nowhere.observedAt,
			ipv4: isAlive && address !== undefined ? [address] : [],
			...(hasSsh ? {ssh: {host: address, port: 22}} : {}),
			...(isAlive && !isHere && !hasSsh ? {isOutOfReach: true} : {}),
			...(isAlive && found.lastUsedAt !== undefined ? {runningSince: found.lastUsedAt} : {}),
		};
	} catch (error) {
		return {power: 'unresponsive', reason: lowerFirst((error as Error).message.replace(/\.$/, '')), ...nowhere};
	}
}

/** Finding a server again that hangs takes longer than a row may be without an answer. Milliseconds. */
const patienceMs = 1000;

async function within<Value>(work: Promise<Value>): Promise<Value> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new LxdError('silent', `no answer within ${patienceMs / 1000} s`)), patienceMs);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
}

type Look =
	| {readonly server: Server; readonly elsewhere: string; readonly snapshot?: undefined}
	| {readonly server: Server; readonly elsewhere?: undefined; readonly snapshot: Snapshot};

/** A line that was lost is made anew once: then either there is an answer, or a reason that a person can use. */
async function look(shared: Shared, record: InstanceRecord, isAgain = false): Promise<Look> {
	const server = await shared.desk.require();
	const elsewhere = elsewhereReason(record, server.remote);
	if (elsewhere !== undefined) return {server, elsewhere};
	try {
		return {server, snapshot: await shared.listing.get(server, projectOf(record, shared.setting, server.only))};
	} catch (error) {
		if (!(error instanceof LxdError) || error.problem !== 'unreachable') throw error;
		shared.desk.lost(server);
		if (isAgain) throw error;
		return look(shared, record, true);
	}
}

function lowerFirst(text: string): string {
	return /^(?:LXD|Incus)/.test(text) ? text : `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** Addresses of instances on a remote server: some can be reached from here, most cannot. */
export class Reach {
	readonly #known = new Map<string, {at: number; answer: Promise<boolean>}>();

	isThere(address: string): Promise<boolean> {
		const known = this.#known.get(address);
		if (known && Date.now() - known.at < 15_000) return known.answer;
		const answer = connects(address, 22, 300);
		this.#known.set(address, {at: Date.now(), answer});
		if (this.#known.size > 10_000) this.#known.clear();
		return answer;
	}
}

function connects(host: string, port: number, timeoutMs: number): Promise<boolean> {
	return new Promise(resolve => {
		const socket = connect({host, port});
		const end = (value: boolean) => {
			socket.destroy();
			resolve(value);
		};
		socket.setTimeout(timeoutMs, () => end(false));
		socket.once('connect', () => end(true));
		// A refusal comes from there, too: the address can be reached, and nobody listens yet.
		socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
	});
}
