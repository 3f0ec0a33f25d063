import type {WorkContext} from '../../drivers/driver.ts';
import type {OpenClassic} from '../../guest/mount/classic.ts';
import {sshAccess} from '../../guest/ssh-config.ts';
import {DroverError} from '../../model/errors.ts';
import type {Mount} from '../../model/mount.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import type {Paths} from '../../state/paths.ts';
import type {Entry, Instances} from '../instances.ts';
import type {OpenMount} from './mount-keeper.ts';
import {demandAllowed, wayOf} from './mount-plan.ts';
import {checkSource} from './mounting.ts';
import {endPlugged, openPlugged} from './plugged-mount.ts';

export type OpenerParts = {
	readonly paths: Paths;
	readonly instances: Instances;
	readonly setting: (key: string) => string;
	readonly openClassic: OpenClassic;
	/** What Node runs to become the process that serves a mount. */
	readonly program: readonly string[];
};

/** How a mount of an instance that runs is made. */
export function mountOpener({paths, instances, setting, openClassic, program}: OpenerParts): OpenMount {
	return async (entry, mount, {signal, progress, onProblem, tell}) => {
		demandAllowed(setting('local.privileged-mounts'));
		// It was without links when it was named. A guest that can write around it could make it lead elsewhere since.
		const source = await checkSource(mount.source);
		if (source !== mount.source) {
			throw new DroverError('instance.invalid', `${mount.source} leads to another directory now.`, {
				next: `drover umount ${entry.name}:${mount.target} ends it; mount it again if that is what you want.`,
			});
		}
		const access = await mountAccess(paths, instances, entry);
		const {driver} = instances;
		if (wayOf(mount, driver) === 'plug') {
			return openPlugged({
				driver,
				record: instances.record(entry),
				place: instances.place(entry),
				access,
				mount,
				work: {signal, progress, log: tell, update: change => instances.update(entry, change)},
				onProblem,
				tell,
			});
		}
		return openClassic({program, access, mount, signal, progress, onProblem});
	};
}

/** How a native mount is ended that was made before this process, or while it was being made. */
export function leftMountEnder({paths, instances}: Pick<OpenerParts, 'paths' | 'instances'>) {
	return async (entry: Entry, mount: Mount, work: WorkContext | undefined): Promise<void> => {
		if (entry.observation?.power !== 'running') return;
		const {driver} = instances;
		const [record, place] = [instances.record(entry), instances.place(entry)];
		const tell = (what: string) => void instances.tell(entry, `mount ${mount.target} ${what}`).catch(() => {});
		const doing: WorkContext = work ?? {
			signal: new AbortController().signal,
			progress() {},
			log() {},
			update: change => instances.update(entry, change),
		};
		const access = await mountAccess(paths, instances, entry).catch(() => undefined);
		if (access === undefined) await driver.unplug?.(record, place, mount, doing);
		else await endPlugged({driver, record, place, access, mount, work: doing, onProblem() {}, tell});
	};
}

/** How to reach a guest that runs, whatever its state is called at the moment. @throws DroverError `guest.unanswered` */
async function mountAccess(paths: Paths, instances: Instances, entry: Entry): Promise<SshAccess> {
	const {name, id, ssh} = instances.record(entry);
	const at = entry.observation?.ssh;
	if (at === undefined || ssh.hostKey === '') {
		throw new DroverError(
			'guest.unanswered',
			`drover mounts over SSH, and ${name} cannot be reached with it: ${at === undefined ? 'it has no address that leads there' : 'its host key is not known'}`,
		);
	}
	return sshAccess(paths, {name, id, host: at.host, port: at.port, user: ssh.user, hostKey: ssh.hostKey});
}
