import {constants} from 'node:fs';
import {access} from 'node:fs/promises';
import process from 'node:process';
import type {Platform} from '../model/driver-name.ts';
import {plainLine} from '../model/text.ts';
import {pathsOf} from './places.ts';

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

export type Run = (program: string, args: readonly string[], options: RunOptions) => Promise<RunResult>;

/** Without these hardly a program of Windows runs. */
const ofWindows = ['SystemRoot', 'SystemDrive', 'windir', 'TEMP', 'TMP', 'PATHEXT', 'ComSpec', 'USERPROFILE'] as const;

/** Where programs are that a desktop's short `PATH` does not name: package managers', and the system's own. */
const further: Readonly<Record<Platform, readonly string[]>> = {
	linux: [],
	// Homebrew on ARM and on Intel, MacPorts. Source: docs.brew.sh/Installation, guide.macports.org.
	darwin: ['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin'],
	win32: [
		String.raw`C:\Windows\System32\OpenSSH`,
		String.raw`C:\Windows\System32\WindowsPowerShell\v1.0`,
		String.raw`C:\Program Files\Oracle\VirtualBox`,
		String.raw`C:\Program Files\qemu`,
	],
};

const unixPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What programs are given: enough to find others and to speak English, and none of the caller's secrets. */
export function environment(
	variables: NodeJS.ProcessEnv = process.env,
	platform: NodeJS.Platform = process.platform,
): Record<string, string> {
	if (platform === 'win32') {
		const kept = [...ofWindows, 'PATH', 'Path'].flatMap(name => {
			const value = variables[name];
			return value === undefined ? [] : [[name, value] as const];
		});
		return Object.fromEntries(kept);
	}
	const {PATH = unixPath, HOME = '/'} = variables;
	return {PATH, HOME, LC_ALL: 'C'};
}

/** Runs a program to its end. Never throws: how it ended is in the result. */
export const run: Run = async (program, args, options) => {
	const {execa} = await import('execa');
	const child = execa(await spawnable(program), args, {
		timeout: Math.ceil(options.timeoutMs),
		...(options.cwd === undefined ? {} : {cwd: options.cwd}),
		...(options.signal === undefined ? {} : {cancelSignal: options.signal}),
		env: options.environment ?? environment(),
		extendEnv: false,
		stdin: 'ignore',
		reject: false,
		maxBuffer: 4 * 2 ** 20,
		killSignal: 'SIGKILL',
		windowsHide: true,
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
};

/** The last line a program wrote to its standard error, safe to show. */
export function lastLine(text: string): string {
	return plainLine(text.trim().split('\n').at(-1) ?? '').slice(0, 300);
}

/** The directories in which programs are looked for: those of `PATH` that are absolute, then {@link further}. */
export function searchDirectories(variables: NodeJS.ProcessEnv, platform: Platform): string[] {
	const {isAbsolute, delimiter} = pathsOf(platform);
	const search = variables['PATH'] ?? variables['Path'] ?? (platform === 'win32' ? '' : unixPath);
	return [...new Set([...search.split(delimiter), ...further[platform]])].filter(each => isAbsolute(each));
}

/** Where a program of that name may be, best first. On Windows its name may want an ending. */
export function candidates(name: string, variables: NodeJS.ProcessEnv, platform: Platform): string[] {
	const {isAbsolute, join, extname} = pathsOf(platform);
	const endings = (variables['PATHEXT'] || '.COM;.EXE').split(';').filter(Boolean);
	const isBare = platform === 'win32' && extname(name) === '';
	const named = isBare ? endings.map(ending => `${name}${ending.toLowerCase()}`) : [name];
	if (isAbsolute(name)) return named;
	return searchDirectories(variables, platform).flatMap(directory => named.map(each => join(directory, each)));
}

/** Absolute path of a program; `undefined` when there is none. Nothing is run for it. */
export async function findProgram(
	name: string,
	variables: NodeJS.ProcessEnv = process.env,
	platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
	const ours = platform === 'darwin' || platform === 'win32' ? platform : 'linux';
	for (const file of candidates(name, variables, ours)) {
		const isThere = await access(file, constants.X_OK).then(
			() => true,
			() => false,
		);
		if (isThere) return file;
	}
	return undefined;
}

/**
 * What a program is started by. Windows looks first into the directory one stands in, where anybody may have put a program
 * of that name: there it is the absolute path of the one in `PATH`.
 */
export async function spawnable(
	program: string,
	variables: NodeJS.ProcessEnv = process.env,
	platform: NodeJS.Platform = process.platform,
	find: typeof findProgram = findProgram,
): Promise<string> {
	if (platform !== 'win32') return program;
	// One that is not there must fail as such, and not be found elsewhere.
	return (await find(program, variables, platform)) ?? `C:\\not-found\\${program}`;
}
