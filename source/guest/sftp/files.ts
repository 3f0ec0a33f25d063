import {causeWords} from '../../model/cause-words.ts';
import {DroverError} from '../../model/errors.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {plainLine} from '../../model/text.ts';
import type {GuestFiles} from '../guest-files.ts';
import {openChannel} from './channel.ts';
import {SftpClient, SftpRefusal} from './client.ts';
import {pullInto, pullStream} from './pull.ts';
import {pushInto, pushStream} from './push.ts';

/** A guest's files over SFTP, in one session. @throws DroverError `guest.*`, `host.failed` */
export async function sftpFiles(access: SshAccess): Promise<GuestFiles> {
	return filesOf(await SftpClient.open(await openChannel(access)));
}

/** As {@link sftpFiles}, over a session that is open. */
export function filesOf(client: SftpClient): GuestFiles {
	return {
		push: (source, target, options = {}) =>
			telling(() =>
				typeof source === 'string'
					? pushInto(client, source, guestPath(target), options)
					: pushStream(client, source, guestPath(target), options),
			),
		pull: (source, target, options = {}) =>
			telling(() =>
				typeof target === 'string'
					? pullInto(client, guestPath(source), target, options)
					: pullStream(client, guestPath(source), target, options),
			),
		async close() {
			client.close();
		},
	};
}

/** The server begins in the user's home. */
function guestPath(text: string): string {
	return text === '' ? '.' : text;
}

async function telling(act: () => Promise<void>): Promise<void> {
	try {
		await act();
	} catch (error) {
		if (error instanceof DroverError) throw error;
		if (error instanceof SftpRefusal) throw new DroverError('guest.failed', `In the guest: ${error.message}.`);
		const {code} = error as NodeJS.ErrnoException;
		if (code === 'ENOSPC') {
			throw new DroverError('host.disk-full', 'The disk is full.', {next: 'Free some space.', cause: error});
		}
		if (code !== undefined) throw new DroverError('host.failed', `${plainLine(causeWords(error))}.`, {cause: error});
		throw error;
	}
}
