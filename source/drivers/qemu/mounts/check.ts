import type {InstanceRecord} from '../../../model/instance.ts';
import type {Mount} from '../../../model/mount.ts';
import type {InstancePlace} from '../../driver.ts';
import {filesOf} from '../../machine/files.ts';
import type {Shared} from '../context.ts';
import {slotsOf} from './native-mount.ts';
import {demandHotPlug, demandMaps, startedWithout} from './plug.ts';

/**
 * Whether this host can mount so, and a machine that runs as well.
 * @throws DroverError `driver.incapable`, `instance.state`
 */
export async function checkPlug(
	{servers, machines}: Pick<Shared, 'servers' | 'machines'>,
	mount: Mount,
	instance?: {readonly record: InstanceRecord; readonly place: InstancePlace},
): Promise<void> {
	if (instance !== undefined) demandHotPlug(instance.record);
	const server = await servers.find();
	demandMaps(mount, typeof server !== 'string' && server.translates);
	if (typeof server !== 'string' || instance === undefined) return;
	const found = await machines.find(instance.record.id, filesOf(instance.place));
	if (found?.runner === 'qemu' && slotsOf(found).length === 0) throw startedWithout(instance.record.name, server);
}

/** What is to be known of the native mounts of a machine that runs. */
export async function mountNotes({servers}: Pick<Shared, 'servers'>, {mounts = []}: InstanceRecord): Promise<string[]> {
	if (!mounts.some(mount => mount.type === 'native')) return [];
	const server = await servers.find();
	return typeof server === 'string' ? [`Native mounts go over 9p here: ${server}.`] : [];
}
