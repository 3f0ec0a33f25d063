import {rm, symlink} from 'node:fs/promises';
import process from 'node:process';
import {setTimeout as sleep} from 'node:timers/promises';
import {DroverError} from '../../../model/errors.ts';
import type {InstanceRecord} from '../../../model/instance.ts';
import {type GuestMount, type Mount, type MountGuest, resolvedMaps} from '../../../model/mount.ts';
import type {Plugged} from '../../driver.ts';
import {notRunning} from '../../machine/context.ts';
import {asObject} from '../../machine/json.ts';
import {machineKinds} from '../../machine/kinds.ts';
import type {MachineProcess} from '../../machine/process.ts';
import {findOwn, type Job} from '../context.ts';
import {monitorError} from '../monitors.ts';
import type {Qmp} from '../qmp.ts';
import {goOn, runState} from '../waiting.ts';
import {clear, pluggedIn, release, slotOf, stillInUse} from './devices.ts';
import type {FileServer} from './file-server.ts';
import {channelOf, describe, mostSlots, mountId, serverSocket, slotLink, slotsOf} from './native-mount.ts';
import {keepsOthers, mapsProblem, translations} from './owners.ts';
import {problemOf} from './problem.ts';
import {openSource, rootsOf} from './served.ts';
import {serversOf, startServing} from './serving.ts';

/** Milliseconds until a virtiofsd that was connected to has locked itself up. */
const lockingMs = 5000;

export const own = process.getuid?.() ?? 0;

/**
 * Plugs a mount into a machine that runs: with virtiofsd where there is one, else over QEMU's own 9p.
 * @throws DroverError `driver.*`, `instance.*`, `operation.cancelled`
 */
export async function plug(job: Job, mount: Mount, guest: MountGuest): Promise<Plugged> {
	const found = await findOwn(job);
	if (found === undefined) throw notRunning('mounted into');
	demandHotPlug(job.record);
	const id = mountId(mount);
	try {
		return await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			const ask = monitor.execute.bind(monitor);
			const present = (await pluggedIn(ask)).get(id);
			if (present === undefined) await clear(monitor, job.place, id);
			else {
				const problem = await problemOf(ask, job.place, mount, found);
				if (guest.known.includes(present) && (problem === undefined || problem.kind === 'away')) {
					return {...describe(id, present), isNew: false};
				}
				if (present === '9p') await demandUnmounted(monitor, [{id, target: mount.target}]);
				if (!(await release(monitor, job.place, id, job))) throw heldBack(mount, problem?.kind);
			}
			return {...(await plugAnew(job, monitor, found, mount, guest)), isNew: true};
		});
	} catch (error) {
		throw monitorError(error, 'plugging in a mount');
	}
}

/** Devices can be plugged into a PCI bus; that of ARM machines takes none while they run. @throws DroverError `driver.incapable` */
export function demandHotPlug({hardware: {arch}}: InstanceRecord): void {
	if (machineKinds[arch]?.bus === 'pci.0') return;
	throw new DroverError('driver.incapable', `Native mounts are for machines of x86_64, and this one is ${arch}.`, {
		next: 'Use --type classic.',
	});
}

/** A kernel that waits for an answer of a server that is gone does not let go, and does not even power off any more. */
function heldBack({target}: Mount, kind: 'away' | 'replaced' | 'ended' | undefined): DroverError {
	if (kind !== 'ended') return stillInUse(target);
	return new DroverError(
		'driver.failed',
		`virtiofsd, which served ${target}, has ended, and programs of the guest wait for it until its power is cut`,
		{next: 'Cut it (stop --force) and start the instance again.'},
	);
}

