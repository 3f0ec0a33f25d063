import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Balloon} from '../machine/balloon.ts';
import type {Shared} from './context.ts';
import {virshError} from './virsh.ts';

/** By libvirt. Source: `domstats --balloon` and `setmem --live` of virsh(1); both count in KiB. */
export function balloonOf(shared: Shared, {id}: Pick<InstanceRecord, 'id'>): Balloon {
	const ask = async (...args: readonly string[]) => {
		const {virsh} = await shared.libvirt.require();
		return virsh.ask(args).catch((error: unknown) => {
			throw virshError(error, 'changing the memory');
		});
	};
	return {
		look: async () => parseBalloonStats(await ask('domstats', '--balloon', id)),
		async set(bytes) {
			await ask('setmem', id, '--live', '--size', String(Math.floor(bytes / 1024)));
		},
	};
}

/** @throws DroverError `driver.failed` */
export function parseBalloonStats(text: string): {readonly built: number; readonly actual: number} {
	const value = (name: string) => {
		const kibibytes = Number(new RegExp(`^\\s*balloon\\.${name}=(\\d+)\\s*$`, 'm').exec(text)?.[1]);
		return Number.isSafeInteger(kibibytes * 1024) ? kibibytes * 1024 : undefined;
	};
	const [built, actual] = [value('maximum'), value('current')];
	if (built !== undefined && actual !== undefined) return {built, actual};
	throw new DroverError('driver.failed', 'libvirt does not tell how much memory the guest has.');
}
