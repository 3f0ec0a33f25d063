import {realpath, stat} from 'node:fs/promises';
import {capabilities} from '../../drivers/capabilities.ts';
import type {Driver, SettingReader, WorkContext} from '../../drivers/driver.ts';
import {featuresOf} from '../../drivers/features.ts';
import {classicMountProblem} from '../../drivers/platforms.ts';
import type {Platform} from '../../model/driver-name.ts';
import {DroverError} from '../../model/errors.ts';
import {checkTarget, type Mount, mountTarget} from '../../model/mount.ts';
import {plainLine} from '../../model/text.ts';
import {defaultMountType} from '../availability.ts';
import {demandCapability, demandFeature} from '../demands.ts';
import type {Entry, Instances} from '../instances.ts';
import type {MountKeeper} from './mount-keeper.ts';
import {demandAllowed, wayOf} from './mount-plan.ts';

/** Where instances are mounted into: the current driver with its instances, and who keeps their mounts alive. */
type Scene = {readonly driver: Driver; readonly instances: Instances; readonly mounts: MountKeeper};

/**
 * Checks that a directory of this host can be given to guests.
 * @returns its path without links: what a link leads to may be changed by a guest that sees the directory it is in
 * @throws DroverError `instance.invalid`
 */
export async function checkSource(source: string): Promise<string> {
	const shown = JSON.stringify(plainLine(source).slice(0, 200));
	// A record is one line a field; a path is handed on to hypervisors that have their own ideas about the rest.
	if (/[\u0000-\u001F\u007F]/.test(source)) {
		throw new DroverError('instance.invalid', `Mount source path ${shown} has control characters.`, {
			next: 'Rename the directory, or mount the one above it.',
		});
	}
	const found = source.startsWith('/') ? await stat(source).catch(() => undefined) : undefined;
	if (found?.isDirectory()) return realpath(source);
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
export function plannedMount(instances: Instances, entry: Entry, mount: Mount): Mount {
	const record = instances.record(entry);
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
	if ((record.mounts?.length ?? 0) >= mostMounts) throw tooMany();
	return {...withMaps(mount), target};
}

/** Far more than anyone has use for. */
const mostMounts = 100;

function tooMany(): DroverError {
	return new DroverError('instance.invalid', `An instance can have ${mostMounts} mounts, and no more.`);
}

/** Without maps of its own, what the caller has on the host is the user's in the guest. */
function withMaps(mount: Mount): Mount {
	const own = (id: number | undefined) => [{host: id ?? 0, guest: -1}];
	const isId = (id: number) => Number.isSafeInteger(id) && id >= 0 && id < 2 ** 32 - 1;
	if (![...mount.uidMap, ...mount.gidMap].every(({host, guest}) => isId(host) && (guest === -1 || isId(guest)))) {
		throw new DroverError('instance.invalid', 'An id that is to be mapped is not one.', {
			next: 'Ids are whole numbers: --uid-map 1000:1000.',
		});
	}
	return {
		...mount,
		uidMap: mount.uidMap.length > 0 ? mount.uidMap : own(process.getuid?.()),
		gidMap: mount.gidMap.length > 0 ? mount.gidMap : own(process.getgid?.()),
	};
}

/**
 * The mounts of an instance that is to be launched.
 * @throws DroverError `instance.invalid`, `instance.exists` when two have one target
 */
export async function plannedMounts(mounts: readonly Mount[], user: string): Promise<readonly Mount[]> {
	const planned: Mount[] = [];
	if (mounts.length > mostMounts) throw tooMany();
	for (const mount of mounts) {
		const source = await checkSource(mount.source);
		const target = mountTarget(mount.target, mount.source, user);
		checkTarget(target, user);
		if (planned.some(other => other.target === target)) {
			throw new DroverError('instance.exists', `Two mounts have the target ${JSON.stringify(target.slice(0, 200))}.`);
		}
		planned.push({...withMaps(mount), source, target});
	}
	return planned;
}

/** How a directory is mounted when nothing is said. */
export function usualMountType(driver: Driver, platform: Platform): Mount['type'] {
	return defaultMountType({...featuresOf(driver), capabilities: capabilities(driver.name, platform)});
}

/** What a mount needs of settings, driver and this version. @throws DroverError `driver.incapable` */
export function demandMounts(
	driver: Driver,
	platform: Platform,
	setting: SettingReader,
	mounts: readonly Mount[],
): void {
	if (mounts.length === 0) return;
	demandAllowed(setting('local.privileged-mounts'));
	// Those of type classic work under every driver, where this host can serve them.
	const problem = classicMountProblem(platform);
	if (problem !== undefined && mounts.some(mount => wayOf(mount, driver) === 'ssh')) {
		throw new DroverError('driver.incapable', `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`);
	}
	if (mounts.every(mount => mount.type === 'classic')) return;
	demandCapability(driver, platform, 'nativeMounts');
	demandFeature(driver, 'nativeMounts');
}

/** Mounts and remembers. What cannot be mounted is not remembered. */
export async function mountOne(scene: Scene, entry: Entry, mount: Mount, by: string, work: WorkContext): Promise<void> {
	const {instances, driver, mounts} = scene;
	const record = instances.record(entry);
	// Asked again in the lane: another may have been made meanwhile.
	const planned = plannedMount(instances, entry, mount);
	work.progress(`mounting ${planned.target}`);
	const way = wayOf(planned, driver);
	if (way === 'plug') await driver.checkPlug?.(planned, {record, place: instances.place(entry)});
	if (way === 'own') await driver.mount!(record, instances.place(entry), planned, work);
	else if (entry.observation?.power === 'running') await mounts.make(entry, planned, work);
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
	const {instances, driver, mounts} = scene;
	for (const mount of mountsOn(instances, entry, target)) {
		work.progress(`unmounting ${mount.target}`);
		await mounts.end(entry, mount, work);
		const [record, place] = [instances.record(entry), instances.place(entry)];
		if (wayOf(mount, driver) === 'own') await driver.unmount?.(record, place, mount, work);
		const left = (instances.record(entry).mounts ?? []).filter(other => other.target !== mount.target);
		await work.update({mounts: left.length === 0 ? undefined : left});
		await instances.tell(entry, `${mount.target} unmounted`, by);
	}
}

/** @throws DroverError `instance.missing` */
export function mountsOn(instances: Instances, entry: Entry, target: string | undefined): readonly Mount[] {
	const record = instances.record(entry);
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
