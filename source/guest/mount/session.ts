import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import process from 'node:process';
import {createInterface} from 'node:readline';
import {DroverError} from '../../model/errors.ts';
import type {IdMap} from '../../model/mount.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {plainLine} from '../../model/text.ts';
import {sshArguments} from '../ssh-command.ts';
import {controlVersion, type MountOrder, type MountReport, type MountSettings, readReport} from './control.ts';
import {sessionScript, sshfsOptions} from './scripts.ts';

/** A directory that a guest sees, for as long as this lives. */
export type MountSession = {
	/** Resolves when it has ended, by itself or because it was told to, to why. */
	readonly ended: Promise<DroverError>;
	/** What is wrong while it lives: the directory is gone, or does not answer. */
	readonly problem: string | undefined;
	/** Whether the guest goes on seeing it when drover ends: then it is left as it is, and found again. */
	readonly outlasts?: boolean;
	/** Unmounts. Returns when the guest has let go, or does not within some seconds. @throws DroverError when it stays */
	end(): Promise<void>;
	/** Ends it at once, without the guest; one that outlasts drover is only not looked after any more. */
	kill(): void;
};

export type SessionInput = {
	/** What Node runs to become the process that serves a mount. */
	readonly program: readonly string[];
	readonly access: SshAccess;
	readonly source: string;
	readonly target: string;
	/** With the guest's own ids put in. */
	readonly uidMap: readonly IdMap[];
	readonly gidMap: readonly IdMap[];
	/** Whether the guest's user has to become root first. */
	readonly needsSudo: boolean;
	readonly signal: AbortSignal;
	readonly onProblem: (problem: string | undefined) => void;
	readonly times?: Partial<typeof usualTimes>;
};

/** Milliseconds. */
const usualTimes = {
	/** Until the guest sees it. */
	mounting: 40_000,
	pingEvery: 5000,
	/** A disk that has not answered for so long is told of … */
	silent: 10_000,
	/** … and then the mount is given up, so that programs in the guest do not wait for ever. */
	givenUp: 60_000,
	/** Until the guest has let go; after that it is cut off. */
	ending: 6000,
};

/**
 * Shows a directory to a guest, which must have been made ready for it; returns when the guest sees it.
 * @throws DroverError `guest.failed`, `guest.unanswered`, `host.failed`, or the signal's reason
 */
export async function openSession(input: SessionInput): Promise<MountSession> {
	input.signal.throwIfAborted();
	const session = new Session(input);
	const stop = () => session.kill();
	input.signal.addEventListener('abort', stop, {once: true});
	try {
		await session.mounted;
		return session;
	} catch (error) {
		session.kill();
		throw input.signal.aborted ? input.signal.reason : error;
	} finally {
		input.signal.removeEventListener('abort', stop);
	}
}

class Session implements MountSession {
	readonly mounted: Promise<void>;
	readonly ended: Promise<DroverError>;
	readonly #input: SessionInput;
	readonly #times: typeof usualTimes;
	readonly #child: ChildProcess;
	#ssh: number | undefined;
	#sourceProblem: string | undefined;
	/** When it was asked whether it is well, and has not said so since. */
	#askedAt: number | undefined;
	#isSilent = false;
	#told: string | undefined;
	#end!: (why: DroverError) => void;
	#isOver = false;
	#pinging: NodeJS.Timeout | undefined;

