import {
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {findFileServer} from '../../source/drivers/qemu/mounts/file-server.ts';
import {until} from '../support/engine.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {Program} from '../support/program.ts';

/** Mounts over SSH in a real guest, through the built program. */
describe('classic mounts', {timeout: 240_000}, () => {
	let drover: Program;
	let home: string;
	let source: string;
	beforeAll(async () => {
		drover = await Program.open();
		home = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-e2e-mounts-')));
		source = path.join(home, 'my src');
		mkdirSync(source);
		await drover.ok('launch', 'micro', '--name', 'web');
	});
	afterAll(async () => {
		await drover.close();
		rmSync(home, {recursive: true, force: true});
	});

	const on = (name: string) => path.join(source, name);
	const sh = (script: string) => drover.ok('exec', 'web', '--', 'sh', '-c', script);
	const info = () => drover.ok('info', 'web');
	const isMounted = async () => (await sh('cat /proc/mounts')).includes('drover:/ /src fuse.sshfs');
	/** What `info` says is wrong with the mount; empty: nothing. */
	const problem = async () => /^Mount: +([\s\S]*?)\n(?! )/m.exec(`${await info()}\n`)?.[1] ?? '';
	const servers = () =>
		readdirSync('/proc')
			.filter(name => /^\d+$/.test(name))
			.filter(name => {
				try {
					const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
					return line.includes('serve-mount') && line.includes(drover.file) && isOurs(Number(name));
				} catch {
					return false;
				}
			})
			.map(Number);
	/** Whether a process belongs to this test's home: others may run the same program. */
	const isOurs = (pid: number) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`DROVER_HOME=${drover.home}\0`);
	const comesBack = () => until(isMounted, found => found, 60_000);

	test('files are seen on both sides, whatever their names, with their kinds', async () => {
		writeFileSync(on('a'), 'from the host');
		await drover.ok('mount', source, 'web:/src');
		expect(await sh('cat /src/a')).toBe('from the host');
		await sh(
			'cd /src && echo guest > "b b" && mkdir -p d/e && ln -s ../a d/l && ln a h && chmod 750 d && mv "b b" d/e/',
		);
		expect(readFileSync(on('d/e/b b'), 'utf8')).toBe('guest\n');
		expect(lstatSync(on('d/l')).isSymbolicLink()).toBe(true);
		expect(statSync(on('h')).nlink).toBe(2);
		expect(statSync(on('d')).mode & 0o777).toBe(0o750);
		expect(await sh('cat /src/d/l; ls /src; stat -c "%u %a" /src/d')).toBe('from the hosta\nd\nh\n0 750\n');
		await sh('rm -r /src/d /src/h');
		expect(readdirSync(source)).toEqual(['a']);
		expect(await info()).toMatch(/Mounts: +.*my src => \/src/);
		expect(servers()).toHaveLength(1);
	});

	test('much goes through, in both directions at once', async () => {
		await sh(
			'dd if=/dev/urandom of=/tmp/big bs=1M count=24 2>/dev/null; cp /tmp/big /src/up & cp /tmp/big /src/up2; wait',
		);
		const digest = (await sh('sha256sum < /tmp/big')).slice(0, 64);
		const {createHash} = await import('node:crypto');
		for (const name of ['up', 'up2']) {
			expect(
				createHash('sha256')
					.update(readFileSync(on(name)))
					.digest('hex'),
			).toBe(digest);
		}
		expect((await sh('echo 3 > /proc/sys/vm/drop_caches; sha256sum < /src/up')).slice(0, 64)).toBe(digest);
		rmSync(on('up'));
		rmSync(on('up2'));
	});

	test('nothing but the directory is to be had', async () => {
		writeFileSync(path.join(home, 'secret'), 'secret');
		symlinkSync('../secret', on('upward'));
		symlinkSync(path.join(home, 'secret'), on('abs'));
		expect(await sh('cat /src/upward /src/abs /src/../secret 2>&1 || true')).not.toMatch(/^secret/m);
		expect(await sh('readlink /src/upward')).toBe('../secret\n');
		rmSync(on('upward'));
		rmSync(on('abs'));
	});

	test('what cannot be is refused with its code', async () => {
		const refused = async (...args: string[]) => {
			const {code, stderr} = await drover.run('mount', ...args);
			return [code, stderr.split('\n')[0]];
		};
		expect(await refused(path.join(home, 'nothing'), 'web:/x')).toEqual([
			1,
			`mount failed: Mount source path "${home}/nothing" does not exist.`,
		]);
		expect(await refused(source, 'web:/')).toEqual([2, expect.stringMatching(/unable to mount to "\/"/)]);
		expect(await refused(source, 'web:/src')).toEqual([2, 'mount failed: "/src" is already mounted in "web"']);
		expect(await refused(source, 'web:/x', '-u', 'a:b')).toEqual([1, 'mount failed: Invalid UID map given: "a:b".']);
		await drover.ok('set', 'local.privileged-mounts=false');
		expect(await refused(source, 'web:/x')).toEqual([2, expect.stringMatching(/Mounts are disabled/)]);
		await drover.ok('set', 'local.privileged-mounts=true');
		expect((await drover.run('umount', 'web:/nothing')).code).toBe(2);
	});

	test('it lives through suspend and resume, restart, stop and start', async () => {
		const boot = await drover.bootId('web');
		await drover.ok('suspend', 'web');
		expect(servers()).toEqual([]);
		await drover.ok('start', 'web');
		expect(await drover.bootId('web')).toBe(boot);
		await comesBack();
		expect(await sh('cat /src/a')).toBe('from the host');
		await drover.ok('restart', 'web');
		await comesBack();
		expect(await sh('cat /src/a')).toBe('from the host');
		await drover.ok('stop', 'web');
		await drover.ok('start', 'web');
		await comesBack();
		expect(await sh('cat /src/a')).toBe('from the host');
		await until(problem, text => text === '', 30_000);
	});

	test('an sshfs that is killed is told of and replaced; who was in the directory is not held', async () => {
		const [before] = servers();
		await sh('killall -9 sshfs');
		await until(
			() => servers(),
			found => found.length === 1 && found[0] !== before,
			30_000,
		);
		await comesBack();
		await until(problem, text => text === '', 30_000);
		expect(await sh('cat /src/a')).toBe('from the host');
		const history = await drover.ok('events', 'web');
		expect(history).toMatch(/mount \/src was lost: sshfs in web has ended/);
		expect(history).toMatch(/mount \/src is there again/);
	});

	test('a guest that reboots by itself has it again', async () => {
		const boot = await drover.bootId('web');
		await sh('(sleep 1; reboot -f) >/dev/null 2>&1 &');
		await until(
			() => drover.bootId('web').catch(() => boot),
			now => now !== boot,
			90_000,
		);
		await until(
			() => isMounted().catch(() => false),
			found => found,
			90_000,
		);
		expect(await sh('cat /src/a')).toBe('from the host');
	});

	test('a directory that is removed holds nobody; the state says so, and it comes back', async () => {
		renameSync(source, `${source}.away`);
		await until(problem, text => /is gone/.test(text), 30_000);
		expect(await sh('timeout 20 cat /src/a 2>&1 || echo "code $?"')).toMatch(/No such file.*\ncode 1\n$/);
		expect(await sh('timeout 20 sh -c "echo x > /src/new" 2>&1 || echo "code $?"')).toMatch(/code 1\n$/);
		renameSync(`${source}.away`, source);
		await until(problem, text => text === '', 30_000);
		expect(await sh('cat /src/a')).toBe('from the host');
		expect(existsSync(on('new'))).toBe(false);
	});

	test('a daemon that is killed leaves no guest waiting, and the next makes it again', async () => {
		const pid = await drover.daemonPid();
		process.kill(pid!, 'SIGKILL');
		await until(
			() => servers(),
			found => found.length === 0,
			20_000,
		);
		await comesBack();
		expect(await sh('cat /src/a')).toBe('from the host');
	});

	test('a process that serves it and stands still is given up', async () => {
		const [server] = servers();
		process.kill(server!, 'SIGSTOP');
		try {
			await until(problem, text => /does not\s+answer/.test(text), 60_000);
		} finally {
			process.kill(server!, 'SIGCONT');
		}
		await until(problem, text => text === '', 30_000);
		expect(await sh('cat /src/a')).toBe('from the host');
	});

	test('a stop by force and an end leave nothing behind', async () => {
		await drover.ok('stop', '--force', 'web');
		await until(
			() => servers(),
			found => found.length === 0,
			20_000,
		);
		await drover.ok('start', 'web');
		await drover.ok('umount', 'web');
		expect(await isMounted()).toBe(false);
		expect(servers()).toEqual([]);
		expect(readdirSync(source)).toEqual(['a']);
	});

	test('a launch makes it', async () => {
		await drover.ok('launch', 'micro', '--name', 'db', '--mount', `${source}:/data`);
		expect(await drover.ok('exec', 'db', '--', 'cat', '/data/a')).toBe('from the host');
		await drover.ok('delete', '--purge', 'db');
		expect(servers()).toEqual([]);
	});
});

