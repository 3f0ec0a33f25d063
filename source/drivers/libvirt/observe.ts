import {readFile} from 'node:fs/promises';
import type {InstanceRecord, Observation} from '../../model/instance.ts';
import type {InstancePlace} from '../driver.ts';
import {foreignReason} from '../machine/context.ts';
import {filesOf, type InstanceFiles} from '../machine/files.ts';
import {type MachineProcess, sshPortOf} from '../machine/process.ts';
import {atRest, type Power} from '../machine/rest.ts';
import {type Shared, startedAt} from './context.ts';
import {type DomainState, keyOf} from './domains.ts';

/** What `observe` may take in all is a second. */
const answerTimeoutMs = 800;
/** While libvirt ends one machine it answers late about all: what it said last is believed for so long. */
const beliefMs = 5000;

/** What libvirt said last, with when. */
export class Beliefs {
	readonly #said = new Map<string, {state: DomainState | undefined; pid: number; at: number}>();

	keep(key: string, pid: number, state: DomainState | undefined): void {
		this.#said.set(key, {state, pid, at: Date.now()});
	}

	recall(key: string, pid: number): DomainState | undefined {
		const said = this.#said.get(key);
		return said && said.pid === pid && Date.now() - said.at < beliefMs ? said.state : undefined;
	}
}

/** What is so, from evidence: the process, what libvirt says of it, the files. Never throws. */
export async function observe(
	shared: Shared,
	beliefs: Beliefs,
	record: InstanceRecord,
	place: InstancePlace,
): Promise<Observation> {
	const nowhere = {ipv4: [], observedAt: Date.now()};
	try {
		const files = filesOf(place);
		const found = await shared.machines.find(record.id, files);
		if (!found) return {...(await atRest(record, files)), ...nowhere};
		if (found.runner !== 'libvirt') {
			return {power: 'unusable', reason: foreignReason(found), ...nowhere};
		}
		const power = await powerOf(shared, beliefs, record, found);
		// It may have ended between being found and being asked about.
		if (power === undefined) return await lookAgain(shared, record, files, nowhere);
		const [port, since] = [sshPortOf(found), await startedAt(files.domain)];
		return {
			...power,
			...nowhere,
			...(since === undefined ? {} : {runningSince: since}),
			...(port === undefined ? {} : {ssh: {host: '127.0.0.1', port}}),
		};
	} catch (error) {
		return {power: 'unusable', reason: `it could not be looked at: ${(error as Error).message}`, ...nowhere};
	}
}

async function powerOf(
	shared: Shared,
	beliefs: Beliefs,
	record: InstanceRecord,
	found: MachineProcess,
): Promise<Power | undefined> {
	const stopped: Power = {power: 'unresponsive', reason: 'QEMU is there, but its process has been stopped'};
	if (await standsStill(found.pid)) return stopped;
	const key = keyOf(record);
	try {
		const {virsh} = await within(shared.libvirt.require(), answerTimeoutMs);
		const state = await shared.domains.state(virsh, record, answerTimeoutMs);
		beliefs.keep(key, found.pid, state);
		// On a busy host a process that was just told to stand still takes a moment to do so.
		if (await standsStill(found.pid)) return stopped;
		return state === undefined ? undefined : wordsFor(state);
	} catch (error) {
		const before = beliefs.recall(key, found.pid);
		if (before !== undefined) return wordsFor(before);
		return {
			power: 'unresponsive',
			reason: `QEMU runs, but libvirt cannot be asked about it: ${(error as Error).message.replace(/\.$/, '')}`,
		};
	}
}

export function wordsFor(state: DomainState): Power {
	switch (state) {
		case 'running':
		case 'ending':
			return {power: 'running'};
		case 'starting':
			return {power: 'loading'};
		case 'io-error':
			return {
				power: 'paused',
				reason: 'its disk could not be written, most likely because the host’s disk is full; starting it goes on',
			};
		case 'crashed':
			return {power: 'unresponsive', reason: 'the guest is broken (crashed)'};
		default:
			return {power: 'paused'};
	}
}

async function lookAgain(
	shared: Shared,
	record: InstanceRecord,
	files: InstanceFiles,
	nowhere: Pick<Observation, 'ipv4' | 'observedAt'>,
): Promise<Observation> {
	if (await shared.machines.find(record.id, files)) {
		return {power: 'unresponsive', reason: 'QEMU runs, but libvirt does not know of it', ...nowhere};
	}
	return {...(await atRest(record, files)), ...nowhere};
}

/** A process that was stopped by a signal answers nobody, which libvirt does not notice by itself. */
async function standsStill(pid: number): Promise<boolean> {
	const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
	return /^\s[Tt]\s/.test(text.slice(text.lastIndexOf(')') + 1));
}

function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error('it does not answer in time')), milliseconds);
		promise.then(resolve, reject).finally(() => clearTimeout(timer));
	});
}
