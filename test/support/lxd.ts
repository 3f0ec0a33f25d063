import {mkdtemp, readdir, readFile, readlink} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {findOnPath} from './find-program.ts';
import {type OwnServer, ownServer} from './own-server.ts';

const interfaces = '/sys/class/net';

/**
 * Starts an LXD daemon with a directory of its own. It makes bridges, name spaces and control groups, so it needs root.
 * @param within a command that runs it elsewhere, as in a network of its own
 * @returns why there can be none here
 */
export async function ownLxd({within = []}: {within?: readonly string[]} = {}): Promise<OwnServer | string> {
	if (process.platform !== 'linux') return 'LXD is for Linux';
	if (process.getuid?.() !== 0) return 'an LXD daemon of its own needs root';
	const program = findOnPath('lxd');
	if (program === undefined) return 'LXD is not installed';
	if (findOnPath('dnsmasq') === undefined) return 'dnsmasq is not installed, which LXD needs for a network';
	// Short: the paths of sockets in it are limited.
	const directory = await mkdtemp('/tmp/dl-');
	const before = new Set(await readdir(interfaces).catch(() => []));
	return ownServer({
		title: 'LXD',
		command: [...within, program],
		control: [program],
		directory,
		variable: 'LXD_DIR',
		ports: async bridge => (await execa('ip', ['-o', 'link', 'show', 'master', bridge])).stdout.trim(),
		async clear() {
			await removeInterfaces(before);
			await unmountBelow(directory);
		},
	});
}

/** Bridges, and the ends of interfaces that failed starts leave behind. */
async function removeInterfaces(before: ReadonlySet<string>): Promise<void> {
	for (const name of await readdir(interfaces).catch(() => [])) {
		if (before.has(name) || !(await isOurs(name))) continue;
		await execa('ip', ['link', 'delete', name], {reject: false});
	}
}

async function isOurs(name: string): Promise<boolean> {
	const own = /^(?:droverbr0|drt)/;
	if (own.test(name)) return true;
	if (!name.startsWith('veth')) return false;
	const master = await readlink(path.join(interfaces, name, 'master')).catch(() => undefined);
	return master === undefined || own.test(path.basename(master));
}

async function unmountBelow(directory: string): Promise<void> {
	const text = await readFile('/proc/self/mounts', 'utf8');
	const points = text.split('\n').flatMap(line => {
		const point = line.split(' ')[1] ?? '';
		return point.startsWith(`${directory}/`) ? [point] : [];
	});
	for (const point of points.reverse()) await execa('umount', ['-l', point], {reject: false});
}