async function plugAnew(
	job: Job,
	monitor: Qmp,
	found: MachineProcess,
	mount: Mount,
	guest: MountGuest,
): Promise<GuestMount> {
	const server = await job.servers.find();
	const resolved: Mount = {
		...mount,
		uidMap: resolvedMaps(mount.uidMap, guest.uid),
		gidMap: resolvedMaps(mount.gidMap, guest.gid),
	};
	if (typeof server !== 'string' && guest.known.includes('virtiofs')) {
		demandMaps(mount, server.translates);
		return plugServer(job, monitor, resolved, server);
	}
	const why = typeof server === 'string' ? server : 'the guest’s kernel does not know virtiofs';
	if (!guest.known.includes('9p')) {
		throw new DroverError(
			'driver.incapable',
			`A native mount cannot be made: ${why}, and the guest’s kernel does not know 9p.`,
			{next: 'Use --type classic.'},
		);
	}
	demandMaps(mount, false);
	return plugSlot(job, monitor, found, resolved, why);
}

/** What is asked for itself, and not only by default, is refused where it cannot be. @throws DroverError `driver.incapable` */
export function demandMaps({uidMap, gidMap}: Mount, translates: boolean): void {
	const problem = mapsProblem(uidMap, {translates, own}) ?? mapsProblem(gidMap, {translates, own});
	if (problem === undefined) return;
	throw new DroverError('driver.incapable', `A native mount cannot be made so: ${problem}.`, {
		next: 'Leave --uid-map and --gid-map out, or use --type classic.',
	});
}

async function plugServer(job: Job, monitor: Qmp, mount: Mount, server: FileServer): Promise<GuestMount> {
	const id = mountId(mount);
	const {place, work} = job;
	const socket = serverSocket(place, id);
	const opened = await openSource(mount.source);
	try {
		await startServing(place, id, server, {source: mount.source, socket, ...ownersFor(mount, server)});
		const addr = {type: 'unix', data: {path: socket}};
		await monitor.execute('chardev-add', {id: channelOf(id), backend: {type: 'socket', data: {addr, server: false}}});
		await awaitLocked(job, id, opened.identity);
		await monitor.execute('device_add', {
			driver: 'vhost-user-fs-pci',
			id,
			chardev: channelOf(id),
			tag: id,
			bus: 'pci.0',
			'queue-size': 1024,
		});
	} catch (error) {
		await clear(monitor, place, id).catch(() => {});
		throw error;
	} finally {
		await opened.close();
	}
	if (!server.translates) tellOwners(mount, work.log);
	return describe(id, 'virtiofs');
}

function ownersFor({uidMap, gidMap}: Mount, {translates}: FileServer) {
	if (!translates) return {};
	const group = process.getgid?.() ?? 0;
	const groups = translations(gidMap, own === 0 ? 0 : group);
	return {users: translations(uidMap, own), groups};
}

function tellOwners({uidMap, gidMap, target}: Mount, log: (line: string) => void): void {
	if (!keepsOthers(uidMap) && !keepsOthers(gidMap)) return;
	log(`Owners below ${target} are the numbers they are on this host.`);
}

/**
 * Waits until a virtiofsd sees nothing but its directory, and makes sure that it is the one that was meant: only its path
 * was told, and somebody could have put another one in its place.
 */
async function awaitLocked(job: Job, id: string, identity: string): Promise<void> {
	for (const deadline = Date.now() + lockingMs; ; await sleep(20, undefined, {signal: job.signal})) {
		const servers = await serversOf(job.place, id);
		const roots = await rootsOf(servers.keys());
		if (roots.includes(identity)) return;
		if (servers.size > 0 && Date.now() < deadline) continue;
		throw new DroverError('driver.failed', 'virtiofsd did not lock itself up in the directory that it is to serve.', {
			next: 'Use --type classic.',
		});
	}
}

