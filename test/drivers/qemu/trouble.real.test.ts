import {execFileSync} from 'node:child_process';
import {rmSync, statfsSync, writeFileSync} from 'node:fs';
import {chmod, copyFile, mkdir, readdir, rm, stat, symlink, writeFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, onTestFinished, test} from 'vitest';
import {type ProbeHost, probeAccelerator, probeHost, runProbe} from '../../../source/drivers/machine/accelerator.ts';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import {mebibyte} from '../../../source/model/sizes.ts';
import {thisSystem} from '../../../source/platform/system.ts';
import {processesNaming, Subject} from '../../contract/subject.ts';
import {microImage} from '../../support/micro-image.ts';
import {scratchPaths} from '../../support/scratch.ts';
import {makeMachine, nextDriver, onMonitor} from './machine.ts';

describe('QEMU is not there', () => {
	test('it is told, with what to install', async () => {
		const driver = createQemuDriver({paths: scratchPaths(), program: 'qemu-that-is-not-there'});
		expect(await driver.health()).toMatchObject({
			installed: false,
			usable: false,
			summary: 'QEMU is not installed.',
			remedy: expect.stringMatching(/install/i),
		});
		const subject = await Subject.make(scratchPaths(), await microImage(), 'web', 'qemu');
		await expect(subject.create(driver)).rejects.toMatchObject({code: 'driver.not-installed'});
		await expect(subject.start(driver)).rejects.toMatchObject({code: expect.stringMatching(/^(driver|instance)\./)});
	});

	test('it is found once it is installed, without being asked to look again', async () => {
		const paths = scratchPaths();
		await mkdir(paths.data, {recursive: true});
		const program = path.join(paths.data, 'qemu');
		const driver = createQemuDriver({paths, program});
		expect(await driver.health()).toMatchObject({installed: false});
		await symlink(execFileSync('/bin/sh', ['-c', 'command -v qemu-system-x86_64'], {encoding: 'utf8'}).trim(), program);
		expect(await driver.health()).toMatchObject({installed: true, usable: true});
	});

	test('a program that only looks like it is not usable', async () => {
		const paths = scratchPaths();
		await mkdir(paths.data, {recursive: true});
		const program = path.join(paths.data, 'qemu');
		await writeFile(program, '#!/bin/sh\necho "QEMU emulator version 4.2.1"\n');
		await chmod(program, 0o755);
		const driver = createQemuDriver({paths, program});
		expect(await driver.health()).toMatchObject({
			installed: true,
			usable: false,
			summary: expect.stringMatching(/old/),
		});
		await writeFile(program, '#!/bin/sh\nexit 1\n');
		expect(await driver.health({again: true})).toMatchObject({installed: true, usable: false});
	});
});

describe('acceleration', () => {
	const program = 'qemu-system-x86_64';

	test('the firmware runs to its end where guests can run, and not in no time', async () => {
		expect(await runProbe(program, 'tcg', 15_000)).toEqual({isTooSlow: false});
		expect(await runProbe(program, 'tcg', 1)).toMatchObject({problem: expect.stringMatching(/slow/), isTooSlow: true});
	});

	test('an accelerator that QEMU does not have is no', async () => {
		expect(await runProbe(program, 'hvf', 15_000)).toMatchObject({problem: expect.stringMatching(/\w/)});
	});

	test.each<[string, Partial<ProbeHost>, RegExp]>([
		['another processor', {architecture: 'arm64'}, /arm64/],
		['no device', {kvmDevice: '/nonexistent/kvm'}, /there is no/],
		['a KVM that is software', {kvmDevice: '/dev/null', softwareKvmModule: '/proc/self'}, /software/],
		[
			'a processor without the instructions',
			{kvmDevice: '/dev/null', softwareKvmModule: '/nonexistent', cpuInfo: '/proc/self/status'},
			/neither vmx nor svm/,
		],
	])('%s is known without running anything', async (_, change, reason) => {
		const verdict = await probeAccelerator({
			program: '/nonexistent/qemu',
			version: '7',
			cache: scratchPaths().cache,
			host: {...probeHost(thisSystem()), platform: 'linux', architecture: 'x64', ...change},
		});
		expect(verdict).toMatchObject({accelerator: 'tcg', reason: expect.stringMatching(reason)});
	});

	test('a device that makes machines is measured, and the verdict kept until something changes', async () => {
		const paths = scratchPaths();
		await mkdir(paths.data, {recursive: true});
		const cpuInfo = path.join(paths.data, 'cpuinfo');
		await writeFile(cpuInfo, 'flags\t\t: fpu svm lm\n');
		const runs = path.join(paths.data, 'runs');
		const fake = path.join(paths.data, 'qemu');
		const behave = async (code: number) => {
			await writeFile(fake, `#!/bin/sh\necho x >> '${runs}'\nexit ${code}\n`);
			await chmod(fake, 0o755);
		};
		const host = {...probeHost(thisSystem()), kvmDevice: '/dev/null', softwareKvmModule: '/nonexistent', cpuInfo};
		const ask = (version: string, again = false) =>
			probeAccelerator({program: fake, version, cache: paths.cache, host, again});
		await behave(99);
		expect(await ask('7.2')).toEqual({accelerator: 'kvm'});
		await behave(1);
		expect(await ask('7.2')).toEqual({accelerator: 'kvm'});
		expect(await ask('7.3')).toMatchObject({accelerator: 'tcg'});
		await behave(99);
		expect(await ask('7.3')).toMatchObject({accelerator: 'tcg'});
		expect(await ask('7.3', true)).toEqual({accelerator: 'kvm'});
		expect((await stat(runs)).size).toBe(3 * 2);
		// A verdict that somebody has damaged is found anew.
		await writeFile(path.join(paths.cache, 'qemu-accelerator.json'), '{"key": 5');
		expect(await ask('7.3')).toEqual({accelerator: 'kvm'});
	});
});