const server = await findFileServer();

/** The driver's own way: a device that is plugged in while the guest runs, and out before its memory is saved. */
describe.skipIf(typeof server === 'string')(
	`native mounts on QEMU${typeof server === 'string' ? ` (${server})` : ''}`,
	{timeout: 240_000},
	() => {
		let drover: Program;
		let source: string;
		beforeAll(async () => {
			drover = await Program.open();
			source = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-e2e-mounts-')));
			writeFileSync(path.join(source, 'a'), 'from the host');
			await drover.ok('launch', 'micro', '--name', 'web');
		});
		afterAll(async () => {
			await drover.close();
			rmSync(source, {recursive: true, force: true});
		});

		const sh = (script: string) => drover.ok('exec', 'web', '--', 'sh', '-c', script);
		const servers = () =>
			readdirSync('/proc')
				.filter(name => /^\d+$/.test(name))
				.filter(name => {
					try {
						const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
						return line.includes('virtiofsd') && line.includes(drover.home);
					} catch {
						return false;
					}
				})
				.map(Number);
		const isMounted = async () => (await sh('cat /proc/mounts')).includes(' /src virtiofs ');
		const works = async (name: string) => {
			await until(
				() => isMounted().catch(() => false),
				found => found,
				90_000,
			);
			expect(await sh(`cat /src/a && echo ${name} > /src/${name}`)).toBe('from the host');
			expect(readFileSync(path.join(source, name), 'utf8')).toBe(`${name}\n`);
		};

		test('are made and ended while it runs, and refused with the reason when they cannot be', async () => {
			const mapped = await drover.run(
				'mount',
				'--type',
				'native',
				'-u',
				'4321:77',
				'-u',
				'4321:78',
				source,
				'web:/src',
			);
			expect([mapped.code, mapped.stderr]).toEqual([2, expect.stringMatching(/A native mount cannot be made so/)]);
			await drover.ok('mount', '--type', 'native', source, 'web:/src');
			await works('mounted');
			expect(await drover.ok('info', 'web')).toMatch(/=> \/src/);
			const [first] = servers();
			const sockets = path.dirname(/--socket-path=([^\0]+)/.exec(readFileSync(`/proc/${first}/cmdline`, 'utf8'))![1]!);
			expect(statSync(sockets).mode & 0o777).toBe(0o700);
		});

		test('live through suspend and resume', async () => {
			await drover.ok('suspend', 'web');
			await until(
				() => servers(),
				found => found.length === 0,
			);
			await drover.ok('start', 'web');
			await works('resumed');
		});

		test('are not touched by the end of a daemon', async () => {
			const before = servers();
			process.kill((await drover.daemonPid())!, 'SIGKILL');
			await works('after');
			expect(servers()).toEqual(before);
			await drover.ok('suspend', 'web');
			await drover.ok('start', 'web');
			await works('again');
		});

		test('are ended while it runs; a launch makes one, and a purge leaves nothing', async () => {
			await drover.ok('umount', 'web:/src');
			expect(await isMounted()).toBe(false);
			expect(servers()).toEqual([]);
			await drover.ok('launch', 'micro', '--name', 'db', '--type', 'native', '--mount', `${source}:/data`);
			expect(await drover.ok('exec', 'db', '--', 'sh', '-c', 'cat /data/a; grep -c virtiofs /proc/mounts')).toBe(
				'from the host1\n',
			);
			await drover.ok('delete', '--purge', 'db');
			expect(servers()).toEqual([]);
		});
	},
);

