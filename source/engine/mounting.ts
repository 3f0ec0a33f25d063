import {stat} from 'node:fs/promises';
import type {Driver, WorkContext} from '../drivers/driver.ts';
import {DroverError} from '../model/errors.ts';
import {checkTarget, type Mount, mountTarget} from '../model/mount.ts';
import {plainLine} from '../model/text.ts';
import type {Entry, Instances} from './instances.ts';

/** Where instances are mounted into: the current driver with its instances. */
type Scene = {readonly driver: Driver; readonly instances: Instances};

/** Checks that a directory of this host can be given to guests. @throws DroverError `instance.invalid` */
export async function checkSource(source: string): Promise<void> {
	const shown = JSON.stringify(plainLine(source).slice(0, 200));
	const found = source.startsWith('/') ? await stat(source).catch(() => undefined) : undefined;
	if (found?.isDirectory()) return;
	throw new DroverError(
		'instance.invalid',
		found === undefined
			? `Mount source path ${shown} does not exist.`
			: `Mount source path ${shown} is not a directory.`,
		{next: 'Name a directory of the host that runs the instances.'},
	);
}

/**
 * What a request for a mount comes to, with its target written out.
 * @throws DroverError `instance.invalid`, `instance.exists` (already mounted), `instance.deleted`
 */
export function plannedMount(scene: Scene, entry: Entry, mount: Mount): Mount {
	const record = scene.instances.record(entry);
	if (record.deleted) {
		throw new DroverError('instance.deleted', `instance "${entry.name}" is deleted`, {
			next: `drover recover ${entry.name} brings it back.`,
		});
	}
	const target = mountTarget(mount.target, mount.source, record.ssh.user);
	checkTarget(target, record.ssh.user);
	if (record.mounts?.some(other => other.target === target)) {
		throw new DroverError('instance.exists', `"${target}" is already mounted in "${entry.name}"`, {
			next: `drover umount ${entry.name}:${target} ends that mount.`,
		});
	}
	return {...mount, target};
}

/** Mounts and remembers. What cannot be mounted is not remembered. */
export async function mountOne(scene: Scene, entry: Entry, mount: Mount, by: string, work: WorkContext): Promise<void> {
	const {instances, driver} = scene;
	const record = instances.record(entry);
	// Asked again in the lane: another may have been made meanwhile.
	const planned = plannedMount(scene, entry, mount);
	work.progress(`mounting ${planned.target}`);
	await driver.mount!(record, instances.place(entry), planned, work);
	await work.update({mounts: [...(instances.record(entry).mounts ?? []), planned]});
	await instances.tell(entry, `${planned.source} mounted on ${planned.target} (${planned.type})`, by);
}

/** Ends one mount, or all. @throws DroverError `instance.missing` when there is none on that target */
export async function unmountSome(
	scene: Scene,
	entry: Entry,
	target: string | undefined,
	by: string,
	work: WorkContext,
): Promise<void> {
	const {instances, driver} = scene;
	for (const mount of mountsOn(scene, entry, target)) {
		work.progress(`unmounting ${mount.target}`);
		await driver.unmount?.(instances.record(entry), instances.place(entry), mount, work);
		const left = (instances.record(entry).mounts ?? []).filter(other => other.target !== mount.target);
		await work.update({mounts: left.length === 0 ? undefined : left});
		await instances.tell(entry, `${mount.target} unmounted`, by);
	}
}

/** @throws DroverError `instance.missing` */
export function mountsOn(scene: Scene, entry: Entry, target: string | undefined): readonly Mount[] {
	const record = scene.instances.record(entry);
	const all = record.mounts ?? [];
	if (target === undefined) return all;
	const wanted = mountTarget(target, '', record.ssh.user);
	const found = all.filter(mount => mount.target === wanted);
	if (found.length > 0) return found;
	throw new DroverError(
		'instance.missing',
		`path "${plainLine(wanted).slice(0, 200)}" is not mounted in "${entry.name}"`,
		{
			next: `drover info ${entry.name} lists its mounts.`,
		},
	);
}
