import {type ChildProcess, execFileSync, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {waitForSsh} from '../../source/guest/answer.ts';
import {nocloudIso} from '../../source/guest/iso.ts';
import {clientKey, generateHostKey} from '../../source/guest/keys.ts';
import {seedFiles} from '../../source/guest/seed.ts';
import {sshArguments} from '../../source/guest/ssh-command.ts';
import {type SshHost, sshAccess, sshConfigFile, writeSshConfig} from '../../source/guest/ssh-config.ts';
import {locate} from '../../source/state/paths.ts';
import {microImage} from '../support/micro-image.ts';

/** Everything of this room together, on a guest that boots for real; no driver and no engine in between. */
describe('a guest with a seed of ours', () => {
	// A blank, a quote and a per cent sign: ssh's configuration has its own meaning for each.
	const home = mkdtempSync(path.join(tmpdir(), `drover g'%h-`));
	const paths = locate({DROVER_HOME: home});
	let host: SshHost;
	let machine: ChildProcess | undefined;
	let banner: string;

	beforeAll(async () => {
		const image = await microImage();
		const [key, hostKey, port] = await Promise.all([clientKey(paths), generateHostKey(), freePort()]);
		host = {name: 'web', id: crypto.randomUUID(), host: '127.0.0.1', port, user: 'ubuntu', hostKey: hostKey.public};
		const seed = await seedFiles({
			...host,
			clientKey: key.public,
			hostKey,
			cloudInit:
				'users: [{name: bob}]\nruncmd:\n  - echo one > /root/one\n  - [sh, -c, "echo \'t w o\' > /root/two"]\n',
		});
		const file = (name: string) => path.join(home, name);
		writeFileSync(file('seed.iso'), nocloudIso(seed));
		execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', image.path, '-F', image.format, file('disk')]);
		machine = spawn(
			'qemu-system-x86_64',
			[
				...['-machine', 'pc', '-accel', 'tcg', '-m', '192', '-display', 'none', '-nodefaults'],
				...['-drive', 'file=disk,format=qcow2,if=virtio'],
				...['-drive', 'file=seed.iso,format=raw,if=virtio,readonly=on'],
				...['-netdev', `user,id=n0,hostfwd=tcp:127.0.0.1:${port}-:22`, '-device', 'virtio-net-pci,netdev=n0'],
				...['-device', 'virtio-rng-pci'],
			],
			{cwd: home, stdio: ['ignore', 'ignore', 'inherit']},
		);
		banner = await waitForSsh({...host, timeoutMs: 120_000, signal: AbortSignal.timeout(150_000)});
	});
	afterAll(async () => {
		if (machine && machine.exitCode === null && machine.signalCode === null) {
			machine.kill('SIGKILL');
			await once(machine, 'exit');
		}
		rmSync(home, {recursive: true, force: true});
	});

	const ssh = (args: readonly string[]) =>
		spawnSync('ssh', args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
	const run = async (...command: string[]) => ssh(sshArguments(await sshAccess(paths, host), {command}));

	test('answers, and knows its name', async () => {
		expect(banner).toMatch(/^SSH-2\.0-/);
		const {stdout, stderr, status} = await run('hostname');
		expect([stdout, stderr, status]).toEqual(['web\n', '', 0]);
	});

	test('any arguments arrive unchanged, and the exit code comes back', async () => {
		const nasty = fc.sample(
			fc.string({
				unit: fc.constantFrom("'", '"', '\\', '$', '`', ' ', '\n', '*', '~', ';', '&', '-', 'é', '\u001B'),
				maxLength: 8,
			}),
			80,
		);
		const {stdout} = await run('printf', '%s\\0', ...nasty);
		expect(stdout.split('\0').slice(0, -1)).toEqual(nasty);
		expect((await run('sh', '-c', 'exit 7')).status).toBe(7);
	});

	test('did what the cloud-config of the user says', async () => {
		// The commands run after the guest has begun to answer.
		const wait = 'i=0; while [ ! -s /root/two ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done';
		const {stdout} = await run('sh', '-c', `${wait}; sudo cat /root/one /root/two; grep -c ^bob: /etc/passwd`);
		expect(stdout).toBe('one\nt w o\n1\n');
	});

	test('plain ssh finds it through the configuration', async () => {
		await writeSshConfig(paths, [host]);
		const {stdout, status} = ssh(['-F', sshConfigFile(paths), '-o', 'BatchMode=yes', 'web.drover', 'hostname']);
		expect([stdout, status]).toEqual(['web\n', 0]);
	});

	test('is refused when it does not show the key it was given', async () => {
		const other = await generateHostKey();
		const access = await sshAccess(paths, {...host, hostKey: other.public});
		const {status, stdout, stderr} = ssh(sshArguments(access, {command: ['hostname']}));
		expect([status, stdout]).toEqual([255, '']);
		expect(stderr).toContain('Host key verification failed');
		expect((await run('hostname')).status).toBe(0);
	});
});

async function freePort(): Promise<number> {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const {port} = server.address() as AddressInfo;
	server.close();
	await once(server, 'close');
	return port;
}
