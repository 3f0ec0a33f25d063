import {rm} from 'node:fs/promises';
import type {InstanceRecord} from '../../model/instance.ts';
import {type System, thisSystem} from '../../platform/system.ts';
import type {Paths} from '../../state/paths.ts';
import type {Driver, InstancePlace, WorkContext} from '../driver.ts';
import {forwardsAfterStart} from '../forward-words.ts';
import {hostPortProblem} from '../host-port.ts';
import type {ProbeHost} from '../machine/accelerator.ts';
import {clone} from '../machine/clone.ts';
import {create} from '../machine/create.ts';
import {filesOf} from '../machine/files.ts';
import {awake, guestFacts} from '../machine/guest.ts';
import {QemuHostProbe} from '../machine/host.ts';
import {Lanes} from '../machine/lanes.ts';
import {linkedClone} from '../machine/link.ts';
import {acceleratorProblem, loadProblem} from '../machine/load.ts';
import {Ports} from '../machine/ports.ts';
import {machinePrivateNetwork} from '../machine/private-network.ts';
import {acceleratorOf, Machines} from '../machine/process.ts';
import {resize} from '../machine/resize.ts';
import {diskFile} from '../machine/rest.ts';
import {endStranger, findStrangers, placesOf} from '../machine/strangers.ts';
import {balloonOf} from './balloon.ts';
import {type Job, jobOf, type Shared} from './context.ts';
import {forwards, notesOf} from './forwards.ts';
import {withAgent} from './guest.ts';
import {metrics} from './metrics.ts';
import {Monitors} from './monitors.ts';
import {checkPlug, mountNotes} from './mounts/check.ts';
import {type FileServerOptions, FileServerProbe} from './mounts/file-server.ts';
import {plug, unplug} from './mounts/plug.ts';
import {plugProblem} from './mounts/problem.ts';
import {darwinNetworks} from './networks.ts';
import {observe} from './observe.ts';
import {removeSnapshot, restoreSnapshot, takeSnapshot} from './snapshots.ts';
import {start} from './start.ts';
import {powerOff, reboot, stop} from './stop.ts';
import {suspend} from './suspend.ts';
import {watch} from './watch.ts';

export type QemuDriverOptions = {
	/** Where instances are, too, so that machines without a record are known for drover's. */
	readonly paths: Pick<Paths, 'cache'> & Partial<Pick<Paths, 'data' | 'runtime'>>;
	/** Default `qemu-system-x86_64`; a name that is looked for in `PATH`, or an absolute path. */
	readonly program?: string;
	/** Default `qemu-img`. */
	readonly imageProgram?: string;
	/** Default: the machine drover runs on. */
	readonly system?: System;
	/** The host's files that tell about acceleration; default: the real ones. */
	readonly host?: ProbeHost;
	/** The virtiofsd that serves native mounts; default: the one that is installed. */
	readonly fileServer?: FileServerOptions['program'];
};

async function startForwarded(job: Job): Promise<void> {
	await start(job);
	await forwardsAfterStart(job.record, job.work, () => forwards(job));
}

/**
 * Runs instances with QEMU alone: one detached process each, reached over its monitors. Nothing about a running
 * instance is kept in memory, so that the next daemon finds everything again.
 */
export function createQemuDriver({paths, fileServer, system = thisSystem(), ...options}: QemuDriverOptions): Driver {
	const shared: Shared = {
		host: new QemuHostProbe({cache: paths.cache, system, ...options}),
		monitors: new Monitors(),
		servers: new FileServerProbe(fileServer === undefined ? {} : {program: fileServer}),
		lanes: new Lanes(),
		ports: new Ports(),
		machines: new Machines(system.processes),
		system,
	};
	const inLane = <T>(record: InstanceRecord, place: InstancePlace, work: WorkContext, act: (job: Job) => Promise<T>) =>
		shared.lanes.run(record.id, work.signal, signal => act(jobOf(shared, record, place, work, signal)));
	const takingOver = (record: InstanceRecord, place: InstancePlace, work: WorkContext) =>
		shared.lanes.takeOver(record.id, work.signal, signal => powerOff(jobOf(shared, record, place, work, signal)));

	return {
		name: 'qemu',
		health: ({again = false} = {}) => shared.host.health(again),
		create: (record, place, input, work) => inLane(record, place, work, job => create(job, input)),
		start: (record, place, work) => inLane(record, place, work, startForwarded),
		awake: (_record, place, work) =>
			awake(work, (signal, act) => withAgent(filesOf(place), {timeoutMs: 3000, signal}, act)),
		stop: (record, place, {timeoutMs}, work) => inLane(record, place, work, job => stop(job, timeoutMs)),
		powerOff: takingOver,
		reboot: (record, place, work) => inLane(record, place, work, reboot),
		suspend: (record, place, {by}, work) => inLane(record, place, work, job => suspend(job, by)),
		strangers: known => findStrangers(shared.machines, known, placesOf(paths)),
		endStranger: stranger => endStranger(shared.machines, stranger),
		loadProblem: (record, place) =>
			loadProblem(shared.host, record, filesOf(place), async stamp => {
				const {verdict} = await shared.host.require();
				return acceleratorProblem(stamp, verdict.accelerator, verdict.reason);
			}),
		async destroy(record, place, work) {
			await takingOver(record, place, work);
			await rm(place.sockets, {recursive: true, force: true});
		},
		observe: (record, place) => observe(shared, record, place),
		resize: (record, place, hardware, work) =>
			inLane(record, place, work, job => resize(job, hardware, balloonOf(job))),
		resizesLive: new Set(['memory'] as const),
		forwards: (record, place, work) => inLane(record, place, work, forwards),
		forwardProblem: (_record, _place, forward) => hostPortProblem(forward),
		checkPlug: (mount, instance) => checkPlug(shared, mount, instance),
		plug: (record, place, mount, work, guest) => inLane(record, place, work, job => plug(job, mount, guest)),
		unplug: (record, place, mount, work) => inLane(record, place, work, job => unplug(job, mount)),
		plugProblem: (record, place, mount) => plugProblem(shared, record, place, mount),
		metrics: (record, place, options) => metrics(shared, record, place, options),
		privateNetwork: machinePrivateNetwork(shared.host),
		async inspect(record, place) {
			const found = await shared.machines.find(record.id, filesOf(place));
			if (!found) return {};
			const notes = [...(await notesOf(shared, record, place).catch(() => [])), ...(await mountNotes(shared, record))];
			return {pid: found.pid, accelerator: acceleratorOf(found), ...(notes.length === 0 ? {} : {notes})};
		},
		guestFacts: (_record, place, signal) =>
			guestFacts(signal, (limit, act) => withAgent(filesOf(place), {timeoutMs: 1500, signal: limit}, act)),
		watch: (record, place, listener) => watch(shared, record, place, listener),
		snapshots: {
			take: (record, place, tag, work) => inLane(record, place, work, job => takeSnapshot(job, tag)),
			restore: (record, place, tag, work) => inLane(record, place, work, job => restoreSnapshot(job, tag)),
			remove: (record, place, tag, work) => inLane(record, place, work, job => removeSnapshot(job, tag)),
			isLive: true,
		},
		diskFile: (_record, place) => diskFile(filesOf(place)),
		...(system.platform === 'darwin' ? darwinNetworks(shared) : {}),
		clone: (source, record, place, seed, work) => inLane(record, place, work, job => clone(job, source, seed)),
		linkedClone: (source, record, place, layer, seed, work) =>
			inLane(record, place, work, job => linkedClone(job, source, layer, seed)),
	};
}
