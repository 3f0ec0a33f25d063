import type {GuestMount} from '../../model/mount.ts';
import type {SshAccess} from '../../model/ssh-access.ts';
import {demandReady} from './refusals.ts';
import {runScript} from './run-script.ts';
import {nativeEndScript, nativeScript} from './scripts.ts';

/** Milliseconds. */
const mountingMs = 60_000;
const endingMs = 10_000;

/** Mounts in the guest what is plugged in; what is mounted already stays. @throws DroverError `guest.*` */
export async function mountPlugged(
	access: SshAccess,
	target: string,
	{fileSystem, tag, options}: GuestMount,
	signal: AbortSignal,
): Promise<void> {
	const told = await runScript(access, nativeScript, [target, fileSystem, tag, options], {
		signal,
		timeoutMs: mountingMs,
	});
	demandReady(access.name, told);
}

/** Unmounts it, also when it is in use. A guest that does not answer is let be. */
export async function unmountPlugged(access: SshAccess, target: string, {tag}: GuestMount): Promise<void> {
	await runScript(access, nativeEndScript, [target, tag], {
		signal: AbortSignal.timeout(endingMs),
		timeoutMs: endingMs,
	}).catch(() => {});
}
