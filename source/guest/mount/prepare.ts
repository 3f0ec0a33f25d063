import {DroverError} from '../../model/errors.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {demandReady} from './refusals.ts';
import {runScript, type Told} from './run-script.ts';
import {prepareScript} from './scripts.ts';

/** What a guest that is ready for a mount over SSH tells of its user. */
export type ReadyGuest = {readonly uid: number; readonly gid: number};

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
	const told = await runScript(access, prepareScript, [target, String(packagePatience)], {
		signal,
		timeoutMs,
		onLine(line) {
			if (line === 'installing') onInstall();
		},
	});
	return readAnswer(access.name, told);
}

/** What a guest has told, as what it comes to. Nothing of it is believed but numbers that are numbers. */
export function readAnswer(name: string, told: Told): ReadyGuest {
	demandReady(name, told);
	const ids = /^ids (\d{1,9}) (\d{1,9})$/.exec(told.lines.find(line => line.startsWith('ids ')) ?? '');
	if (ids !== null) return {uid: Number(ids[1]), gid: Number(ids[2])};
	throw new DroverError('guest.failed', `${name} does not tell the numbers of its user.`);
}
