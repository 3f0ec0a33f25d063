import {rm, stat} from 'node:fs/promises';
import path from 'node:path';
import {DroverError} from '../../../model/errors.ts';
import type {GuestMount, Mount} from '../../../model/mount.ts';
import {plainLine} from '../../../model/text.ts';
import {notRunning} from '../../machine/context.ts';
import {asObject} from '../../machine/json.ts';
import {findOwn, type Job} from '../context.ts';
import {monitorError} from '../monitors.ts';
import type {Qmp} from '../qmp.ts';
import {until} from '../waiting.ts';
import {findFileServer, startFileServer} from './file-server.ts';
import {isMountId, isShared, mountId} from './native-mount.ts';

/** Milliseconds a guest may take to let go of a device: a busy guest needs seconds under emulation. */
const releaseMs = 5000;
/** The same where its memory cannot be saved else. */
const lastReleaseMs = 15_000;

/** What is plugged in already, by id: the kind of device. */
async function pluggedIn(monitor: Qmp): Promise<ReadonlyMap<string, GuestMount['fileSystem']>> {
	const answer = await monitor.execute('qom-list', {path: '/machine/peripheral'});
	const devices = Array.isArray(answer) ? answer.map(asObject) : [];
	return new Map(
		devices.flatMap(({name, type}) =>
			typeof name === 'string' && isMountId(name)
				? [[name, String(type).includes('vhost-user-fs') ? 'virtiofs' : '9p'] as const]
				: [],
		),
	);
}

/** The connection to a virtiofsd. */
function channelOf(id: string): string {
	return `fs-${id}`;
}

function describe(id: string, fileSystem: GuestMount['fileSystem']): GuestMount {
	// The largest message that every kernel with 9p takes.
	const options = fileSystem === '9p' ? 'trans=virtio,version=9p2000.L,msize=262144,access=any' : 'rw';
	return {fileSystem, tag: id, options};
}

/**
 * Plugs a mount into a machine that runs: with virtiofsd where there is one, else over QEMU's own 9p.
 * @param except a file system that the guest's kernel has turned out not to know
 * @throws DroverError `driver.*`, `instance.*`, `operation.cancelled`
 */
export async function plug(job: Job, mount: Mount, except?: GuestMount['fileSystem']): Promise<GuestMount> {
	const found = await findOwn(job);
	if (found === undefined) throw notRunning('mounted into');
	const id = mountId(mount);
	try {
		return await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			const present = (await pluggedIn(monitor)).get(id);
			if (present !== undefined) {
				const dead = await channelProblem(monitor, id);
				if (dead === undefined && present !== except) return describe(id, present);
				await release(job, monitor, id).catch(error => {
					throw dead === undefined ? error : beyondRepair(dead, error);
				});
			}
			const problem = await plugFileServer(job, monitor, {id, source: mount.source, except});
			if (problem === undefined) return describe(id, 'virtiofs');
			if (except === '9p' || !isShared(found, id)) {
				throw new DroverError('driver.incapable', `A native mount cannot be made: ${problem}.`, {
					next: 'Use --type classic.',
				});
			}
			await monitor.execute('device_add', {driver: 'virtio-9p-pci', id, fsdev: id, mount_tag: id, bus: 'pci.0'});
			return describe(id, '9p');
		});
	} catch (error) {
		throw monitorError(error, 'plugging in a mount');
	}
}

/** @returns why there can be no virtiofs, without a full stop */
async function plugFileServer(
	job: Job,
	monitor: Qmp,
	{id, source, except}: {id: string; source: string; except: GuestMount['fileSystem'] | undefined},
): Promise<string | undefined> {
	if (except === 'virtiofs') return 'its kernel does not know virtiofs';
	const server = await findFileServer();
	if (typeof server === 'string') return server;
	const socket = path.join(job.place.sockets, `${id}.sock`);
	const logFile = path.join(job.place.directory, `${id}.log`);
	const problem = await startFileServer(server, {source, socket, logFile});
	if (problem !== undefined) {
		job.work.log(`${problem}.`);
		return problem;
	}
	const channel = channelOf(id);
	const addr = {type: 'unix', data: {path: socket}};
	const removeChannel = () => monitor.execute('chardev-remove', {id: channel}).catch(() => {});
	// One that an interrupted attempt has left.
	await removeChannel();
	await monitor.execute('chardev-add', {id: channel, backend: {type: 'socket', data: {addr, server: false}}});
	try {
		const device = {driver: 'vhost-user-fs-pci', id, chardev: channel, tag: id, bus: 'pci.0', 'queue-size': 1024};
		await monitor.execute('device_add', device);
		return undefined;
	} catch (error) {
		await removeChannel();
		throw error;
	}
}

