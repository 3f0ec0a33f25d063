import type {SshAccess} from '../model/ssh-access.ts';
import {plainLine} from '../model/text.ts';
import {spawnable} from '../platform/programs.ts';
import {initScript, longestInitLine} from './cloud-status.ts';
import {sshArguments} from './ssh-command.ts';

export type FollowRequest = {
	/** How to reach it, found out when it is. */
	readonly access: () => Promise<SshAccess>;
	/** How often the guest looks at most, a second apart. */
	readonly looks: number;
	readonly signal: AbortSignal;
	/** Gets each line as it comes. */
	readonly onLine: (line: string) => void;
};

/** How the connection ended: why, in the words of `ssh`; empty when the guest had no more to say. */
export type FollowEnd = {readonly complaint: string};

/** What is to be run in a guest to follow its initialization. */
export function initCommand(looks: number): readonly string[] {
	return ['sh', '-c', initScript, 'sh', String(looks)];
}

/** Milliseconds after which a connection that says nothing is given up; the guest says something every ten looks. */
const silenceMs = 120_000;

/** Bytes of what `ssh` complains of that are kept. */
const mostComplaint = 8192;

/**
 * Follows a guest's initialization over one connection of the system's `ssh`, until it ends or the signal does. Never
 * asks for anything: what goes wrong is in the answer, and whether to try again is the caller's to say.
 * @throws DroverError what `access` throws
 */
export async function followInit({access, looks, signal, onLine}: FollowRequest): Promise<FollowEnd> {
	const {execa} = await import('execa');
	const child = execa(await spawnable('ssh'), sshArguments(await access(), {command: initCommand(looks), tty: false}), {
		stdin: 'ignore',
		stdout: 'pipe',
		stderr: 'pipe',
		buffer: false,
		encoding: 'buffer',
		reject: false,
	});
	const end = () => void child.kill();
	let silence = setTimeout(end, silenceMs);
	const lines = new Lines(onLine);
	let complaint = '';
	child.stdout.on('data', (part: Buffer) => {
		clearTimeout(silence);
		silence = setTimeout(end, silenceMs);
		lines.add(part);
	});
	child.stderr.on('data', (part: Buffer) => {
		if (complaint.length < mostComplaint) complaint += part.toString('utf8');
	});
	signal.addEventListener('abort', end);
	if (signal.aborted) end();
	try {
		const {code, exitCode} = await child;
		if (code === 'ENOENT') return {complaint: 'ssh is not installed on this host'};
		const last = plainLine(complaint.trim().split('\n').at(-1) ?? '').slice(0, 200);
		return {complaint: exitCode === 0 ? '' : last.replace(/\.$/, '') || 'the connection ended'};
	} finally {
		clearTimeout(silence);
		signal.removeEventListener('abort', end);
	}
}

/** Cuts a stream into lines; of one that is longer than any should be, only the beginning is kept. */
export class Lines {
	readonly #onLine: (line: string) => void;
	#rest = Buffer.alloc(0);

	constructor(onLine: (line: string) => void) {
		this.#onLine = onLine;
	}

	add(part: Buffer): void {
		let from = 0;
		for (let at = part.indexOf(10); at !== -1; at = part.indexOf(10, from)) {
			this.#keep(part.subarray(from, at));
			this.#onLine(this.#rest.toString('utf8'));
			this.#rest = Buffer.alloc(0);
			from = at + 1;
		}
		this.#keep(part.subarray(from));
	}

	#keep(part: Buffer): void {
		this.#rest = Buffer.concat([this.#rest, part.subarray(0, longestInitLine - this.#rest.length)]);
	}
}
