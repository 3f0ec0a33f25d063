import {DroverError} from '../../model/errors.ts';
import type {GuestFacts, InstanceRecord, Observation} from '../../model/instance.ts';
import {plainLine} from '../../model/text.ts';
import {lastLine, run} from '../../platform/programs.ts';
import type {Paths} from '../../state/paths.ts';

/** One line for each thing, so that what a guest prints cannot be taken for another. */
const question =
	'cat /proc/loadavg; grep -s ^PRETTY_NAME= /etc/os-release; echo "cpus=$(nproc 2>/dev/null)"; grep -E "^Mem(Total|Available):" /proc/meminfo; echo "root $(df -Pk / 2>/dev/null | tail -n 1)"';

/** Who asks waits less, and says so by the signal. */
const timeoutMs = 15_000;

/** Linux guests have no agent for Hyper-V that could be asked: they are asked over SSH. @throws DroverError `guest.unanswered` */
export async function guestFacts(
	paths: Paths,
	environment: Readonly<Record<string, string>>,
	record: InstanceRecord,
	{ssh}: Observation,
	signal: AbortSignal,
): Promise<GuestFacts> {
	if (ssh === undefined) throw unanswered('no address of it is known');
	const [{sshAccess}, {sshArguments}] = await Promise.all([
		import('../../guest/ssh-config.ts'),
		import('../../guest/ssh-command.ts'),
	]);
	const {name, id} = record;
	const {user, hostKey} = record.ssh;
	const access = await sshAccess(paths, {name, id, ...ssh, user, hostKey});
	const result = await run('ssh', sshArguments(access, {command: ['sh', '-c', question], connectTimeoutSeconds: 10}), {
		timeoutMs,
		signal,
		environment,
	});
	if (result.code !== 0) {
		throw unanswered(result.timedOut || signal.aborted ? 'it takes too long' : lastLine(result.stderr));
	}
	return parseGuest(result.stdout);
}

function unanswered(why: string): DroverError {
	return new DroverError('guest.unanswered', `The guest cannot be asked over SSH: ${why || 'no reason is told'}.`);
}

/** The guest's answer, as far as it makes sense; nothing of it is trusted. */
export function parseGuest(answer: string): GuestFacts {
	const text = answer.slice(0, 20_000);
	const load = /^(\d{1,6}\.\d+) (\d{1,6}\.\d+) (\d{1,6}\.\d+) /m.exec(text);
	const name = /^PRETTY_NAME=(.{1,300})$/m.exec(text)?.[1];
	const release = name === undefined ? '' : plainLine(name.replace(/^(["'])(.*)\1$/, '$2')).slice(0, 200);
	const cpus = Number(/^cpus=(\d{1,4})$/m.exec(text)?.[1] ?? 0);
	const total = kibibytes(/^MemTotal:\s+(\d{1,12}) kB$/m, text);
	const available = kibibytes(/^MemAvailable:\s+(\d{1,12}) kB$/m, text);
	const disk = /^root \S+ +(\d{1,15}) +(\d{1,15}) +/m.exec(text);
	return {
		...(release === '' ? {} : {release}),
		...(load ? {load: [Number(load[1]), Number(load[2]), Number(load[3])] as const} : {}),
		...(cpus > 0 ? {cpus} : {}),
		...(total !== undefined && available !== undefined && available <= total
			? {memory: {used: total - available, total}}
			: {}),
		...(disk ? {disks: {root: {used: Number(disk[2]) * 1024, total: Number(disk[1]) * 1024}}} : {}),
	};
}

function kibibytes(pattern: RegExp, text: string): number | undefined {
	const found = pattern.exec(text)?.[1];
	return found === undefined ? undefined : Number(found) * 1024;
}
