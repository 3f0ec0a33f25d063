import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import type {Paths} from '../../../source/state/paths.ts';
import {makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {microImage} from '../../support/micro-image.ts';
import {testStamp} from '../machine/record.ts';

/* What the driver does to the disks of instances that are off, on real files; nothing is booted. */

let paths: Paths;
let web: Subject;
const driver = () => createQemuDriver({paths});
const disk = (subject = web) => path.join(subject.place.directory, 'disk.qcow2');
const image = (...args: string[]) => execFileSync('qemu-img', args, {encoding: 'utf8'});
const tags = () => {
	const {snapshots = []} = JSON.parse(image('info', '--output=json', disk())) as {snapshots?: Array<{name: string}>};
	return snapshots.map(({name}) => name);
};
const write = (pattern: number, size = '1M') =>
	execFileSync('qemu-io', ['-c', `write -P ${pattern} 300M ${size}`, disk()], {stdio: 'ignore'});
const reads = (pattern: number, subject = web) =>
	!execFileSync('qemu-io', ['-r', '-c', `read -P ${pattern} 300M 1M`, disk(subject)], {encoding: 'utf8'}).includes(
		'verification failed',
	);

beforeEach(async () => {
	paths = await makeHome();
	web = await Subject.make(paths, await microImage(), 'web', 'qemu');
	await web.create(driver());
});
afterEach(() => removeHome(paths));

describe('snapshots', () => {
	const {take, restore, remove} = {
		take: (tag: string) => driver().snapshots!.take(web.record, web.place, tag, web.work()),
		restore: (tag: string) => driver().snapshots!.restore(web.record, web.place, tag, web.work()),
		remove: (tag: string) => driver().snapshots!.remove(web.record, web.place, tag, web.work()),
	};

	test('each step may be done again, as after a crash', async () => {
		write(1);
		for (let round = 0; round < 2; round++) await take('drover-a');
		expect(tags()).toEqual(['drover-a']);
		image('resize', '-q', disk(), '1G');
		write(2);
		await take('drover-b');
		for (let round = 0; round < 2; round++) expect(await restore('drover-a')).toEqual({disk: 512 * 2 ** 20});
		expect(reads(1)).toBe(true);
		expect(await restore('drover-b')).toEqual({disk: 2 ** 30});
		expect(reads(2)).toBe(true);
		for (let round = 0; round < 2; round++) await remove('drover-a');
		expect(tags()).toEqual(['drover-b']);
		expect(image('check', disk())).toContain('No errors');
	});

	test('one that is not there is not restored, and nothing is changed', async () => {
		write(1);
		const before = statSync(disk()).mtimeMs;
		await expect(restore('drover-a')).rejects.toMatchObject({code: 'snapshot.missing'});
		expect(statSync(disk()).mtimeMs).toBe(before);
	});

	test('saved memory keeps its disk: not a byte of it is touched', async () => {
		write(1);
		await take('drover-a');
		const {size, mtimeMs} = statSync(disk());
		const stamp = testStamp({disk: {bytes: size, modifiedMs: Math.trunc(mtimeMs)}});
		web.record = {...web.record, suspended: stamp};
		writeFileSync(path.join(web.place.directory, 'state'), 'memory');
		for (const act of [() => take('drover-b'), () => restore('drover-a'), () => remove('drover-a')]) {
			await expect(act()).rejects.toMatchObject({
				code: 'instance.state',
				message: 'The instance is suspended, and its saved memory belongs to the disk as it is now.',
			});
		}
		expect(statSync(disk())).toMatchObject({size, mtimeMs});
		expect(web.record.suspended).toEqual(stamp);
		// Memory that the record does not know of, and that fits no disk, does not outlive a restore.
		const {suspended: _, ...record} = web.record;
		web.record = record;
		writeFileSync(path.join(web.place.directory, 'state.used'), 'memory');
		await restore('drover-a');
		expect(readdirSync(web.place.directory).filter(name => name.startsWith('state'))).toEqual([]);
	});

	test('a disk that another program has open is waited for a while, and left alone then', async () => {
		write(1);
		await take('drover-a');
		write(2);
		const hold = async () => {
			const holder = spawn('qemu-io', [disk()], {stdio: ['pipe', 'pipe', 'ignore']});
			await once(holder.stdout, 'data');
			return holder;
		};
		const long = await hold();
		await expect(restore('drover-a')).rejects.toMatchObject({
			code: expect.stringMatching(/^(?:driver.failed|instance.broken)$/),
		});
		long.kill();
		await once(long, 'exit');
		expect(reads(2)).toBe(true);
		const short = await hold();
		setTimeout(() => short.kill(), 500);
		await restore('drover-a');
		expect(reads(1)).toBe(true);
	});
});

describe('clones', () => {
	const clone = (subject: Subject, signal?: AbortSignal, onProgress?: (percent?: number) => void) =>
		driver().clone!(
			{record: web.record, place: web.place},
			subject.record,
			subject.place,
			{'meta-data': 'instance-id: x\n', 'user-data': '', 'vendor-data': '', 'network-config': ''},
			{...subject.work(signal), progress: (_stage, percent) => onProgress?.(percent)},
		);

	test('are copies of what is there now, over the same image, without snapshots and gaps', async () => {
		write(1, '32M');
		await driver().snapshots!.take(web.record, web.place, 'drover-a', web.work());
		write(2);
		const before = statSync(disk());
		const other = await Subject.make(paths, web.image, 'other', 'qemu');
		const percents: number[] = [];
		await clone(other, undefined, percent => percent !== undefined && percents.push(percent));
		expect(image('compare', disk(), disk(other))).toContain('identical');
		expect(reads(2, other)).toBe(true);
		expect(percents.at(-1)).toBe(100);
		const {blocks} = statSync(disk(other));
		expect(blocks * 512).toBeLessThan(40 * 2 ** 20);
		expect(JSON.parse(image('info', '--output=json', disk(other)))).toMatchObject({
			'backing-filename': web.image.path,
			'virtual-size': 512 * 2 ** 20,
		});
		expect(JSON.parse(image('info', '--output=json', disk(other)))).not.toHaveProperty('snapshots');
		// The other was only read.
		expect(statSync(disk()).mtimeMs).toBe(before.mtimeMs);
		expect(readdirSync(other.place.directory).sort()).toEqual(['disk.qcow2', 'seed.iso']);
		// Done once more, as after a crash, it stays as it is.
		const {ino} = statSync(disk(other));
		await clone(other);
		expect(statSync(disk(other)).ino).toBe(ino);
	});

	test('that are cancelled, or were cut short, leave no half disk', async () => {
		write(1, '64M');
		const other = await Subject.make(paths, web.image, 'other', 'qemu');
		writeFileSync(path.join(other.place.directory, 'disk.qcow2.part'), 'half');
		const ending = new AbortController();
		await expect(clone(other, ending.signal, () => ending.abort())).rejects.toMatchObject({
			code: 'operation.cancelled',
		});
		await clone(other);
		expect(image('compare', disk(), disk(other))).toContain('identical');
		expect(readdirSync(other.place.directory).sort()).toEqual(['disk.qcow2', 'seed.iso']);
	});

	test('are not made of what is suspended', async () => {
		web.record = {...web.record, suspended: testStamp()};
		const other = await Subject.make(paths, web.image, 'other', 'qemu');
		await expect(clone(other)).rejects.toMatchObject({code: 'instance.state'});
		expect(readdirSync(other.place.directory)).toEqual([]);
	});
});
