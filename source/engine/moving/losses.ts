import {type Capabilities, capabilityTitles} from '../../drivers/capabilities.ts';
import type {Features} from '../../drivers/features.ts';
import {type DriverName, driverTitles} from '../../model/driver-name.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {listOf} from '../../model/text.ts';
import {nativeMountProblem} from '../availability.ts';

export type MoveSide = Features & {readonly name: DriverName; readonly capabilities: Capabilities};

export type MoveInput = {
	readonly record: InstanceRecord;
	readonly from: MoveSide;
	readonly to: MoveSide;
	readonly becomes: 'virtual-machine' | 'container';
	readonly snapshots: number;
	/** Networks that the target offers, by name. */
	readonly networks: readonly string[];
};

/** What an instance has and would not have any more after a move, as sentences. Pure. */
export function lossesOf({record, from, to, becomes, snapshots, networks}: MoveInput): readonly string[] {
	const title = driverTitles[to.name];
	const losses: string[] = [];
	if (becomes === 'container' && record.lxd?.type !== 'container') {
		losses.push(
			'It becomes a container: it shares the kernel of the host, and its own kernel, boot loader and kernel modules are of no use there.',
		);
	}
	if (snapshots > 0) {
		losses.push(
			`${snapshots === 1 ? 'Its snapshot stays' : `Its ${snapshots} snapshots stay`} with the original: what is moved is the disk as it is now.`,
		);
	}
	for (const name of ['suspend', 'snapshots'] as const) {
		if (from.capabilities[name].can === 'yes' && to.capabilities[name].can === 'no') {
			losses.push(`${title} has no ${capabilityTitles[name]}.`);
		}
	}
	const native = (record.mounts ?? []).filter(({type}) => type === 'native');
	if (native.length > 0 && nativeMountProblem(to) !== undefined) {
		losses.push(`Its native ${native.length === 1 ? 'mount goes' : 'mounts go'} over SSH there.`);
	}
	const lost = (record.hardware.nics ?? []).filter(({network}) => !networks.includes(network));
	if (lost.length > 0) {
		const there = listOf(lost.map(({network}) => network));
		losses.push(
			`${title} does not offer ${there}: ${lost.length === 1 ? 'that interface is' : 'those interfaces are'} not moved.`,
		);
	}
	if (record.hardware.privateNic !== undefined && !to.features.includes('privateNetwork')) {
		losses.push('It leaves the private network: the others there do not reach it by its name any more.');
	}
	if ((record.forwards ?? []).length > 0 && !to.features.includes('forwards')) {
		losses.push(`Ports of the host do not lead into instances of ${title}: its forwards are not moved.`);
	}
	return losses;
}

/** What the copy is as a record, but for what makes it the copy's own. */
export function movedParts(
	record: InstanceRecord,
	to: MoveSide,
	networks: readonly string[],
): Pick<InstanceRecord, 'mounts' | 'forwards' | 'restore' | 'clones' | 'origin'> & {
	readonly nics?: NonNullable<InstanceRecord['hardware']['nics']>;
} {
	const isNative = nativeMountProblem(to) === undefined;
	const mounts = record.mounts?.map(mount => (isNative ? mount : {...mount, type: 'classic' as const}));
	const nics = record.hardware.nics?.filter(({network}) => networks.includes(network));
	return {
		...(mounts === undefined ? {} : {mounts}),
		...(record.forwards === undefined || !to.features.includes('forwards') ? {} : {forwards: record.forwards}),
		...(record.restore === undefined ? {} : {restore: record.restore}),
		...(record.clones === undefined ? {} : {clones: record.clones}),
		...(record.origin === undefined ? {} : {origin: record.origin}),
		...(nics === undefined || nics.length === 0 ? {} : {nics}),
	};
}
