import {lookup} from 'node:dns/promises';
import {isIPv4} from 'node:net';
import type {InstanceRecord} from '../../model/instance.ts';
import {hypervMac} from './context.ts';
import type {Machine} from './messages.ts';

/** Asks the host's resolver for a name's IPv4 addresses; tests bring their own. */
export type Resolve = (name: string) => Promise<readonly string[]>;

export const resolveName: Resolve = async name =>
	(await lookup(name, {all: true, family: 4})).map(each => each.address);

/** How long an answer is good for, and how long none is. Milliseconds. */
const keptMs = 10_000;
/** Many names make no sense of the table any more. */
const mostNames = 1000;

/** Under this domain the Default Switch's own DNS server knows guests by the names they ask for an address with. */
const domain = 'mshome.net';

/** Where guests are, as far as Hyper-V or the host know; the first is on the switch that every instance is on. */
export class Addresses {
	readonly #resolve: Resolve;
	readonly #known = new Map<string, {at: number; found: readonly string[]}>();

	constructor(resolve: Resolve = resolveName) {
		this.#resolve = resolve;
	}

	/**
	 * What the guest or the host's own table of neighbours tells; where both tell nothing, what the switch's DNS server
	 * told a moment ago. Nobody waits for DNS: its answer is there at the next look. Whoever answers there has to show the
	 * guest's key, so that an address of the past does no harm.
	 */
	of(machine: Machine, record: InstanceRecord): readonly string[] {
		const first = hypervMac(record.hardware.mac);
		const sorted = [...machine.nics].sort((a, b) => Number(b.mac === first) - Number(a.mac === first));
		const told = sorted.flatMap(nic => nic.ipv4).filter(isReachable);
		return told.length > 0 ? [...new Set(told)] : this.#named(record.name);
	}

	#named(name: string): readonly string[] {
		const known = this.#known.get(name);
		if (known === undefined || Date.now() - known.at > keptMs) {
			if (this.#known.size > mostNames) this.#known.clear();
			const asked = {at: Date.now(), found: known?.found ?? []};
			this.#known.set(name, asked);
			const keep = (found: readonly string[]) => {
				asked.found = found.filter(isReachable);
			};
			void this.#resolve(`${name}.${domain}`).then(keep, () => keep([]));
		}
		return this.#known.get(name)?.found ?? [];
	}
}

/** Not what a guest gives itself when nobody gives it an address. */
function isReachable(address: string): boolean {
	return isIPv4(address) && !address.startsWith('169.254.') && address !== '0.0.0.0';
}
