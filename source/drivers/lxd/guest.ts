import {DroverError} from '../../model/errors.ts';
import type {GuestFacts} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import {plainLine} from '../../model/text.ts';
import {asObject} from '../machine/json.ts';
import {findOwn, type Job} from './context.ts';
import {LxdError} from './errors.ts';
import {exec} from './exec.ts';

/** One line for each thing, so that what a guest prints cannot be taken for another. */
const question = [
	'sh',
	'-c',
	'cat /proc/loadavg; grep -s ^PRETTY_NAME= /etc/os-release; echo "cpus=$(nproc 2>/dev/null)"; df -Pk / 2>/dev/null | tail -n 1; cat /proc/1/cgroup >/dev/null',
];

/**
 * What the guest says of itself, and what the server says of it: memory and disk are the server's numbers, because a
 * container sees those of its host.
 */
export async function guestFacts(job: Job, signal: AbortSignal, isDiskLimited: boolean): Promise<GuestFacts> {
	const {server, path, project, record} = job;
	try {
		const [state, output] = await Promise.all([
			server.client.get(`${path}/state`, {project}, {timeoutMs: 2500, signal}),
			exec({client: server.client, path, project}, question, {timeoutMs: 2800, signal}),
		]);
		return {...parseGuest(output.stdout), ...usage(state, record.hardware, isDiskLimited)};
	} catch (error) {
		if (!(error instanceof LxdError)) throw error;
		throw new DroverError('guest.unanswered', `The guest cannot be asked: ${error.message.replace(/\.$/, '')}.`, {
			next: 'A virtual machine needs the LXD agent for it.',
		});
	}
}

/** The guest's answer, as far as it makes sense; nothing of it is trusted. */
export function parseGuest(text: string): GuestFacts {
	const load = /^(\d{1,6}\.\d+) (\d{1,6}\.\d+) (\d{1,6}\.\d+) /m.exec(text.slice(0, 10_000));
	const name = /^PRETTY_NAME=(.{1,300})$/m.exec(text)?.[1];
	const release = name === undefined ? '' : plainLine(name.replace(/^(["'])(.*)\1$/, '$2')).slice(0, 200);
	const cpus = Number(/^cpus=(\d{1,4})$/m.exec(text)?.[1] ?? 0);
	return {
		...(release === '' ? {} : {release}),
		...(load ? {load: [Number(load[1]), Number(load[2]), Number(load[3])] as const} : {}),
		...(cpus > 0 ? {cpus} : {}),
	};
}

function usage(state: unknown, hardware: {memory: number; disk: number}, isDiskLimited: boolean): Partial<GuestFacts> {
	const {memoryUsed, diskUsed} = parseMetrics(state, 0);
	return {
		...(memoryUsed === undefined
			? {}
			: {memory: {used: Math.min(memoryUsed, hardware.memory), total: hardware.memory}}),
		...(diskUsed === undefined || !isDiskLimited
			? {}
			: {disks: {root: {used: Math.min(diskUsed, hardware.disk), total: hardware.disk}}}),
	};
}

/** One sample, from the state of an instance. */
export async function metrics(job: Job): Promise<Metrics | undefined> {
	const {server, path, project, record} = job;
	const state = await server.client.get(`${path}/state`, {project}, {timeoutMs: 1000});
	if (asObject(state)['status_code'] !== 103) return undefined;
	return {...parseMetrics(state, Date.now()), memoryTotal: record.hardware.memory};
}

export function parseMetrics(state: unknown, at: number): Metrics {
	const {cpu, memory, disk, network, processes} = asObject(state);
	// Nothing that runs uses nothing: a server that cannot count says 0.
	const cpuUsage = bytes(asObject(cpu)['usage']) || undefined;
	const memoryUsed = bytes(asObject(memory)['usage']) || undefined;
	const diskUsed = bytes(asObject(asObject(disk)['root'])['usage']);
	let [received, sent] = [0, 0];
	for (const [name, entry] of Object.entries(asObject(network))) {
		if (name === 'lo') continue;
		const counters = asObject(asObject(entry)['counters']);
		received += bytes(counters['bytes_received']) ?? 0;
		sent += bytes(counters['bytes_sent']) ?? 0;
	}
	return {
		at,
		...(cpuUsage === undefined ? {} : {cpuSeconds: cpuUsage / 1e9}),
		...(memoryUsed === undefined ? {} : {memoryUsed}),
		...(diskUsed === undefined || diskUsed === 0 ? {} : {diskUsed}),
		received,
		sent,
		...(typeof processes === 'number' && processes >= 0 ? {processes} : {}),
	};
}

function bytes(value: unknown): number | undefined {
	return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Whether the guest can be used by way of the server: its processes run, and one more can be started. */
export async function answers(job: Job, signal: AbortSignal): Promise<string> {
	const {server, path, project} = job;
	const found = await findOwn(job, signal);
	const title = found?.type === 'virtual-machine' ? 'the LXD agent in the guest' : 'the container';
	for (;;) {
		try {
			const {code} = await exec({client: server.client, path, project}, ['true'], {timeoutMs: 5000, signal});
			if (code === 0) return `${title} answers`;
		} catch (error) {
			if (!(error instanceof LxdError) || error.problem === 'aborted') {
				throw new DroverError('guest.unanswered', `${title} does not answer`, {cause: error});
			}
		}
		await new Promise(resolve => setTimeout(resolve, 500));
		if (signal.aborted) throw new DroverError('guest.unanswered', `${title} does not answer`);
	}
}

/** Runs a command as root, to its end. @throws DroverError `guest.unanswered` */
export async function execute(
	{server, path, project}: Job,
	command: readonly string[],
	options: {readonly timeoutMs: number; readonly signal: AbortSignal},
): Promise<{readonly code: number; readonly stdout: string}> {
	try {
		return await exec({client: server.client, path, project}, command, options);
	} catch (error) {
		if (!(error instanceof LxdError)) throw error;
		throw new DroverError('guest.unanswered', `The guest cannot be asked: ${error.message.replace(/\.$/, '')}.`, {
			next: 'A virtual machine needs the LXD agent for it.',
			cause: error,
		});
	}
}

/** What it wrote to its console, as far as the server keeps it; empty when there is nothing. */
export async function consoleText({server, path, project}: Job): Promise<string> {
	const {status, body, headers} = await server.client.raw('GET', `${path}/console`, {
		query: {project},
		signal: AbortSignal.timeout(5000),
	});
	const {textOf} = await import('./client.ts');
	const text = await textOf(body);
	return status === 200 && !String(headers['content-type']).includes('json') ? text.slice(-256 * 1024) : '';
}
