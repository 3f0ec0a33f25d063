import {createHash} from 'node:crypto';
import {copyFile, open, readdir, readFile, rename, stat, truncate, utimes, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Driver, DriverEvent, InstancePlace} from '../../source/drivers/driver.ts';
import type {CachedImage} from '../../source/images/image.ts';
import type {ScopeName} from '../../source/model/driver-name.ts';
import type {Paths} from '../../source/state/paths.ts';
import {eventually, makeHome, processesNaming, removeHome, Subject} from './subject.ts';

export type ContractSetup = {
	readonly scope: ScopeName;
	/** A driver object as a new daemon would make it. */
	makeDriver(paths: Paths): Driver;
	image(): Promise<CachedImage>;
	readonly canSuspend: boolean;
	/** Where the driver keeps what the tests damage; `undefined`: it has no such file. */
	files(place: InstancePlace): {readonly disk: string; readonly state?: string; readonly pid?: string};
};

/** What every driver must keep, checked with a real guest. One guest goes through most of it, as each boot costs seconds. */
export function contractSuite(name: string, setup: ContractSetup): void {
	describe(`the driver contract: ${name}`, {timeout: 240_000}, () => {
		let paths: Paths;
		let driver: Driver;
		let web: Subject;
		let bootId: string;

		beforeAll(async () => {
			paths = await makeHome();
			driver = setup.makeDriver(paths);
			web = await Subject.make(paths, await setup.image(), 'web', setup.scope);
		}, 240_000);

		afterAll(async () => {
			if (web) await driver.destroy(web.record, web.place, web.work());
			await removeHome(paths);
		}, 60_000);

		const files = () => setup.files(web.place);
		const signal = () => new AbortController().signal;
		const agentAnswers = () =>
			eventually(
				'the guest’s agent answers',
				() =>
					driver.guestFacts(web.record, web.place, signal()).then(
						() => true,
						() => false,
					),
				120_000,
			);

		test('it is installed, usable and says what it is', async () => {
			const health = await driver.health();
			expect(health).toMatchObject({installed: true, usable: true});
			expect(health.version).toMatch(/^\d+\.\d+/);
		});

		test('a disk smaller than the image is refused, and nothing is made', async () => {
			const small = await Subject.make(paths, web.image, 'small', setup.scope);
			small.record = {...small.record, hardware: {...small.record.hardware, disk: 1024 * 1024}};
			await expect(small.create(driver)).rejects.toMatchObject({code: 'instance.invalid'});
			expect(await readdir(small.place.directory)).toEqual([]);
		});

		test('creating makes private files, and creating again keeps them', async () => {
			await web.create(driver);
			const before = await stat(files().disk);
			expect(before.mode & 0o077).toBe(0);
			await web.create(driver);
			expect((await stat(files().disk)).ino).toBe(before.ino);
			expect(await web.power(driver)).toBe('off');
		});

		test('what is off cannot be suspended or rebooted, and stopping or cutting its power is no error', async () => {
			if (setup.canSuspend) await expect(web.suspend(driver)).rejects.toMatchObject({code: 'instance.state'});
			await expect(driver.reboot(web.record, web.place, web.work())).rejects.toMatchObject({code: 'instance.state'});
			await web.stop(driver);
			await web.powerOff(driver);
			expect(await web.power(driver)).toBe('off');
		});

		test('of two starts at once, from two daemons even, one machine comes of it', async () => {
			const other = setup.makeDriver(paths);
			await Promise.all([web.start(driver), web.start(driver), web.start(other)]);
			expect(await processesNaming(web.record.id)).toEqual([await web.pid(driver)]);
			expect(await web.observe(driver)).toMatchObject({power: 'running', ssh: {host: '127.0.0.1'}});
		});

		test('the guest answers, and shows the key that it was given', async () => {
			expect(await web.answer(driver)).toMatch(/^SSH-2\.0-/);
			bootId = await web.bootId(driver);
			expect(bootId).toMatch(/^[\da-f-]{36}$/);
			expect(await web.ssh(driver, 'hostname')).toBe('web');
		});

		test('starting what runs changes nothing', async () => {
			const pid = await web.pid(driver);
			await web.start(setup.makeDriver(paths));
			expect(await web.pid(driver)).toBe(pid);
		});

		test('the guest tells about itself', async () => {
			const facts = await driver.guestFacts(web.record, web.place, signal());
			expect(facts.release).toBeTruthy();
			expect(facts.cpus).toBe(1);
			expect(facts.load).toHaveLength(3);
			const {used = 0, total = 0} = facts.memory ?? {};
			expect(total).toBeGreaterThan(150 * 2 ** 20);
			expect(total).toBeLessThanOrEqual(web.record.hardware.memory);
			expect(used).toBeGreaterThan(0);
			const disks = Object.values(facts.disks ?? {});
			expect(disks.some(disk => disk.total > 300 * 2 ** 20 && disk.used > 2 ** 20)).toBe(true);
		});

		describe.runIf(setup.canSuspend)('saved memory', () => {
			let counted: number;
			let suspendedAt: number;
			const count = async () => Number(await web.ssh(driver, 'cat', '/run/count'));
			const state = () => files().state!;
			const digest = async (file: string) =>
				createHash('sha256')
					.update(await readFile(file))
					.digest('hex');

			/** Starting must be refused, and neither the disk nor the saved memory may have changed. */
			async function refused(words: RegExp) {
				const before = [await digest(files().disk), await digest(state())];
				const error = await web.start(driver).catch((thrown: unknown) => thrown);
				expect(error).toMatchObject({code: 'instance.broken', message: expect.stringMatching(words)});
				expect(await processesNaming(web.record.id)).toEqual([]);
				expect([await digest(files().disk), await digest(state())]).toEqual(before);
				expect(web.record.suspended).toBeDefined();
				expect(await web.power(driver)).toBe('suspended');
			}

			test('suspending frees the host and leaves a stamp', async () => {
				await web.ssh(
					driver,
					'sh',
					'-c',
					'i=0; (while :; do i=$((i+1)); echo $i > /run/count.new; mv /run/count.new /run/count; usleep 100000; done) >/dev/null 2>&1 &',
				);
				await eventually('the counter counts', async () => (await count().catch(() => 0)) > 2);
				counted = await count();
				const stamp = await web.suspend(driver);
				suspendedAt = Date.now();
				expect(web.record.suspended).toEqual(stamp);
				expect(stamp).toMatchObject({driver: driver.name, by: 'user', cpus: 1, machine: web.record.hardware.machine});
				expect(stamp.size).toBe((await stat(state())).size);
				expect(await processesNaming(web.record.id)).toEqual([]);
				expect(await web.power(driver)).toBe('suspended');
				expect((await stat(state())).mode & 0o077).toBe(0);
			});

			test('suspending what is suspended gives the same stamp', async () => {
				expect(await web.suspend(driver)).toEqual(web.record.suspended);
			});

			test('it is not stopped as if nothing were saved', async () => {
				await expect(web.stop(driver)).rejects.toMatchObject({code: 'instance.state'});
			});

			test('a truncated memory image is refused', async () => {
				await copyFile(state(), `${state()}.whole`);
				await truncate(state(), Math.floor((await stat(state())).size / 2));
				await refused(/bytes/);
				await rename(`${state()}.whole`, state());
			});

			test('a memory image with a damaged head is refused', async () => {
				const handle = await open(state(), 'r+');
				const head = Buffer.alloc(16);
				await handle.read(head, 0, 16, 0);
				await handle.write('not a saved file', 0);
				await refused(/not a saved memory image/);
				await handle.write(head, 0, 16, 0);
				await handle.close();
			});

			test('a memory image that is damaged inside is refused by the hypervisor', async () => {
				await copyFile(state(), `${state()}.whole`);
				const {size} = await stat(state());
				const handle = await open(state(), 'r+');
				await handle.write(Buffer.alloc(Math.floor(size / 2), 0xa5), 0, undefined, Math.floor(size / 2));
				await handle.close();
				await refused(/cannot load it/);
				await rename(`${state()}.whole`, state());
			});

			test('a missing memory image is not passed over', async () => {
				await rename(state(), `${state()}.away`);
				await expect(web.start(driver)).rejects.toMatchObject({
					code: 'instance.broken',
					message: expect.stringMatching(/missing/),
				});
				await rename(`${state()}.away`, state());
			});

			test('a disk that was changed under the memory is refused', async () => {
				const {atimeMs, mtimeMs} = await stat(files().disk);
				const back = new Date(mtimeMs);
				await utimes(files().disk, new Date(atimeMs), new Date(mtimeMs + 5000));
				await refused(/disk has been changed/);
				await utimes(files().disk, new Date(atimeMs), back);
			});

			test('a new daemon resumes it: same boot, the counter goes on, the clock is right', async () => {
				await eventually('the guest’s clock is behind', () => Date.now() - suspendedAt > 5000);
				const next = setup.makeDriver(paths);
				await web.start(next);
				expect(await web.power(next)).toBe('running');
				expect(web.record.suspended).toBeUndefined();
				await web.answer(next);
				await next.awake(web.record, web.place, web.work());
				expect(Math.abs(Number(await web.ssh(next, 'date', '+%s')) - Date.now() / 1000)).toBeLessThan(3);
				expect(await web.bootId(next)).toBe(bootId);
				const now = await count();
				expect(now).toBeGreaterThanOrEqual(counted);
				await eventually('the counter goes on', async () => (await count()) > now);
				expect((await readdir(web.place.directory)).filter(file => file.startsWith('state'))).toEqual([]);
			});

			test('a memory image that cannot be recorded is given up, and the guest goes on', async () => {
				web.beforeUpdate = async () => {
					throw new Error('the record cannot be written');
				};
				await expect(web.suspend(driver)).rejects.toThrow('the record cannot be written');
				web.beforeUpdate = undefined;
				expect(await web.power(driver)).toBe('running');
				expect(await web.bootId(driver)).toBe(bootId);
				expect((await readdir(web.place.directory)).filter(file => file.startsWith('state'))).toEqual([]);
			});

			test('suspending can be cancelled, and the guest goes on', async () => {
				const abort = new AbortController();
				const work = {...web.work(abort.signal), progress: () => abort.abort()};
				await expect(driver.suspend(web.record, web.place, {by: 'user'}, work)).rejects.toMatchObject({
					code: 'operation.cancelled',
				});
				expect(await web.power(driver)).toBe('running');
				expect(await web.bootId(driver)).toBe(bootId);
			});
		});

		test('a hypervisor that hangs is seen as such within a second, and is well again after', async () => {
			const pid = await web.pid(driver);
			process.kill(pid, 'SIGSTOP');
			try {
				const begun = performance.now();
				expect(await web.observe(driver)).toMatchObject({power: 'unresponsive', reason: expect.any(String)});
				expect(performance.now() - begun).toBeLessThan(1500);
			} finally {
				process.kill(pid, 'SIGCONT');
			}
			expect(await web.power(driver)).toBe('running');
		});

		test('a reboot gives another boot in the same machine', async () => {
			const pid = await web.pid(driver);
			await driver.reboot(web.record, web.place, web.work());
			await eventually(
				'the guest has booted again',
				async () => {
					await web.answer(driver);
					return (await web.bootId(driver).catch(() => bootId)) !== bootId;
				},
				120_000,
			);
			expect(await web.pid(driver)).toBe(pid);
			bootId = await web.bootId(driver);
		});

		test('a guest without an agent reboots as well', async () => {
			await agentAnswers();
			await web.ssh(driver, 'killall', 'qemu-ga');
			await driver.reboot(web.record, web.place, web.work());
			await eventually(
				'the guest has booted again',
				async () => {
					await web.answer(driver);
					return (await web.bootId(driver).catch(() => bootId)) !== bootId;
				},
				120_000,
			);
			bootId = await web.bootId(driver);
		});

		test('a guest that ignores being asked is not forced, and can be forced', async () => {
			await agentAnswers();
			await web.ssh(driver, 'killall', 'acpid', 'qemu-ga');
			await expect(driver.guestFacts(web.record, web.place, signal())).rejects.toMatchObject({
				code: 'guest.unanswered',
			});
			const error = await web.stop(driver, 4000).catch((thrown: unknown) => thrown);
			expect(error).toMatchObject({code: 'guest.unanswered', next: expect.stringContaining('--force')});
			expect(await web.bootId(driver)).toBe(bootId);
			// Cutting the power pushes aside a stop that is still waiting.
			const waiting = web.stop(driver, 60_000).catch((thrown: unknown) => thrown);
			await web.powerOff(driver);
			expect(await waiting).toMatchObject({code: 'operation.cancelled'});
			expect(await web.power(driver)).toBe('off');
			expect(await processesNaming(web.record.id)).toEqual([]);
		});

		test('a port that somebody else has taken is given up for another', async () => {
			const port = web.record.ssh.port!;
			const thief = createServer().listen(port, '127.0.0.1');
			await new Promise(resolve => thief.once('listening', resolve));
			try {
				await web.start(driver);
				expect(web.record.ssh.port).not.toBe(port);
				await web.answer(driver);
				expect(await web.bootId(driver)).not.toBe(bootId);
			} finally {
				thief.close();
			}
		});

		test('a guest that powers itself off is noticed within a second', async () => {
			const events: DriverEvent[] = [];
			const watching = driver.watch(web.record, web.place, event => events.push(event));
			try {
				await eventually('the watch listens', async () => {
					await web.ssh(driver, 'true');
					return (await web.observe(driver)).power === 'running';
				});
				await web.ssh(driver, 'sh', '-c', '(usleep 300000; sync; poweroff -f) >/dev/null 2>&1 &');
				await eventually('it is off', async () => (await processesNaming(web.record.id)).length === 0, 30_000);
				await eventually('the watch tells', () => events.length > 0, 1000);
				expect(events[0]).toMatchObject({id: web.record.id});
				expect(await web.power(driver)).toBe('off');
			} finally {
				watching.close();
			}
		});

		test('a pid that now belongs to somebody else is not taken for the machine', async () => {
			const {pid} = files();
			if (pid !== undefined) await writeFile(pid, `${process.pid}\n`);
			expect(await web.power(driver)).toBe('off');
			await web.powerOff(driver);
			if (pid !== undefined) await writeFile(pid, `${process.pid}\n`);
			await web.start(driver);
			expect(await web.pid(driver)).not.toBe(process.pid);
		});

		test('a hypervisor that is killed is noticed within a second, and starts again', async () => {
			const events: DriverEvent[] = [];
			const pid = await web.pid(driver);
			const watching = driver.watch(web.record, web.place, event => events.push(event));
			try {
				process.kill(pid, 'SIGKILL');
				await eventually('the watch tells', () => events.length > 0, 1000);
				expect(await web.power(driver)).toBe('off');
			} finally {
				watching.close();
			}
			await web.start(driver);
		});

		test('a guest that does not heed its power button is asked through its agent', async () => {
			await agentAnswers();
			await web.ssh(driver, 'killall', 'acpid');
			await web.stop(driver);
			expect(await web.power(driver)).toBe('off');
		});

		test('a graceful stop waits until the machine is really gone', async () => {
			await web.start(driver);
			await agentAnswers();
			await web.stop(driver);
			expect(await processesNaming(web.record.id)).toEqual([]);
			expect(await web.power(driver)).toBe('off');
		});

		test.runIf(setup.canSuspend)('cutting the power throws saved memory away', async () => {
			await web.start(driver);
			await web.suspend(driver);
			expect(await web.power(driver)).toBe('suspended');
			await web.powerOff(driver);
			expect(web.record.suspended).toBeUndefined();
			expect(await web.power(driver)).toBe('off');
			expect((await readdir(web.place.directory)).filter(file => file.startsWith('state'))).toEqual([]);
		});

		test('a missing disk makes it unusable, with the reason', async () => {
			await rename(files().disk, `${files().disk}.away`);
			expect(await web.observe(driver)).toMatchObject({power: 'unusable', reason: expect.stringMatching(/missing/)});
			await expect(web.start(driver)).rejects.toMatchObject({code: 'instance.broken'});
			await rename(`${files().disk}.away`, files().disk);
			expect(await web.power(driver)).toBe('off');
		});

		test('destroying what runs leaves nothing of it', async () => {
			await web.start(driver);
			await driver.destroy(web.record, web.place, web.work());
			expect(await processesNaming(web.record.id)).toEqual([]);
			await expect(stat(web.place.sockets)).rejects.toMatchObject({code: 'ENOENT'});
			expect(await readdir(path.dirname(web.place.sockets))).toEqual([]);
			await driver.destroy(web.record, web.place, web.work());
		});
	});
}
