import {readFile} from 'node:fs/promises';
import process from 'node:process';
import {expect, onTestFinished, test} from 'vitest';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import {findProgram, run} from '../../../source/platform/programs.ts';
import {systemOf} from '../../../source/platform/system.ts';
import {makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {microImage} from '../../support/micro-image.ts';

/*
 * The whole driver as it is on macOS, on this machine's QEMU: processes are known by `ps`, there is no memfd, hvf is
 * probed (and is not there), and what the system is asked of macOS's programs has no answer.
 */
const hasPs = (await findProgram('ps')) !== undefined;
const reason = hasPs ? '' : ' (skipped: this machine has no ps)';

test.runIf(hasPs)(
	`as on macOS: launched, looked at, suspended, resumed, snapshotted, stopped${reason}`,
	async () => {
		const paths = await makeHome();
		const system = systemOf('darwin', {architecture: 'x64', run});
		const driver = createQemuDriver({paths, system});
		const health = await driver.health();
		expect(health).toMatchObject({usable: true, accelerator: 'tcg'});
		expect(health.summary).toContain('hvf');
		const web = await Subject.make(paths, await microImage(), 'web', 'qemu');
		onTestFinished(async () => {
			await driver.destroy(web.record, web.place, web.work());
			await removeHome(paths);
		});
		await web.create(driver);
		await web.start(driver);
		await web.answer(driver);
		const pid = await web.pid(driver);
		const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
		expect(words.find(word => word.startsWith('memory-backend'))).toMatch(/^memory-backend-ram,/);
		expect(await web.power(driver)).toBe('running');
		expect((await driver.metrics!(web.record, web.place))!.cpuSeconds).toBeGreaterThan(0);
		expect(await driver.strangers!(new Set())).toContainEqual(expect.objectContaining({id: web.record.id, pid}));

		// The next daemon knows nothing but the files and what `ps` tells.
		const next = createQemuDriver({paths, system});
		const boot = await web.bootId(next);
		await web.suspend(next);
		expect(await web.power(next)).toBe('suspended');
		await web.start(next);
		await web.answer(next);
		expect(await web.bootId(next)).toBe(boot);

		await web.stop(next);
		expect(await web.power(next)).toBe('off');
		await next.snapshots!.take(web.record, web.place, 'drover-one', web.work());
		await next.snapshots!.restore(web.record, web.place, 'drover-one', web.work());
		await web.start(next);
		process.kill(await web.pid(next), 'SIGKILL');
		await expect.poll(() => web.power(next)).toBe('off');
	},
	180_000,
);
