import {type Mount, targetProblem} from '../../model/mount.ts';
import {listOf, shellWord} from '../../model/text.ts';
import type {TheirInstance} from './read.ts';
import type {TheirRecord} from './schema.ts';

/** What it depends on how much of an instance can be brought along. */
export type Limits = {
	/** Whether a further interface can be on this network. */
	readonly hasNetwork: (name: string) => boolean;
	/** Whether the driver mounts natively. */
	readonly hasNative: boolean;
	/** Their data is that of the Multipass on this host: what it says of this host's directories is to be believed. */
	readonly isInstalled: boolean;
	/** What the copy becomes. */
	readonly form: 'disk' | 'rootfs';
};

/** The tag of memory that Multipass's QEMU driver saved inside a disk. */
export const suspendTag = 'suspend';

/** A directory of this host is shown to a guest only on the word of this host's own Multipass. */
export function mountsOf(record: TheirRecord | undefined, {isInstalled, hasNative}: Limits): readonly Mount[] {
	if (!isInstalled) return [];
	return usableMounts(record).map(mount => (hasNative ? mount : {...mount, type: 'classic' as const}));
}

function usableMounts(record: TheirRecord | undefined): readonly Mount[] {
	return (record?.mounts ?? []).filter(({target}) => targetProblem(target, record?.user ?? 'ubuntu') === undefined);
}

/** Sentences about what is not brought along, or changed. @param isStopped it had been shut down */
export function notesOf(
	each: TheirInstance,
	record: TheirRecord | undefined,
	name: string,
	{mounts, isStopped, ...limits}: Limits & {readonly mounts: readonly Mount[]; readonly isStopped: boolean},
): readonly string[] {
	const notes: string[] = [];
	const {disk} = each;
	if (!isStopped) notes.push('Its memory is left out: it will boot as after a power cut.');
	const tags = 'tags' in disk ? disk.tags.filter(tag => tag !== suspendTag).length : 0;
	const snapshots = Math.max(each.snapshots, tags);
	if (snapshots > 0) {
		notes.push(
			`${snapshots === 1 ? 'Its snapshot stays' : `Its ${snapshots} snapshots stay`} with Multipass: what is brought is the disk as it is now.`,
		);
	}
	if (limits.form === 'rootfs') notes.push('It becomes a container, which shares the kernel of the host.');
	const lost = usableMounts(record).filter(mount => !mounts.some(({target}) => target === mount.target));
	for (const {source, target} of lost.slice(0, 5)) {
		notes.push(
			`Its mount is not brought from another directory than Multipass’s own: drover mount ${shellWord(source)} ${shellWord(`${name}:${target}`)}`,
		);
	}
	const overSsh = usableMounts(record).filter(({type}) => type === 'native').length;
	if (mounts.length > 0 && overSsh > 0 && !limits.hasNative) {
		notes.push('Its native mounts go over SSH here.');
	}
	const missing = (record?.networks ?? []).filter(network => !limits.hasNetwork(network));
	if (missing.length > 0) {
		notes.push(
			`Not brought: its ${missing.length === 1 ? 'interface' : 'interfaces'} on ${listOf(missing)}, which the driver does not offer.`,
		);
	}
	return notes;
}
