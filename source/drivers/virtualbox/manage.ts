import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import {cancelled} from '../machine/lanes.ts';
import {parsePercent} from './parse.ts';

/**
 * Why VBoxManage did not do it. `missing`: it knows no such machine. `locked`: another program has it just now. `state`:
 * not in the state it is in. `starting`: VirtualBox's own service was just coming or going. `gone`: VBoxManage itself cannot
 * be run.
 */
export type ManageProblem =
	| 'missing'
	| 'locked'
	| 'state'
	| 'in-use'
	| 'file'
	| 'refused'
	| 'starting'
	| 'silent'
	| 'gone'
	| 'aborted';

export class ManageError extends Error {
	override readonly name = 'ManageError';
	readonly problem: ManageProblem;
	/** Everything it wrote to its standard error. */
	readonly words: string;

	constructor(problem: ManageProblem, message: string, words = '') {
		super(message);
		this.problem = problem;
		this.words = words;
	}
}

/** By the number alone: the names differ between platforms, the texts between versions. Source: recordings of 7.2. */
const problems: Readonly<Record<string, ManageProblem>> = {
	'80bb0001': 'missing',
	'80bb0002': 'state',
	'80bb0004': 'file',
	'80bb0007': 'locked',
	// Another program let go of it in the moment it was looked at.
	'80bb000b': 'locked',
	'80bb000c': 'in-use',
	// E_ACCESSDENIED: the object is not ready, as while the service is only just being started.
	'80070005': 'locked',
};

const errorLine = /^VBoxManage(?:\.exe)?: error: (.*)$/gm;
/** Told as a warning and with success, though nothing has come of it. */
const vainWarning =
	/^VBoxManage(?:\.exe)?: (?:warning|error): (Interface ".*" doesn't seem to exist|Invalid NIC number \d+)/m;

/** What went wrong, by its words and its exit code, which tells the truth only sometimes. `undefined`: nothing. */
export function problemIn(code: number | undefined, stderr: string): ManageError | undefined {
	const text = stderr.replaceAll('\r', '');
	const lines = [...text.matchAll(errorLine)].map(match => match[1]!);
	const vain = vainWarning.exec(text)?.[1];
	if (code === 0 && lines.length === 0 && vain === undefined) return undefined;
	const words = lines.filter(line => !/^(?:Details: code|Context: )/.test(line));
	const last = text.trim().split('\n').at(-1) ?? '';
	const message = plainLine(vain ?? (words.join(' ') || last))
		.replace(/\.$/, '')
		.slice(0, 400);
	const number = /\(0x([\da-f]{8})\)/i.exec(lines.find(line => /^(?:Details: code|Code) /.test(line)) ?? '')?.[1];
	const known = problems[number?.toLowerCase() ?? ''];
	const isStarting = /failed to create the VirtualBox object/i.test(text);
	const isOff = /is not currently running|is not running \(currently/.test(message);
	return new ManageError(
		isStarting ? 'starting' : (known ?? (isOff ? 'state' : 'refused')),
		message || `it ended with code ${code ?? 'none'}`,
		text,
	);
}

export type AskOptions = {
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal | undefined;
	/** Told how far it is, 0 to 100. */
	readonly onProgress?: (percent: number) => void;
	/** For lists: one machine that cannot be read is told of as an error, and the others are listed all the same. */
	readonly isList?: boolean;
	/** How long a lock of another program's is waited for, milliseconds. */
	readonly lockPatienceMs?: number;
};

const standardTimeoutMs = 30_000;
const standardLockPatienceMs = 5000;
const lockPauseMs = 250;
/** How long its service is waited for that ended in the moment it was asked, or is not up yet. */
const startPatienceMs = 1500;
/** An answer that takes longer than this is asked for once more; of a short patience, that part of it. */
const slowMs = 1200;
const slowPart = 0.4;
/** So many processes work at the same time; looking is not counted. */
const mostAtOnce = 4;

/** VBoxManage, run once for each question. */
export class Manage {
	readonly program: string;
	readonly #environment: Readonly<Record<string, string>>;
	#working = 0;
	readonly #queue: (() => void)[] = [];
	/** Processes started so far. */
	starts = 0;

	constructor(program: string, environment: Readonly<Record<string, string>>) {
		this.program = program;
		this.#environment = environment;
	}

	/** Looks, and at nothing twice unless it is told to be patient with locks. @throws ManageError */
	async look(args: readonly string[], options: AskOptions = {}): Promise<string> {
		return this.#patiently(options, options.lockPatienceMs ?? 0, () => this.#twiceIfSlow(args, options));
	}

	/** Works, when it is its turn, and again while another program has the machine. @throws ManageError */
	async work(args: readonly string[], options: AskOptions = {}): Promise<string> {
		return this.#patiently(options, options.lockPatienceMs ?? standardLockPatienceMs, () =>
			this.#inTurn(() => this.#once(args, options)),
		);
	}

	async #patiently<Result>({signal}: AskOptions, patienceMs: number, act: () => Promise<Result>): Promise<Result> {
		const began = Date.now();
		for (;;) {
			try {
				return await act();
			} catch (error) {
				if (!(error instanceof ManageError)) throw error;
				const patience = {locked: patienceMs, starting: Math.max(patienceMs, startPatienceMs)}[error.problem as string];
				if (patience === undefined || Date.now() - began >= patience) throw error;
				await sleep(lockPauseMs);
				if (signal?.aborted) throw new ManageError('aborted', 'it was called off');
			}
		}
	}

	async #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
		while (this.#working >= mostAtOnce) await new Promise<void>(resolve => this.#queue.push(resolve));
		this.#working++;
		try {
			return await act();
		} finally {
			this.#working--;
			this.#queue.shift()?.();
		}
	}

	/**
	 * VirtualBox's connection to its own service stands still for ten seconds in about one of fifty starts of VBoxManage
	 * (measured on 7.2), whatever is asked. Whoever only looks asks once more then, and takes the answer that comes first.
	 */
	async #twiceIfSlow(args: readonly string[], options: AskOptions): Promise<string> {
		const {timeoutMs = standardTimeoutMs} = options;
		const done = new AbortController();
		const signal = options.signal ? AbortSignal.any([options.signal, done.signal]) : done.signal;
		const first = this.#once(args, {...options, signal});
		const second = sleep(Math.min(slowMs, timeoutMs * slowPart), undefined, {signal}).then(() =>
			this.#once(args, {...options, signal}),
		);
		// The one that is not waited for any more fails in vain.
		second.catch(() => {});
		try {
			return await Promise.race([first, Promise.any([first, second]).catch(() => first)]);
		} finally {
			done.abort();
		}
	}

	async #once(args: readonly string[], options: AskOptions): Promise<string> {
		const {timeoutMs = standardTimeoutMs, signal, onProgress, isList = false} = options;
		if (signal?.aborted) throw new ManageError('aborted', 'it was called off');
		const {execa} = await import('execa');
		this.starts++;
		const child = execa(this.program, args, {
			timeout: timeoutMs,
			...(signal === undefined ? {} : {cancelSignal: signal}),
			env: this.#environment,
			extendEnv: false,
			stdin: 'ignore',
			reject: false,
			maxBuffer: 16 * 2 ** 20,
			killSignal: 'SIGKILL',
			windowsHide: true,
		});
		if (onProgress) {
			child.stderr?.on('data', chunk => {
				const percent = parsePercent(String(chunk));
				if (percent !== undefined) onProgress(percent);
			});
		}
		const {exitCode, stdout, stderr, timedOut, isCanceled, code} = await child;
		if (isCanceled) throw new ManageError('aborted', 'it was called off');
		if (timedOut)
			throw new ManageError('silent', `VBoxManage has not answered within ${Math.round(timeoutMs / 1000)} s`);
		if (exitCode === undefined)
			throw new ManageError('gone', `VBoxManage cannot be run (${code ?? 'ended by a signal'})`);
		const problem = isList && exitCode === 0 ? undefined : problemIn(exitCode, stderr);
		// It has been seen to fail over a start that it says itself has succeeded.
		if (problem && !(args[0] === 'startvm' && /has been successfully started/.test(stdout))) throw problem;
		return stdout;
	}
}

