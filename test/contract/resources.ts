import {describe, expect, test} from 'vitest';
import type {Resources} from '../../source/drivers/driver.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import type {Stage} from './setup.ts';

/**
 * Hardware that is changed at rest. The guest is off when it begins, and runs with the new hardware when it ends.
 * @param hasBalloon whether memory can be changed while it runs
 */
export function resources(stage: Stage, hasBalloon = true): void {
	describe('hardware that is changed', () => {
		/** As the engine asks for it: the record has the wanted hardware, and is kept when it is done. */
		const resize = async (wanted: Resources) => {
			const {driver, web} = stage;
			const record = {...web.record, hardware: {...web.record.hardware, ...wanted}};
			await driver.resize!(record, web.place, wanted, web.work());
			web.record = {...web.record, hardware: {...web.record.hardware, ...wanted}};
		};
		const memoryInGuest = async () =>
			Number(/^MemTotal:\s+(\d+) kB/.exec(await stage.web.ssh(stage.driver, 'cat', '/proc/meminfo'))?.[1]) / 1024;
		const wanted = {cpus: 2, memory: 320 * mebibyte, disk: 1024 * mebibyte};

		test('not while it runs, and not while it is suspended', async () => {
			const {driver, web} = stage;
			await web.start(driver);
			await web.answer(driver);
			await expect(resize(wanted)).rejects.toMatchObject({code: 'instance.state', next: 'Stop it first.'});
			await web.suspend(driver);
			await expect(resize(wanted)).rejects.toMatchObject({
				code: 'instance.state',
				message: expect.stringMatching(/its memory belongs to the hardware/),
			});
			// Nor when a crash kept the record from being told.
			const {suspended: _suspended, ...unaware} = web.record;
			const record = {...unaware, hardware: {...unaware.hardware, ...wanted}};
			await expect(driver.resize!(record, web.place, wanted, web.work())).rejects.toMatchObject({
				code: 'instance.state',
			});
			await web.start(driver);
			expect(await web.power(driver)).toBe('running');
			await web.stop(driver);
		});

		test('a disk grows, more than once if need be, and never shrinks', async () => {
			const {web} = stage;
			const before = web.record.hardware.disk;
			await resize(wanted);
			await resize(wanted);
			await expect(resize({disk: before})).rejects.toMatchObject({
				code: 'instance.invalid',
				message: 'The disk has 1.0G, and cannot shrink to 512M.',
			});
			await expect(resize({cpus: 256})).rejects.toMatchObject({code: 'instance.invalid'});
			expect(web.record.hardware).toMatchObject(wanted);
		});

		test('the guest finds it at its next start', async () => {
			const {driver, web} = stage;
			await web.start(driver);
			await web.answer(driver);
			expect(await web.ssh(driver, 'nproc')).toBe('2');
			expect(await memoryInGuest()).toBeGreaterThan(260);
			const blocks = Number((await web.ssh(driver, 'df', '-P', '/')).split('\n')[1]?.split(/\s+/)[1]);
			expect(blocks).toBeGreaterThan(800 * 1024);
		});

		if (!hasBalloon) return;
		test('memory while it runs: less, kept over suspend and resume, and back to what it was started with', async () => {
			const {driver, web} = stage;
			const before = await memoryInGuest();
			await expect(resize({memory: 512 * mebibyte})).rejects.toMatchObject({
				code: 'instance.state',
				message: 'While it runs it can have at most the 320M that it was started with.',
			});
			await resize({memory: 200 * mebibyte});
			expect(web.record.hardware).toMatchObject({memory: 200 * mebibyte, builtMemory: 320 * mebibyte});
			const less = await memoryInGuest();
			expect(before - less).toBeGreaterThan(100);
			const boot = await web.ssh(driver, 'cat', '/proc/sys/kernel/random/boot_id');
			await web.suspend(driver);
			await web.start(driver);
			await web.answer(driver);
			expect(await web.ssh(driver, 'cat', '/proc/sys/kernel/random/boot_id')).toBe(boot);
			expect(Math.abs((await memoryInGuest()) - less)).toBeLessThan(20);
			await resize({memory: 320 * mebibyte});
			expect(web.record.hardware.builtMemory).toBeUndefined();
			expect(Math.abs((await memoryInGuest()) - before)).toBeLessThan(5);
			await resize({memory: 256 * mebibyte});
			await web.stop(driver);
			await web.start(driver);
			await web.answer(driver);
			// A boot builds it as the record says.
			expect(web.record.hardware).toMatchObject({memory: 256 * mebibyte});
			expect(web.record.hardware.builtMemory).toBeUndefined();
			expect(await memoryInGuest()).toBeLessThan(256);
		});
	});
}
