import {createInterface} from 'node:readline';
import {DroverError} from '../../model/errors.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {sshArguments} from '../ssh-command.ts';
import {mark} from './scripts.ts';

/** What a script of ours said in a guest, and how it ended. */
export type Told = {
	readonly lines: readonly string[];
	readonly exitCode: number | undefined;
	/** What was complained of beside it. */
	readonly complaint: string;
};

/** A script of ours says a few lines; a guest could say more. */
const mostLines = 20;
const mostComplaint = 8192;

/**
 * Runs a script of ours in a guest, as its user. Lines that are not meant for drover are left out.
 * @throws DroverError `host.failed`, or the signal's reason
 */
export async function runScript(
	access: SshAccess,
	script: string,
	args: readonly string[],
	options: {signal: AbortSignal; timeoutMs: number; onLine?: (line: string) => void},
): Promise<Told> {
	const {execa} = await import('execa');
	const command = ['sh', '-c', script, 'drover', ...args];
	const child = execa('ssh', sshArguments(access, {command, tty: false, connectTimeoutSeconds: 30}), {
		stdin: 'ignore',
		stdout: 'pipe',
		stderr: 'pipe',
		buffer: false,
		reject: false,
		timeout: options.timeoutMs,
		cancelSignal: options.signal,
	});
	const lines: string[] = [];
	let complaint = '';
	createInterface({input: child.stdout}).on('line', line => {
		if (!line.startsWith(mark) || lines.length >= mostLines) return;
		lines.push(line.slice(mark.length));
		options.onLine?.(line.slice(mark.length));
	});
	child.stderr.on('data', (part: Buffer) => {
		if (complaint.length < mostComplaint) complaint += part.toString('utf8');
	});
	const {code, exitCode} = await child;
	options.signal.throwIfAborted();
	if (code === 'ENOENT') {
		throw new DroverError('host.failed', 'ssh is not installed, and drover reaches guests with it.', {
			next: 'Install the OpenSSH client; "drover doctor" tells how.',
		});
	}
	return {lines, exitCode, complaint};
}
