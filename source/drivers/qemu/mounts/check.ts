import type {InstanceRecord} from '../../../model/instance.ts';
import type {Mount} from '../../../model/mount.ts';
import type {InstancePlace} from '../../driver.ts';
import {filesOf} from '../../machine/files.ts';
import {findProcess} from '../../machine/process.ts';
import type {Shared} from '../context.ts';
import {slotsOf} from './native-mount.ts';
import {demandMaps, startedWithout} from './plug.ts';

/**
 * Whether this host can mount so, and a machine that runs as well.
 * @throws DroverError `driver.incapable`, `instance.state`
 */
export async function checkPlug(
	{servers}: Pick<Shared, 'servers'>,
	mount: Mount,
	instance?: {readonly record: InstanceRecord; readonly place: InstancePlace},
): Promise<void> {
	const server = await servers.find();
	demandMaps(mount, typeof server !== 'string' && server.translates);
	if (typeof server !== 'string' || instance === undefined) return;
	const found = await findProcess(instance.record.id, filesOf(instance.place));
	if (found?.runner === 'qemu' && slotsOf(found).length === 0) throw startedWithout(instance.record.name, server);
}
