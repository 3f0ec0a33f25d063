import {readdir, readFile, stat} from 'node:fs/promises';
import path from 'node:path';
import {execa} from 'execa';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Driver} from '../../source/drivers/driver.ts';
import {createLibvirtDriver} from '../../source/drivers/libvirt/driver.ts';
import {createQemuDriver} from '../../source/drivers/qemu/driver.ts';
import type {Paths} from '../../source/state/paths.ts';
import {ownLibvirt} from '../support/libvirt.ts';
import {microImage} from '../support/micro-image.ts';
import {eventually, makeHome, processesNaming, removeHome, Subject} from './subject.ts';

const libvirt = await ownLibvirt();

/** QEMU and libvirt run the same files: what was made or suspended under the one goes on under the other. */
describe.skipIf(typeof libvirt === 'string')(
	`instances between QEMU and libvirt${typeof libvirt === 'string' ? ` (${libvirt})` : ''}`,
	{timeout: 240_000},
	() => {
		const own = libvirt as Exclude<typeof libvirt, string>;
		let paths: Paths;
		let qemu: Driver;
		let virt: Driver;
		let web: Subject;
		let bootId: string;

		/** As the next daemon makes them: nothing is known but the files. */
		const renew = () => {
			qemu = createQemuDriver({paths});
			virt = createLibvirtDriver({paths, uri: own.uri});
		};
		const count = async (driver: Driver) => Number(await web.ssh(driver, 'cat', '/run/count'));
		const virsh = (...args: string[]) => execa('virsh', ['-q', '-c', own.uri, ...args], {timeout: 60_000});
		const states = async () =>
			(await readdir(web.place.directory)).filter(file => file.startsWith('state') && !file.endsWith('.used'));

		beforeAll(async () => {
			paths = await makeHome();
			renew();
			web = await Subject.make(paths, await microImage(), 'web', 'qemu');
			await web.create(qemu);
		}, 240_000);

		afterAll(async () => {
			if (web) {
				web.beforeUpdate = undefined;
				await virt.destroy(web.record, web.place, web.work());
			}
			await removeHome(paths);
			await own.close();
		}, 60_000);

		test('made under QEMU, it starts under libvirt', async () => {
			await web.start(virt);
			await web.answer(virt);
			bootId = await web.bootId(virt);
			await web.ssh(
				virt,
				'sh',
				'-c',
				'i=0; (while :; do i=$((i+1)); echo $i > /run/count.new; mv /run/count.new /run/count; usleep 100000; done) >/dev/null 2>&1 &',
			);
			await eventually('the counter counts', async () => (await count(virt).catch(() => 0)) > 2, 20_000);
		});

		test('what runs under libvirt is not touched by QEMU, and seen for what it is', async () => {
			expect(await web.observe(qemu)).toMatchObject({power: 'unusable', reason: expect.stringMatching(/libvirt/)});
			for (const refused of [
				web.start(qemu),
				web.stop(qemu),
				web.suspend(qemu),
				qemu.reboot(web.record, web.place, web.work()),
			]) {
				await expect(refused).rejects.toMatchObject({
					code: 'instance.state',
					message: expect.stringMatching(/libvirt/),
				});
			}
			expect(await processesNaming(web.record.id)).toHaveLength(1);
			expect(await web.bootId(virt)).toBe(bootId);
		});

		test('suspended memory moves both ways, again and again: same boot, the counter goes on', async () => {
			const {mac, machine} = web.record.hardware;
			let last = await count(virt);
			for (let round = 0; round < 3; round++) {
				for (const [from, to] of [
					[virt, qemu],
					[qemu, virt],
				] as const) {
					const stamp = await web.suspend(from);
					expect(stamp).toMatchObject({driver: from.name, machine});
					expect(await processesNaming(web.record.id)).toEqual([]);
					expect(await web.power(from)).toBe('suspended');
					expect(await web.power(to)).toBe('suspended');
					expect(await to.loadProblem?.(web.record, web.place)).toBeUndefined();
					await web.start(to);
					expect(await web.power(to)).toBe('running');
					await web.answer(to);
					expect(await web.bootId(to)).toBe(bootId);
					const now = await count(to);
					expect(now).toBeGreaterThanOrEqual(last);
					await eventually('the counter goes on', async () => (await count(to)) > now);
					last = now;
					expect(web.record.suspended).toBeUndefined();
					expect(web.record.hardware.mac).toBe(mac);
				}
				if (round === 0) renew();
			}
			expect((await virsh('list', '--all', '--name')).stdout.trim().split('\n').filter(Boolean)).toHaveLength(1);
		});

		test('a daemon of libvirt’s that is killed takes nothing with it', async () => {
			await own.kill();
			renew();
			expect(await web.observe(virt)).toMatchObject({power: 'unresponsive', reason: expect.stringMatching(/libvirt/)});
			expect(await virt.health({again: true})).toMatchObject({installed: true, usable: false});
			await expect(web.stop(virt)).rejects.toMatchObject({code: 'driver.unusable'});
			await own.start();
			expect(await web.power(virt)).toBe('running');
			expect(await web.bootId(virt)).toBe(bootId);
		});

		test('memory that libvirt saved for a daemon that died is found by either', async () => {
			const part = path.join(web.place.directory, 'state.part');
			await virsh('save', web.record.id, part, '--running');
			expect(web.record.suspended).toBeUndefined();
			expect(await web.power(qemu)).toBe('suspended');
			expect(await web.power(virt)).toBe('suspended');
			await web.start(qemu);
			expect(web.log.at(-1)).toMatch(/found whole/);
			await web.answer(qemu);
			expect(await web.bootId(qemu)).toBe(bootId);
			expect(await states()).toEqual([]);
		});

		test('what runs under QEMU is not touched by libvirt, and can be forced off', async () => {
			expect(await web.observe(virt)).toMatchObject({power: 'unusable', reason: expect.stringMatching(/qemu/)});
			await expect(web.start(virt)).rejects.toMatchObject({code: 'instance.state'});
			await expect(web.suspend(virt)).rejects.toMatchObject({code: 'instance.state'});
			await web.powerOff(virt);
			expect(await processesNaming(web.record.id)).toEqual([]);
			expect(await web.power(virt)).toBe('off');
		});

		test('stopped under the one, it starts under the other, and its files stay their owner’s', async () => {
			const owner = await stat(path.join(web.place.directory, 'disk.qcow2'));
			await web.start(virt);
			await web.answer(virt);
			expect(await web.bootId(virt)).not.toBe(bootId);
			bootId = await web.bootId(virt);
			await web.stop(virt);
			await web.start(qemu);
			await web.answer(qemu);
			expect(await web.bootId(qemu)).not.toBe(bootId);
			await web.stop(qemu);
			const after = await stat(path.join(web.place.directory, 'disk.qcow2'));
			expect([after.uid, after.gid, after.mode]).toEqual([owner.uid, owner.gid, owner.mode]);
			expect(await readFile(path.join(web.place.directory, 'console.log'), 'utf8')).toMatch(/micro/);
		});

		test('memory that cannot be loaded here is told beforehand, and not booted over', async () => {
			await web.start(virt);
			const stamp = await web.suspend(virt);
			const whole = web.record;
			for (const [change, words] of [
				[{machine: 'pc-i440fx-99.0'}, /does not know its machine type/],
				[{accelerator: 'kvm'}, /saved with kvm/],
				[{devices: 'others'}, /machine has been changed/],
				[{size: stamp.size + 1}, /bytes/],
			] as const) {
				web.record = {...whole, suspended: {...stamp, ...change}};
				for (const driver of [qemu, virt]) {
					expect(await driver.loadProblem?.(web.record, web.place)).toMatch(words);
					const error = await web.start(driver).catch((thrown: unknown) => thrown);
					expect(error).toMatchObject({
						code: 'instance.broken',
						message: expect.stringMatching(words),
						next: expect.stringMatching(/[Ss]witch back.*discard/),
					});
					expect(await processesNaming(web.record.id)).toEqual([]);
				}
			}
			web.record = whole;
			expect(await states()).toEqual(['state']);
			await web.powerOff(qemu);
			expect(await web.power(virt)).toBe('off');
			expect(await virt.loadProblem?.(web.record, web.place)).toBeUndefined();
		});
	},
);
