import {DroverError} from '../../model/errors.ts';
import {type Mount, resolvedMaps} from '../../model/mount.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {canFence} from '../sftp/server/fence.ts';
import {prepareGuest} from './prepare.ts';
import {type MountSession, openSession} from './session.ts';

export type ClassicInput = {
	readonly program: readonly string[];
	readonly access: SshAccess;
	readonly mount: Mount;
	readonly signal: AbortSignal;
	readonly progress: (stage: string) => void;
	readonly onProblem: (problem: string | undefined) => void;
};

/** Opens a mount over SSH: what tests put something else in the place of. */
export type OpenClassic = (input: ClassicInput) => Promise<MountSession>;

/** Makes the guest ready and mounts. @throws DroverError `guest.*`, `host.failed`, `driver.incapable`, or the signal's reason */
export const openClassic: OpenClassic = async ({program, access, mount, signal, progress, onProblem}) => {
	if (!canFence()) {
		throw new DroverError('driver.incapable', 'Mounts of type classic need the /proc of Linux on this host.');
	}
	const guest = await prepareGuest(access, mount.target, {
		signal,
		onInstall: () => progress(`installing sshfs in ${access.name}`),
	});
	progress(`mounting ${mount.target}`);
	return openSession({
		program,
		access,
		source: mount.source,
		target: mount.target,
		uidMap: resolvedMaps(mount.uidMap, guest.uid),
		gidMap: resolvedMaps(mount.gidMap, guest.gid),
		needsSudo: guest.uid !== 0,
		signal,
		onProblem,
	});
};
