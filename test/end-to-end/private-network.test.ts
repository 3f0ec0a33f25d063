import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {InstanceRecord} from '../../source/model/instance.ts';
import {instanceDirectory} from '../../source/state/paths.ts';
import {until} from '../support/engine.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {Program} from '../support/program.ts';

const libvirt = await ownLibvirt();

/** Real guests on QEMU that reach each other by name. Each step goes on from the one before. */
describe('the private network on real QEMU', {timeout: 240_000}, () => {
	let drover: Program;

	beforeAll(async () => {
		drover = await Program.open();
		if (typeof libvirt !== 'string') drover.more['LIBVIRT_DEFAULT_URI'] = libvirt.uri;
		await drover.ok('launch', 'micro', '-n', 'web', '-m', '128M', '-d', '512M');
	}, 240_000);
	afterAll(async () => {
		await drover.close();
		if (typeof libvirt !== 'string') await libvirt.close();
	}, 60_000);

	const sh = (name: string, script: string) => drover.ok('exec', name, '--', 'sh', '-c', script);
	const record = (name: string): InstanceRecord =>
		JSON.parse(readFileSync(path.join(instanceDirectory(drover.paths, 'qemu', name), 'instance.json'), 'utf8'));
	const address = (name: string) => record(name).hardware.privateNic!.address;
	/** The end of what `ping` says. */
	const ping = (from: string, to: string) => sh(from, `ping -c 1 -W 3 ${to} 2>&1 || true`);
	const reaches = async (from: string, to: string) => (await ping(from, to)).includes(' 0% packet loss');
	const untilReached = (from: string, to: string) =>
		until(
			() => ping(from, to),
			said => said.includes(' 0% packet loss'),
			30_000,
		);
	/** Processes that serve a network for daemons of this home. */
	const servers = () =>
		readdirSync('/proc')
			.filter(name => /^\d+$/.test(name))
			.map(Number)
			.filter(pid => {
				try {
					const [line, environment] = ['cmdline', 'environ'].map(file => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
					return line!.includes('serve-network') && environment!.includes(`DROVER_HOME=${drover.home}\0`);
				} catch {
					return false;
				}
			});

	test('a clone beside its source: each reaches the other by name', async () => {
		await sh('web', 'sync');
		await drover.ok('stop', 'web');
		await drover.ok('clone', 'web', '-n', 'twin');
		await drover.ok('start', 'web', 'twin');
		expect(address('twin')).not.toBe(address('web'));
		await untilReached('twin', 'web');
		await untilReached('web', 'twin');
		expect(await ping('web', 'twin.drover')).toContain(`(${address('twin')})`);
		expect(await reaches('web', 'TWIN.multipass')).toBe(true);
		// Not only pings: a whole connection, with something in it.
		// Without the sleep the listener would end the connection at once: it has nothing to say.
		await sh('web', 'sleep 100000 | (nc -l -p 9000 > /tmp/got; : > /tmp/whole) > /dev/null 2>&1 &');
		await sh('twin', 'dd if=/dev/urandom of=/tmp/some bs=1024 count=2048 2>/dev/null; nc web 9000 < /tmp/some');
		await until(
			() => sh('web', 'ls /tmp'),
			files => files.includes('whole'),
			30_000,
		);
		expect(await sh('web', 'md5sum < /tmp/got')).toBe(await sh('twin', 'md5sum < /tmp/some'));
	});

	test('is told by info, and not by list', async () => {
		const info = JSON.parse(await drover.ok('info', 'twin', '--format', 'json')).info.twin;
		expect(info).toMatchObject({ipv4: [], private_network: {ipv4: address('twin'), name: 'twin.drover'}});
		expect(info.private_network.problem).toBeUndefined();
		expect(await drover.ok('info', 'twin')).toContain(`Private IPv4:   ${address('twin')} (twin.drover)\n`);
		expect(await drover.ok('list')).not.toContain(address('twin'));
		expect(await drover.ok('doctor')).toContain('instances reach each other at');
	});

	test('other names go on to the host’s servers, and an unknown one is none', async () => {
		const servers = await sh('web', 'cat /etc/resolv.conf');
		expect(servers).toMatch(/^search drover\nnameserver 10\.\d+\.\d+\.1\noptions timeout:1\nnameserver 10\.0\.2\.3\n$/);
		const asked = (name: string, server: string) => sh('web', `nslookup -type=a ${name} ${server} 2>&1 || true`);
		const own = record('web').hardware.privateNic!.address.replace(/\d+$/, '1');
		expect(await asked('debian.org', own)).toContain('REFUSED');
		expect(await asked('nobody.drover', own)).toContain('NXDOMAIN');
		expect(await sh('web', 'ping -c 1 nobody 2>&1 || true')).toContain('bad address');
	});

	test('goes on after suspend and resume', async () => {
		const boot = await drover.bootId('twin');
		await drover.ok('suspend', 'twin');
		expect(await reaches('web', 'twin')).toBe(false);
		await drover.ok('start', 'twin');
		expect(await drover.bootId('twin')).toBe(boot);
		await untilReached('web', 'twin');
		await untilReached('twin', 'web');
	});

	test('goes on after the daemon was killed, and an open connection with it', async () => {
		// It says a line a moment; what is lost meanwhile is sent again.
		await sh('web', '(sleep 100000 | nc -l -p 9001 > /tmp/lines) > /dev/null 2>&1 &');
		const loop = 'i=0; while [ $i -lt 60 ]; do i=$((i + 1)); echo line $i; sleep 0.3; done';
		await sh('twin', `(${loop}) 2>/dev/null | nc web 9001 > /dev/null 2>&1 &`);
		await until(
			() => sh('web', 'cat /tmp/lines'),
			lines => lines.includes('line 2\n'),
			30_000,
		);
		const before = await drover.daemonPid();
		const [server] = servers();
		process.kill(before!, 'SIGKILL');
		await until(
			() => servers(),
			pids => !pids.includes(server!),
			10_000,
		);
		await drover.ok('list');
		expect(await drover.daemonPid()).not.toBe(before);
		await untilReached('web', 'twin');
		const lines = await until(
			() => sh('web', 'cat /tmp/lines'),
			text => text.includes('line 60\n'),
			60_000,
		);
		expect(lines).toBe(Array.from({length: 60}, (_, index) => `line ${index + 1}\n`).join(''));
	});

	test('goes on after its own process was killed', async () => {
		const [server] = servers();
		expect(servers()).toHaveLength(1);
		process.kill(server!, 'SIGKILL');
		await until(
			() => servers(),
			pids => pids.length === 1 && pids[0] !== server,
			20_000,
		);
		await untilReached('web', 'twin');
	});

	test('one that floods it is in nobody’s way', async () => {
		const own = record('web').hardware.privateNic!.address.replace(/\d+$/, '1');
		const flood = Array.from({length: 4}, () => `ping -i 0.0005 -s 1400 ${own} >/dev/null 2>&1 &`).join(' ');
		await sh('twin', `(${flood}); sleep 1`);
		const began = performance.now();
		await drover.ok('list');
		const tookMs = performance.now() - began;
		// No timing of it, but not stuck either.
		expect(tookMs).toBeLessThan(60_000);
		await untilReached('web', own);
		await sh('twin', 'killall ping');
		await untilReached('web', 'twin');
	});

	test('one that is not on it is not seen there', async () => {
		await drover.ok('set', 'local.qemu.network=no');
		expect(await drover.ok('get', 'local.qemu.network')).toBe('false\n');
		await drover.ok('launch', 'micro', '-n', 'hermit', '-m', '128M', '-d', '512M');
		await drover.ok('set', 'local.qemu.network=yes');
		expect(record('hermit').hardware.privateNic).toBeUndefined();
		expect(await sh('hermit', 'ls /sys/class/net')).not.toContain('eth1');
		expect(await ping('web', 'hermit')).toContain('bad address');
		expect(await ping('hermit', 'web')).toContain('bad address');
		expect(await drover.ok('info', 'hermit')).not.toContain('Private');
		await drover.ok('delete', '--purge', 'hermit');
		expect(await drover.run('set', 'local.qemu.network=maybe')).toMatchObject({code: 2});
	});

	test.skipIf(typeof libvirt === 'string')('is the same under libvirt, with memory and all', async () => {
		const boots = [await drover.bootId('web'), await drover.bootId('twin')];
		await drover.ok('switch', 'libvirt');
		expect([await drover.bootId('web'), await drover.bootId('twin')]).toEqual(boots);
		await untilReached('web', 'twin');
		await untilReached('twin', 'web.drover');
		await drover.ok('suspend', 'twin');
		await drover.ok('switch', 'qemu');
		await drover.ok('start', 'twin');
		expect(await drover.bootId('twin')).toBe(boots[1]);
		await untilReached('twin', 'web');
	});

	test('a name that is gone is nobody’s', async () => {
		await drover.ok('delete', '--purge', 'twin');
		expect(await ping('web', 'twin')).toContain('bad address');
	});
});
