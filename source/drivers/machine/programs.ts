import {constants} from 'node:fs';
import {access} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {plainLine} from '../../model/text.ts';

export type RunOptions = {
	readonly timeoutMs: number;
	readonly cwd?: string;
	readonly signal?: AbortSignal | undefined;
	/** Default {@link environment}. */
	readonly environment?: Readonly<Record<string, string>>;
	/** Told what it writes to its standard output, piece by piece. */
	readonly onOutput?: (text: string) => void;
};

export type RunResult = {
	/** Undefined when it was ended by a signal or could not be run. */
	readonly code: number | undefined;
	readonly stdout: string;
	readonly stderr: string;
	readonly timedOut: boolean;
	/** `SIGABRT`, when a signal ended it. */
	readonly endedBy?: string;
};

/** What programs are given: enough to find others and to speak English, and none of the caller's secrets. */
export function environment(): Record<string, string> {
	const {PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME = '/'} = process.env;
	return {PATH, HOME, LC_ALL: 'C'};
}

/** Runs a program to its end. Never throws: how it ended is in the result. */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
	const {execa} = await import('execa');
	const child = execa(program, args, {
		timeout: Math.ceil(options.timeoutMs),
		...(options.cwd === undefined ? {} : {cwd: options.cwd}),
		...(options.signal === undefined ? {} : {cancelSignal: options.signal}),
		env: options.environment ?? environment(),
		extendEnv: false,
		stdin: 'ignore',
		reject: false,
		maxBuffer: 4 * 2 ** 20,
		killSignal: 'SIGKILL',
	});
	if (options.onOutput) child.stdout?.on('data', chunk => options.onOutput?.(String(chunk)));
	const result = await child;
	return {
		code: result.exitCode,
		stdout: result.stdout,
		stderr: result.stderr === '' && result.failed ? (result.shortMessage ?? '') : result.stderr,
		timedOut: result.timedOut,
		...(result.signal === undefined ? {} : {endedBy: result.signal}),
	};
}

/** The last line a program wrote to its standard error, safe to show. */
export function lastLine(text: string): string {
	return plainLine(text.trim().split('\n').at(-1) ?? '').slice(0, 300);
}

/** Absolute path of a program in `PATH`; `undefined` when there is none. Nothing is run for it. */
export async function findProgram(name: string): Promise<string | undefined> {
	if (path.isAbsolute(name)) return (await isExecutable(name)) ? name : undefined;
	for (const directory of environment().PATH!.split(path.delimiter)) {
		if (!path.isAbsolute(directory)) continue;
		const file = path.join(directory, name);
		if (await isExecutable(file)) return file;
	}
	return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
	return access(file, constants.X_OK).then(
		() => true,
		() => false,
	);
}
