import {rm} from 'node:fs/promises';
import type {InstanceRecord} from '../../model/instance.ts';
import {type System, thisSystem} from '../../platform/system.ts';
import type {Paths} from '../../state/paths.ts';
import type {Driver, InstancePlace, WorkContext} from '../driver.ts';
import {forwardsAfterStart} from '../forward-words.ts';
import {hostPortProblem} from '../host-port.ts';
import type {ProbeHost} from '../machine/accelerator.ts';
import {clone} from '../machine/clone.ts';
import {machineJob} from '../machine/context.ts';
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
import {guestAgent} from './agent.ts';
import {balloonOf} from './balloon.ts';
import {type Job, jobOf, type Shared} from './context.ts';
import {Domains} from './domains.ts';
import {Events} from './events.ts';
import {forwards, notesOf} from './forwards.ts';
import {LibvirtHostProbe} from './host.ts';
import {metrics} from './metrics.ts';
import {Beliefs, observe} from './observe.ts';
import {start} from './start.ts';
import {Stats} from './stats.ts';
import {powerOff, reboot, stop} from './stop.ts';
import {suspend} from './suspend.ts';
import {watch} from './watch.ts';

export type LibvirtDriverOptions = {
	/** Where instances are, too, so that machines without a record are known for drover's. */
	readonly paths: Pick<Paths, 'cache'> & Partial<Pick<Paths, 'data' | 'runtime'>>;
	/** Which libvirt; default: the user's own, the system's for root, or what `LIBVIRT_DEFAULT_URI` names on this host. */
	readonly uri?: string;
	/** Default `virsh`; a name that is looked for in `PATH`, or an absolute path. */
	readonly program?: string;
	/** Default `qemu-system-x86_64`. */
	readonly emulator?: string;
	/** Default: the machine drover runs on. */
	readonly system?: System;
	/** The host's files that tell about acceleration; default: the real ones. */
	readonly host?: ProbeHost;
};

async function startForwarded(job: Job): Promise<void> {
	await start(job);
	await forwardsAfterStart(job.record, job.work, () => forwards(job));
}

/**
 * Runs instances by way of libvirt, from the same files as the QEMU driver. libvirt is asked through `virsh`, its own
 * client: one process listens for all events, and one question serves all who look at the same time.
 */
export function createLibvirtDriver({
	paths,
	uri,
	program,
	emulator,
	host,
	system = thisSystem(),
}: LibvirtDriverOptions): Driver {
	const qemu = new QemuHostProbe({
		cache: paths.cache,
		system,
		...(emulator === undefined ? {} : {program: emulator}),
		...(host === undefined ? {} : {host}),
	});
	const shared: Shared = {
		host: qemu,
		libvirt: new LibvirtHostProbe(qemu, {
			platform: system.platform,
			...(uri === undefined ? {} : {uri}),
			...(program === undefined ? {} : {program}),
		}),
		lanes: new Lanes(),
		ports: new Ports(),
		machines: new Machines(system.processes),
		system,
		domains: new Domains(),
		events: new Events(),
		stats: new Stats(),
	};
	const beliefs = new Beliefs();
	const inLane = <T>(record: InstanceRecord, place: InstancePlace, work: WorkContext, act: (job: Job) => Promise<T>) =>
		shared.lanes.run(record.id, work.signal, async signal =>
			act(await jobOf(shared, machineJob(shared, record, place, work, signal))),
		);
	const takingOver = (record: InstanceRecord, place: InstancePlace, work: WorkContext) =>
		shared.lanes.takeOver(record.id, work.signal, signal =>
			powerOff(shared, machineJob(shared, record, place, work, signal)),
		);
	const agent = async (record: InstanceRecord) => guestAgent((await shared.libvirt.require()).virsh, record.id);

	return {
		name: 'libvirt',
		health: ({again = false} = {}) => shared.libvirt.health(again),
		create: (record, place, input, work) =>
			shared.lanes.run(record.id, work.signal, signal =>
				create(machineJob(shared, record, place, work, signal), input),
			),
		start: (record, place, work) => inLane(record, place, work, startForwarded),
		awake: (record, _place, work) => awake(work, async (_signal, act) => act(await agent(record))),
		stop: (record, place, {timeoutMs}, work) => inLane(record, place, work, job => stop(job, timeoutMs)),
		powerOff: takingOver,
		reboot: (record, place, work) => inLane(record, place, work, reboot),
		suspend: (record, place, {by}, work) => inLane(record, place, work, job => suspend(job, by)),
		strangers: known => findStrangers(shared.machines, known, placesOf(paths)),
		endStranger: stranger => endStranger(shared.machines, stranger),
		loadProblem: (record, place) =>
			loadProblem(shared.host, record, filesOf(place), async stamp => {
				const {accelerator, qemu: found} = await shared.libvirt.require();
				return acceleratorProblem(stamp, accelerator, found.verdict.reason);
			}),
		async destroy(record, place, work) {
			await takingOver(record, place, work);
			await rm(place.sockets, {recursive: true, force: true});
		},
		observe: (record, place) => observe(shared, beliefs, record, place),
		resize: (record, place, hardware, work) =>
			shared.lanes.run(record.id, work.signal, signal =>
				resize(machineJob(shared, record, place, work, signal), hardware, balloonOf(shared, record)),
			),
		resizesLive: new Set(['memory'] as const),
		forwards: (record, place, work) => inLane(record, place, work, forwards),
		forwardProblem: (_record, _place, forward) => hostPortProblem(forward),
		metrics: (record, place, options) => metrics(shared, record, place, options),
		privateNetwork: machinePrivateNetwork(shared.host),
		async inspect(record, place) {
			const found = await shared.machines.find(record.id, filesOf(place));
			if (!found) return {};
			const notes = await notesOf(shared, record).catch(() => []);
			return {pid: found.pid, accelerator: acceleratorOf(found), ...(notes.length === 0 ? {} : {notes})};
		},
		guestFacts: (record, _place, signal) => guestFacts(signal, async (_limit, act) => act(await agent(record))),
		watch: (record, place, listener) => watch(shared, record, place, listener),
		// Snapshots stay in the disk and out of reach: by the table libvirt has none.
		diskFile: (_record, place) => diskFile(filesOf(place)),
		clone: (source, record, place, seed, work) =>
			shared.lanes.run(record.id, work.signal, signal =>
				clone(machineJob(shared, record, place, work, signal), source, seed),
			),
		linkedClone: (source, record, place, layer, seed, work) =>
			shared.lanes.run(record.id, work.signal, signal =>
				linkedClone(machineJob(shared, record, place, work, signal), source, layer, seed),
			),
	};
}
