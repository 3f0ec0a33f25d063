import {setTimeout as sleep} from 'node:timers/promises';
import type {GuestFacts} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import type {WorkContext} from '../driver.ts';
import {unanswered} from './context.ts';
import {asObject} from './json.ts';
import {NoAnswer} from './no-answer.ts';

/** The guest's agent. What it says comes from inside the guest: nothing of it may be trusted. */
export type GuestAgent = {
	/** @throws NoAnswer */
	execute(
		command: string,
		parameters?: Readonly<Record<string, unknown>>,
		options?: {readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined},
	): Promise<unknown>;
};

/** Reaches the agent and lets `act` talk with it. @throws NoAnswer, and what `act` throws */
export type Conversation = <T>(signal: AbortSignal, act: (agent: GuestAgent) => Promise<T>) => Promise<T>;

/** What a clock may be off without being set again, in milliseconds. */
const clockTolerance = 2000;

/**
 * Sets the guest's clock to the host's and looks whether it is.
 * @throws Error when it is not
 */
export async function setClock(agent: GuestAgent): Promise<void> {
	// Nanoseconds exceed what a number holds exactly, by less than a microsecond.
	await agent.execute('guest-set-time', {time: Date.now() * 1_000_000}, {timeoutMs: 5000});
	const time = await agent.execute('guest-get-time', undefined, {timeoutMs: 3000});
	const off = typeof time === 'number' ? Math.abs(time / 1_000_000 - Date.now()) : Number.POSITIVE_INFINITY;
	if (off > clockTolerance) throw new Error(`the guest's clock is ${Math.round(off / 1000)} s off`);
}

/** Sets the clock of a guest that was resumed. A failure is logged. */
export async function awake(work: WorkContext, converse: Conversation): Promise<void> {
	for (let attempt = 1; attempt <= 2; attempt++) {
		try {
			await converse(work.signal, setClock);
			work.log('The guest’s clock was set.');
			return;
		} catch (error) {
			if (work.signal.aborted) return;
			work.log(`The guest’s clock could not be set (attempt ${attempt}): ${(error as Error).message}.`);
		}
	}
}

/** How long all questions together may take. */
const factsTimeoutMs = 3000;

/** Asks the agent. Each answer is checked by itself: what the guest does not tell, or tells wrongly, is left out. */
export async function guestFacts(signal: AbortSignal, converse: Conversation): Promise<GuestFacts> {
	const limit = AbortSignal.any([signal, AbortSignal.timeout(factsTimeoutMs)]);
	try {
		return await converse(limit, async agent => {
			const answers = {
				osinfo: await ask(agent, limit, 'guest-get-osinfo'),
				fsinfo: await ask(agent, limit, 'guest-get-fsinfo'),
				vcpus: await ask(agent, limit, 'guest-get-vcpus'),
				proc: await readProc(agent, limit).catch(() => ''),
			};
			return parseFacts(answers);
		});
	} catch (error) {
		if (!(error instanceof NoAnswer)) throw error;
		throw unanswered(
			'The guest’s agent does not answer.',
			'Facts from inside need qemu-guest-agent to run in the guest.',
		);
	}
}

/** A refusal (command disabled, unknown) is no answer; anything else ends the conversation. */
async function ask(agent: GuestAgent, signal: AbortSignal, command: string): Promise<unknown> {
	try {
		return await agent.execute(command, undefined, {timeoutMs: factsTimeoutMs, signal});
	} catch (error) {
		if (error instanceof NoAnswer && error.problem === 'refused') return undefined;
		throw error;
	}
}

/** Load and memory, where the guest lets its agent run programs. */
async function readProc(agent: GuestAgent, signal: AbortSignal): Promise<string> {
	const status = await runProgram(
		agent,
		{path: 'cat', arg: ['/proc/loadavg', '/proc/meminfo']},
		factsTimeoutMs,
		signal,
	);
	const data = status['out-data'];
	return typeof data === 'string' ? Buffer.from(data.slice(0, 100_000), 'base64').toString('utf8') : '';
}

/**
 * Makes the guest write to its disk what it has not written yet. A guest that is asked to freeze its file systems instead
 * would stay frozen when drover dies before it can say that they may go on.
 * @throws NoAnswer, Error
 */
export async function syncDisks(agent: GuestAgent, timeoutMs: number, signal: AbortSignal): Promise<void> {
	const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
	const status = await runProgram(agent, {path: 'sync', arg: []}, timeoutMs, limit);
	if (status['exited'] !== true || status['exitcode'] !== 0) throw new Error('the guest did not sync in time');
}

