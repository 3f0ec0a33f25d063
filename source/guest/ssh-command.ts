import {DroverError} from '../model/errors.ts';
import type {SshAccess} from '../model/ssh-access.ts';

export type SshCommand = {
	/** Each reaches the guest's program exactly as it is here. None: a login shell. */
	readonly command?: readonly string[];
	/** Where in the guest the command runs; absolute, or relative to the user's home. */
	readonly workingDirectory?: string;
	/** Whether the guest gives a terminal; when absent, ssh decides: only for a login shell. */
	readonly tty?: boolean;
	/** A subsystem of the guest's SSH server, instead of a command. */
	readonly subsystem?: 'sftp';
	/** Default 10. */
	readonly connectTimeoutSeconds?: number;
	/** A guest that is cut off ends the session after four times this. Default 15. */
	readonly aliveSeconds?: number;
};

/**
 * The arguments (without `ssh` itself) that reach a guest with the system's OpenSSH client. The configuration of user
 * and system is left out (`-F none`), so that no `Host *` of theirs can change the key, the user or the port; nothing is
 * ever asked: a guest whose key is not the pinned one is refused.
 * @throws DroverError `usage.invalid` when an argument holds a NUL, which no program can be given
 */
export function sshArguments(access: SshAccess, options: SshCommand = {}): string[] {
	const {command, workingDirectory, tty, subsystem, connectTimeoutSeconds = 10, aliveSeconds = 15} = options;
	const settings: Readonly<Record<string, string>> = {
		IdentityFile: configPath(access.identityFile),
		IdentitiesOnly: 'yes',
		IdentityAgent: 'none',
		UserKnownHostsFile: configPath(access.knownHostsFile),
		HostKeyAlias: access.hostKeyAlias,
		StrictHostKeyChecking: 'yes',
		// Else ssh would write further keys of the guest's into the file that drover keeps.
		UpdateHostKeys: 'no',
		BatchMode: 'yes',
		PreferredAuthentications: 'publickey',
		ConnectTimeout: String(connectTimeoutSeconds),
		// A guest that is cut off ends the session within a minute instead of never.
		ServerAliveInterval: String(aliveSeconds),
		ServerAliveCountMax: '4',
		LogLevel: 'ERROR',
	};
	const terminal = tty === undefined ? [] : [tty ? '-t' : '-T'];
	const line = remoteCommand(command ?? [], workingDirectory);
	return [
		'-F',
		'none',
		...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
		...terminal,
		...(subsystem === undefined ? [] : ['-s']),
		'-p',
		String(access.port),
		'-l',
		access.user,
		access.host,
		// After the host ssh would still take what looks like an option for its own.
		...(subsystem !== undefined ? ['--', subsystem] : line === '' ? [] : ['--', line]),
	];
}

/**
 * ssh joins its arguments with blanks and the guest's shell takes them apart again: this is the line that makes it find
 * the arguments unchanged. Every one is quoted, so that none is taken for a keyword, an assignment or an alias.
 * @throws DroverError `usage.invalid`
 */
export function remoteCommand(command: readonly string[], workingDirectory?: string): string {
	const line = command.map(quoteForShell).join(' ');
	if (workingDirectory === undefined) return line;
	// A login shell when there is no command: what a person has there who logs in.
	return `cd -- ${quoteForShell(workingDirectory)} && ${line === '' ? 'exec "$SHELL" -l' : line}`;
}

/** One word of a POSIX shell that stands for exactly this text. @throws DroverError `usage.invalid` */
export function quoteForShell(text: string): string {
	if (text.includes('\0')) {
		throw new DroverError('usage.invalid', 'An argument holds a NUL character, which no program can be given.');
	}
	return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * A path as a value in ssh's configuration: quoted for blanks, and with `%`, which begins a token there, doubled.
 * @throws DroverError `host.failed` for the few paths the format has no way to write
 */
export function configPath(path: string): string {
	if (/[\0\r\n]|\$\{/.test(path)) {
		throw new DroverError('host.failed', `ssh cannot be told of a file at ${JSON.stringify(path)}.`, {
			next: 'Set DROVER_HOME to a directory without line breaks and ${ in its path.',
		});
	}
	return `"${path.replaceAll('%', '%%').replace(/[\\"]/g, String.raw`\$&`)}"`;
}
