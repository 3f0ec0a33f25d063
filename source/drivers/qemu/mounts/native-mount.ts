import {createHash} from 'node:crypto';
import {stat} from 'node:fs/promises';
import process from 'node:process';
import {DroverError} from '../../../model/errors.ts';
import type {InstanceRecord, Observation} from '../../../model/instance.ts';
import type {Mount} from '../../../model/mount.ts';
import type {MachineProcess} from '../../machine/process.ts';

const prefix = 'mnt-';

/** What a mount's devices are called in QEMU and in the guest: the same for the same target. */
export function mountId({target}: Pick<Mount, 'target'>): string {
	return `${prefix}${createHash('sha256').update(target).digest('hex').slice(0, 8)}`;
}

/** Whether a device of a machine is one of ours. */
export function isMountId(id: string): boolean {
	return id.startsWith(prefix);
}

/** A directory that QEMU itself could serve over 9p, as the command line names it. */
export type SharedDirectory = {readonly id: string; readonly path: string};

/**
 * The directories a machine is started with: QEMU takes none later. They are nothing to the guest until a device for one
 * is plugged in. One that is not there would keep QEMU from starting.
 */
export async function sharedDirectories({mounts = []}: InstanceRecord): Promise<readonly SharedDirectory[]> {
	const found = await Promise.all(
		mounts
			.filter(mount => mount.type === 'native')
			.map(async mount => {
				const isThere = await stat(mount.source).then(
					stats => stats.isDirectory(),
					() => false,
				);
				return isThere ? [{id: mountId(mount), path: mount.source}] : [];
			}),
	);
	return found.flat();
}

/** QEMU's arguments for them. Owners are the host's: as root they can be changed, else what the guest makes is ours. */
export function sharedDirectoryArguments(
	directories: readonly SharedDirectory[],
	isRoot = process.getuid?.() === 0,
): readonly string[] {
	const model = isRoot ? 'passthrough' : 'none';
	return directories.flatMap(({id, path}) => [
		'-fsdev',
		`local,id=${id},path=${path.replaceAll(',', ',,')},security_model=${model}`,
	]);
}

/** Whether a machine that runs was started with the directory of a mount. */
export function isShared(found: MachineProcess, id: string): boolean {
	return found.arguments.some(word => word.startsWith(`local,id=${id},`));
}

/**
 * Whether an instance can have a native mount. It must be at rest, since 9p takes directories at the start only, and
 * owners stay what they are: neither QEMU nor virtiofsd, as distributions have them, maps single ones.
 * @throws DroverError `instance.state`, `driver.incapable`
 */
export function checkNative({name}: InstanceRecord, mount: Mount, power: Observation['power'] | undefined): void {
	if (power !== 'off') {
		throw new DroverError('instance.state', `native mounts of "${name}" can be made only while it is stopped`, {
			next: `Stop it first (drover stop ${name}), or mount with --type classic, which goes at any time.`,
		});
	}
	if (mount.uidMap.length > 1 || mount.gidMap.length > 1) {
		throw new DroverError('driver.incapable', 'A native mount takes one mapping of users and one of groups.', {
			next: 'Use --type classic for more.',
		});
	}
	if ([...mount.uidMap, ...mount.gidMap].some(({host, guest}) => guest !== -1 && guest !== host)) {
		throw new DroverError(
			'driver.incapable',
			'Native mounts keep owners as they are on the host; they do not map one to another.',
			{next: 'Use --type classic, or leave --uid-map and --gid-map out.'},
		);
	}
}
