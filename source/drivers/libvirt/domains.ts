import type {InstanceRecord} from '../../model/instance.ts';
import type {Virsh} from './virsh.ts';

/** What libvirt says a machine does. Source: libvirt, `include/libvirt/libvirt-domain.h`, virDomainState. */
export type DomainState = 'running' | 'paused' | 'starting' | 'saving' | 'ending' | 'io-error' | 'crashed';

/** virDomainPausedReason, as far as it matters. */
const pausedReasons: Readonly<Record<number, DomainState>> = {
	2: 'saving',
	3: 'saving',
	5: 'io-error',
	8: 'ending',
	10: 'crashed',
	11: 'starting',
};

function stateOf(state: number, reason: number): DomainState | undefined {
	switch (state) {
		case 1:
		case 2:
			return 'running';
		case 3:
			return pausedReasons[reason] ?? 'paused';
		case 4:
			return 'ending';
		case 6:
			return 'crashed';
		case 7:
			return 'paused';
		default:
			return undefined;
	}
}

/** Every domain of drover's by the first eight digits of its instance's id, in what `domstats --state --raw` prints. */
export function parseStates(text: string): Map<string, DomainState> {
	const states = new Map<string, DomainState>();
	for (const part of text.split(/^Domain: /m).slice(1)) {
		const key = keyOfName(/^'([^'\n]*)'/.exec(part)?.[1] ?? '');
		const state = Number(/^\s*state\.state=(\d+)$/m.exec(part)?.[1] ?? Number.NaN);
		const reason = Number(/^\s*state\.reason=(\d+)$/m.exec(part)?.[1] ?? 0);
		const word = stateOf(state, reason);
		if (key !== undefined && word !== undefined) states.set(key, word);
	}
	return states;
}

/** Which instance a domain's name belongs to; an instance may have another name by now than when it was started. */
export function keyOfName(name: string): string | undefined {
	return /^drover-.*-([\da-f]{8})$/.exec(name)?.[1];
}

export function keyOf(record: InstanceRecord): string {
	return record.id.slice(0, 8);
}

/** Asks libvirt once for all who want to know at the same time. */
export class Domains {
	#next: Promise<ReadonlyMap<string, DomainState>> | undefined;

	/** What was so when it was called, or later. @throws VirshError */
	async states(virsh: Virsh, timeoutMs: number): Promise<ReadonlyMap<string, DomainState>> {
		this.#next ??= (async () => {
			// Whoever comes before the question is asked is answered by it; who comes later, by another.
			await new Promise(resolve => setImmediate(resolve));
			this.#next = undefined;
			return parseStates(await virsh.ask(['domstats', '--state', '--raw', '--list-active'], {timeoutMs}));
		})();
		return this.#next;
	}

	/** @returns `undefined` when libvirt does not know it. @throws VirshError */
	async state(virsh: Virsh, record: InstanceRecord, timeoutMs = 10_000): Promise<DomainState | undefined> {
		return (await this.states(virsh, timeoutMs)).get(keyOf(record));
	}
}
