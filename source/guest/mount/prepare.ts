import {createInterface} from 'node:readline';
import {DroverError} from '../../model/errors.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {plainLine} from '../../model/text.ts';
import {sshArguments} from '../ssh-command.ts';
import {mark, prepareScript} from './scripts.ts';

/** What a guest that is ready for a mount over SSH tells of its user. */
export type ReadyGuest = {readonly uid: number; readonly gid: number};

/** What a guest lacks, and does not get by itself: trying again soon is of no use. */
class Lacking extends DroverError {}

export function isLasting(error: unknown): boolean {
	return error instanceof Lacking;
}

/** Seconds a package manager of the guest may wait for another one, as there is at a first boot. */
const packagePatience = 300;
/** Milliseconds for all of it: what installs something takes its time. */
const timeoutMs = 15 * 60_000;

/**
 * Makes a guest ready for a mount over SSH: sshfs is there (installed where it was not), its directory too, and what an
 * earlier connection left is gone.
 * @throws DroverError `guest.failed` with what is missing in it, `guest.unanswered`, or the signal's reason
 */
export async function prepareGuest(
	access: SshAccess,
	target: string,
	{signal, onInstall}: {signal: AbortSignal; onInstall: () => void},
): Promise<ReadyGuest> {
	const {execa} = await import('execa');
	const command = ['sh', '-c', prepareScript, 'drover', target, String(packagePatience)];
	const child = execa('ssh', sshArguments(access, {command, tty: false}), {
		stdin: 'ignore',
		stdout: 'pipe',
		stderr: 'pipe',
		buffer: false,
		reject: false,
		timeout: timeoutMs,
		cancelSignal: signal,
	});
	const told: string[] = [];
	let complaint = '';
	createInterface({input: child.stdout}).on('line', line => {
		if (!line.startsWith(mark) || told.length > 20) return;
		told.push(line.slice(mark.length));
		if (line === `${mark}installing`) onInstall();
	});
	child.stderr.on('data', (part: Buffer) => {
		if (complaint.length < 8192) complaint += part.toString('utf8');
	});
	const {code, exitCode} = await child;
	signal.throwIfAborted();
	if (code === 'ENOENT') {
		throw new DroverError('host.failed', 'ssh is not installed, and mounts of type classic go over it.', {
			next: 'Install the OpenSSH client; "drover doctor" tells how.',
		});
	}
	return readAnswer(access.name, told, {exitCode, complaint});
}

/** What a guest has told, as what it comes to. Nothing of it is believed but numbers that are numbers. */
export function readAnswer(
	name: string,
	told: readonly string[],
	{exitCode, complaint}: {readonly exitCode: number | undefined; readonly complaint: string},
): ReadyGuest {
	const last = told.at(-1) ?? '';
	const [word = ''] = last.split(' ', 1);
	const words = plainLine(last.slice(word.length)).replace(/\.$/, '').slice(0, 200);
	const refusal = Object.hasOwn(refusals, word) ? refusals[word] : undefined;
	if (refusal !== undefined) {
		const {message, next} = refusal(name);
		throw new Lacking('guest.failed', `${message}${words === '' ? '' : `: ${words}`}.`, {next});
	}
	const ids = /^ids (\d{1,9}) (\d{1,9})$/.exec(told.find(line => line.startsWith('ids ')) ?? '');
	if (word === 'ready' && ids !== null) return {uid: Number(ids[1]), gid: Number(ids[2])};
	const line = plainLine(complaint.trim().split('\n').at(-1) ?? '').replace(/\.$/, '');
	throw new DroverError(
		exitCode === 255 || exitCode === undefined ? 'guest.unanswered' : 'guest.failed',
		`${name} could not be made ready for a mount${line === '' ? '' : `: ${line.slice(0, 300)}`}.`,
		{next: `Check that "drover exec ${name} -- id" works.`},
	);
}

const refusals: Readonly<Record<string, (name: string) => {message: string; next: string}>> = {
	'no-root': name => ({
		message: `A mount needs root in ${name}, and its user may not become root without a password`,
		next: 'Give the user a line in sudoers (NOPASSWD), as cloud-init does.',
	}),
	'no-sshfs': name => ({
		message: `sshfs is not installed in ${name}, and could not be installed`,
		next: 'Install it there yourself (package sshfs, or fuse-sshfs), or use --type native where the driver has it.',
	}),
	'no-fuse': name => ({
		message: `${name} has no /dev/fuse, which a mount of type classic needs`,
		next: 'Its kernel lacks the module fuse, or it is a container that is not given the device: use --type native there.',
	}),
	'no-target': name => ({
		message: `The directory to mount on could not be made in ${name}`,
		next: 'Choose another one.',
	}),
};
