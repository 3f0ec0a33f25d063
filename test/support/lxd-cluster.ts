import {readFile} from 'node:fs/promises';
import {execa} from 'execa';
import {LxdClient} from '../../source/drivers/lxd/client.ts';
import {perform} from '../../source/drivers/lxd/operation.ts';
import {ownLxd} from './lxd.ts';
import type {OwnServer} from './own-server.ts';

/** Two LXD daemons in one cluster, each in a network of its own. */
export type OwnCluster = {
	/** The member whose socket is asked, in this host's network. */
	readonly one: OwnServer;
	readonly two: OwnServer;
	/** Where the first listens: `https://10.219.73.1:8443`. */
	readonly url: string;
	close(): Promise<void>;
};

const space = 'drt-two';
const addresses = {one: '10.219.73.1', two: '10.219.73.2'} as const;
const port = 8443;

/** @returns why there can be none here */
export async function ownCluster(): Promise<OwnCluster | string> {
	const ip = async (...args: string[]) => execa('ip', args, {reject: false});
	const tidy = async () => {
		await ip('netns', 'delete', space);
		await ip('link', 'delete', 'drtv0');
	};
	await tidy();
	const one = await ownLxd();
	if (typeof one === 'string') return one;
	let two: OwnServer | string = 'it was not begun';
	const close = async () => {
		if (typeof two !== 'string') await two.close();
		await one.close();
		await tidy();
	};
	try {
		if ((await ip('netns', 'add', space)).exitCode !== 0) {
			await close();
			return 'network name spaces cannot be made here';
		}
		await ip('link', 'add', 'drtv0', 'type', 'veth', 'peer', 'name', 'drtv1');
		await ip('link', 'set', 'drtv1', 'netns', space);
		await ip('address', 'add', `${addresses.one}/24`, 'dev', 'drtv0');
		await ip('link', 'set', 'drtv0', 'up');
		for (const args of [
			['address', 'add', `${addresses.two}/24`, 'dev', 'drtv1'],
			['link', 'set', 'drtv1', 'up'],
			['link', 'set', 'lo', 'up'],
		]) {
			await ip('netns', 'exec', space, 'ip', ...args);
		}
		// It finds out about interfaces in /sys, which has to be that of its network, and needs the host's control groups.
		const script = [
			'set -e; keep=$(mktemp -d /tmp/dl-cg-XXXXXX)',
			'mount --rbind /sys/fs/cgroup "$keep"; mount -t sysfs sysfs /sys; mount --rbind "$keep" /sys/fs/cgroup',
			'umount -l "$keep"; rmdir "$keep"; exec "$@"',
		].join('\n');
		two = await ownLxd({
			within: ['nsenter', `--net=/run/netns/${space}`, 'unshare', '-m', 'sh', '-c', script, 'sh'],
		});
		if (typeof two === 'string') throw new Error(two);
		await join(one, two);
		return {one, two, url: `https://${addresses.one}:${port}`, close};
	} catch (error) {
		await close();
		return (error as Error).message;
	}
}

async function join(one: OwnServer, two: OwnServer): Promise<void> {
	const [first, second] = [one, two].map(
		each => new LxdClient({kind: 'socket', path: `${each.directory}/unix.socket`}),
	) as [LxdClient, LxdClient];
	try {
		const address = `${addresses.one}:${port}`;
		await first.ask('PUT', '/1.0', {body: {config: {'core.https_address': address, 'cluster.https_address': address}}});
		await perform(first, 'PUT', '/1.0/cluster', {body: {server_name: 'one', enabled: true}});
		const {metadata} = await first.ask('POST', '/1.0/cluster/members', {body: {server_name: 'two'}});
		const token = (metadata as {metadata: Record<string, unknown>}).metadata;
		await perform(second, 'PUT', '/1.0/cluster', {
			body: {
				server_name: 'two',
				enabled: true,
				server_address: `${addresses.two}:${port}`,
				cluster_address: address,
				cluster_certificate: await readFile(`${one.directory}/cluster.crt`, 'utf8'),
				cluster_password: Buffer.from(
					JSON.stringify({
						server_name: 'two',
						fingerprint: token['fingerprint'],
						addresses: token['addresses'],
						secret: token['secret'],
						expires_at: token['expiresAt'],
					}),
				).toString('base64'),
				member_config: [],
			},
		});
	} finally {
		first.close();
		second.close();
	}
}
