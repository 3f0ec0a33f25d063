import process from 'node:process';
import type {Platform} from '../model/driver-name.ts';
import {causeText, DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {pathsOf} from '../platform/places.ts';
import {searchDirectories} from '../platform/programs.ts';
import {platformOf} from '../platform/system.ts';

export type RunOptions = {
	readonly signal: AbortSignal;
	readonly cwd?: string;
	/** Seconds until the program is killed. Default 120. */
	readonly timeout?: number;
	/** Variables that are set besides those drover itself has. */
	readonly environment?: Readonly<Record<string, string>>;
	/** Text for its standard input; nothing otherwise. */
	readonly input?: string;
	/** Called for each line of file descriptor 3. */
	readonly onStatus?: (line: string) => void;
	/** Told what it writes to its standard output, piece by piece. */
	readonly onOutput?: (text: string) => void;
	/** What the program is for, for the error: `unpack the packages`. */
	readonly purpose: string;
};

export type RunResult = {readonly exitCode: number; readonly stdout: string; readonly stderr: string};

/**
 * Runs an external program to its end; a failure is not thrown but told by `exitCode`.
 * @throws DroverError `operation.cancelled`; `host.failed` when it is not there or takes too long
 */
export async function tryRun(program: string, arguments_: readonly string[], options: RunOptions): Promise<RunResult> {
	const {execa} = await import('execa');
	throwIfCancelled(options.signal);
	const child = execa(program, [...arguments_], {
		...(options.cwd === undefined ? {} : {cwd: options.cwd}),
		// The user's locale must not change what is read here, and apt must not ask questions.
		env: {PATH: searchPath(), ...options.environment, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive'},
		stdio: [
			options.input === undefined ? 'ignore' : 'pipe',
			'pipe',
			'pipe',
			...(options.onStatus === undefined ? [] : (['pipe'] as const)),
		],
		...(options.input === undefined ? {} : {input: options.input}),
		cancelSignal: options.signal,
		timeout: (options.timeout ?? 120) * 1000,
		reject: false,
		maxBuffer: 4_000_000,
	});
	const statusStream = options.onStatus === undefined ? undefined : child.stdio[3];
	if (statusStream && options.onStatus) followLines(statusStream as NodeJS.ReadableStream, options.onStatus);
	if (options.onOutput) child.stdout?.on('data', chunk => options.onOutput?.(String(chunk)));
	const result = await child;
	throwIfCancelled(options.signal);
	if (result.timedOut) {
		throw new DroverError('host.failed', `Could not ${options.purpose}: ${program} took too long.`);
	}
	if (result.exitCode === undefined) {
		throw new DroverError('host.failed', `Could not ${options.purpose}: ${program} did not run to its end.`, {
			cause: result.cause ?? result.shortMessage,
		});
	}
	return {exitCode: result.exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '')};
}

/**
 * Runs an external program that must succeed.
 * @returns its standard output
 * @throws DroverError `operation.cancelled`, `host.failed` with the last line it wrote to standard error
 */
export async function run(program: string, arguments_: readonly string[], options: RunOptions): Promise<string> {
	const result = await tryRun(program, arguments_, options);
	if (result.exitCode !== 0) {
		throw new DroverError(
			'host.failed',
			`Could not ${options.purpose}: ${lastLine(result.stderr) || `${program} ended with ${result.exitCode}`}`,
			{cause: `${program} ended with ${result.exitCode}`},
		);
	}
	return result.stdout;
}

/** @throws DroverError `operation.cancelled` when the signal has been raised */
export function throwIfCancelled(signal: AbortSignal): void {
	if (!signal.aborted) return;
	if (signal.reason instanceof DroverError) throw signal.reason;
	throw new DroverError('operation.cancelled', 'Cancelled: nothing was kept.', {cause: causeText(signal.reason)});
}

/**
 * What a promise gives, or the end when the signal is raised before: for work that others wait for as well and that goes
 * on without this one.
 * @throws DroverError `operation.cancelled`
 */
export async function unlessCancelled<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
	throwIfCancelled(signal);
	let leave: () => void = () => undefined;
	const cancelled = new Promise<void>(resolve => {
		leave = resolve;
		signal.addEventListener('abort', leave, {once: true});
	});
	// Nobody may be left to hear of its failure.
	promise.catch(() => undefined);
	try {
		await Promise.race([promise, cancelled]);
		throwIfCancelled(signal);
		return await promise;
	} finally {
		signal.removeEventListener('abort', leave);
	}
}

/** The last line that says something, safe to show. */
export function lastLine(text: string): string {
	return plainLine(
		text
			.split('\n')
			.filter(line => line.trim() !== '')
			.at(-1) ?? '',
	).slice(0, 300);
}

/** `mke2fs` and its like are in sbin, which is not on every user's path. */
export function searchPath(
	environment: NodeJS.ProcessEnv = process.env,
	platform: Platform = platformOf(process.platform),
): string {
	const {delimiter} = pathsOf(platform);
	const system = platform === 'win32' ? [] : ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
	return [...new Set([...searchDirectories(environment, platform), ...system])].join(delimiter);
}

function followLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
	let rest = '';
	stream.setEncoding('utf8');
	stream.on('data', (chunk: string) => {
		const lines = (rest + chunk).split('\n');
		rest = lines.pop() ?? '';
		for (const line of lines) onLine(line);
	});
	stream.on('error', () => undefined);
}
