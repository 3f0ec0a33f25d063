import {rm} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../model/errors.ts';
import {notRunning} from '../machine/context.ts';
import {type DiskInformation, diskInformation} from '../machine/disk-information.ts';
import {keepCopy, replaceWithCopy} from '../machine/flash.ts';
import {syncDisks} from '../machine/guest.ts';
import {asObject} from '../machine/json.ts';
import {checkCancelled} from '../machine/lanes.ts';
import {lastLine, run} from '../machine/programs.ts';
import {requireDisk} from '../machine/rest.ts';
import {exists} from '../machine/saved-memory.ts';
import {discardSavedMemory, settleSavedMemory} from '../machine/settle.ts';
import {findOwn, type Job} from './context.ts';
import {withAgent} from './guest.ts';
import {monitorError} from './monitors.ts';
import type {Qmp} from './qmp.ts';
import {runState} from './waiting.ts';

/*
 * Snapshots are inside the disk's qcow2 file, where QEMU keeps them by a tag alone. `qemu-img` makes them at rest, and
 * QEMU itself while it runs: what has the file open is the only one that may write to it.
 */

/** Counting anew what a large disk consists of takes a while; longer than this something is wrong. */
const longestMs = 10 * 60_000;

/** A guest that is busy need not be waited for: what it has not written is missing, as after a power cut. */
const syncMs = 5000;

/** What the command line calls the disk. */
const node = 'disk0';

/** Takes a snapshot; of a guest that runs, of its disk alone. One of that tag that is there already is no error. */
export async function takeSnapshot(job: Job, tag: string): Promise<void> {
	// First: a snapshot whose disk is there is whole.
	if (await exists(job.files.variables)) await keepCopy(job.files.variables, variablesOf(job, tag));
	if (await live(job, 'taking the snapshot', monitor => takeLive(job, monitor, tag))) return;
	const {tags} = await look(job);
	if (tags.includes(tag)) return;
	await change(job, '-c', tag, 'take the snapshot');
	if (!(await look(job)).tags.includes(tag)) {
		throw new DroverError('driver.failed', 'qemu-img took the snapshot, but it is not there.');
	}
}

async function takeLive(job: Job, monitor: Qmp, tag: string): Promise<void> {
	if ((await tagsOf(monitor)).includes(tag)) return;
	await withAgent(job.files, {timeoutMs: 1500, signal: job.signal}, agent =>
		syncDisks(agent, syncMs, job.signal),
	).catch(error => {
		checkCancelled(job.signal);
		job.work.log(`The guest was not made to write what it has not written yet: ${(error as Error).message}.`);
	});
	await monitor.execute('blockdev-snapshot-internal-sync', {device: node, name: tag}, {timeoutMs: longestMs});
}

/**
 * Makes the disk what it was when a snapshot was taken. Saved memory is gone before a byte of the disk is changed: it
 * would not fit any more. May be called again when it was interrupted: the guest has not run in between.
 * @returns the size of the disk, which may have been another one
 */
export async function restoreSnapshot(job: Job, tag: string): Promise<{readonly disk: number}> {
	if (await findOwn(job)) {
		throw new DroverError('instance.state', 'The instance runs, so its disk cannot be changed.', {
			next: 'Stop it first.',
		});
	}
	const {tags} = await look(job);
	if (!tags.includes(tag)) {
		throw new DroverError('snapshot.missing', 'The disk has no such snapshot any more.', {
			next: 'It was removed by another program; nothing was changed.',
		});
	}
	await discardSavedMemory(job);
	await change(job, '-a', tag, 'restore the snapshot');
	if (await exists(variablesOf(job, tag))) await replaceWithCopy(variablesOf(job, tag), job.files.variables);
	return {disk: (await look(job)).size};
}