const libvirt = await ownLibvirt();
const why = typeof libvirt === 'string' ? ` (${libvirt})` : '';

describe.skipIf(why !== '')(`mounts over a switch to libvirt and back${why}`, {timeout: 240_000}, () => {
	const own = libvirt as Exclude<typeof libvirt, string>;
	let drover: Program;
	let source: string;
	beforeAll(async () => {
		drover = await Program.open();
		drover.more['LIBVIRT_DEFAULT_URI'] = own.uri;
		source = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-e2e-mounts-')));
		writeFileSync(path.join(source, 'a'), 'from the host');
		await drover.ok('launch', 'micro', '--name', 'web', '--memory', '192M');
	});
	afterAll(async () => {
		await drover.close();
		await own.close();
		rmSync(source, {recursive: true, force: true});
	});

	const sh = (script: string) => drover.ok('exec', 'web', '--', 'sh', '-c', script);
	const writes = async (target: string, name: string) => {
		expect(await sh(`cat ${target}/a && echo ${name} > ${target}/${name}`)).toBe('from the host');
		expect(readFileSync(path.join(source, name), 'utf8')).toBe(`${name}\n`);
	};

	test('classic ones are there under both, with the same boot', async () => {
		await drover.ok('mount', source, 'web:/src');
		const boot = await drover.bootId('web');
		for (const driver of ['libvirt', 'qemu'] as const) {
			await drover.ok('switch', driver);
			expect(await drover.bootId('web')).toBe(boot);
			await writes('/src', driver);
		}
		await drover.ok('umount', 'web:/src');
	});

	test.skipIf(typeof server === 'string')(
		'native ones are classic under libvirt, which is told, and native again',
		async () => {
			await drover.ok('mount', '--type', 'native', source, 'web:/own');
			const boot = await drover.bootId('web');
			await writes('/own', 'native');
			expect(await sh('cat /proc/mounts')).toMatch(/\/own virtiofs/);
			await drover.ok('switch', 'libvirt');
			expect(await drover.bootId('web')).toBe(boot);
			await writes('/own', 'classic');
			expect(await sh('cat /proc/mounts')).toMatch(/\/own fuse\.sshfs/);
			expect((await drover.ok('info', 'web')).replace(/\s+/g, ' ')).toContain(
				'/own is mounted over SSH (classic) here: libvirt has no native mounts.',
			);
			await drover.ok('switch', 'qemu');
			expect(await drover.bootId('web')).toBe(boot);
			await writes('/own', 'again');
			expect(await sh('cat /proc/mounts')).toMatch(/\/own virtiofs/);
			await drover.ok('suspend', 'web');
			await drover.ok('switch', 'libvirt');
			await drover.ok('start', 'web');
			expect(await drover.bootId('web')).toBe(boot);
			await writes('/own', 'resumed');
			const refused = await drover.run('mount', '--type', 'native', source, 'web:/other');
			expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/not supported by libvirt/)]);
		},
	);
});