/** Runs a program in the guest to its end. @returns its status, not `exited` when the signal came first */
async function runProgram(
	agent: GuestAgent,
	program: {readonly path: string; readonly arg: readonly string[]},
	timeoutMs: number,
	signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
	const options = {timeoutMs, signal};
	const begun = asObject(await agent.execute('guest-exec', {...program, 'capture-output': true}, options));
	if (typeof begun['pid'] !== 'number') return {};
	for (let pause = 5; !signal.aborted; pause = Math.min(100, pause * 2)) {
		const status = asObject(await agent.execute('guest-exec-status', {pid: begun['pid']}, options));
		if (status['exited'] === true) return status;
		await sleep(pause);
	}
	return {};
}

/**
 * What its interfaces but loopback have received and sent since its boot, in bytes.
 * @throws NoAnswer
 */
export async function networkUse(
	agent: GuestAgent,
	options: {readonly timeoutMs: number},
): Promise<{readonly received: number; readonly sent: number} | undefined> {
	return parseNetworkUse(await agent.execute('guest-network-get-interfaces', undefined, options));
}

/** A guest can have as many interfaces as it likes; so many are counted. */
const mostInterfaces = 64;

/** Source: `GuestNetworkInterfaceStat` of the guest agent's protocol. */
export function parseNetworkUse(answer: unknown): {readonly received: number; readonly sent: number} | undefined {
	const counted = (Array.isArray(answer) ? answer.slice(0, mostInterfaces) : []).flatMap(entry => {
		const {name, statistics} = asObject(entry);
		const {'rx-bytes': received, 'tx-bytes': sent} = asObject(statistics);
		return name !== 'lo' && isBytes(received) && isBytes(sent) ? [{received, sent}] : [];
	});
	const received = counted.reduce((sum, each) => sum + each.received, 0);
	const sent = counted.reduce((sum, each) => sum + each.sent, 0);
	return counted.length > 0 && isBytes(received) && isBytes(sent) ? {received, sent} : undefined;
}

/** A guest can name as many disks as it likes; so many are shown. */
const mostDisks = 32;

/** The agent's answers, as far as they make sense. */
export function parseFacts(answers: {
	readonly osinfo: unknown;
	readonly fsinfo: unknown;
	readonly vcpus: unknown;
	readonly proc: string;
}): GuestFacts {
	const name = asObject(answers.osinfo)['pretty-name'];
	const release = typeof name === 'string' ? plainLine(name).slice(0, 200) : '';
	const disks = parseDisks(answers.fsinfo);
	const load = /^(\d{1,6}\.\d+) (\d{1,6}\.\d+) (\d{1,6}\.\d+) /.exec(answers.proc);
	const total = kibibytes(answers.proc, 'MemTotal');
	const available = kibibytes(answers.proc, 'MemAvailable');
	const cpus = Array.isArray(answers.vcpus)
		? answers.vcpus.filter(cpu => asObject(cpu)['online'] !== false).length
		: undefined;
	return {
		...(release === '' ? {} : {release}),
		...(load ? {load: [Number(load[1]), Number(load[2]), Number(load[3])] as const} : {}),
		...(Object.keys(disks).length === 0 ? {} : {disks}),
		...(total !== undefined && available !== undefined && available <= total
			? {memory: {used: total - available, total}}
			: {}),
		...(cpus === undefined || cpus === 0 ? {} : {cpus}),
	};
}

function parseDisks(fsinfo: unknown): Record<string, {used: number; total: number}> {
	const disks: Record<string, {used: number; total: number}> = {};
	for (const entry of Array.isArray(fsinfo) ? fsinfo.slice(0, mostDisks) : []) {
		const {name, 'used-bytes': used, 'total-bytes': total} = asObject(entry);
		if (typeof name !== 'string' || !isBytes(used) || !isBytes(total) || used > total) continue;
		// A name is a device's (`vda2`); others would be somebody's joke.
		if (/^[\w.:+-]{1,64}$/.test(name) && name !== '__proto__') disks[name] = {used, total};
	}
	return disks;
}

function isBytes(value: unknown): value is number {
	return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function kibibytes(text: string, key: string): number | undefined {
	const match = new RegExp(`^${key}:\\s+(\\d{1,12}) kB$`, 'm').exec(text);
	return match ? Number(match[1]) * 1024 : undefined;
}