	constructor(input: SessionInput) {
		this.#input = input;
		this.#times = {...usualTimes, ...input.times};
		this.ended = new Promise(resolve => {
			this.#end = why => {
				if (this.#isOver) return;
				this.#isOver = true;
				clearInterval(this.#pinging);
				resolve(why);
			};
		});
		this.#child = spawn(process.execPath, [...input.program], {cwd: '/', stdio: ['pipe', 'pipe', 'ignore']});
		this.#child.stdin?.on('error', () => {});
		this.#child.once('error', error => this.#end(hostFailed(error)));
		// What it says last comes before its end is known for good.
		this.#child.once('close', () => this.#end(this.#lost()));
		this.#send(JSON.stringify(settingsOf(input)));
		this.mounted = this.#listen();
	}

	get problem(): string | undefined {
		const {source} = this.#input;
		if (this.#isSilent) return `${source} on this host does not answer`;
		return this.#sourceProblem === undefined ? undefined : `${source} on this host ${this.#sourceProblem}`;
	}

	async end(): Promise<void> {
		this.#order('end');
		const patience = AbortSignal.timeout(this.#times.ending);
		await Promise.race([this.ended, once(patience, 'abort')]);
		this.kill();
	}

	kill(): void {
		this.#end(new DroverError('operation.cancelled', 'The mount was ended.'));
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		// Not only the process: where it hangs in a dead disk it does not end, and the guest would wait on.
		if (this.#ssh !== undefined) killQuietly(this.#ssh);
		this.#child.kill('SIGKILL');
	}

	#listen(): Promise<void> {
		return new Promise((resolve, reject) => {
			const timer = setTimeout(
				() => reject(new DroverError('guest.unanswered', `${this.#input.access.name} did not mount it in time.`)),
				this.#times.mounting,
			);
			void this.ended.then(why => {
				clearTimeout(timer);
				reject(why);
			});
			createInterface({input: this.#child.stdout!}).on('line', line => {
				const report = readReport(line);
				if (report?.event === 'mounted') {
					clearTimeout(timer);
					this.#watchOver();
					resolve();
				}
				if (report !== undefined) this.#hear(report);
			});
		});
	}

	#hear(report: MountReport): void {
		switch (report.event) {
			case 'begun':
				this.#ssh = report.ssh;
				break;
			case 'source':
				this.#sourceProblem = report.problem;
				break;
			case 'pong':
				this.#askedAt = undefined;
				this.#isSilent = false;
				break;
			case 'ended':
				this.#ssh = undefined;
				this.#end(this.#lost(report.complaint, report.code));
				break;
			case 'mounted':
				break;
		}
		this.#tell();
	}

	/** Asks again and again whether it is well: a process that waits for a disk cannot say so itself. */
	#watchOver(): void {
		this.#pinging = setInterval(() => {
			if (this.#child.stdin?.writableNeedDrain !== true) this.#order('ping');
			this.#askedAt ??= performance.now();
			const silence = performance.now() - this.#askedAt;
			this.#isSilent ||= silence > this.#times.silent;
			this.#tell();
			if (silence > this.#times.givenUp) {
				this.#end(new DroverError('host.failed', `${this.problem}.`, {next: 'Check its disk or its network.'}));
				this.kill();
			}
		}, this.#times.pingEvery);
		this.#pinging.unref();
	}

	#tell(): void {
		if (this.#isOver || this.problem === this.#told) return;
		this.#told = this.problem;
		this.#input.onProblem(this.problem);
	}

	#order(order: MountOrder): void {
		this.#send(order);
	}

	#send(line: string): void {
		this.#child.stdin?.write(`${line}\n`);
	}

	#lost(complaint = '', code?: number): DroverError {
		const {name} = this.#input.access;
		const line = plainLine(complaint.split('\n').at(-1) ?? '')
			.replace(/\.$/, '')
			.slice(0, 300);
		if (/ENOENT/.test(line) && code === undefined) {
			return new DroverError('host.failed', 'ssh is not installed, and mounts of type classic go over it.', {
				next: 'Install the OpenSSH client; "drover doctor" tells how.',
			});
		}
		// 255 is ssh's own: the connection, and not what ran in the guest.
		const what = code === 255 ? `the connection to ${name} was lost` : `sshfs in ${name} has ended`;
		return new DroverError(code === 255 ? 'guest.unanswered' : 'guest.failed', line === '' ? what : `${what}: ${line}`);
	}
}

function settingsOf({access, source, target, uidMap, gidMap, needsSudo}: SessionInput): MountSettings {
	const command = ['sh', '-c', sessionScript, 'drover', target, sshfsOptions];
	return {
		version: controlVersion,
		ssh: sshArguments(access, {
			command: needsSudo ? ['sudo', '-n', ...command] : command,
			tty: false,
			aliveSeconds: 5,
		}),
		source,
		uidMap,
		gidMap,
	};
}

function hostFailed(cause: Error): DroverError {
	return new DroverError('host.failed', 'The process that serves a mount could not be started.', {
		next: 'Was drover removed or upgraded while its daemon ran? The next command starts a new one.',
		cause,
	});
}

function killQuietly(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		// It has ended.
	}
}
