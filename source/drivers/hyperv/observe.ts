import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';
import type {Addresses} from './addresses.ts';
import {filesOf, type Shared} from './context.ts';
import {exists} from './disk.ts';
import {HypervError, hypervError} from './errors.ts';
import type {Machines} from './listing.ts';
import {isOff, powerOf} from './states.ts';

/** A row of a table may not be without an answer for longer. Milliseconds. */
const patienceMs = 950;
/** How long a Hyper-V that is slow may be shown as it was. Milliseconds. */
const recentMs = 15_000;

/** What is so, by Hyper-V's answer. One bad instance, or no Hyper-V at all, is a reason in a row and never a throw. */
export async function observe(
	shared: Shared,
	addresses: Addresses,
	record: InstanceRecord,
	place: InstancePlace,
): Promise<Observation> {
	const nowhere = {ipv4: [], observedAt: Date.now()};
	try {
		const [machines, hasDisk] = await Promise.all([look(shared), exists(filesOf(place).disk)]);
		const found = machines.get(record.id);
		if (found === undefined || found.phase === 'making') {
			// A launch that has not got so far.
			if (record.phase === 'creating') return {power: 'off', ...nowhere};
			const reason =
				found === undefined
					? 'Hyper-V does not have it any more: it was removed there by somebody else, or its notes were'
					: 'its making was cut short';
			return {power: 'unusable', reason, ...nowhere};
		}
		if (!hasDisk && isOff(found.state)) return {power: 'unusable', reason: 'its disk is missing', ...nowhere};
		const state = powerOf(found.state);
		if (state.power !== 'running') return {...state, ...nowhere};
		const ipv4 = addresses.of(found, record);
		const [host] = ipv4;
		return {
			...state,
			observedAt: nowhere.observedAt,
			ipv4,
			...(host === undefined ? {} : {ssh: {host, port: 22}}),
			runningSince: Math.trunc(nowhere.observedAt - found.uptime * 1000),
		};
	} catch (error) {
		if (error instanceof HypervError && error.problem === 'silent' && !shared.scripts.isReady) {
			return {power: 'unresponsive', reason: 'PowerShell is still being started', ...nowhere};
		}
		const told = hypervError(error, 'being asked') as Error;
		return {power: 'unresponsive', reason: reasonOf(told.message), ...nowhere};
	}
}

/**
 * The machines as they are; where Hyper-V takes long to tell, as they were a moment ago. It is known to be slow and not to
 * hang by the script, which says when it begins.
 */
async function look({listing, scripts}: Shared): Promise<Machines> {
	try {
		return await within(listing.get(), patienceMs);
	} catch (error) {
		const isSlow = error instanceof HypervError && error.problem === 'silent' && (await scripts.isAtWork());
		const last = isSlow ? listing.recent(recentMs) : undefined;
		if (last === undefined) throw error;
		return last;
	}
}

async function within<Value>(work: Promise<Value>, timeoutMs: number): Promise<Value> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new HypervError('silent', 'no answer')), timeoutMs);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
		work.catch(() => {});
	}
}

function reasonOf(message: string): string {
	const text = message.replace(/\.$/, '');
	return /^(?:Hyper-V|PowerShell)/.test(text) ? text : `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