/** What a person is told of it. Other errors stay what they are. @param doing `starting the machine` */
export function manageError(error: unknown, doing: string): unknown {
	if (!(error instanceof ManageError)) return error;
	const {problem, message, words} = error;
	switch (problem) {
		case 'aborted':
			return cancelled();
		case 'silent':
			return new DroverError('driver.unresponsive', `VirtualBox does not answer while ${doing}.`, {
				next: 'Look whether its window, or another program, asks something of it; end VBoxSVC if it hangs.',
				cause: error,
			});
		case 'starting':
			return new DroverError(
				'driver.unresponsive',
				`VirtualBox’s own service (VBoxSVC) does not start while ${doing}.`,
				{
					next: 'Open VirtualBox’s window: it says why.',
					cause: error,
				},
			);
		case 'gone':
			return new DroverError('driver.not-installed', `${message} while ${doing}.`, {next: 'drover doctor tells more.'});
		case 'locked':
			return new DroverError('driver.failed', `Another program is busy with the machine while ${doing}: ${message}.`, {
				next: 'Close its settings in VirtualBox’s window, or wait a moment, and try again.',
				cause: error,
			});
		case 'missing':
			return new DroverError('instance.broken', `VirtualBox does not know the machine any more: ${message}.`, {
				next: 'It was removed there by somebody else; drover forget lets go of it.',
				cause: error,
			});
	}
	if (/VERR_DISK_FULL|No space left|not enough free space/i.test(words)) {
		return new DroverError('host.disk-full', `There is no space left on the disk while ${doing}.`, {
			next: 'Free some disk space and try again.',
			cause: error,
		});
	}
	return new DroverError('driver.failed', `VirtualBox failed while ${doing}: ${message}.`, {cause: error});
}

/** Runs a piece of work whose errors are told as what they are for a person. */
export async function telling<Result>(doing: string, run: () => Promise<Result>): Promise<Result> {
	try {
		return await run();
	} catch (error) {
		throw manageError(error, doing);
	}
}
