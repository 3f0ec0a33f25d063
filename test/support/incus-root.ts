import {debianRoot} from './debian-root.ts';

/**
 * A root directory with Incus in it: Debian has it only since its release 13, and where LXD is installed the two may not
 * be beside each other. Made once, in about a minute, of 200 MB.
 * @returns its path, or why it cannot be had
 */
export async function incusRoot(): Promise<{readonly root: string} | string> {
	return debianRoot({name: 'incus', suite: 'trixie', packages: ['incus-base', 'dnsmasq-base', 'nftables']});
}
