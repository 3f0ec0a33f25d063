import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {SettingReader} from '../driver.ts';
import type {Server, ServerDesk} from './server.ts';

export type LxdType = 'container' | 'virtual-machine';

/**
 * A virtual machine where the server runs them; a container only when the user has said so, because it is not the same:
 * it shares the host's kernel.
 * @throws DroverError `driver.unusable` with the server's own reason and what to do
 */
export function typeFor({facts, noMachines}: Pick<Server, 'facts' | 'noMachines'>, setting: string): LxdType {
	if (setting === 'container') {
		if (facts.hasContainers) return 'container';
		throw new DroverError('driver.unusable', 'This server does not run containers.', {
			next: 'drover set local.lxd.type=auto makes virtual machines.',
		});
	}
	if (facts.hasMachines) return 'virtual-machine';
	throw new DroverError(
		'driver.unusable',
		`This server cannot run virtual machines: ${noMachines ?? 'it says no reason'}.`,
		facts.hasContainers
			? {next: 'drover set local.lxd.type=container makes containers instead: they share the host’s kernel.'}
			: {},
	);
}

/** What an instance is, or will be. */
export async function chooseType(
	desk: ServerDesk,
	record: Pick<InstanceRecord, 'lxd'>,
	setting: SettingReader,
): Promise<LxdType> {
	if (record.lxd !== undefined) return record.lxd.type;
	return typeFor(await desk.require(), setting('local.lxd.type'));
}
