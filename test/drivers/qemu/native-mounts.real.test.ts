import {
	existsSync,
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
import {execa} from 'execa';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {filesOf} from '../../../source/drivers/machine/files.ts';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import {type FileServer, findFileServer} from '../../../source/drivers/qemu/mounts/file-server.ts';
import {channelOf, mountId, serverSocket} from '../../../source/drivers/qemu/mounts/native-mount.ts';
import {serversOf, startServing} from '../../../source/drivers/qemu/mounts/serving.ts';
import {connectQmp} from '../../../source/drivers/qemu/qmp.ts';
import {createEngine} from '../../../source/engine/create-engine.ts';
import type {Engine} from '../../../source/engine/engine.ts';
import type {LocalEngine} from '../../../source/engine/local-engine.ts';
import {sshArguments} from '../../../source/guest/ssh-command.ts';
import type {Mount} from '../../../source/model/mount.ts';
import {instanceDirectory, locate, type Paths, socketDirectory} from '../../../source/state/paths.ts';
import {until} from '../../support/engine.ts';
import {cloudImages, genericImages} from '../../support/micro-image.ts';
import {noNetwork} from '../../support/no-network.ts';

const by = 'kim';
/** Another virtiofsd than the installed one can be tried: the later one in Rust, where only QEMU's own is installed. */
const program = process.env['DROVER_TEST_VIRTIOFSD'];
const server = await findFileServer(program === undefined ? {} : {program});

/**
 * Reads by read(2). busybox's `cat` uses sendfile, and a pipe into which Linux 6.1 has spliced from 9p now and then reads
 * as at its end: the guest's SSH server then ends the command.
 */
const show = 'busybox dd 2>/dev/null <';

const ways = [
	{kind: 'virtiofs', fileServer: program, why: typeof server === 'string' ? server : undefined},
	{kind: '9p', fileServer: false, why: undefined},
] as const;

/** The real driver below the real engine, in this process, with a guest whose kernel knows what is mounted. */
class House {
	readonly paths: Paths;
	readonly home = realpathSync(mkdtempSync(path.join(tmpdir(), 'drover-native-')));
	readonly source = path.join(this.home, 'my, src');
	readonly #fileServer: string | false | undefined;
	engine!: LocalEngine;

	constructor(fileServer: string | false | undefined) {
		this.#fileServer = fileServer;
		this.paths = locate({DROVER_HOME: path.join(this.home, 'home')}, 'linux');
		mkdirSync(this.source);
		writeFileSync(path.join(this.source, 'a'), 'from the host');
	}

	/** As the next daemon would, after one that ended or was killed. */
	async open(fileServer = this.#fileServer): Promise<void> {
		this.engine = await createEngine(this.paths, {
			openNetwork: noNetwork,
			images: this.#fileServer === false ? genericImages() : cloudImages(),
			loadDriver: async name =>
				name === 'qemu'
					? createQemuDriver({paths: this.paths, ...(fileServer === undefined ? {} : {fileServer})})
					: undefined,
		});
	}

	async done(operation: Promise<{readonly id: string}>) {
		const ended = await this.engine.wait({id: (await operation).id});
		if (ended.state !== 'done')
			throw new Error(`${ended.kind} ${ended.state}: ${ended.error?.message ?? ended.items[0]?.error?.message}`);
		return ended;
	}

	act(action: Parameters<Engine['act']>[0]['action'], options = {}) {
		return this.done(this.engine.act({action, names: ['web'], options, by}));
	}

	mount(target: string, more: Partial<Mount> = {}) {
		const mount: Mount = {source: this.source, target, type: 'native', uidMap: [], gidMap: [], ...more};
		return this.done(this.engine.mount({name: 'web', mount, by}));
	}

	unmount(target: string) {
		return this.done(this.engine.unmount({name: 'web', target, by}));
	}

	async sh(script: string): Promise<string> {
		const access = await this.engine.ssh({name: 'web'});
		const {stdout} = await execa('ssh', sshArguments(access, {command: ['sh', '-c', script]}), {
			timeout: 60_000,
			stdin: 'ignore',
		});
		return stdout;
	}

	place() {
		const {id} = JSON.parse(
			readFileSync(path.join(instanceDirectory(this.paths, 'qemu', 'web'), 'instance.json'), 'utf8'),
		) as {id: string};
		return {directory: instanceDirectory(this.paths, 'qemu', 'web'), sockets: socketDirectory(this.paths, id)};
	}

	async problem(): Promise<string | undefined> {
		const [view] = await this.engine.list();
		return view?.mounts?.find(mount => mount.problem !== undefined)?.problem;
	}

	/** Waits until files go both ways. */
	async works(name: string, target = '/src'): Promise<void> {
		await until(
			() => this.sh(`${show} ${target}/a 2>/dev/null && echo ${name} > ${target}/${name}`).catch(() => ''),
			text => text === 'from the host',
			120_000,
		);
		expect(readFileSync(path.join(this.source, name), 'utf8')).toBe(`${name}\n`);
	}

	/** Processes that serve its directories. */
	servers(): number[] {
		return this.#processes(line => line.includes('--socket-path=') && line.includes(this.home));
	}

	/** Its QEMUs, which outlive an engine. */
	machines(): number[] {
		return this.#processes(line => /^[^\0]*qemu-system-/.test(line) && line.includes(this.home));
	}

	#processes(is: (line: string) => boolean): number[] {
		return readdirSync('/proc')
			.filter(name => /^\d+$/.test(name))
			.filter(name => {
				try {
					return is(readFileSync(`/proc/${name}/cmdline`, 'utf8'));
				} catch {
					return false;
				}
			})
			.map(Number);
	}

	async close(): Promise<void> {
		await this.engine.close();
		for (const pid of this.machines()) process.kill(pid, 'SIGKILL');
		await until(
			() => this.machines(),
			pids => pids.length === 0,
		);
		for (const pid of this.servers()) process.kill(pid, 'SIGKILL');
		rmSync(this.home, {recursive: true, force: true});
	}
}

