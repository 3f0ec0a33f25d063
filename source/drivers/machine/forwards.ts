import {type Forward, type ForwardKey, isSameForward} from '../../model/forward.ts';
import {plainLine} from '../../model/text.ts';
import type {ForwardFailure} from '../driver.ts';
import {forwardNote} from '../forward-words.ts';
import {hostPortProblem} from '../host-port.ts';

/** Says one line to QEMU's monitor for people: its network inside the process can be changed in no other way. */
export type Hmp = (line: string) => Promise<string>;

/** The name of the network that `command-line.ts` and `domain-xml.ts` give it. */
const network = 'n0';

/**
 * The forwards that are in force, in what `info usernet` prints. Source: libslirp, `src/misc.c`, slirp_connection_info:
 * `*` stands for every address.
 */
export function parseUsernet(text: string): Forward[] {
	return text.split('\n').flatMap(line => {
		const match = /^\s*(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+(\*|[\d.]+)\s+(\d+)\s+(?:\*|[\d.]+)\s+(\d+)\s/.exec(line);
		if (!match) return [];
		const protocol = match[1] === 'TCP' ? ('tcp' as const) : ('udp' as const);
		const address = match[2] === '*' ? '0.0.0.0' : match[2]!;
		return [{protocol, address, host: Number(match[3]), guest: Number(match[4])}];
	});
}

export type ForwardPlan = {readonly remove: readonly Forward[]; readonly add: readonly Forward[]};

/** What makes the wanted ones of those in force. The one for SSH is the driver's own. */
export function planForwards(
	wanted: readonly Forward[],
	active: readonly Forward[],
	sshPort: number | undefined,
): ForwardPlan {
	return {
		remove: active.filter(
			each => !(each.guest === 22 && each.host === sshPort) && !wanted.some(other => isSameForward(each, other)),
		),
		add: wanted.filter(each => !active.some(other => isSameForward(each, other))),
	};
}

/** Makes the forwards of a running machine those that are wanted. May be repeated. @returns those that could not be made */
export async function syncForwards(
	wanted: readonly Forward[],
	sshPort: number | undefined,
	say: Hmp,
): Promise<ForwardFailure[]> {
	const {remove, add} = planForwards(wanted, parseUsernet(await say('info usernet')), sshPort);
	// First: a new one may have the port of an old one.
	for (const forward of remove) await say(`hostfwd_remove ${network} ${place(forward)}`);
	const failures: ForwardFailure[] = [];
	for (const forward of add) {
		const answer = (await say(`hostfwd_add ${network} ${place(forward)}-:${forward.guest}`)).trim();
		if (answer === '') continue;
		const reason = (await hostPortProblem(forward)) ?? plainLine(answer).slice(0, 200);
		failures.push({forward, reason});
	}
	return failures;
}

function place({protocol, address, host}: ForwardKey & {readonly address: string}): string {
	return `${protocol}:${address}:${host}`;
}

/** Sentences about those of a running machine that are not in force. */
export async function forwardNotes(wanted: readonly Forward[] | undefined, say: Hmp): Promise<string[]> {
	if (wanted === undefined || wanted.length === 0) return [];
	const {add} = planForwards(wanted, parseUsernet(await say('info usernet')), undefined);
	return add.map(forwardNote);
}
