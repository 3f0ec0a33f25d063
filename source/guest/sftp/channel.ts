import {DroverError} from '../../model/errors.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {plainLine} from '../../model/text.ts';
import {spawnable} from '../../platform/programs.ts';
import {sshArguments} from '../ssh-command.ts';
import type {Channel} from './client.ts';

/** Bytes of what `ssh` complains of that are kept. */
const mostComplaint = 8192;

/** The guest's SFTP server, reached with the system's `ssh`: the same key, the same pinned host key as a shell. */
export async function openChannel(access: SshAccess): Promise<Channel> {
	const {execa} = await import('execa');
	const child = execa(await spawnable('ssh'), sshArguments(access, {subsystem: 'sftp'}), {
		stdin: 'pipe',
		stdout: 'pipe',
		stderr: 'pipe',
		buffer: false,
		encoding: 'buffer',
		reject: false,
	});
	let complaint = '';
	child.stderr.on('data', (part: Buffer) => {
		if (complaint.length < mostComplaint) complaint += part.toString('utf8');
	});
	return {
		stdin: child.stdin,
		stdout: child.stdout,
		ended: child.then(({code}) => problemOf(access.name, complaint, code)),
		close() {
			child.stdin.end();
			child.kill();
		},
	};
}

function problemOf(name: string, complaint: string, code: string | undefined): DroverError {
	if (code === 'ENOENT') {
		return new DroverError('host.failed', 'ssh is not installed, and files are copied with it.', {
			next: 'Install the OpenSSH client; "drover doctor" tells how.',
		});
	}
	if (/subsystem request failed/i.test(complaint)) {
		return new DroverError('guest.failed', `${name} has no SFTP server.`, {
			next: 'Install openssh-sftp-server in it (Debian, Ubuntu), or copy with "drover exec" and tar.',
		});
	}
	const line = plainLine(complaint.trim().split('\n').at(-1) ?? '').replace(/\.$/, '');
	return new DroverError('guest.unanswered', `The connection to ${name} ended${line === '' ? '' : `: ${line}`}.`, {
		next: 'Check that it still runs: drover list.',
	});
}