describe.each(ways)('native mounts over $kind', ({kind, fileServer, why}) => {
	describe.skipIf(why !== undefined)(`on real QEMU${why === undefined ? '' : ` (${why})`}`, {timeout: 300_000}, () => {
		const isServed = kind === 'virtiofs';
		const noServer = isServed ? '' : ' (9p has no process of its own)';
		let house: House;
		beforeAll(async () => {
			house = new House(fileServer);
			await house.open();
			const mount: Mount = {source: house.source, target: '/src', type: 'native', uidMap: [], gidMap: []};
			await house.done(house.engine.launch({image: 'micro', name: 'web', mounts: [mount], by}));
		}, 300_000);
		afterAll(() => house.close());

		test('are there after a launch: files both ways, with names, kinds, rights and owners', async () => {
			expect(await house.sh(`${show} /src/a; grep " /src " /proc/mounts`)).toMatch(
				new RegExp(`^from the host.*\\/src ${kind} `),
			);
			await house.sh('cd /src && echo guest > "b b" && mkdir -p d/e && ln -s ../a d/l && chmod 750 d && mv "b b" d/e/');
			expect(readFileSync(path.join(house.source, 'd/e/b b'), 'utf8')).toBe('guest\n');
			expect(statSync(path.join(house.source, 'd')).mode & 0o777).toBe(0o750);
			expect(await house.sh(`${show} /src/d/l; stat -c "%u %a" /src/d; rm -r /src/d`)).toBe('from the host0 750');
			expect(
				await house.sh('dd if=/dev/urandom of=/src/big bs=1M count=16 2>/dev/null; sha256sum < /src/big'),
			).toContain((await execa('sha256sum', [path.join(house.source, 'big')])).stdout.slice(0, 64));
			rmSync(path.join(house.source, 'big'));
			expect(house.servers().length > 0).toBe(isServed);
		});

		test('show nothing but the directory', async () => {
			writeFileSync(path.join(house.home, 'secret'), 'secret');
			symlinkSync('../secret', path.join(house.source, 'upward'));
			expect(await house.sh('cat /src/upward /src/../secret 2>&1 || true')).not.toMatch(/^secret/m);
			expect(await house.sh('readlink /src/upward; rm /src/upward')).toBe('../secret');
		});

		test('come and go while the instance runs; one in use goes only where that can be', async () => {
			await house.mount('/other');
			await house.works('other', '/other');
			await house.sh('(cd /other; sleep 1000 </dev/null >/dev/null 2>&1 &)');
			const ending = house.unmount('/other');
			if (isServed) {
				await ending;
			} else {
				await expect(ending).rejects.toThrow(/does not let go of the native mount on \/other/);
				await house.works('still', '/other');
				await house.sh('killall sleep');
				await house.unmount('/other');
			}
			await house.sh('killall sleep || true');
			expect(await house.sh('cat /proc/mounts')).not.toContain(' /other ');
			await house.works('beside');
		});

		test('map owners where that can be, and are refused with the reason elsewhere', async () => {
			const canMap = isServed && typeof server !== 'string' && server.translates;
			const mapped = house.mount('/mapped', {uidMap: [{host: 4321, guest: 77}]});
			if (!canMap) return expect(mapped).rejects.toThrow(/cannot be shown under other numbers/);
			await mapped;
			await execa('touch', [path.join(house.source, 'theirs')]);
			await execa('chown', ['4321', path.join(house.source, 'theirs')]);
			expect(await house.sh('stat -c %u /mapped/theirs; touch /mapped/ours; chown 77 /mapped/ours')).toBe('77');
			expect(statSync(path.join(house.source, 'ours')).uid).toBe(4321);
			await house.unmount('/mapped');
		});

		test('live through suspend and resume with the same boot', async () => {
			const boot = await house.sh('cat /proc/sys/kernel/random/boot_id');
			await house.act('suspend');
			await until(
				() => house.servers(),
				found => found.length === 0,
			);
			await house.act('start');
			await house.works('resumed');
			expect(await house.sh('cat /proc/sys/kernel/random/boot_id')).toBe(boot);
		});

		test('live through a restart, and a stop and a start', async () => {
			await house.act('restart');
			await house.works('restarted');
			await house.act('stop');
			expect(house.servers()).toEqual([]);
			await house.act('start');
			await house.works('started');
		});

		test('that are in use hold no suspend up', async () => {
			await house.sh('(cd /src; exec sleep 1000 </dev/null >/dev/null 2>&1 &)');
			if (isServed) {
				await house.act('suspend');
				await house.act('start');
				await until(
					async () => (await house.engine.instanceEvents({name: 'web'})).map(event => event.what).join('\n'),
					text => text.includes('mount /src was in use in the guest when it was ended'),
				);
			} else {
				await expect(house.act('suspend')).rejects.toThrow(/does not let go of the native mount on \/src/);
				expect((await house.engine.list())[0]!.state).toBe('Running');
				await house.works('refused');
				await house.sh('killall sleep');
				await house.act('suspend');
				await house.act('start');
			}
			await house.works('unheld');
			await house.sh('killall sleep || true');
		});

		test('are there again when the guest reboots by itself', async () => {
			const boot = await house.sh('cat /proc/sys/kernel/random/boot_id');
			await house.sh('(sleep 1; reboot -f) >/dev/null 2>&1 &');
			await until(
				() => house.sh('cat /proc/sys/kernel/random/boot_id').catch(() => boot),
				now => now !== boot,
				120_000,
			);
			await house.works('rebooted');
		});

		test('go on without drover, and are found again', async () => {
			const before = house.servers();
			await house.engine.close();
			expect(house.servers()).toEqual(before);
			await house.open();
			await house.works('found');
			expect(house.servers()).toEqual(before);
			await house.unmount('/src');
			expect(await house.sh('cat /proc/mounts')).not.toContain(' /src ');
			expect(house.servers()).toEqual([]);
			await house.mount('/src');
			await house.works('again');
		});

		test('whose directory goes say so and hold nobody; another one in its place is mounted', async () => {
			renameSync(house.source, `${house.source}.away`);
			await until(
				() => house.problem(),
				text => /is gone/.test(text ?? ''),
				60_000,
			);
			expect(await house.sh('timeout 20 ls /src >/dev/null 2>&1; echo over')).toBe('over');
			renameSync(`${house.source}.away`, house.source);
			await until(
				() => house.problem(),
				text => text === undefined,
				60_000,
			);
			await house.works('back');
			renameSync(house.source, `${house.source}.old`);
			mkdirSync(house.source);
			writeFileSync(path.join(house.source, 'a'), 'from the host');
			writeFileSync(path.join(house.source, 'mark'), 'new');
			await until(
				() => house.sh(`${show} /src/mark`).catch(() => ''),
				text => text === 'new',
				60_000,
			);
			await house.works('anew');
			await until(
				() => house.problem(),
				text => text === undefined,
				60_000,
			);
			expect(existsSync(path.join(house.source, 'anew'))).toBe(true);
			expect(existsSync(path.join(`${house.source}.old`, 'anew'))).toBe(false);
		});

		test.skipIf(!isServed)(
			`whose virtiofsd is killed are made anew when nobody waits for them${noServer}`,
			async () => {
				const before = house.servers();
				for (const pid of before) process.kill(pid, 'SIGKILL');
				await until(
					async () => (await house.engine.instanceEvents({name: 'web'})).map(event => event.what).join('\n'),
					text => /mount \/src was lost: virtiofsd, which serves it, has ended/.test(text),
					60_000,
				);
				await house.works('replaced');
				expect(house.servers().some(pid => before.includes(pid))).toBe(false);
			},
		);

		test.skipIf(!isServed)(`whose virtiofsd is killed while a program waits say what helps${noServer}`, async () => {
			// What waits cannot be ended by anybody any more.
			await house.sh('(while :; do cat /src/a >/dev/null; done) </dev/null >/dev/null 2>&1 &');
			for (const pid of house.servers()) process.kill(pid, 'SIGKILL');
			await until(
				() => house.problem(),
				text => /virtiofsd.*ended.*until its power is cut/.test(text ?? ''),
				60_000,
			);
			expect(await house.sh('echo alive')).toBe('alive');
			await house.act('stop', {force: true});
			await house.act('start');
			await house.works('cut');
		});

		test.skipIf(!isServed)(`what a daemon left that was killed in between is taken up${noServer}`, async () => {
			const place = house.place();
			const id = mountId({target: '/late'});
			const socket = serverSocket(place, id);
			await startServing(place, id, server as FileServer, {source: house.source, socket});
			const [stray] = [...(await serversOf(place, id)).keys()];
			const monitor = await connectQmp(filesOf(place).monitor, {timeoutMs: 10_000});
			const addr = {type: 'unix', data: {path: socket}};
			await monitor.execute('chardev-add', {id: channelOf(id), backend: {type: 'socket', data: {addr, server: false}}});
			monitor.close();
			await house.mount('/late');
			await house.works('late', '/late');
			expect(house.servers()).not.toContain(stray);
			await house.unmount('/late');
			expect((await serversOf(place, id)).size).toBe(0);
		});

		test('nothing is left when the power is cut, nor of one that QEMU never came to', async () => {
			await house.act('stop', {force: true});
			expect(house.servers()).toEqual([]);
			if (isServed) {
				const place = house.place();
				const id = mountId({target: '/never'});
				await startServing(place, id, server as FileServer, {
					source: house.source,
					socket: serverSocket(place, id),
				});
				expect(house.servers()).not.toEqual([]);
				await house.engine.close();
				await house.open();
				await until(
					() => house.servers(),
					found => found.length === 0,
				);
			}
			await house.act('start');
			await house.works('last');
			await house.act('delete', {purge: true});
			expect(house.servers()).toEqual([]);
		});
	});
});
