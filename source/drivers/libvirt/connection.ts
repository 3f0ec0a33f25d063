import process from 'node:process';
import {environment} from '../machine/programs.ts';

/**
 * Which libvirt instances are run by. A user has one of their own, which libvirt starts when it is first asked. For root
 * there is no such thing (libvirt leads root's `session` to the system's), so it is the system's. Whoever has chosen
 * another one on this host, in the way libvirt knows, gets that.
 */
export function libvirtUri(
	variables: NodeJS.ProcessEnv = process.env,
	uid: number | undefined = process.getuid?.(),
): string {
	const chosen = variables['LIBVIRT_DEFAULT_URI'] ?? '';
	// Disks and sockets are files of this host: a libvirt of another one cannot run them.
	if (/^qemu:\/\/\/(?:system|session)(?:\?socket=[^&]+)?$/.test(chosen)) return chosen;
	return uid === 0 ? 'qemu:///system' : 'qemu:///session';
}

export function isSystem(uri: string): boolean {
	return uri.startsWith('qemu:///system');
}

/** What libvirt's programs need beside the rest: where the user's own libvirt keeps its sockets and settings. */
export function libvirtEnvironment(variables: NodeJS.ProcessEnv = process.env): Record<string, string> {
	const kept = ['XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME'];
	return {
		...environment(),
		...Object.fromEntries(kept.flatMap(name => (variables[name] ? [[name, variables[name]]] : []))),
	};
}
