import {readdir, stat, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Driver, DriverEvent} from '../../source/drivers/driver.ts';
import type {Paths} from '../../source/state/paths.ts';
import {savedMemory} from './saved-memory.ts';
import type {ContractSetup, Stage} from './setup.ts';
import {eventually, makeHome, removeHome, Subject} from './subject.ts';

/** A test of what this driver has; there is none where it has not. */
function when(applies: boolean) {
	return (name: string, run: () => Promise<void>) => {
		if (applies) test(name, run);
	};
}

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

		const machines = () => setup.machines(web);
		const signal = () => new AbortController().signal;
		const stage: Stage = {
			get paths() {
				return paths;
			},
			get driver() {
				return driver;
			},
			get web() {
				return web;
			},
			get bootId() {
				return bootId;
			},
		};
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
			const disk = setup.files?.(web.place).disk;
			const before = disk === undefined ? undefined : await stat(disk);
			if (before) expect(before.mode & 0o077).toBe(0);
			await web.create(driver);
			if (before) expect((await stat(disk!)).ino).toBe(before.ino);
			expect((await stat(web.place.directory)).mode & 0o077).toBe(0);
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
			expect(await machines()).toEqual([await web.pid(driver)]);
			expect(await web.observe(driver)).toMatchObject({power: 'running'});
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
			if (setup.limitsDisk) expect(disks.some(disk => disk.total > 300 * 2 ** 20 && disk.used > 2 ** 20)).toBe(true);
		});

		if (setup.canSuspend) savedMemory(setup, stage);

		test('a hypervisor that hangs is seen as such within a second, and is well again after', async () => {
			const pid = await setup.hypervisor(web, driver);
			process.kill(pid, 'SIGSTOP');
			try {
				const begun = performance.now();
				expect(await web.observe(driver)).toMatchObject({power: 'unresponsive', reason: expect.any(String)});
				expect(performance.now() - begun).toBeLessThan(1500);
			} finally {
				process.kill(pid, 'SIGCONT');
			}
			await eventually('it is well again', async () => (await web.power(driver)) === 'running');
		});

		test('a reboot gives another boot, and one machine', async () => {
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
			expect((await web.pid(driver)) === pid).toBe(setup.keepsProcess);
			expect(await machines()).toEqual([await web.pid(driver)]);
			bootId = await web.bootId(driver);
		});

		when(setup.hasAgent)('a guest without an agent reboots as well', async () => {
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
			await setup.deafen(web, driver);
			if (setup.hasAgent) {
				await expect(driver.guestFacts(web.record, web.place, signal())).rejects.toMatchObject({
					code: 'guest.unanswered',
				});
			}
			const error = await web.stop(driver, 4000).catch((thrown: unknown) => thrown);
			expect(error).toMatchObject({code: 'guest.unanswered', next: expect.stringContaining('--force')});
			expect(await web.bootId(driver)).toBe(bootId);
			// Cutting the power pushes aside a stop that is still waiting.
			const waiting = web.stop(driver, 60_000).catch((thrown: unknown) => thrown);
			await web.powerOff(driver);
			expect(await waiting).toMatchObject({code: 'operation.cancelled'});
			expect(await web.power(driver)).toBe('off');
			expect(await machines()).toEqual([]);
		});

		when(setup.hasPort)('a port that somebody else has taken is given up for another', async () => {
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
			await web.start(driver);
			await web.answer(driver);
			const watching = driver.watch(web.record, web.place, event => events.push(event));
			try {
				await eventually('the watch listens', async () => {
					await web.ssh(driver, 'true');
					return (await web.observe(driver)).power === 'running';
				});
				await web.ssh(driver, 'sh', '-c', '(usleep 300000; sync; poweroff -f) >/dev/null 2>&1 &');
				await eventually('it is off', async () => (await machines()).length === 0, 30_000);
				await eventually('the watch tells', () => events.length > 0, 1000);
				expect(events[0]).toMatchObject({id: web.record.id});
				expect(await web.power(driver)).toBe('off');
			} finally {
				watching.close();
			}
		});

		test('a pid that now belongs to somebody else is not taken for the machine', async () => {
			const pid = setup.files?.(web.place).pid;
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

		when(setup.hasAgent)('a guest that does not heed its power button is asked through its agent', async () => {
			await agentAnswers();
			await web.ssh(driver, 'killall', 'acpid');
			await web.stop(driver);
			expect(await web.power(driver)).toBe('off');
		});

		test('a graceful stop waits until the machine is really gone', async () => {
			await web.start(driver);
			await web.answer(driver);
			await agentAnswers();
			await web.stop(driver);
			expect(await machines()).toEqual([]);
			expect(await web.power(driver)).toBe('off');
		});

		when(setup.canSuspend)('cutting the power throws saved memory away', async () => {
			await web.start(driver);
			await web.suspend(driver);
			expect(await web.power(driver)).toBe('suspended');
			await web.powerOff(driver);
			expect(web.record.suspended).toBeUndefined();
			expect(await web.power(driver)).toBe('off');
			expect((await readdir(web.place.directory)).filter(file => file.startsWith('state'))).toEqual([]);
		});

		test('what it cannot be without makes it unusable when it is gone, with the reason', async () => {
			const {words, remove, mend} = setup.loss(web);
			await remove();
			expect(await web.observe(driver)).toMatchObject({power: 'unusable', reason: expect.stringMatching(words)});
			await expect(web.start(driver)).rejects.toMatchObject({code: 'instance.broken'});
			await mend();
			expect(await web.power(driver)).toBe('off');
		});

		setup.more?.(stage);

		test('destroying what runs leaves nothing of it', async () => {
			await web.start(driver);
			await driver.destroy(web.record, web.place, web.work());
			expect(await machines()).toEqual([]);
			await expect(stat(web.place.sockets)).rejects.toMatchObject({code: 'ENOENT'});
			expect(await readdir(path.dirname(web.place.sockets)).catch(() => [])).toEqual([]);
			await driver.destroy(web.record, web.place, web.work());
		});
	});
}
