import {debianRoot} from '../debian-root.ts';

/**
 * A root directory with VirtualBox in it: Debian has it in no release, only in the unstable suite's `contrib`. Made once,
 * in about a minute, of 800 MB. It does all that needs no machine to run: the kernel's module is not there.
 * @returns its path, or why it cannot be had
 */
export async function virtualboxRoot(): Promise<{readonly root: string} | string> {
	return debianRoot({name: 'virtualbox', suite: 'sid', components: ['contrib'], packages: ['virtualbox', 'procps']});
}