async function plugSlot(job: Job, monitor: Qmp, found: MachineProcess, mount: Mount, why: string): Promise<GuestMount> {
	const id = mountId(mount);
	const ask = monitor.execute.bind(monitor);
	const taken = new Set<string>();
	for (const [other, kind] of await pluggedIn(ask)) if (kind === '9p') taken.add(await slotOf(ask, other));
	const slots = slotsOf(found);
	if (slots.length === 0) throw startedWithout(job.record.name, why);
	const slot = slots.find(each => !taken.has(each));
	if (slot === undefined) {
		throw new DroverError(
			'instance.invalid',
			`An instance can have ${mostSlots} mounts over 9p, and no more (${why}).`,
			{
				next: 'Use --type classic.',
			},
		);
	}
	const link = slotLink(job.place, slot);
	const opened = await openSource(mount.source);
	try {
		await rm(link, {force: true});
		await symlink(opened.path, link);
		await ask('device_add', {driver: 'virtio-9p-pci', id, fsdev: slot, mount_tag: id, bus: 'pci.0'});
	} finally {
		await rm(link, {force: true});
		await opened.close();
	}
	tellOwners(mount, job.work.log);
	return describe(id, '9p');
}

export function startedWithout(name: string, why: string): DroverError {
	return new DroverError(
		'instance.state',
		`${why[0]!.toUpperCase()}${why.slice(1)}, and "${name}" was started without a place for mounts over 9p`,
		{next: 'Stop it and start it again; then it has one. Or use --type classic.'},
	);
}

/** Takes a mount out; the guest should have unmounted it. @throws DroverError `instance.busy`, `driver.*` */
export async function unplug(job: Job, mount: Mount): Promise<void> {
	if ((await findOwn(job)) === undefined) return;
	const id = mountId(mount);
	try {
		await job.monitors.use(job.files, {timeoutMs: 5000, signal: job.signal}, async monitor => {
			const ask = monitor.execute.bind(monitor);
			const present = (await pluggedIn(ask)).get(id);
			if (present === undefined) return clear(monitor, job.place, id);
			if (present === '9p') await demandUnmounted(monitor, [{id, target: mount.target}]);
			if (!(await release(monitor, job.place, id, job))) throw stillInUse(mount.target);
		});
	} catch (error) {
		throw monitorError(error, 'unplugging a mount');
	}
}

/**
 * All that could keep a machine's memory from being saved, whoever has left it. What is saved has the same devices as
 * ever. A guest that stands still is set going: it has to let go of them.
 * @throws DroverError `instance.busy` in some seconds, when it does not
 */
export async function unplugAll(job: Job, monitor: Qmp): Promise<void> {
	const devices = await pluggedIn(monitor.execute.bind(monitor));
	if (devices.size === 0) return;
	job.work.progress('unplugging native mounts');
	if ((await runState(monitor)) !== 'running') await goOn(monitor);
	const targetOf = (id: string) => job.record.mounts?.find(mount => mountId(mount) === id)?.target ?? id;
	const over9p = [...devices].filter(([, kind]) => kind === '9p').map(([id]) => ({id, target: targetOf(id)}));
	await demandUnmounted(monitor, over9p);
	for (const id of devices.keys()) {
		if (await release(monitor, job.place, id, job)) continue;
		throw stillInUse(targetOf(id), 'End what uses it in the guest and try again; or stop it instead.');
	}
}

/**
 * A device that is asked out while its 9p mount is in use would go whenever that ends, and nobody could plug it in again
 * until then: so it is not asked.
 */
async function demandUnmounted(
	monitor: Qmp,
	mounts: ReadonlyArray<{readonly id: string; readonly target: string}>,
): Promise<void> {
	// What keeps memory from being saved names the tags of the 9p mounts in use. Source: QEMU, `hw/9pfs/9p.c`.
	const reasons = asObject(await monitor.execute('query-migrate'))['blocked-reasons'];
	const inUse = mounts.filter(({id}) => Array.isArray(reasons) && reasons.some(reason => String(reason).includes(id)));
	if (inUse.length > 0) throw stillInUse(inUse.map(({target}) => target).join(', '));
}
