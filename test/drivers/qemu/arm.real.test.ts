import {readFile, stat, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {runProbe} from '../../../source/drivers/machine/accelerator.ts';
import {filesOf} from '../../../source/drivers/machine/files.ts';
import {findFlash} from '../../../source/drivers/machine/flash.ts';
import {machineKinds} from '../../../source/drivers/machine/kinds.ts';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import type {CachedImage} from '../../../source/images/image.ts';
import {mebibyte} from '../../../source/model/sizes.ts';
import {findProgram, run} from '../../../source/platform/programs.ts';
import {systemOf} from '../../../source/platform/system.ts';
import {makeHome, removeHome, Subject} from '../../contract/subject.ts';

const program = await findProgram('qemu-system-aarch64');
const flash = program === undefined ? undefined : await findFlash(program, 'linux');
const isHere = program !== undefined && flash !== undefined;
const reason = isHere ? '' : ' (skipped: needs qemu-system-arm and qemu-efi-aarch64)';

/*
 * ARM machines, emulated: what is run is the command line, the firmware and its variables, and saving and loading. There
 * is no guest behind the firmware.
 */
describe.runIf(isHere)(`ARM machines${reason}`, () => {
	test('the probe’s firmware runs to its end, and not in no time', async () => {
		expect(await runProbe(program!, 'tcg', 60_000, machineKinds.aarch64)).toEqual({isTooSlow: false});
		expect(await runProbe(program!, 'tcg', 1, machineKinds.aarch64)).toMatchObject({isTooSlow: true});
		expect(await runProbe(program!, 'hvf', 15_000, machineKinds.aarch64)).toMatchObject({
			problem: expect.stringMatching(/\w/),
		});
	});

	test.each(['linux', 'darwin'] as const)(
		'boot, are saved and loaded, snapshotted and cloned, as on %s',
		async platform => {
			const paths = await makeHome();
			const driver = createQemuDriver({paths, system: systemOf(platform, {architecture: 'arm64', run})});
			expect(await driver.health()).toMatchObject({usable: true, accelerator: 'tcg'});
			const disk = path.join(paths.cache, 'disk.raw');
			await writeFile(await made(disk), Buffer.alloc(mebibyte));
			const image: CachedImage = {path: disk, format: 'raw', hash: `sha256:${'0'.repeat(64)}`, virtualSize: mebibyte};
			const web = await Subject.make(paths, image, 'web', 'qemu');
			const copy = await Subject.make(paths, image, 'copy', 'qemu');
			for (const each of [web, copy]) {
				each.record = {...each.record, hardware: {...each.record.hardware, arch: 'aarch64'}};
			}
			onTestFinished(async () => {
				for (const each of [web, copy]) await driver.destroy(each.record, each.place, each.work());
				await removeHome(paths);
			});
			const files = filesOf(web.place);
			await web.create(driver);
			expect((await stat(files.variables)).size).toBe(64 * mebibyte);
			await web.start(driver);
			expect(web.record.hardware.machine).toMatch(/^virt-\d+\.\d+$/);
			await expect.poll(() => readFile(files.console, 'latin1'), {timeout: 100_000}).toMatch(/UEFI|BdsDxe|Boot/);
			expect(await web.power(driver)).toBe('running');

			const stamp = await web.suspend(driver);
			expect(stamp.machine).toBe(web.record.hardware.machine);
			expect(await web.power(driver)).toBe('suspended');
			await web.start(driver);
			expect(await web.power(driver)).toBe('running');
			await web.powerOff(driver);

			// What the firmware remembers goes along with a snapshot, and with a clone.
			await writeFile(files.variables, 'as it was');
			await driver.snapshots!.take(web.record, web.place, 'drover-one', web.work());
			await writeFile(files.variables, 'changed');
			await driver.snapshots!.restore(web.record, web.place, 'drover-one', web.work());
			expect(await readFile(files.variables, 'utf8')).toBe('as it was');
			await copy.cloneOf(driver, web);
			expect(await readFile(filesOf(copy.place).variables, 'utf8')).toBe('as it was');
			await driver.snapshots!.remove(web.record, web.place, 'drover-one', web.work());
			await expect(stat(`${files.variables}.drover-one`)).rejects.toThrow('ENOENT');
		},
		240_000,
	);

	test('a guest for another processor is refused before anything is made', async () => {
		const paths = await makeHome();
		onTestFinished(() => removeHome(paths));
		const driver = createQemuDriver({paths, system: systemOf('linux', {architecture: 'arm64', run})});
		const image: CachedImage = {path: '/x', format: 'raw', hash: `sha256:${'0'.repeat(64)}`, virtualSize: mebibyte};
		const web = await Subject.make(paths, image, 'web', 'qemu');
		await expect(web.create(driver)).rejects.toThrow('for x86_64 processors, and this host runs aarch64 guests');
	});
});

async function made(file: string): Promise<string> {
	const {mkdir} = await import('node:fs/promises');
	await mkdir(path.dirname(file), {recursive: true});
	return file;
}