describe('the disk', () => {
	test('an image that refers to another file is refused', async () => {
		const {subject, driver} = await makeMachine({isStarted: false});
		const evil = path.join(subject.place.directory, 'evil.qcow2');
		execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', evil, '1M']);
		await rm(path.join(subject.place.directory, 'disk.qcow2'));
		await expect(
			driver.create(
				subject.record,
				subject.place,
				{imagePath: evil, imageFormat: 'qcow2', imageHash: '', seed: {}},
				subject.work(),
			),
		).rejects.toMatchObject({code: 'image.unusable', message: expect.stringMatching(/another file/)});
		expect(await readdir(subject.place.directory)).not.toContain('disk.qcow2');
	});

	test('half a disk that a crash has left is made anew', async () => {
		const {subject, driver, files} = await makeMachine({isStarted: false});
		await rm(files.disk);
		await writeFile(`${files.disk}.part`, 'half');
		await subject.create(driver);
		expect(await subject.power(driver)).toBe('off');
		expect(await readdir(subject.place.directory)).not.toContain('disk.qcow2.part');
	});

	test('a damaged disk, and one whose image is gone, are told before and when starting', async () => {
		const {subject, driver, files} = await makeMachine({isStarted: false});
		await copyFile(files.disk, `${files.disk}.good`);
		await writeFile(files.disk, 'no disk');
		expect(await subject.observe(driver)).toMatchObject({power: 'unusable', reason: expect.stringMatching(/damaged/)});
		await expect(subject.start(driver)).rejects.toMatchObject({
			code: 'driver.failed',
			message: expect.stringMatching(/qcow2/i),
		});
		expect(await processesNaming(subject.record.id)).toEqual([]);
		execFileSync('qemu-img', [
			'create',
			'-q',
			'-f',
			'qcow2',
			'-u',
			'-F',
			'raw',
			'-b',
			'/nonexistent/image',
			files.disk,
			'1M',
		]);
		expect(await subject.observe(driver)).toMatchObject({power: 'unusable', reason: expect.stringMatching(/cache/)});
	});

	test('a disk that another program holds is not started twice', async () => {
		const machine = await makeMachine();
		const {subject, files} = machine;
		// A machine of another identity over the same disk.
		const twin = await Subject.make(subject.paths, subject.image, 'twin', 'qemu');
		await symlink(files.disk, path.join(twin.place.directory, 'disk.qcow2'));
		await symlink(files.seed, path.join(twin.place.directory, 'seed.iso'));
		await expect(twin.start(nextDriver(machine))).rejects.toMatchObject({
			code: 'driver.failed',
			message: expect.stringMatching(/in use/),
		});
		expect(await processesNaming(twin.record.id)).toEqual([]);
	});
});

