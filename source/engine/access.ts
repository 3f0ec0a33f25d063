import {sshAccessOf} from '../guest/ssh-config.ts';
import {DroverError} from '../model/errors.ts';
import type {GuestAccess} from '../model/guest-access.ts';
import type {SshAccess} from '../model/ssh-access.ts';
import {isUp} from '../model/state.ts';
import type {Entry} from './instances.ts';
import type {Scene} from './scene.ts';

/** @throws DroverError `instance.deleted`, `instance.state` */
function demandUp(scene: Scene, entry: Entry): void {
	const record = scene.instances.record(entry);
	const {state} = entry.view;
	if (isUp(state)) return;
	throw new DroverError(
		record.deleted ? 'instance.deleted' : 'instance.state',
		record.deleted ? `instance "${entry.name}" is deleted` : `instance "${entry.name}" is not running (${state})`,
		{
			next: record.deleted ? `drover recover ${entry.name} brings it back.` : `drover start ${entry.name} starts it.`,
		},
	);
}

/** How to reach a guest with `ssh`. @throws DroverError `instance.*`, `guest.unanswered` where it has no address */
export async function sshTo(scene: Scene, name: string): Promise<SshAccess> {
	const entry = scene.instances.get(name);
	const record = scene.instances.record(entry);
	demandUp(scene, entry);
	const {ssh} = entry.view;
	if (ssh === undefined || record.ssh.hostKey === '') {
		throw new DroverError(
			'guest.unanswered',
			`instance "${name}" cannot be reached with SSH: ${ssh === undefined ? 'it has no address that leads there' : 'its host key is not known'}`,
			{
				next: `drover shell ${name} goes another way where the driver has one.`,
			},
		);
	}
	return sshAccessOf(scene.shop.paths, record, ssh);
}

/** How to get into a guest: SSH where it answers, else by way of the hypervisor where that can. */
export async function accessTo(scene: Scene, name: string): Promise<GuestAccess> {
	const entry = scene.instances.get(name);
	const record = scene.instances.record(entry);
	demandUp(scene, entry);
	const {ssh} = entry.view;
	const viaSsh = async () => ({kind: 'ssh', ssh: await sshTo(scene, name)}) as const;
	if (scene.driver.direct === undefined) return viaSsh();
	// A banner costs a millisecond or two here, and saves a person from a time-out of ten seconds.
	const isKnown = record.ssh.hostKey !== '';
	if (ssh !== undefined && isKnown && (await scene.shop.tryAnswer(ssh)) !== undefined) return viaSsh();
	const direct = await scene.driver.direct(record, scene.instances.place(entry));
	if (direct === undefined) return viaSsh();
	const reason =
		ssh === undefined
			? 'it has no address that can be reached from here'
			: isKnown
				? 'its SSH server does not answer'
				: 'the key of its SSH server is not known';
	return {kind: 'lxd', direct, reason};
}
