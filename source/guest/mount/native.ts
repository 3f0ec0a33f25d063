import {DroverError} from '../../model/errors.ts';
import type {GuestMount, MountGuest} from '../../model/mount.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {demandReady} from './refusals.ts';
import {runScript} from './run-script.ts';
import {nativeEndScript, nativeMountScript, nativePrepareScript} from './scripts.ts';

/** Milliseconds. */
const mountingMs = 60_000;
const endingMs = 15_000;

/** Looks whether a guest can mount what is plugged in. @throws DroverError `guest.*` */
export async function prepareNative(access: SshAccess, signal: AbortSignal): Promise<MountGuest> {
	const told = await runScript(access, nativePrepareScript, [], {signal, timeoutMs: mountingMs});
	demandReady(access.name, told);
	const ids = /^ids (\d{1,9}) (\d{1,9})$/.exec(told.lines.find(line => line.startsWith('ids ')) ?? '');
	if (ids === null) throw new DroverError('guest.failed', `${access.name} does not tell the numbers of its user.`);
	const words = (told.lines.find(line => line.startsWith('knows ')) ?? '').split(' ');
	const known = (['virtiofs', '9p'] as const).filter(kind => words.includes(kind));
	return {uid: Number(ids[1]), gid: Number(ids[2]), known};
}

/** Mounts in the guest what is plugged in; what is mounted already and works stays. @throws DroverError `guest.*` */
export async function mountPlugged(
	access: SshAccess,
	target: string,
	{fileSystem, tag, options}: GuestMount,
	signal: AbortSignal,
): Promise<void> {
	const told = await runScript(access, nativeMountScript, [target, fileSystem, tag, options], {
		signal,
		timeoutMs: mountingMs,
	});
	demandReady(access.name, told);
}

/**
 * Unmounts what is mounted natively on a target.
 * @param withForce also when it is in use: who uses it gets errors
 * @returns `busy`: it was or is in use; `silent`: the guest has not said that it did
 */
export async function unmountPlugged(
	access: SshAccess,
	target: string,
	{withForce}: {readonly withForce: boolean},
): Promise<'ended' | 'busy' | 'silent'> {
	const told = await runScript(access, nativeEndScript, [target, withForce ? 'force' : 'ask'], {
		signal: AbortSignal.timeout(endingMs),
		timeoutMs: endingMs,
	}).catch(() => undefined);
	const last = told?.lines.at(-1);
	return last === 'ended' || last === 'busy' ? last : 'silent';
}
