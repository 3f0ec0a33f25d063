import {createHash} from 'node:crypto';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import type {DirectAccess} from '../../model/guest-access.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Paths} from '../../state/paths.ts';
import type {Driver, InstancePlace, SettingReader, WorkContext} from '../driver.ts';
import {forwardsAfterStart} from '../forward-words.ts';
import {asObject} from '../machine/json.ts';
import {Lanes} from '../machine/lanes.ts';
import {adopt, adoptables} from './adopt.ts';
import {clone} from './clone.ts';
import {type Job, jobOf, projectOf, type Shared, telling} from './context.ts';
import {create} from './create.ts';
import {Events} from './events.ts';
import {forwardNotes, forwardProblem, forwards, forwardsBeforeStart} from './forwards.ts';
import {answers, consoleText, execute, guestFacts, metrics} from './guest.ts';
import {addressesOf} from './instance-state.ts';
import {Listing} from './listing.ts';
import {mount, unmount, unshifted} from './mounts.ts';
import {addNic, hostNetworks} from './nics.ts';
import {observe, Reach} from './observe.ts';
import {destroy, powerOff, reboot, start, stop} from './power.ts';
import {resize} from './resize.ts';
import {memberNames} from './scope.ts';
import {ServerDesk} from './server.ts';
import {textValues} from './text-values.ts';
import {chooseType} from './type.ts';
import {watch} from './watch.ts';

export type LxdDriverOptions = {
	readonly paths: Pick<Paths, 'data'>;
	readonly setting: SettingReader;
	/** Names the socket (`LXD_DIR`, `INCUS_SOCKET`); default: the process's own. */
	readonly environment?: NodeJS.ProcessEnv;
};

const quiet: WorkContext = {
	signal: new AbortController().signal,
	progress() {},
	log() {},
	update: () => Promise.reject(new Error('nothing is changed here')),
};

