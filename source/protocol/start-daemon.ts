import {once} from 'node:events';
import {closeSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type {Readable} from 'node:stream';
import {DroverError, type ErrorData} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';
import {makePrivate, type Paths} from '../state/paths.ts';
import {lastLines, openLogFile} from './daemon-log.ts';
import {isRecord} from './messages.ts';

/** The file descriptor on which a daemon tells who started it that it is ready, or why it is not. */
export const readyDescriptor = 3;
export const readyVariable = 'DROVER_READY_FD';

/** What a daemon says about its start, one line of JSON. */
export type StartReport = {readonly ready: true} | {readonly busy: true} | {readonly error: ErrorData};

/** `busy`: another daemon has the lock; it answers soon, or is about to end. */
export type StartResult = 'ready' | 'busy';

/** A daemon belongs to no terminal: these would only lead its children to think it does. */
const ofTerminals =
	/^(TERM|TERM_.*|COLORTERM|COLUMNS|LINES|WINDOWID|TMUX.*|STY|WINDOW|SSH_.*|FORCE_COLOR|NO_COLOR|CI|INIT_CWD|npm_.*|OLDPWD|PWD|SHLVL|_|EDITOR|PAGER)$/i;

export function daemonEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	const kept = Object.entries(environment).filter(([name]) => !ofTerminals.test(name));
	return {...Object.fromEntries(kept), PWD: '/', [readyVariable]: String(readyDescriptor)};
}

/**
 * Starts a daemon in a session of its own and waits until it answers or gives up.
 * @param command what Node runs: the entry file and its arguments
 * @throws DroverError `daemon.unreachable` with the daemon's own reason when it could not start
 */
export async function startDaemon(paths: Paths, command: readonly string[], timeoutMs: number): Promise<StartResult> {
	const {spawn} = await import('node:child_process');
	makePrivate(paths.data);
	makePrivate(paths.runtime);
	makePrivate(path.dirname(paths.daemonLog));
	const log = openLogFile(paths.daemonLog);
	const child = spawn(process.execPath, [...command], {
		cwd: '/',
		detached: true,
		env: daemonEnvironment(process.env),
		stdio: ['ignore', log, log, 'pipe'],
		// On Windows a program of its own session has a window of its own.
		windowsHide: true,
	});
	closeSync(log);
	const pipe = child.stdio[readyDescriptor] as Readable;
	try {
		await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]);
		const report = readReport(await firstLine(pipe, timeoutMs));
		if (report === undefined) throw failed(paths, 'it ended without a reason');
		if ('error' in report) throw failed(paths, plainLine(report.error.message), report.error);
		return 'busy' in report ? 'busy' : 'ready';
	} catch (error) {
		if (error instanceof DroverError) throw error;
		throw failed(paths, error instanceof Error ? error.message : String(error));
	} finally {
		pipe.destroy();
		child.unref();
	}
}

async function firstLine(pipe: Readable, timeoutMs: number): Promise<string> {
	let text = '';
	const timer = setTimeout(() => pipe.destroy(new Error(`it was not ready within ${timeoutMs} ms`)), timeoutMs);
	try {
		for await (const chunk of pipe) {
			text += String(chunk);
			if (text.includes('\n') || text.length > 2 ** 16) break;
		}
		return text;
	} finally {
		clearTimeout(timer);
	}
}

function readReport(line: string): StartReport | undefined {
	try {
		const report: unknown = JSON.parse(line);
		if (!isRecord(report)) return undefined;
		if (report.ready === true || report.busy === true) return report as StartReport;
		return isRecord(report.error) && typeof report.error.message === 'string' ? (report as StartReport) : undefined;
	} catch {
		return undefined;
	}
}

function failed(paths: Paths, reason: string, error?: ErrorData): DroverError {
	const end = lastLines(paths.daemonLog, 3)
		.map(plainLine)
		.filter(line => line !== '');
	return new DroverError(
		'daemon.unreachable',
		`The drover daemon could not be started: ${reason.replace(/\.$/, '')}.`,
		{
			next: error?.next === undefined ? `Its log tells more: ${paths.daemonLog}` : plainLine(error.next),
			cause: error?.cause ?? (end.length === 0 ? undefined : end.join(' | ')),
		},
	);
}