/** Takes a mount out; the guest should have unmounted it. @throws DroverError `instance.busy`, `driver.*` */
export async function unplug(job: Job, mount: Mount): Promise<void> {
	if ((await findOwn(job)) === undefined) return;
	const id = mountId(mount);
	try {
		await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			if ((await pluggedIn(monitor)).has(id)) await release(job, monitor, id);
		});
	} catch (error) {
		throw monitorError(error, 'unplugging a mount');
	}
}

/** All that could keep a machine's memory from being saved, whoever has left it. @throws DroverError `instance.busy` */
export async function unplugAll(job: Job, monitor: Qmp): Promise<void> {
	for (const id of (await pluggedIn(monitor)).keys()) {
		job.work.progress('unplugging native mounts');
		await release(job, monitor, id, lastReleaseMs);
	}
}

async function release(job: Job, monitor: Qmp, id: string, timeoutMs = releaseMs): Promise<void> {
	let isGone = false;
	const subscription = monitor.onEvent(({name, data}) => {
		// A first one tells of a part of it only, without its id.
		if (name === 'DEVICE_DELETED' && data['device'] === id) isGone = true;
	});
	try {
		await monitor.execute('device_del', {id}).catch(async error => {
			// Asked twice it refuses while the guest is at it.
			if ((await pluggedIn(monitor)).has(id) && !/already in the process/i.test((error as Error).message)) throw error;
		});
		const isReleased = await until(monitor, async () => isGone || !(await pluggedIn(monitor)).has(id), {
			events: ['DEVICE_DELETED'],
			everyMs: 200,
			timeoutMs,
			signal: job.signal,
		});
		if (!isReleased) {
			const target = job.record.mounts?.find(mount => mountId(mount) === id)?.target ?? id;
			throw new DroverError('instance.busy', `The guest does not let go of the native mount on ${target}.`, {
				next: 'End what uses it in the guest and try again.',
			});
		}
		await monitor.execute('chardev-remove', {id: channelOf(id)}).catch(() => {});
		await rm(path.join(job.place.sockets, `${id}.sock`), {force: true});
	} finally {
		subscription.close();
	}
}

/** A kernel that waits for an answer of a server that is gone does not let go, and does not even power off any more. */
function beyondRepair(dead: string, cause: unknown): DroverError {
	return new DroverError('driver.failed', `${dead}, and the guest waits for it until its power is cut.`, {
		next: 'Cut it (stop --force) and start the instance again.',
		cause,
	});
}

/** Whether the virtiofsd behind a device is still there. @returns why not, without a full stop */
async function channelProblem(monitor: Qmp, id: string): Promise<string | undefined> {
	const answer = await monitor.execute('query-chardev');
	const channel = (Array.isArray(answer) ? answer.map(asObject) : []).find(({label}) => label === channelOf(id));
	if (channel === undefined) return undefined;
	return String(channel['filename']).startsWith('disconnected:') ? 'virtiofsd, which serves it, has ended' : undefined;
}

/** Why a plugged mount is of no use any more: its server has ended, or its directory is gone. */
export async function plugProblem(job: Pick<Job, 'monitors' | 'files'>, mount: Mount): Promise<string | undefined> {
	const id = mountId(mount);
	const problem = await job.monitors.use(job.files, {timeoutMs: 2000}, async monitor =>
		(await pluggedIn(monitor)).has(id) ? channelProblem(monitor, id) : 'it is not plugged in any more',
	);
	if (problem !== undefined) return problem;
	const stats = await stat(mount.source).catch(() => undefined);
	return stats?.isDirectory() ? undefined : `${plainLine(mount.source)} on this host is gone`;
}
