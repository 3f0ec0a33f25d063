import {DroverError} from '../../model/errors.ts';
import {plainLine} from '../../model/text.ts';
import type {Told} from './run-script.ts';

/** What a guest lacks, and does not get by itself: trying again soon is of no use. */
class Lacking extends DroverError {}

export function isLasting(error: unknown): boolean {
	return error instanceof Lacking;
}

/** @throws DroverError `guest.failed` with what is missing in the guest, `guest.unanswered` */
export function demandReady(name: string, {lines, exitCode, complaint}: Told): void {
	const last = lines.at(-1) ?? '';
	const [word = ''] = last.split(' ', 1);
	if (word === 'ready') return;
	const words = plainLine(last.slice(word.length)).replace(/\.$/, '').slice(0, 200);
	const refusal = Object.hasOwn(refusals, word) ? refusals[word] : undefined;
	if (refusal !== undefined) {
		const {message, next, error: Kind = Lacking} = refusal(name);
		throw new Kind('guest.failed', `${message}${words === '' ? '' : `: ${words}`}.`, {next});
	}
	const line = plainLine(complaint.trim().split('\n').at(-1) ?? '').replace(/\.$/, '');
	throw new DroverError(
		exitCode === 255 || exitCode === undefined ? 'guest.unanswered' : 'guest.failed',
		`${name} could not be made ready for a mount${line === '' ? '' : `: ${line.slice(0, 300)}`}.`,
		{next: `Check that "drover exec ${name} -- id" works.`},
	);
}

type Refusal = {readonly message: string; readonly next: string; readonly error?: typeof DroverError};

const refusals: Readonly<Record<string, (name: string) => Refusal>> = {
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
	'no-kind': name => ({
		message: `The kernel of ${name} knows neither virtiofs nor 9p, which native mounts need`,
		next: 'Use --type classic there.',
	}),
	'no-mount': name => ({
		message: `${name} could not mount what is plugged in`,
		next: 'Its console may tell more: drover console.',
		error: DroverError,
	}),
};
