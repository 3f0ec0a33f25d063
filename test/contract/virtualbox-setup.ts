import {existsSync, readdirSync} from 'node:fs';
import {readFile, rename} from 'node:fs/promises';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {InstancePlace} from '../../source/drivers/driver.ts';
import {createVirtualBoxDriver} from '../../source/drivers/virtualbox/driver.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import {microImage} from '../support/micro-image.ts';
import type {StandIn} from '../support/virtualbox/stand-in.ts';
import {forwards} from './forwards.ts';
import {resources} from './resources.ts';
import type {ContractSetup, Stage} from './setup.ts';
import {eventually, processesNaming, Subject} from './subject.ts';

/** Machines of the stand-in's, whose guests are real ones. */
export function virtualboxSetup(standIn: StandIn): ContractSetup {
	const disk = ({directory}: InstancePlace) => path.join(directory, 'disk.vdi');
	/** Where the saved memory was last: tests take it away and put it back. */
	const saved = new Map<string, string>();
	return {
		scope: 'virtualbox',
		makeDriver: paths =>
			createVirtualBoxDriver({
				paths,
				program: standIn.program,
				host: {platform: 'darwin', architecture: 'x64', environment: process.env},
			}),
		image: microImage,
		canSuspend: true,
		files(place) {
			for (const entry of existsSync(place.directory) ? readdirSync(place.directory, {withFileTypes: true}) : []) {
				const folder = path.join(place.directory, entry.name, 'Snapshots');
				if (!entry.isDirectory() || !existsSync(folder)) continue;
				const file = readdirSync(folder).find(name => name.endsWith('.sav'));
				if (file !== undefined) saved.set(place.directory, path.join(folder, file));
			}
			return {disk: disk(place), state: saved.get(place.directory) ?? ''};
		},
		async machines(web) {
			const found = await processesNaming(web.record.id);
			const isMachine = async (pid: number) =>
				(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).startsWith('qemu-system');
			return (await Promise.all(found.map(async pid => ((await isMachine(pid)) ? [pid] : [])))).flat();
		},
		hypervisor: () => standIn.service(),
		async deafen(web, driver) {
			await web.ssh(driver, 'killall', 'acpid');
		},
		loss: web => ({
			words: /missing/,
			remove: () => rename(disk(web.place), `${disk(web.place)}.away`),
			mend: () => rename(`${disk(web.place)}.away`, disk(web.place)),
		}),
		hasAgent: false,
		hasPort: true,
		keepsProcess: false,
		limitsDisk: true,
		more(stage) {
			resources(stage, false);
			metrics(stage);
			forwards(stage, 'stop');
			clone(stage);
		},
	};
}

/** What VBoxManage counts. The guest runs when it begins, and runs when it ends. */
function metrics(stage: Stage): void {
	describe('what an instance uses', () => {
		test('a sample has processor time, memory and disk, once VirtualBox has been told to count', async () => {
			const {web} = stage;
			const sample = () => stage.driver.metrics!(web.record, web.place);
			await eventually('it is counted', async () => (await sample())?.cpuSeconds !== undefined, 20_000);
			const before = await sample();
			await web.ssh(stage.driver, 'sh', '-c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done');
			await eventually('work shows', async () => (await sample())!.cpuSeconds! > before!.cpuSeconds! + 0.2, 20_000);
			const found = await sample();
			expect(found!.memoryTotal).toBe(web.record.hardware.memory);
			expect(found!.memoryUsed).toBeGreaterThan(mebibyte);
			expect(found!.diskUsed).toBeGreaterThan(mebibyte);
		});
	});
}

/** The guest is off when it begins, and when it ends. */
function clone(stage: Stage): void {
	describe('a clone', () => {
		test('has the other’s disk and a machine of its own, and outlives it', async () => {
			const {driver, paths, web} = stage;
			const other = await Subject.make(paths, web.image, 'other', 'virtualbox');
			other.record = {...other.record, hardware: {...web.record.hardware, mac: other.record.hardware.mac}};
			await web.start(driver);
			await web.answer(driver);
			await expect(other.cloneOf(driver, web)).rejects.toMatchObject({code: 'instance.state'});
			await web.ssh(driver, 'sh', '-c', 'echo here > /root/mark; sync');
			await web.stop(driver);
			await other.cloneOf(driver, web);
			await other.cloneOf(driver, web);
			try {
				expect(await other.power(driver)).toBe('off');
				await other.start(driver);
				expect(await other.answer(driver)).toMatch(/^SSH-/);
				expect(await other.ssh(driver, 'cat', '/root/mark')).toBe('here');
				expect(other.record.ssh.port).not.toBe(web.record.ssh.port);
			} finally {
				await driver.destroy(other.record, other.place, other.work());
			}
			expect(await web.power(driver)).toBe('off');
		});
	});
}
