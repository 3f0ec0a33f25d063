import {readdir, rename, stat, utimes, writeFile} from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import {describe, expect, test} from 'vitest';
import {commandLine} from '../../../source/drivers/qemu/command-line.ts';
import {spawnQemu} from '../../../source/drivers/qemu/process.ts';
import type {Qmp} from '../../../source/drivers/qemu/qmp.ts';
import {runState} from '../../../source/drivers/qemu/waiting.ts';
import {eventually, processesNaming} from '../../contract/subject.ts';
import {crashBeforeRecord, type Machine, makeMachine, nextDriver, onMonitor} from './machine.ts';

const stateFiles = async ({subject}: Machine) =>
	(await readdir(subject.place.directory)).filter(name => name.startsWith('state'));

/** The guest's processors run, nothing of saved memory is left, and the record says so too. */
async function runsOn(machine: Machine) {
	const {subject} = machine;
	expect(await subject.power(nextDriver(machine))).toBe('running');
	expect(subject.record.suspended).toBeUndefined();
	await eventually('nothing of the saved memory is left', async () => (await stateFiles(machine)).length === 0);
}

/** No process, one whole memory image, and the record knows it. */
async function rests(machine: Machine) {
	const {subject} = machine;
	expect(await processesNaming(subject.record.id)).toEqual([]);
	expect(await subject.power(nextDriver(machine))).toBe('suspended');
	expect(await stateFiles(machine)).toEqual(['state']);
	expect(subject.record.suspended?.size).toBe((await stat(machine.files.state)).size);
}

async function kill(machine: Machine) {
	const {subject, driver} = machine;
	process.kill(await subject.pid(driver), 'SIGKILL');
	await eventually('QEMU is gone', async () => (await processesNaming(subject.record.id)).length === 0);
}

/** QEMU as it is when a resume breaks off before the memory was asked for. */
async function leaveLoading(machine: Machine) {
	const {subject, files} = machine;
	await spawnQemu({
		program: 'qemu-system-x86_64',
		args: commandLine({record: subject.record, files, accelerator: 'tcg', incoming: true}),
		directory: subject.place.directory,
		logFile: files.log,
	});
	await eventually('it waits for memory', async () => (await subject.power(nextDriver(machine))) === 'loading');
}

describe('suspending breaks off when the memory is saved and not yet recorded', () => {
	test('suspending again finishes it', async () => {
		const machine = await makeMachine();
		await crashBeforeRecord(machine);
		const {size, ino} = await stat(machine.files.state);
		expect(await machine.subject.power(nextDriver(machine))).toBe('paused');
		await machine.subject.suspend(nextDriver(machine));
		await rests(machine);
		expect(await stat(machine.files.state)).toMatchObject({size, ino});
	});

	test('starting again lets it go on', async () => {
		const machine = await makeMachine();
		const pid = await machine.subject.pid(machine.driver);
		await crashBeforeRecord(machine);
		await machine.subject.start(nextDriver(machine));
		await runsOn(machine);
		expect(await machine.subject.pid(machine.driver)).toBe(pid);
	});

	test('and the host loses its power: the memory is found', async () => {
		const machine = await makeMachine();
		await crashBeforeRecord(machine);
		await kill(machine);
		const {subject} = machine;
		expect(subject.record.suspended).toBeUndefined();
		expect(await subject.power(nextDriver(machine))).toBe('suspended');
		expect((await subject.suspend(nextDriver(machine))).size).toBe((await stat(machine.files.state)).size);
		await rests(machine);
		await subject.start(nextDriver(machine));
		await runsOn(machine);
	});
});

describe('suspending breaks off while the memory is being saved', () => {
	const breakOff = async () => {
		const machine = await makeMachine();
		await onMonitor(machine, monitor => monitor.execute('stop'));
		await writeFile(machine.files.statePart, 'half');
		expect(await machine.subject.power(nextDriver(machine))).toBe('paused');
		return machine;
	};

	test('suspending again saves it', async () => {
		const machine = await breakOff();
		await machine.subject.suspend(nextDriver(machine));
		await rests(machine);
	});

	test('starting again lets it go on', async () => {
		const machine = await breakOff();
		await machine.subject.start(nextDriver(machine));
		await runsOn(machine);
	});

	test('while QEMU still writes: starting calls that off', async () => {
		const machine = await makeMachine();
		await onMonitor(machine, async monitor => {
			await monitor.execute('stop');
			await monitor.execute('migrate-set-parameters', {'max-bandwidth': 1000});
			await monitor.execute('migrate', {uri: 'exec:cat >> state.part'});
		});
		await machine.subject.start(nextDriver(machine));
		await runsOn(machine);
		await machine.subject.suspend(nextDriver(machine));
		await rests(machine);
	});
});

