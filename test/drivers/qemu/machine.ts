import {spawn} from 'node:child_process';
import {once} from 'node:events';
import process from 'node:process';
import {fileURLToPath} from 'node:url';
import {onTestFinished} from 'vitest';
import type {Driver} from '../../../source/drivers/driver.ts';
import {createQemuDriver} from '../../../source/drivers/qemu/driver.ts';
import {filesOf, type InstanceFiles} from '../../../source/drivers/qemu/files.ts';
import {connectQmp, type Qmp} from '../../../source/drivers/qemu/qmp.ts';
import {makeHome, removeHome, Subject} from '../../contract/subject.ts';
import {microImage} from '../../support/micro-image.ts';

export type Machine = {readonly subject: Subject; readonly driver: Driver; readonly files: InstanceFiles};

/** A machine of a test's own. Its guest is only just booting: for what QEMU does with its memory, that is enough. */
export async function makeMachine({isStarted = true} = {}): Promise<Machine> {
	const paths = await makeHome();
	const driver = createQemuDriver({paths});
	const subject = await Subject.make(paths, await microImage(), 'web', 'qemu');
	onTestFinished(async () => {
		subject.beforeUpdate = undefined;
		await driver.destroy(subject.record, subject.place, subject.work());
		await removeHome(paths);
	});
	await subject.create(driver);
	if (isStarted) await subject.start(driver);
	return {subject, driver, files: filesOf(subject.place)};
}

/** A driver as the next daemon would make it: it knows nothing but the files. */
export function nextDriver({subject}: Machine): Driver {
	return createQemuDriver({paths: subject.paths});
}

export async function onMonitor<T>({files}: Machine, work: (monitor: Qmp) => Promise<T>): Promise<T> {
	const monitor = await connectQmp(files.monitor);
	try {
		return await work(monitor);
	} finally {
		monitor.close();
	}
}

/** A daemon that is killed when it is about to record the saved memory. */
export async function crashBeforeRecord({subject}: Machine): Promise<void> {
	const {record, place, paths} = subject;
	const script = fileURLToPath(new URL('crashing-daemon.ts', import.meta.url));
	const child = spawn(process.execPath, [script, JSON.stringify({record, place, cache: paths.cache})], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const ended = once(child, 'exit');
	const [first] = await Promise.race([once(child.stdout, 'data'), ended]);
	child.kill('SIGKILL');
	await ended;
	if (String(first) !== 'here\n') throw new Error(`it was not reached: ${first}`);
}
