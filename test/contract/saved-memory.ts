import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {copyFile, open, readdir, rename, stat, truncate, utimes} from 'node:fs/promises';
import {describe, expect, test} from 'vitest';
import type {ContractSetup, Stage} from './setup.ts';
import {eventually, processesNaming} from './subject.ts';

/** What every driver that can suspend must keep. The guest runs when it begins, and runs when it ends. */
export function savedMemory(setup: ContractSetup, stage: Stage): void {
	describe('saved memory', () => {
		let counted: number;
		let suspendedAt: number;
		const count = async () => Number(await stage.web.ssh(stage.driver, 'cat', '/run/count'));
		const files = () => setup.files!(stage.web.place);
		const state = () => files().state!;
		// Piece by piece: a process that holds whole disks in its memory takes a second to start another.
		const digest = async (file: string) => {
			const hash = createHash('sha256');
			for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
			return hash.digest('hex');
		};

		/** Starting must be refused, and neither the disk nor the saved memory may have changed. */
		async function refused(words: RegExp) {
			const before = [await digest(files().disk), await digest(state())];
			const error = await stage.web.start(stage.driver).catch((thrown: unknown) => thrown);
			expect(error).toMatchObject({code: 'instance.broken', message: expect.stringMatching(words)});
			expect(await processesNaming(stage.web.record.id)).toEqual([]);
			expect([await digest(files().disk), await digest(state())]).toEqual(before);
			expect(stage.web.record.suspended).toBeDefined();
			expect(await stage.web.power(stage.driver)).toBe('suspended');
		}

		test('suspending frees the host and leaves a stamp', async () => {
			await stage.web.ssh(
				stage.driver,
				'sh',
				'-c',
				'i=0; (while :; do i=$((i+1)); echo $i > /run/count.new; mv /run/count.new /run/count; usleep 100000; done) >/dev/null 2>&1 &',
			);
			await eventually('the counter counts', async () => (await count().catch(() => 0)) > 2);
			counted = await count();
			const stamp = await stage.web.suspend(stage.driver);
			suspendedAt = Date.now();
			expect(stage.web.record.suspended).toEqual(stamp);
			expect(stamp).toMatchObject({
				driver: stage.driver.name,
				by: 'user',
				cpus: 1,
				machine: stage.web.record.hardware.machine,
			});
			expect(stamp.size).toBe((await stat(state())).size);
			expect(await processesNaming(stage.web.record.id)).toEqual([]);
			expect(await stage.web.power(stage.driver)).toBe('suspended');
			expect((await stat(state())).mode & 0o077).toBe(0);
		});

		test('suspending what is suspended gives the same stamp', async () => {
			expect(await stage.web.suspend(stage.driver)).toEqual(stage.web.record.suspended);
		});

		test('it is not stopped as if nothing were saved', async () => {
			await expect(stage.web.stop(stage.driver)).rejects.toMatchObject({code: 'instance.state'});
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
			await expect(stage.web.start(stage.driver)).rejects.toMatchObject({
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
			const next = setup.makeDriver(stage.paths);
			await stage.web.start(next);
			expect(await stage.web.power(next)).toBe('running');
			expect(stage.web.record.suspended).toBeUndefined();
			await stage.web.answer(next);
			await next.awake(stage.web.record, stage.web.place, stage.web.work());
			expect(Math.abs(Number(await stage.web.ssh(next, 'date', '+%s')) - Date.now() / 1000)).toBeLessThan(3);
			expect(await stage.web.bootId(next)).toBe(stage.bootId);
			const now = await count();
			expect(now).toBeGreaterThanOrEqual(counted);
			await eventually('the counter goes on', async () => (await count()) > now);
			expect((await readdir(stage.web.place.directory)).filter(file => file.startsWith('state'))).toEqual([]);
		});

		test('a memory image that cannot be recorded is given up, and the guest goes on', async () => {
			stage.web.beforeUpdate = async () => {
				throw new Error('the record cannot be written');
			};
			await expect(stage.web.suspend(stage.driver)).rejects.toThrow('the record cannot be written');
			stage.web.beforeUpdate = undefined;
			expect(await stage.web.power(stage.driver)).toBe('running');
			expect(await stage.web.bootId(stage.driver)).toBe(stage.bootId);
			expect((await readdir(stage.web.place.directory)).filter(file => file.startsWith('state'))).toEqual([]);
		});

		test('suspending can be cancelled, and the guest goes on', async () => {
			const abort = new AbortController();
			const work = {...stage.web.work(abort.signal), progress: () => abort.abort()};
			await expect(stage.driver.suspend(stage.web.record, stage.web.place, {by: 'user'}, work)).rejects.toMatchObject({
				code: 'operation.cancelled',
			});
			expect(await stage.web.power(stage.driver)).toBe('running');
			expect(await stage.web.bootId(stage.driver)).toBe(stage.bootId);
		});
	});
}
