import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {deepestLayers} from '../../../source/drivers/machine/link-plan.ts';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import {layerFile, layersDirectory, type Paths} from '../../../source/state/paths.ts';
import {makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {microImage} from '../../support/micro-image.ts';
import {step, World} from '../../support/switch.ts';
import {testStamp} from './record.ts';

/*
 * Linked clones on real disks of instances that are off; nothing is booted. All that changes a file is a step before
 * which the daemon may be killed.
 */
vi.mock('node:fs/promises', async original => {
	const real = await original<typeof import('node:fs/promises')>();
	const stepped = Object.fromEntries(
		(['link', 'rename', 'chmod', 'rm'] as const).map(name => [
			name,
			async (...request: unknown[]) => {
				await step();
				return (real[name] as (...all: unknown[]) => Promise<unknown>)(...request);
			},
		]),
	);
	return {...real, ...stepped};
});

let paths: Paths;
let web: Subject;
const driver = () => createQemuDriver({paths});
const disk = (subject = web) => path.join(subject.place.directory, 'disk.qcow2');
const image = (...args: string[]) => execFileSync('qemu-img', args, {encoding: 'utf8'});
const write = (pattern: number, subject = web, at = '300M') =>
	execFileSync('qemu-io', ['-c', `write -P ${pattern} ${at} 1M`, disk(subject)], {stdio: 'ignore'});
const reads = (pattern: number, subject = web, at = '300M') => {
	const {stdout} = spawnSync('qemu-io', ['-r', '-c', `read -P ${pattern} ${at} 1M`, disk(subject)], {encoding: 'utf8'});
	expect(stdout).toContain('read 1048576/1048576 bytes');
	return !stdout.includes('verification failed');
};
const base = (subject = web): string =>
	JSON.parse(image('info', '--output=json', disk(subject)))['full-backing-filename'];
const isSound = (subject: Subject) => expect(image('check', disk(subject))).toContain('No errors');
const used = (file: string) => statSync(file).blocks * 512;
const idOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const layer = (number = 1) => layerFile(paths, 'qemu', idOf(number));
const seed = {'meta-data': 'instance-id: x\n', 'user-data': '', 'vendor-data': '', 'network-config': ''};
const make = (name: string) => Subject.make(paths, web.image, name, 'qemu');
const linked = (subject: Subject, file = layer(), source = web, signal?: AbortSignal) =>
	driver().linkedClone!(
		{record: source.record, place: source.place},
		subject.record,
		subject.place,
		file,
		seed,
		subject.work(signal),
	);
const full = (subject: Subject, source = web) =>
	driver().clone!({record: source.record, place: source.place}, subject.record, subject.place, seed, subject.work());

beforeEach(async () => {
	paths = await makeHome();
	web = await Subject.make(paths, await microImage(), 'web', 'qemu');
	await web.create(driver());
	write(1);
});
afterEach(() => removeHome(paths));

describe('a linked clone', () => {
	test('copies nothing, and neither sees what the other writes', async () => {
		execFileSync('qemu-io', ['-c', 'write -P 9 100M 64M', disk()], {stdio: 'ignore'});
		const before = readFileSync(disk());
		const other = await make('other');
		await linked(other);
		expect([base(), base(other)]).toEqual([layer(), layer()]);
		expect(readFileSync(layer()).equals(before)).toBe(true);
		expect(statSync(layer()).mode & 0o777).toBe(0o400);
		expect(statSync(path.dirname(layer())).mode & 0o777).toBe(0o700);
		for (const each of [web, other]) {
			expect(statSync(disk(each)).mode & 0o777).toBe(0o600);
			expect(used(disk(each))).toBeLessThan(2 ** 20);
		}
		expect(image('compare', disk(), disk(other))).toContain('identical');
		write(2);
		expect([reads(2), reads(1, other)]).toEqual([true, true]);
		write(3, other);
		expect([reads(2), reads(3, other)]).toEqual([true, true]);
		expect(readFileSync(layer()).equals(before)).toBe(true);
		expect(readdirSync(other.place.directory).sort()).toEqual(['disk.qcow2', 'seed.iso']);
		expect(readdirSync(web.place.directory).sort()).toEqual(['disk.qcow2', 'seed.iso']);
		for (const each of [web, other]) isSound(each);
		// Done once more it stays as it is.
		const {ino} = statSync(disk(other));
		await linked(other);
		expect(statSync(disk(other)).ino).toBe(ino);
	});

	test('of one that was not written to since lies over the same layer', async () => {
		const [one, two, three] = [await make('one'), await make('two'), await make('three')];
		await linked(one);
		await linked(two, layer(2));
		expect([base(), base(one), base(two)]).toEqual([layer(), layer(), layer()]);
		expect(existsSync(layer(2))).toBe(false);
		// Grown but not written to: the clone is as large.
		image('resize', '-q', disk(), '1G');
		three.record = {...three.record, hardware: {...three.record.hardware, disk: 2 ** 30}};
		await linked(three, layer(3));
		expect(base(three)).toBe(layer());
		expect(JSON.parse(image('info', '--output=json', disk(three)))['virtual-size']).toBe(2 ** 30);
	});

	test('can be grown, snapshotted and cloned in full: the full one shares nothing', async () => {
		const [one, two, whole] = [await make('one'), await make('two'), await make('whole')];
		await linked(one);
		write(2, web, '310M');
		await linked(two, layer(2));
		write(3, two, '320M');
		expect([base(two), base(one)]).toEqual([layer(2), layer()]);
		await driver().resize!(
			{...two.record, hardware: {...two.record.hardware, disk: 2 ** 30}},
			two.place,
			{disk: 2 ** 30},
			two.work(),
		);
		write(4, two, '900M');
		await driver().snapshots!.take(two.record, two.place, 'drover-a', two.work());
		write(5, two, '320M');
		await full(whole, two);
		expect(base(whole)).toBe(web.image.path);
		expect(image('compare', disk(two), disk(whole))).toContain('identical');
		await driver().snapshots!.restore(two.record, two.place, 'drover-a', two.work());
		for (const [pattern, at] of [
			[1, '300M'],
			[2, '310M'],
			[3, '320M'],
			[4, '900M'],
		] as const) {
			expect([at, reads(pattern, two, at)]).toEqual([at, true]);
		}
		isSound(two);
		isSound(whole);
		// It depends on nothing but the image.
		const content = () => [1, 2, 5].map((pattern, index) => reads(pattern, whole, `${300 + 10 * index}M`));
		rmSync(layersDirectory(paths, 'qemu'), {recursive: true});
		expect(content()).toEqual([true, true, true]);
	});

	test('is at most so deep, and a full clone begins anew', async () => {
		for (let depth = 1; depth <= deepestLayers; depth++) {
			write(depth);
			await linked(await make(`clone${depth}`), layer(depth));
		}
		write(99);
		const deep = await make('deep');
		await expect(linked(deep, layer(99))).rejects.toMatchObject({
			code: 'instance.state',
			message: expect.stringMatching(/lies over 8 shared layers already, and 8 are the most/),
		});
		expect(existsSync(layer(99))).toBe(false);
		expect(reads(99)).toBe(true);
		await full(deep);
		expect(image('compare', disk(), disk(deep))).toContain('identical');
		await linked(await make('again'), layer(99), deep);
		expect(base(deep)).toBe(layer(99));
	});

	test('is not made of what has snapshots or is suspended, and nothing is changed then', async () => {
		const {ino} = statSync(disk());
		await driver().snapshots!.take(web.record, web.place, 'drover-a', web.work());
		await expect(linked(await make('one'))).rejects.toMatchObject({
			code: 'instance.state',
			message: expect.stringMatching(/^The snapshots of "web" are inside the disk/),
			next: expect.stringMatching(/without --linked/),
		});
		await driver().snapshots!.remove(web.record, web.place, 'drover-a', web.work());
		web.record = {...web.record, suspended: testStamp()};
		await expect(linked(await make('two'))).rejects.toMatchObject({code: 'instance.state'});
		expect(statSync(disk()).ino).toBe(ino);
		expect(existsSync(layersDirectory(paths, 'qemu'))).toBe(false);
	});

	test('whose layer is gone is told to be unusable', async () => {
		const one = await make('one');
		await linked(one);
		rmSync(layer());
		expect(await driver().observe(one.record, one.place)).toMatchObject({
			power: 'unusable',
			reason: expect.stringMatching(/^the layer that its disk shares with linked clones is missing/),
		});
	});
});

/** Kills the daemon after so many steps of the making; @returns whether it came to its end before. */
async function killedAfter(steps: number, subject: Subject, file: string): Promise<boolean> {
	const life = {isOver: false, stepsLeft: steps};
	const world = new World(paths);
	const over = new Promise<boolean>(resolve => {
		const look = setInterval(() => {
			if (!life.isOver) return;
			clearInterval(look);
			resolve(false);
		}, 5);
	});
	const whole = world.within(life, () => linked(subject, file)).then(() => true);
	const ended = await Promise.race([whole, over]);
	life.isOver = true;
	return ended;
}

describe('kill -9 at every step of it', {timeout: 240_000}, () => {
	/** What the next daemon does of it is up to `then`; the disk of the source is whole at any rate. */
	async function atEveryStep(then: (one: Subject, number: number) => Promise<void>) {
		let steps = 0;
		for (let isWhole = false; !isWhole; steps++) {
			expect(steps).toBeLessThan(60);
			const one = await make(`one${steps}`);
			write(steps + 10);
			isWhole = await killedAfter(steps, one, layer(steps));
			expect(statSync(disk()).mode & 0o777).toBe(0o600);
			expect([steps, reads(steps + 10)]).toEqual([steps, true]);
			await then(one, steps);
			expect([steps, reads(steps + 10, one)]).toEqual([steps, true]);
			for (const each of [web, one]) isSound(each);
			expect(statSync(base(one)).mode & 0o777).toBe(0o400);
			// Begun anew from the image, or it would be too deep before all steps are done.
			rmSync(disk());
			await web.create(driver());
		}
		return steps;
	}

	test('the next daemon brings it to its end', async () => {
		const steps = await atEveryStep(async (one, number) => {
			await linked(one, layer(number));
			expect(base(one)).toBe(layer(number));
			expect(image('compare', disk(), disk(one))).toContain('identical');
		});
		expect(steps).toBeGreaterThan(8);
	});

	test('the source is started and written to first', async () => {
		await atEveryStep(async (one, number) => {
			write(7, web, '310M');
			await linked(one, layer(number));
			expect(reads(7, web, '310M')).toBe(true);
			write(8, web, '310M');
			expect(reads(8, one, '310M')).toBe(false);
		});
	});

	test('another clone is made first', async () => {
		await atEveryStep(async (one, number) => {
			const two = await make(`two${number}`);
			await linked(two, layer(number + 100));
			write(7, web, '310M');
			await linked(one, layer(number));
			expect(reads(number + 10, two)).toBe(true);
			expect(reads(7, two, '310M')).toBe(false);
			isSound(two);
		});
	});

	test('a cancel leaves the source as it was, or over a layer that has the same', async () => {
		const ending = new AbortController();
		ending.abort();
		const one = await make('one');
		await expect(linked(one, layer(), web, ending.signal)).rejects.toMatchObject({code: 'operation.cancelled'});
		expect(reads(1)).toBe(true);
		expect(existsSync(disk(one))).toBe(false);
		writeFileSync(`${disk(one)}.part`, 'half');
		await linked(one);
		expect(reads(1, one)).toBe(true);
	});
});
