import {chmodSync, mkdirSync, type Stats, statSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {DroverError} from '../model/errors.ts';

/** `NT AUTHORITY\SYSTEM` and the administrators: who can read everything anyway. Source: "Well-known SIDs", Microsoft. */
const ofTheSystem = ['*S-1-5-18', '*S-1-5-32-544'] as const;

/**
 * Makes a directory (and what is above it) that only its owner can enter; one of ours that others can enter is closed.
 * @throws DroverError `host.failed` when it exists and belongs to someone else: in a shared `/tmp` that is an attack
 */
export function makePrivate(directory: string): void {
	mkdirSync(directory, {recursive: true, mode: 0o700});
	if (process.platform === 'win32') {
		closeOnWindows(directory);
		return;
	}
	const found = statSync(directory);
	const isOurs = process.getuid === undefined || found.uid === process.getuid();
	if (isOurs && isOpenToOthers(found)) chmodSync(directory, 0o700);
	if (!isOurs) {
		throw new DroverError('host.failed', `${directory} belongs to another user, so drover does not use it.`, {
			next: 'Remove it, or set DROVER_HOME to a directory of your own.',
		});
	}
}

/** Whether others can get at what a mode is of. Windows has no modes: there the lists of rights decide. */
export function isOpenToOthers({mode}: Pick<Stats, 'mode'>): boolean {
	return process.platform !== 'win32' && (mode & 0o077) !== 0;
}

/** Directories this process has closed or found inside the profile: it takes a program to look. */
const closed = new Set<string>();

/**
 * Below the user's profile everything is the user's alone; elsewhere (a `DROVER_HOME`) new directories are everybody's, and
 * are closed. Who owns one that was there before is not looked at: its owner could open it again.
 */
function closeOnWindows(directory: string): void {
	const environment = process.env;
	if (closed.has(directory) || isBelowProfile(directory, environment)) return;
	const {execFileSync} = process.getBuiltinModule('node:child_process');
	try {
		execFileSync(
			path.win32.join(environment['SystemRoot'] ?? String.raw`C:\Windows`, 'System32', 'icacls.exe'),
			closingArguments(directory, accountOf(environment)),
			{
				stdio: 'ignore',
				windowsHide: true,
			},
		);
	} catch (error) {
		throw new DroverError(
			'host.failed',
			`${directory} could not be closed to other users, so drover does not use it.`,
			{
				next: 'Set DROVER_HOME to a directory below your profile, or leave it unset.',
				cause: error,
			},
		);
	}
	closed.add(directory);
}

function accountOf(environment: NodeJS.ProcessEnv): string {
	const {USERDOMAIN: domain, USERNAME: user = ''} = environment;
	return domain ? `${domain}\\${user}` : user;
}

export function isBelowProfile(directory: string, environment: NodeJS.ProcessEnv): boolean {
	return ['USERPROFILE', 'LOCALAPPDATA', 'APPDATA'].some(name => {
		const profile = environment[name];
		if (!profile || !path.win32.isAbsolute(profile)) return false;
		const relative = path.win32.relative(profile, directory);
		return !relative.startsWith('..') && !path.win32.isAbsolute(relative);
	});
}

/** What takes inherited rights away and leaves the user, the system and the administrators. Source: icacls, Microsoft. */
export function closingArguments(directory: string, user: string): string[] {
	const granted = [user, ...ofTheSystem].flatMap(who => ['/grant:r', `${who}:(OI)(CI)F`]);
	return [directory, '/inheritance:r', ...granted, '/q'];
}
