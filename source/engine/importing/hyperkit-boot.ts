import {hasBootCode} from '../../images/boot-code.ts';
import type {Platform} from '../../model/driver-name.ts';
import type {TheirInstance} from './read.ts';

/** On macOS the root of Multipass's data is what Hyperkit ran; QEMU has a directory of its own below it. */
export const hyperkitScope = '';

/**
 * The same instance, with the reason where its disk could not be started here: Hyperkit was given the kernel beside the
 * disk, so that old ones have no boot loader.
 */
export async function lookForBoot(each: TheirInstance, platform: Platform): Promise<TheirInstance> {
	const {scope, file, disk} = each;
	if (platform !== 'darwin' || scope !== hyperkitScope || file === undefined || 'problem' in disk) return each;
	if (await hasBootCode(file, disk.format, AbortSignal.timeout(60_000))) return each;
	return {...each, disk: {problem: 'its disk has no boot loader: Hyperkit was given its kernel beside it'}};
}
