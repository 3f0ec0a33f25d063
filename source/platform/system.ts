import {homedir} from 'node:os';
import process from 'node:process';
import type {Platform} from '../model/driver-name.ts';
import {type BootAndMemory, bootAndMemoryOf} from './boot-and-memory.ts';
import {procProcesses} from './proc-processes.ts';
import type {Processes} from './processes.ts';
import {type Run, run as realRun} from './programs.ts';
import {psProcesses} from './ps-processes.ts';
import {windowsProcesses} from './windows-processes.ts';

/**
 * The machine that drover runs on, as far as operating systems differ. One value, made at the entry and handed down, so
 * that a test can show macOS or Windows to what runs on Linux.
 */
export type System = BootAndMemory & {
	readonly platform: Platform;
	/** Node's spelling: `x64`, `arm64`. */
	readonly architecture: string;
	readonly environment: NodeJS.ProcessEnv;
	/** The user's home directory. */
	readonly home: string;
	/** The user's number; `undefined` where there is none (Windows). */
	readonly uid: number | undefined;
	readonly processes: Processes;
	/** Runs a program of the system's to its end. */
	readonly run: Run;
};

/** What a test puts in the place of this machine's own. */
export type SystemOptions = Partial<
	Pick<System, 'architecture' | 'environment' | 'home' | 'uid' | 'processes' | 'run'>
>;

/** A system of a platform; what is not told is this machine's. */
export function systemOf(platform: Platform, options: SystemOptions = {}): System {
	const run = options.run ?? realRun;
	const environment = options.environment ?? process.env;
	return {
		platform,
		architecture: options.architecture ?? process.arch,
		environment,
		home: options.home ?? homeOf(platform, environment),
		uid: 'uid' in options ? options.uid : process.getuid?.(),
		processes: options.processes ?? processesOf(platform, run),
		run,
		...bootAndMemoryOf(platform, run),
	};
}

/** The processes of a platform: `/proc`, `ps` or PowerShell. */
function processesOf(platform: Platform, run: Run): Processes {
	if (platform === 'linux') return procProcesses;
	return platform === 'darwin' ? psProcesses(run) : windowsProcesses(run);
}

let own: System | undefined;

/** The machine itself. */
export function thisSystem(): System {
	own ??= systemOf(platformOf(process.platform));
	return own;
}

/** Node's platform as one of ours; other Unixes are treated as Linux, where the drivers will say what they miss. */
export function platformOf(nodePlatform: NodeJS.Platform): Platform {
	return nodePlatform === 'darwin' || nodePlatform === 'win32' ? nodePlatform : 'linux';
}

/** Where a user's own files are: what the environment says first, as shells have it. */
export function homeOf(platform: Platform, environment: NodeJS.ProcessEnv): string {
	return environment[platform === 'win32' ? 'USERPROFILE' : 'HOME'] || homedir();
}
