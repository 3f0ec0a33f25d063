import {type Forward, isSameForward} from '../../model/forward.ts';
import {plainLine} from '../../model/text.ts';
import type {ForwardFailure} from '../driver.ts';
import {forwardNote} from '../forward-words.ts';
import {hostPortProblem} from '../host-port.ts';
import {findOwn, type Job, missing} from './context.ts';
import {LxdError} from './errors.ts';
import {code, type Listed} from './instance-state.ts';
import {removeDevice} from './mounts.ts';

const pattern = /^fwd-(tcp|udp)-\d{1,5}$/;

/** One device for each: the server's own program listens on the host and connects inside. */
function deviceName({protocol, host}: Forward): string {
	return `fwd-${protocol}-${host}`;
}

function deviceOf({protocol, address, host, guest}: Forward): Record<string, string> {
	return {
		type: 'proxy',
		bind: 'host',
		listen: `${protocol}:${address}:${host}`,
		connect: `${protocol}:127.0.0.1:${guest}`,
	};
}

type Present = {readonly name: string; readonly forward: Forward | undefined};

/** What the server has of them; `undefined` is one that makes no sense. */
function present({devices}: Listed): Present[] {
	return Object.entries(devices).flatMap(([name, device]): Present[] => {
		const protocol = pattern.exec(name)?.[1] as Forward['protocol'] | undefined;
		if (protocol === undefined || device['type'] !== 'proxy') return [];
		const listen = new RegExp(`^${protocol}:([\\d.]+):(\\d+)$`).exec(device['listen'] ?? '');
		const connect = new RegExp(`^${protocol}:127\\.0\\.0\\.1:(\\d+)$`).exec(device['connect'] ?? '');
		if (!listen || !connect) return [{name, forward: undefined}];
		return [{name, forward: {protocol, address: listen[1]!, host: Number(listen[2]), guest: Number(connect[1])}}];
	});
}

/** Why a port of this host cannot lead into an instance. */
export async function forwardProblem(job: Job, forward: Forward): Promise<string | undefined> {
	const {server, record} = job;
	if (record.lxd?.type === 'virtual-machine') return 'LXD forwards ports into containers only';
	if (server.remote !== '') return `the instance is on ${server.remote}, and the port would be there and not here`;
	const location = (await findOwn(job))?.location ?? '';
	if (location !== '' && location !== server.facts.name) {
		return `the instance is on the member ${plainLine(location)}, and the port would be there and not here`;
	}
	return hostPortProblem(forward);
}

/** Makes the forwards on the server those of the record; those of one that rests are made when it is started. */
export async function forwards(job: Job): Promise<readonly ForwardFailure[]> {
	const {record, server, path, project} = job;
	const found = await findOwn(job);
	if (found === undefined) throw missing(job);
	const wanted = record.forwards ?? [];
	const here = present(found);
	const isWanted = (forward: Forward | undefined) =>
		forward !== undefined && wanted.some(each => isSameForward(each, forward));
	for (const {name, forward} of here) if (!isWanted(forward)) await removeDevice(job, name);
	if (found.status === code.stopped) return [];
	const failures: ForwardFailure[] = [];
	for (const forward of wanted) {
		if (here.some(each => each.forward !== undefined && isSameForward(each.forward, forward))) continue;
		const reason = (await hostPortProblem(forward)) ?? (await add(forward));
		if (reason !== undefined) failures.push({forward, reason});
	}
	return failures;

	async function add(forward: Forward): Promise<string | undefined> {
		try {
			const body = {devices: {[deviceName(forward)]: deviceOf(forward)}};
			await server.client.ask('PATCH', path, {query: {project}, body, timeoutMs: 60_000});
			return undefined;
		} catch (error) {
			if (!(error instanceof LxdError) || error.problem !== 'refused') throw error;
			return plainLine(error.message).replace(/\.$/, '').slice(0, 300);
		}
	}
}

/** Sentences about those of an instance that runs which are not in force. */
export async function forwardNotes(job: Job): Promise<string[]> {
	const wanted = job.record.forwards ?? [];
	if (wanted.length === 0) return [];
	const found = await findOwn(job);
	const here = found === undefined ? [] : present(found).flatMap(({forward}) => forward ?? []);
	return wanted.filter(each => !here.some(other => isSameForward(each, other))).map(forwardNote);
}

/** Takes those away whose port another program has by now: with them the server would not start the instance at all. */
export async function forwardsBeforeStart(job: Job): Promise<void> {
	if (job.record.forwards === undefined) return;
	const found = await findOwn(job);
	if (found?.status !== code.stopped) return;
	for (const {name, forward} of present(found)) {
		if (forward === undefined || (await hostPortProblem(forward)) !== undefined) await removeDevice(job, name);
	}
}