/** Runs instances on an LXD or Incus server: this host's, or a remote one or a cluster. */
export function createLxdDriver({
	paths,
	setting,
	environment,
}: LxdDriverOptions): Driver & {readonly traffic: () => Traffic} {
	const desk = new ServerDesk(setting, path.join(paths.data, 'lxd'), environment);
	const shared: Shared = {
		desk,
		lanes: new Lanes(),
		listing: new Listing(),
		events: new Events(desk),
		setting,
		owner: createHash('sha256').update(paths.data).digest('hex').slice(0, 16),
	};
	const reach = new Reach();
	type Act<Result> = (job: Job) => Promise<Result>;
	const inLane = <Result>(
		doing: string,
		record: InstanceRecord,
		place: InstancePlace,
		work: WorkContext,
		act: Act<Result>,
	) =>
		telling(doing, () =>
			shared.lanes.run(record.id, work.signal, async signal => act(await jobOf(shared, record, place, work, signal))),
		);
	const aside = <Result>(
		doing: string,
		record: InstanceRecord,
		place: InstancePlace,
		work: WorkContext,
		act: Act<Result>,
	) =>
		telling(doing, () =>
			shared.lanes.takeOver(record.id, work.signal, async signal =>
				act(await jobOf(shared, record, place, work, signal)),
			),
		);
	/** Questions wait for nobody. */
	const asking = async <Result>(doing: string, record: InstanceRecord, place: InstancePlace, act: Act<Result>) =>
		telling(doing, async () => act(await jobOf(shared, record, place, quiet, quiet.signal)));
	const isDiskLimited = async ({server, project, record, path: own}: Job) => {
		if (record.lxd?.type === 'virtual-machine') return true;
		const {devices} = asObject(await server.client.get(own, {project}));
		const pool = textValues(asObject(devices)['root'])['pool'] ?? '';
		const {driver = ''} = textValues(await server.client.find(`/1.0/storage-pools/${encodeURIComponent(pool)}`));
		return driver !== 'dir';
	};

	return {
		name: 'lxd',
		watchesResting: true,
		resizesLive: new Set(['cpus', 'memory', 'networks'] as const),
		health: ({again = false} = {}) => desk.health(again),
		imageForm: async record => ((await chooseType(desk, record, setting)) === 'container' ? 'rootfs' : 'disk'),
		create: (record, place, input, work) =>
			inLane('making the instance', record, place, work, job => create(job, input)),
		start: (record, place, work) =>
			inLane('starting the instance', record, place, work, async job => {
				await forwardsBeforeStart(job);
				await start(job);
				await forwardsAfterStart(job.record, job.work, () => forwards(job));
			}),
		awake: async () => {},
		stop: (record, place, {timeoutMs}, work) =>
			inLane('stopping the instance', record, place, work, job => stop(job, timeoutMs)),
		powerOff: (record, place, work) => aside('cutting its power', record, place, work, powerOff),
		reboot: (record, place, work) => inLane('rebooting the instance', record, place, work, reboot),
		suspend: async () => {
			throw new DroverError('driver.incapable', 'LXD cannot suspend instances.');
		},
		destroy: (record, place, work) => aside('removing the instance', record, place, work, destroy),
		observe: record => observe(shared, reach, record),
		inspect: (record, place) =>
			asking('looking at the instance', record, place, async job => {
				const [state, limited] = await Promise.all([
					job.server.client.get(`${job.path}/state`, {project: job.project}, {timeoutMs: 2000}),
					isDiskLimited(job).catch(() => true),
				]);
				const {pid} = asObject(state);
				const isContainer = record.lxd?.type === 'container';
				const {facts, loose} = job.server;
				const notes = [
					...(await forwardNotes(job).catch(() => [])),
					...(isContainer && loose.length > 0
						? [`The server’s host has no control groups for ${loose.join(' and ')}: no limits of these are enforced.`]
						: []),
					...(limited ? [] : ['Its storage pool (dir) enforces no size: the disk has no limit of its own.']),
					...((record.mounts ?? []).some(each => each.type === 'native') && !facts.canShift && isContainer
						? [unshifted]
						: []),
				];
				return {
					...(typeof pid === 'number' && pid > 0 ? {pid} : {}),
					ipv4: addressesOf(state),
					...(notes.length === 0 ? {} : {notes}),
				};
			}),
		guestFacts: (record, place, signal) =>
			asking('asking the guest', record, place, async job =>
				guestFacts(job, signal, await isDiskLimited(job).catch(() => false)),
			),
		watch: (record, _place, listener) => watch(shared, record, listener),

		mount: (record, place, what, work) =>
			inLane('mounting', record, place, work, async job => {
				const note = await mount(job, what);
				if (note !== undefined) work.log(note);
			}),
		unmount: (record, place, what, work) => inLane('unmounting', record, place, work, job => unmount(job, what)),
		networks: () =>
			telling('listing the networks', async () => hostNetworks(await desk.require(), setting('local.lxd.project'))),
		addNic: (record, place, nic, work) => inLane('adding the network', record, place, work, job => addNic(job, nic)),
		resize: (record, place, hardware, work) =>
			inLane('changing the instance', record, place, work, job => resize(job, hardware)),
		forwards: (record, place, work) => inLane('forwarding ports', record, place, work, forwards),
		forwardProblem: (record, place, forward) =>
			asking('looking at the instance', record, place, job => forwardProblem(job, forward)),
		// The server's pools copy on write where they can: zfs, btrfs, ceph, lvm with thin volumes.
		sharesByItself: true,
		// What is in a container is files: what would be needed to boot them is not there and would have to be made up.
		diskFile: async record =>
			record.lxd?.type === 'virtual-machine'
				? 'the server keeps its disk, and this version of drover does not take it from there'
				: 'a container has no disk that a machine could boot from, with a kernel and a boot loader',
		clone: (source, record, place, seed, work) =>
			inLane('cloning the instance', record, place, work, job => clone(job, source, seed)),
		metrics: (record, place) => asking('sampling', record, place, metrics),
		async direct(record): Promise<DirectAccess | undefined> {
			const {client, only} = await desk.require();
			return {
				name: record.name,
				endpoint: client.endpoint,
				project: projectOf(record, setting, only),
				instance: record.name,
				user: record.ssh.user,
			};
		},
		answers: (record, place, signal) => asking('asking the guest', record, place, job => answers(job, signal)),
		execute: (record, place, command, options) =>
			asking('running a command in the guest', record, place, job => execute(job, command, options)),
		consoleText: (record, place) => asking('reading the console', record, place, consoleText),
		members: () => telling('listing the members', async () => memberNames(await desk.require())),
		adoptables: () =>
			telling('looking for instances of Multipass', async () => adoptables(await desk.require(), shared.owner)),
		adopt: (name, seed) =>
			telling('taking the instance over', async () => adopt(await desk.require(), name, seed, shared.owner)),
		close() {
			shared.events.close();
			desk.close();
		},
		traffic: () => ({
			requests: desk.requests,
			listings: shared.listing.count,
			connections: shared.events.connections,
		}),
	};
}

/** What was asked of the server, for those who watch over it. */
export type Traffic = {readonly requests: number; readonly listings: number; readonly connections: number};
