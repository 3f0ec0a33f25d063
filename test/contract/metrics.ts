import {describe, expect, test} from 'vitest';
import {usageBetween} from '../../source/components/store/usage.ts';
import type {Metrics} from '../../source/model/metrics.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import type {Stage} from './setup.ts';
import {eventually} from './subject.ts';

/** What an instance uses, without asking the guest. The guest runs when it begins, and runs when it ends. */
export function metrics(stage: Stage): void {
	describe('what an instance uses', () => {
		const sample = async (): Promise<Metrics> => {
			const found = await stage.driver.metrics!(stage.web.record, stage.web.place);
			if (!found) throw new Error('there is no sample');
			return found;
		};

		test('a sample has processor time, memory and disk, and no network, which the guest alone counts', async () => {
			const {web} = stage;
			// libvirt asks the guest every ten seconds.
			await eventually('the guest tells of its memory', async () => (await sample()).memoryUsed !== undefined, 20_000);
			const found = await sample();
			expect(Math.abs(found.at - Date.now())).toBeLessThan(5000);
			expect(found.cpuSeconds).toBeGreaterThan(0.1);
			expect(found.memoryTotal).toBeGreaterThan(200 * mebibyte);
			expect(found.memoryTotal).toBeLessThanOrEqual(web.record.hardware.memory);
			expect(found.memoryUsed).toBeGreaterThan(mebibyte);
			expect(found.memoryUsed).toBeLessThan(found.memoryTotal!);
			expect(found.diskRead).toBeGreaterThan(mebibyte);
			expect(found.diskUsed).toBeGreaterThan(mebibyte);
			expect(found).not.toHaveProperty('received');
		});

		test('one that is looked at alone tells of its network', async () => {
			const {driver, web} = stage;
			const closely = async () => {
				const {received, sent} = (await driver.metrics!(web.record, web.place, {closely: true})) ?? {};
				return received === undefined || sent === undefined ? undefined : {received, sent};
			};
			await eventually('the agent tells', async () => (await closely()) !== undefined, 20_000);
			const before = (await closely())!;
			await web.ssh(driver, 'head', '-c', '400000', '/dev/zero');
			await eventually(
				'what it sent is counted',
				async () => ((await closely())?.sent ?? 0) > before.sent + 400_000,
				20_000,
			);
		});

		test('a guest that works shows it', async () => {
			const {driver, web} = stage;
			const before = await sample();
			await web.ssh(
				driver,
				'sh',
				'-c',
				'dd if=/dev/zero of=/root/big bs=1M count=24; sync; dd if=/dev/zero of=/run/big bs=1M count=64',
			);
			const after = await sample();
			const used = usageBetween({...before, at: before.at}, {...after, at: Math.max(after.at, before.at + 250)}, 2);
			expect(used.cpu).toBeGreaterThan(5);
			expect(after.diskWritten! - before.diskWritten!).toBeGreaterThanOrEqual(24 * mebibyte);
			expect(after.diskUsed! - before.diskUsed!).toBeGreaterThan(8 * mebibyte);
			await eventually(
				'what it keeps in memory is seen',
				async () => (await sample()).memoryUsed! > before.memoryUsed! + 48 * mebibyte,
				30_000,
			);
			await web.ssh(driver, 'rm', '/root/big', '/run/big');
		});

		test('what is resumed goes on being sampled, and what is off has no sample', async () => {
			const {driver, web} = stage;
			await web.suspend(driver);
			expect(await driver.metrics!(web.record, web.place)).toBeUndefined();
			await web.start(driver);
			expect((await sample()).cpuSeconds).toBeGreaterThanOrEqual(0);
			await eventually('the guest tells of its memory', async () => (await sample()).memoryUsed !== undefined, 20_000);
		});
	});
}