describe('QEMU itself', () => {
	test('one that hangs: starting says so, cutting the power ends it', async () => {
		const machine = await makeMachine();
		const {subject} = machine;
		process.kill(await subject.pid(machine.driver), 'SIGSTOP');
		await expect(subject.start(nextDriver(machine))).rejects.toMatchObject({
			code: 'driver.unresponsive',
			next: expect.stringContaining('--force'),
		});
		await subject.powerOff(nextDriver(machine));
		expect(await processesNaming(subject.record.id)).toEqual([]);
		expect(await subject.power(nextDriver(machine))).toBe('off');
	});

	test('a start that is cancelled leaves no process', async () => {
		const machine = await makeMachine({isStarted: false});
		const {subject} = machine;
		const abort = new AbortController();
		const work = {...subject.work(abort.signal), progress: () => setTimeout(() => abort.abort(), 10)};
		await expect(machine.driver.start(subject.record, subject.place, work)).rejects.toMatchObject({
			code: 'operation.cancelled',
		});
		expect(await processesNaming(subject.record.id)).toEqual([]);
	});

	test('while somebody holds its first monitor, a watch still answers', async () => {
		const machine = await makeMachine();
		const {subject, driver} = machine;
		await onMonitor(machine, async () => {
			expect(await subject.power(driver)).toBe('unresponsive');
			const watching = driver.watch(subject.record, subject.place, () => {});
			try {
				await expect.poll(() => subject.power(driver), {timeout: 5000}).toBe('running');
			} finally {
				watching.close();
			}
		});
	});

	test('the machine type it was first started with is kept, and one that QEMU no longer has is replaced', async () => {
		const {subject, driver} = await makeMachine({isStarted: false});
		const {hardware} = subject.record;
		subject.record = {...subject.record, hardware: {...hardware, machine: 'pc-i440fx-6.0'}};
		await subject.start(driver);
		expect(subject.record.hardware.machine).toBe('pc-i440fx-6.0');
		await subject.powerOff(driver);
		subject.record = {...subject.record, hardware: {...hardware, machine: 'pc-i440fx-99.0'}};
		await subject.start(driver);
		expect(subject.record.hardware.machine).toMatch(/^pc-i440fx-\d+\.\d+$/);
		expect(subject.record.hardware.machine).not.toBe('pc-i440fx-99.0');
	});
});

describe('room for the memory', () => {
	test('when writing it breaks off, the guest goes on and nothing is left', async () => {
		const machine = await makeMachine();
		const {subject, driver} = machine;
		// What QEMU starts to write the file may write no more than this.
		execFileSync('prlimit', ['--pid', String(await subject.pid(driver)), `--fsize=${300 * 1024}`]);
		await expect(subject.suspend(driver)).rejects.toMatchObject({code: 'driver.failed'});
		expect(await subject.power(driver)).toBe('running');
		expect((await readdir(subject.place.directory)).filter(name => name.startsWith('state'))).toEqual([]);
	});

	/** An instance whose directory is a disk of its own, and how much room to leave on it. Needs the right to mount. */
	async function onSmallDisk(skip: (why: string) => void) {
		const machine = await makeMachine({isStarted: false});
		const {subject, driver} = machine;
		const {directory} = subject.place;
		const aside = `${directory}.aside`;
		execFileSync('cp', ['-a', directory, aside]);
		try {
			execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m,mode=0700', 'drover-test', directory], {stdio: 'pipe'});
		} catch {
			skip('this user may not mount');
		}
		onTestFinished(() => void execFileSync('umount', ['-l', directory]));
		execFileSync('cp', ['-a', `${aside}/.`, directory]);
		await subject.start(driver);
		const filler = path.join(directory, 'filler');
		const room = (free: number) => {
			rmSync(filler, {force: true});
			const {bavail, bsize} = statfsSync(directory);
			writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - free)));
		};
		return {subject, driver, directory, filler, room};
	}

	test('a guest that waits for its disk is not waited for, and stops once there is room', async ({skip}) => {
		const {subject, driver, filler, room} = await onSmallDisk(skip);
		room(0);
		// Booting writes.
		await expect.poll(() => subject.power(driver), {timeout: 60_000, interval: 500}).toBe('paused');
		const stuck = {code: 'host.disk-full', next: expect.stringContaining('--force')};
		await expect(subject.stop(driver)).rejects.toMatchObject(stuck);
		await expect(subject.start(driver)).rejects.toMatchObject(stuck);
		rmSync(filler, {force: true});
		await subject.start(driver);
		expect(await subject.power(driver)).toBe('running');
		await subject.stop(driver);
		expect(await subject.power(driver)).toBe('off');
	});

	test('a full disk is told with figures, before and in the middle of it', async ({skip}) => {
		const {subject, driver, directory, filler, room} = await onSmallDisk(skip);
		room(8 * mebibyte);
		const full = {code: 'host.disk-full', message: expect.stringMatching(/MiB.*free/)};
		await expect(subject.suspend(driver)).rejects.toMatchObject(full);
		expect(await subject.power(driver)).toBe('running');
		rmSync(filler, {force: true});
		// Room enough when it is looked at, and none a moment later.
		const work = {
			...subject.work(),
			progress: (stage: string) => {
				if (stage === 'saving memory') room(mebibyte / 2);
			},
		};
		await expect(driver.suspend(subject.record, subject.place, {by: 'user'}, work)).rejects.toMatchObject(full);
		expect(await subject.power(driver)).toBe('running');
		expect((await readdir(directory)).filter(name => name.startsWith('state'))).toEqual([]);
		rmSync(filler, {force: true});
		await subject.suspend(driver);
		expect(await subject.power(driver)).toBe('suspended');
	});
});
