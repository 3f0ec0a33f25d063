import process from 'node:process';
import {sshArguments} from '../../guest/ssh-command.ts';
import {sshAccessOf} from '../../guest/ssh-config.ts';
import {DroverError} from '../../model/errors.ts';
import type {GuestFacts, InstanceRecord} from '../../model/instance.ts';
import type {Paths} from '../../state/paths.ts';
import type {WorkContext} from '../driver.ts';
import {parseFacts} from '../machine/guest.ts';
import {type RunOptions, run} from '../machine/programs.ts';

/** The engine gives it less; a guest under software emulation needs it. */
const factsTimeoutMs = 10_000;
const clockTimeoutMs = 20_000;

/** Cloud images have no program of VirtualBox's inside: the guest is asked by way of SSH. @throws DroverError `guest.unanswered` */
async function ask(
	paths: Paths,
	record: InstanceRecord,
	script: string,
	options: Pick<RunOptions, 'timeoutMs' | 'signal' | 'onOutput'>,
): Promise<string> {
	const {port} = record.ssh;
	if (port === undefined) throw unanswered('it has no port that leads to it');
	const access = await sshAccessOf(paths, record, {host: '127.0.0.1', port});
	const args = sshArguments(access, {command: ['sh', '-c', script], connectTimeoutSeconds: 5});
	const {PATH, HOME, USERPROFILE, SystemRoot} = process.env;
	const environment = Object.fromEntries(
		Object.entries({PATH, HOME, USERPROFILE, SystemRoot}).flatMap(([key, value]) =>
			value === undefined ? [] : [[key, value] as const],
		),
	);
	const result = await run('ssh', args, {...options, environment});
	if (result.code === 0) return result.stdout;
	throw unanswered(result.timedOut ? 'it is too slow' : `SSH ended with code ${result.code ?? 'none'}`);
}

function unanswered(why: string): DroverError {
	return new DroverError('guest.unanswered', `The guest does not answer by way of SSH: ${why}.`, {
		next: 'It may still be starting; drover console shows what it says.',
	});
}

const factsScript =
	'cat /etc/os-release; echo "--cpus $(nproc)"; cat /proc/loadavg /proc/meminfo; echo "--disks"; df -kP';

/** Asks the guest. What it does not tell, or tells wrongly, is left out. */
export async function guestFacts(paths: Paths, record: InstanceRecord, signal: AbortSignal): Promise<GuestFacts> {
	return parseAnswer(await ask(paths, record, factsScript, {timeoutMs: factsTimeoutMs, signal}));
}

/** What the script prints, in the form of QEMU's agent, whose answers are looked at as strictly. */
export function parseAnswer(text: string): GuestFacts {
	const name = /^PRETTY_NAME=(["']?)(.{1,300})\1$/m.exec(text)?.[2];
	const count = Number(/^--cpus (\d{1,4})$/m.exec(text)?.[1] ?? 0);
	const rows = text.slice(text.indexOf('--disks')).split('\n');
	const fsinfo = rows.flatMap(row => {
		const match = /^\/dev\/(\S{1,64})\s+(\d{1,12})\s+(\d{1,12})\s+\d+\s+\d+%/.exec(row);
		if (!match) return [];
		const [, device, total, used] = match;
		return [{name: device, 'total-bytes': Number(total) * 1024, 'used-bytes': Number(used) * 1024}];
	});
	return parseFacts({
		osinfo: {'pretty-name': name},
		fsinfo,
		vcpus: Array.from({length: count}, () => ({online: true})),
		proc: text.slice(text.search(/^--cpus /m)).replace(/^--cpus \d+\n/, ''),
	});
}

/**
 * Sets the clock of a guest that was resumed: nothing else would, where VirtualBox's programs are missing. Logging in may
 * take seconds, so the guest is not told the time but how far it is behind, by what it said a moment before. Failures are
 * logged.
 */
export async function awake(paths: Paths, record: InstanceRecord, work: WorkContext): Promise<void> {
	const options = {timeoutMs: clockTimeoutMs, signal: work.signal};
	for (let attempt = 1; attempt <= 2 && !work.signal.aborted; attempt++) {
		try {
			let heardAt: number | undefined;
			const text = await ask(paths, record, 'date +%s', {
				...options,
				onOutput: () => {
					heardAt ??= Date.now();
				},
			});
			const behind = Math.round((heardAt ?? Date.now()) / 1000 - Number(text.trim()));
			if (!Number.isSafeInteger(behind)) throw new Error('it does not tell the time');
			if (behind === 0) return;
			await ask(paths, record, `sudo -n date -u -s "@$(($(date +%s) + ${behind}))" >/dev/null`, options);
			work.log('The guest’s clock was set.');
			return;
		} catch (error) {
			work.log(`The guest’s clock could not be set (attempt ${attempt}): ${(error as Error).message}`);
		}
	}
}
