import {readdir, stat} from 'node:fs/promises';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {Resources} from '../../source/drivers/driver.ts';
import {mebibyte} from '../../source/model/sizes.ts';
import type {HypervWorld} from '../support/hyperv/world.ts';
import type {Stage} from './setup.ts';
import {eventually, Subject} from './subject.ts';

/** What the Hyper-V driver has beside the contract's core. The guest is off when it begins, and when it ends. */
export function hypervMore(stage: Stage, world: HypervWorld): void {
	const resize = async (wanted: Resources) => {
		const {driver, web} = stage;
		const record = {...web.record, hardware: {...web.record.hardware, ...wanted}};
		await driver.resize!(record, web.place, wanted, web.work());
		web.record = {...web.record, hardware: record.hardware};
	};
	/** Runs a command in a guest that is just up; a slow one drops connections while it still has those of before. */
	const say = async (subject: Subject, ...command: string[]) => {
		let answer = '';
		await eventually(
			'the guest does what it is told',
			async () => {
				const result = await subject.ssh(stage.driver, ...command).catch(() => undefined);
				answer = result ?? '';
				return result !== undefined;
			},
			90_000,
		);
		return answer;
	};
	const taken = () => world.state.machines().find(({notes}) => notes.includes(stage.web.record.id))!;

	describe('hardware that is changed', () => {
		const wanted = {cpus: 2, memory: 321 * mebibyte, disk: 1024 * mebibyte};

		test('not while it runs', async () => {
			const {driver, web} = stage;
			await web.start(driver);
			await expect(resize(wanted)).rejects.toMatchObject({code: 'instance.state', next: 'Stop it first.'});
			await web.powerOff(driver);
		});

		test('a disk grows, more than once if need be, and never shrinks', async () => {
			const before = stage.web.record.hardware.disk;
			await resize(wanted);
			await resize(wanted);
			await expect(resize({disk: before})).rejects.toMatchObject({
				code: 'instance.invalid',
				message: 'The disk has 1.0G, and cannot shrink to 512M.',
			});
			await expect(resize({cpus: 256})).rejects.toMatchObject({code: 'instance.invalid'});
			// Memory comes in pieces of two mebibytes.
			expect(taken()).toMatchObject({cpus: 2, memory: 322 * mebibyte});
		});

		test('the guest finds it at its next start', async () => {
			const {driver, web} = stage;
			await web.start(driver);
			await web.answer(driver);
			expect(await say(web, 'nproc')).toBe('2');
			const blocks = Number((await say(web, 'df', '-P', '/')).split('\n')[1]?.split(/\s+/)[1]);
			expect(blocks).toBeGreaterThan(800 * 1024);
		});
	});

	describe('what an instance uses', () => {
		test('a sample has processor time and memory, and what is off has none', async () => {
			const {driver, web} = stage;
			const first = await driver.metrics!(web.record, web.place);
			expect(first).toMatchObject({memoryTotal: web.record.hardware.memory, memoryUsed: expect.any(Number)});
			expect(first?.cpuSeconds).toBeGreaterThan(0.1);
			await say(web, 'sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done');
			await eventually(
				'what it worked is seen',
				async () => (await driver.metrics!(web.record, web.place))!.cpuSeconds! > first!.cpuSeconds! + 0.05,
			);
			await web.stop(driver);
			await eventually('there is none', async () => (await driver.metrics!(web.record, web.place)) === undefined);
		});
	});

	describe('snapshots', () => {
		const snapshots = () => stage.driver.snapshots!;
		const args = (tag: string) => [stage.web.record, stage.web.place, tag, stage.web.work()] as const;
		const write = async (text: string) => {
			const {driver, web} = stage;
			await web.start(driver);
			await web.answer(driver);
			await expect(snapshots().take(...args('drover-live'))).rejects.toMatchObject({code: 'instance.state'});
			await say(web, 'sh', '-c', `echo ${text} > /root/story; sync`);
			await web.stop(driver);
		};

		test('the disk goes back to what it was, twice, and a second one of the same tag is no error', async () => {
			const {driver, web} = stage;
			await write('first');
			await snapshots().take(...args('drover-one'));
			await snapshots().take(...args('drover-one'));
			expect(taken().checkpoints).toHaveLength(1);
			expect(await driver.diskFile!(web.record, web.place)).toMatch(/several files/);
			await write('second');
			expect(await snapshots().restore(...args('drover-one'))).toEqual({disk: web.record.hardware.disk});
			await web.start(driver);
			await web.answer(driver);
			expect(await say(web, 'cat', '/root/story')).toBe('first');
			await web.stop(driver);
		});

		test('a disk that a snapshot stands on stays as large as it is', async () => {
			await expect(resize({disk: 2048 * mebibyte})).rejects.toMatchObject({
				code: 'instance.state',
				message: expect.stringContaining('while it has snapshots'),
			});
		});

		test('one that is not there cannot be restored, and removing it is no error', async () => {
			await snapshots().remove(...args('drover-one'));
			await snapshots().remove(...args('drover-one'));
			expect(taken().checkpoints).toEqual([]);
			const file = path.join(stage.web.place.directory, 'disk.vhdx');
			expect(await stage.driver.diskFile!(stage.web.record, stage.web.place)).toEqual({file, format: 'vhdx'});
			await expect(snapshots().restore(...args('drover-one'))).rejects.toMatchObject({code: 'snapshot.missing'});
		});
	});

	describe('a clone', () => {
		test('is an instance of its own, with the other’s disk', async () => {
			const {driver, web, paths} = stage;
			const copy = await Subject.make(paths, web.image, 'copy', 'hyperv');
			try {
				await copy.cloneOf(driver, web);
				await copy.cloneOf(driver, web);
				const names = await readdir(copy.place.directory);
				expect(names.sort()).toEqual(['disk.vhdx', 'seed.iso']);
				expect((await stat(path.join(copy.place.directory, 'disk.vhdx'))).mode & 0o077).toBe(0);
				await copy.start(driver);
				await copy.answer(driver);
				expect(await say(copy, 'hostname')).toBe('copy');
				expect(await say(copy, 'cat', '/root/story')).toBe('first');
				await expect(copy.cloneOf(driver, copy)).resolves.toBeUndefined();
			} finally {
				await driver.destroy(copy.record, copy.place, copy.work());
			}
		});

		test('of one that runs is refused, and nothing is left of it', async () => {
			const {driver, web, paths} = stage;
			await web.start(driver);
			const copy = await Subject.make(paths, web.image, 'late', 'hyperv');
			await expect(copy.cloneOf(driver, web)).rejects.toMatchObject({code: 'instance.state', next: 'Stop it first.'});
			expect(await readdir(copy.place.directory)).toEqual([]);
			await web.powerOff(driver);
		});
	});

	describe('networks', () => {
		test('are Hyper-V’s switches but for the one that all are on', async () => {
			expect(await stage.driver.networks!()).toEqual([
				{name: 'House', type: 'switch', description: 'switch on Intel(R) Ethernet'},
				{name: 'Lab', type: 'switch', description: 'switch of machines alone'},
			]);
		});

		test('an interface is added once, and not on what is no network', async () => {
			const {driver, web} = stage;
			const nic = {network: 'House', mac: '52:54:00:aa:bb:cc', mode: 'auto'} as const;
			await driver.addNic!(web.record, web.place, nic, web.work());
			await driver.addNic!(web.record, web.place, nic, web.work());
			expect(taken().nics).toEqual([expect.anything(), {mac: '525400AABBCC', switch: 'House'}]);
			const other = {...nic, network: 'nowhere', mac: '52:54:00:aa:bb:cd'};
			await expect(driver.addNic!(web.record, web.place, other, web.work())).rejects.toMatchObject({
				code: 'instance.invalid',
			});
			const first = {...nic, network: 'Default Switch'};
			await expect(driver.addNic!(web.record, web.place, first, web.work())).rejects.toMatchObject({
				code: 'instance.invalid',
				message: expect.stringContaining('already'),
			});
		});
	});
}
