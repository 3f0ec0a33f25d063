import type {InstanceRecord} from '../../../model/instance.ts';
import type {Mount} from '../../../model/mount.ts';
import {plainLine} from '../../../model/text.ts';
import type {InstancePlace, PlugProblem} from '../../driver.ts';
import {filesOf} from '../../machine/files.ts';
import type {MachineProcess} from '../../machine/process.ts';
import type {Shared} from '../context.ts';
import {QmpError} from '../qmp.ts';
import {type Ask, isConnected, pluggedIn} from './devices.ts';
import {mountId} from './native-mount.ts';
import {identities, openPaths, rootOf} from './served.ts';
import {serversOf} from './serving.ts';

/** What is wrong with a mount of a machine that runs. Changes nothing. @throws QmpError */
export async function problemOf(
	ask: Ask,
	place: InstancePlace,
	mount: Mount,
	machine: MachineProcess,
): Promise<PlugProblem | undefined> {
	const id = mountId(mount);
	const kind = (await pluggedIn(ask)).get(id);
	if (kind === undefined) return {kind: 'ended', reason: 'it is not plugged in any more'};
	const servers = kind === 'virtiofs' ? await serversOf(place, id) : new Map<number, readonly string[]>();
	if (kind === 'virtiofs' && (servers.size === 0 || !(await isConnected(ask, id)))) {
		return {kind: 'ended', reason: 'virtiofsd, which serves it, has ended'};
	}
	const source = plainLine(mount.source);
	const roots = [...servers.keys()].map(rootOf);
	const now = await identities([mount.source, ...roots]);
	if (now === 'silent') return {kind: 'away', reason: `${source} on this host does not answer`};
	const identity = now.get(mount.source);
	if (identity === undefined) return {kind: 'away', reason: `${source} on this host is gone`};
	// What 9p serves QEMU itself has open, under the name that it has now.
	const isServed =
		kind === 'virtiofs'
			? roots.some(root => now.get(root) === identity)
			: (await openPaths(machine.pid)).includes(mount.source);
	return isServed ? undefined : {kind: 'replaced', reason: `${source} on this host is another directory now`};
}

/** The same, of whatever there is. What cannot be told now is no problem of the mount. */
export async function plugProblem(
	{monitors, machines}: Pick<Shared, 'monitors' | 'machines'>,
	record: InstanceRecord,
	place: InstancePlace,
	mount: Mount,
): Promise<PlugProblem | undefined> {
	const files = filesOf(place);
	const machine = await machines.find(record.id, files);
	if (machine?.runner !== 'qemu') return undefined;
	const ask: Ask = (command, parameters) => monitors.ask(files, command, {timeoutMs: 2000}, parameters);
	return problemOf(ask, place, mount, machine).catch(error => {
		if (error instanceof QmpError) return undefined;
		throw error;
	});
}