/** Frees what only this snapshot needs. One that is not there is no error. */
export async function removeSnapshot(job: Job, tag: string): Promise<void> {
	const isDone = await live(job, 'deleting the snapshot', async monitor => {
		if (!(await tagsOf(monitor)).includes(tag)) return;
		await monitor.execute('blockdev-snapshot-delete-internal-sync', {device: node, name: tag}, {timeoutMs: longestMs});
	});
	if (!isDone) {
		const {tags} = await look(job);
		if (tags.includes(tag)) await change(job, '-d', tag, 'delete the snapshot');
	}
	await rm(variablesOf(job, tag), {force: true});
}

/** What the guest's UEFI remembered, as it was when a snapshot was taken. */
function variablesOf({files}: Job, tag: string): string {
	return `${files.variables}.${tag}`;
}

/** Asks QEMU when it runs the instance. @returns whether it does @throws DroverError */
async function live(job: Job, doing: string, act: (monitor: Qmp) => Promise<void>): Promise<boolean> {
	const found = await findOwn(job);
	if (!found) return false;
	try {
		await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			// Standing still it may be about to be saved or loaded, or its disk cannot be written.
			if ((await runState(monitor)) !== 'running') throw notRunning('snapshotted');
			await act(monitor);
		});
	} catch (error) {
		throw monitorError(error, doing);
	}
	return true;
}

async function tagsOf(monitor: Qmp): Promise<string[]> {
	const nodes = await monitor.execute('query-named-block-nodes', {flat: true});
	const disk = (Array.isArray(nodes) ? nodes : []).map(asObject).find(each => each['node-name'] === node);
	const {snapshots} = asObject(disk?.['image']);
	return (Array.isArray(snapshots) ? snapshots : []).flatMap(each => {
		const {name} = asObject(each);
		return typeof name === 'string' ? [name] : [];
	});
}

/** The disk of an instance that is off. @throws DroverError `instance.state` when it is suspended, `instance.broken` */
async function look(job: Job): Promise<DiskInformation> {
	await settleSavedMemory(job);
	if (job.record.suspended) {
		throw new DroverError(
			'instance.state',
			'The instance is suspended, and its saved memory belongs to the disk as it is now.',
			{next: 'Start it first.'},
		);
	}
	await requireDisk(job);
	const {imageProgram} = await job.host.require();
	const found = await patiently(
		job,
		() => diskInformation(imageProgram, job.files.disk, 'qcow2', job.signal),
		answer => typeof answer === 'string' && /another process/i.test(answer),
	);
	if (typeof found !== 'string') return found;
	throw new DroverError('instance.broken', `The disk of the instance cannot be read: ${found}.`);
}

const locked = /failed to get (?:shared )?"write" lock/i;

/** How long a disk that is in use is waited for. */
const patienceMs = 5000;

/** What a daemon that died had set going may still be at work on the disk. */
async function patiently<Answer>(
	job: Job,
	attempt: () => Promise<Answer>,
	isLocked: (answer: Answer) => boolean,
): Promise<Answer> {
	for (const deadline = Date.now() + patienceMs; ; await sleep(100)) {
		const answer = await attempt();
		checkCancelled(job.signal);
		if (!isLocked(answer) || Date.now() > deadline) return answer;
	}
}

async function change(job: Job, option: '-a' | '-c' | '-d', tag: string, doing: string): Promise<void> {
	const {imageProgram} = await job.host.require();
	const args = ['snapshot', '-q', option, tag, job.files.disk];
	const {code, stderr, timedOut} = await patiently(
		job,
		() => run(imageProgram, args, {timeoutMs: longestMs, signal: job.signal}),
		result => result.code !== 0 && locked.test(result.stderr),
	);
	if (code === 0) return;
	if (/no space left|quota exceeded/i.test(stderr)) {
		throw new DroverError('host.disk-full', `There is no space left to ${doing}.`, {
			next: 'Free some disk space and try again.',
			cause: stderr,
		});
	}
	if (locked.test(stderr)) {
		throw new DroverError('driver.failed', 'The disk is in use by another program.', {
			next: 'End the program that has it open (another virtual machine, or qemu-img) and try again.',
			cause: stderr,
		});
	}
	throw new DroverError(
		'driver.failed',
		`qemu-img could not ${doing}: ${timedOut ? 'it takes too long' : lastLine(stderr)}.`,
	);
}