describe('resuming breaks off', () => {
	const suspended = async () => {
		const machine = await makeMachine();
		await machine.subject.suspend(machine.driver);
		return machine;
	};

	test('while the memory is being loaded: starting again loads it', async () => {
		const machine = await suspended();
		await leaveLoading(machine);
		await machine.subject.start(nextDriver(machine));
		await runsOn(machine);
	});

	test('while the memory is being loaded: suspending leaves it suspended', async () => {
		const machine = await suspended();
		await leaveLoading(machine);
		await machine.subject.suspend(nextDriver(machine));
		await rests(machine);
	});

	test('before the guest’s first step: the memory is still good', async () => {
		const machine = await suspended();
		await rename(machine.files.state, machine.files.stateUsed);
		const {subject} = machine;
		expect(await subject.power(nextDriver(machine))).toBe('suspended');
		await subject.start(nextDriver(machine));
		await runsOn(machine);
		expect(subject.log.join()).toContain('interrupted before the guest ran');
	});

	test('after the guest has run on: the disk counts, as after a power cut', async () => {
		const machine = await suspended();
		const {files, subject} = machine;
		await rename(files.state, files.stateUsed);
		const {atime, mtimeMs} = await stat(files.disk);
		await utimes(files.disk, atime, new Date(mtimeMs + 1000));
		await subject.start(nextDriver(machine));
		await runsOn(machine);
		expect(subject.log.join()).toContain('boots from its disk');
	});

	test('after the record was changed: the guest already runs', async () => {
		const machine = await makeMachine();
		await writeFile(machine.files.stateUsed, 'old');
		await machine.subject.start(nextDriver(machine));
		await runsOn(machine);
	});
});

test('memory that nobody knows of and that does not fit is not loaded', async () => {
	const machine = await makeMachine();
	const {files, subject} = machine;
	await subject.suspend(machine.driver);
	await subject.work().update({suspended: undefined});
	const {atime, mtimeMs} = await stat(files.disk);
	await utimes(files.disk, atime, new Date(mtimeMs + 1000));
	expect(await subject.power(nextDriver(machine))).toBe('off');
	await subject.start(nextDriver(machine));
	await runsOn(machine);
});

test('a reboot that breaks off when the guest is off is finished by starting', async () => {
	const machine = await makeMachine();
	// The guest's own way of powering off, without waiting for it to boot: ACPI's register, once the firmware has put it
	// there, written by the monitor.
	const powerOff = (monitor: Qmp) =>
		monitor.execute('human-monitor-command', {'command-line': 'o /w 0x604 0x2000'}).catch(() => {});
	await onMonitor(machine, async monitor => {
		await monitor.execute('set-action', {shutdown: 'pause'});
		await eventually('it is off', async () => {
			await powerOff(monitor);
			return (await runState(monitor)) === 'shutdown';
		});
	});
	await machine.subject.start(nextDriver(machine));
	await runsOn(machine);
	// And powering off ends QEMU again.
	await onMonitor(machine, monitor =>
		eventually('it is gone', async () => {
			await powerOff(monitor);
			return (await processesNaming(machine.subject.record.id)).length === 0;
		}),
	);
});

test('a process whose pid file was taken away is still found', async () => {
	const machine = await makeMachine();
	const pid = await machine.subject.pid(machine.driver);
	await rename(machine.files.pid, path.join(machine.subject.place.directory, 'elsewhere'));
	expect(await machine.subject.pid(nextDriver(machine))).toBe(pid);
	expect(await machine.subject.power(nextDriver(machine))).toBe('running');
	await machine.subject.powerOff(nextDriver(machine));
	expect(await processesNaming(machine.subject.record.id)).toEqual([]);
});
