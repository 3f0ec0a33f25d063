import type {InstanceRecord} from '../../model/instance.ts';
import type {Metrics} from '../../model/metrics.ts';
import type {InstancePlace} from '../driver.ts';
import {filesOf} from '../machine/files.ts';
import {networkUse} from '../machine/guest.ts';
import {inTime, networkTimeoutMs, sample} from '../machine/metrics.ts';
import {guestAgent} from './agent.ts';
import type {Shared} from './context.ts';
import {keyOf} from './domains.ts';

export async function metrics(
	shared: Shared,
	record: InstanceRecord,
	place: InstancePlace,
	{closely = false}: {readonly closely?: boolean} = {},
): Promise<Metrics | undefined> {
	const files = filesOf(place);
	const found = await shared.machines.find(record.id, files);
	if (found?.runner !== 'libvirt') return undefined;
	return sample(shared.machines, record, files, found, async () => {
		const {virsh} = await shared.libvirt.require();
		const [stats, network] = await Promise.all([
			shared.stats.all(virsh),
			closely ? inTime(networkUse(guestAgent(virsh, record.id), {timeoutMs: networkTimeoutMs})) : undefined,
		]);
		return {...stats.get(keyOf(record)), ...(network ? {network} : {})};
	});
}
