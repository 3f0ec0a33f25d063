import {spawn} from 'node:child_process';
import {randomInt} from 'node:crypto';
import {once} from 'node:events';
import {mkdtemp, readFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {execa} from 'execa';
import {incusRoot} from './incus-root.ts';
import {type OwnServer, ownServer} from './own-server.ts';

const program = '/usr/libexec/incus/incusd';

export type OwnIncus = OwnServer & {
	/** Where its programs and its network are: a command behind these words is run there. */
	readonly inside: readonly string[];
};

/**
 * Starts an Incus daemon in a root directory and a network of its own, so that its bridges are in nobody's way. The
 * same `/tmp` is in it, at the same place: there its socket is, and directories to be mounted. Its networks can be
 * reached from here.
 * @param limits whether it finds the control groups that hold instances to their limits
 * @returns why there can be none here
 */
export async function ownIncus({limits = true} = {}): Promise<OwnIncus | string> {
	if (process.platform !== 'linux') return 'Incus is for Linux';
	if (process.getuid?.() !== 0) return 'an Incus daemon of its own needs root';
	if (!`${path.resolve(tmpdir())}/`.startsWith('/tmp/')) return 'it sees nothing of this host but /tmp';
	const spaces = await execa('unshare', ['--mount', '--net', 'true'], {reject: false});
	if (spaces.exitCode !== 0) return 'name spaces of its own cannot be made here';
	const found = await incusRoot();
	if (typeof found === 'string') return found;
	const room = await enter(found.root, limits);
	if (typeof room === 'string') return room;
	// Short: the paths of sockets in it are limited.
	const directory = await mkdtemp('/tmp/di-');
	const own = await ownServer({
		title: 'Incus',
		command: [...room.inside, program],
		control: [...room.inside, program],
		directory,
		variable: 'INCUS_DIR',
		ports: async bridge => {
			const [nsenter, ...words] = room.inside;
			return (await execa(nsenter, [...words, 'ip', '-o', 'link', 'show', 'master', bridge])).stdout.trim();
		},
		clear: () => room.close(),
	});
	return typeof own === 'string' ? own : {...own, inside: room.inside};
}

type Room = {readonly inside: readonly [string, ...string[]]; close(): Promise<void>};

/** What the first process of the room does: it makes it, says so, and stays for as long as this process is there. */
const script = `
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
if [ "$2" = limits ]; then mount --rbind /sys/fs/cgroup sys/fs/cgroup
else mount -t cgroup2 cgroup2 sys/fs/cgroup; fi
mount --rbind /dev dev
mount --bind /tmp tmp
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs var/tmp
# A root directory alone is not enough: the kernel makes no user name spaces for who is in one.
pivot_root . .
umount -l .
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec cat
`;

async function enter(root: string, limits: boolean): Promise<Room | string> {
	const keeper = spawn('unshare', ['--mount', '--net', 'sh', '-c', script, 'sh', root, limits ? 'limits' : ''], {
		env: {PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C'},
		stdio: ['pipe', 'pipe', 'pipe'],
		detached: true,
	});
	const errors: Buffer[] = [];
	keeper.stderr.on('data', (part: Buffer) => errors.push(part));
	keeper.stdin.on('error', () => {});
	const ended = once(keeper, 'exit');
	const isReady = await Promise.race([once(keeper.stdout, 'data').then(() => true), ended.then(() => false)]);
	if (!isReady) return `its root directory cannot be entered: ${Buffer.concat(errors).toString('utf8').trim()}`;
	const {pid} = keeper;
	if (pid === undefined) return 'its root directory cannot be entered';
	const line = await connectNetwork(pid);
	return {
		inside: ['nsenter', `--target=${pid}`, '--mount', '--net', '--'],
		async close() {
			await line.close();
			keeper.kill('SIGKILL');
			await ended;
		},
	};
}

/** A line into the network of a process, and the way over it to every network there, as they come. */
async function connectNetwork(pid: number): Promise<{close(): Promise<void>}> {
	// Of the link-local range: no network of a host or of instances has them.
	const base = `169.254.${randomInt(1, 250)}.`;
	const last = 4 * randomInt(0, 63);
	const [here, there] = [`${base}${last + 1}`, `${base}${last + 2}`];
	const name = `dri${pid}`;
	const ip = (...words: string[]) => execa('ip', words);
	await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'host0', 'netns', String(pid));
	await ip('address', 'add', `${here}/30`, 'dev', name);
	await ip('link', 'set', name, 'up');
	const inside = (...words: string[]) => execa('nsenter', [`--target=${pid}`, '--net', '--', 'ip', ...words]);
	await inside('address', 'add', `${there}/30`, 'dev', 'host0');
	await inside('link', 'set', 'host0', 'up');
	const known = new Set<string>();
	const look = async () => {
		for (const network of networksIn(await readFile(`/proc/${pid}/net/route`, 'utf8').catch(() => ''))) {
			if (known.has(network)) continue;
			known.add(network);
			await execa('ip', ['route', 'add', network, 'via', there, 'dev', name], {reject: false});
		}
	};
	const timer = setInterval(() => void look(), 100);
	return {
		async close() {
			clearInterval(timer);
			// Takes the routes along.
			await execa('ip', ['link', 'delete', name], {reject: false});
		},
	};
}

/** Networks that are there without a gateway, but for the line itself: `10.0.3.0/24`. Source: proc(5), `/proc/net/route`. */
function networksIn(routes: string): string[] {
	return routes.split('\n').flatMap(line => {
		const [device, target = '', gateway, , , , , mask = ''] = line.split('\t');
		if (gateway !== '00000000' || device === 'host0') return [];
		const address = Buffer.from(target, 'hex').reverse().join('.');
		const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
		return [`${address}/${bits}`];
	});
}
