import {createHash} from 'node:crypto';
import path from 'node:path';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import {type System, thisSystem} from '../../platform/system.ts';
import type {Paths} from '../../state/paths.ts';
import type {Driver, InstancePlace, WorkContext} from '../driver.ts';
import {Lanes} from '../machine/lanes.ts';
import {Addresses, type Resolve} from './addresses.ts';
import {Changes} from './changes.ts';
import {clone} from './clone.ts';
import {type Job, jobOf, type Shared, telling} from './context.ts';
import {create} from './create.ts';
import {diskFile} from './disk.ts';
import {guestFacts} from './guest.ts';
import {type HostTools, HypervHost, windowsTools} from './host.ts';
import {Listing} from './listing.ts';
import {inspectResult} from './messages.ts';
import {Samples} from './metrics.ts';
import {addNic, hostNetworks} from './nics.ts';
import {observe} from './observe.ts';
import {destroy, powerOff, reboot, start, stop} from './power.ts';
import {resize} from './resize.ts';
import {Scripts} from './scripts.ts';
import type {Trace} from './session.ts';
import {removeSnapshot, restoreSnapshot, takeSnapshot} from './snapshots.ts';
import {Watch} from './watch.ts';

export type HypervDriverOptions = {
	readonly paths: Paths;
	/** The machine drover runs on; default: this one. */
	readonly system?: System;
	/** What is different on the host; default: as on the system. */
	readonly tools?: HostTools;
	/** Asks DNS; default: the host's resolver. */
	readonly resolve?: Resolve;
	/** Told every line between drover and its scripts: for a recording. */
	readonly trace?: Trace;
};

/** What tests want to know beside what the contract has. */
export type HypervInside = {
	/** Pid of the script that looks. */
	readonly lookerPid: () => Promise<number | undefined>;
	/** How many listings were asked for. */
	readonly listings: () => number;
};

/**
 * Runs instances on this Windows's Hyper-V, by way of a PowerShell script that stays. Native mounts are not made: an SMB
 * share asks for the password of a Windows account, and drover neither has one nor a way to be told it in secret; to make
 * an account for it takes an administrator and changes who may enter the directory that is shared.
 */
export function createHypervDriver({
	paths,
	system = thisSystem(),
	tools = windowsTools(system),
	resolve,
	trace,
}: HypervDriverOptions): Driver & HypervInside {
	const host = new HypervHost(tools, path.join(paths.data, 'hyperv'));
	const changes = new Changes();
	const scripts = new Scripts(
		() => host.launcher(),
		vm => changes.tell(vm),
		trace,
	);
	const owner = createHash('sha256').update(paths.data).digest('hex').slice(0, 16);
	const listing = new Listing(scripts, owner);
	const shared: Shared = {host, scripts, listing, lanes: new Lanes(), owner};
	const addresses = new Addresses(resolve);
	const watching = new Watch(shared, changes);
	const samples = new Samples(scripts, owner);
	type Act<Result> = (job: Job) => Promise<Result>;
	const inLane = <Result>(
		doing: string,
		record: InstanceRecord,
		place: InstancePlace,
		work: WorkContext,
		act: Act<Result>,
	) =>
		telling(doing, () =>
			shared.lanes.run(record.id, work.signal, signal => act(jobOf(shared, record, place, work, signal))),
		);
	const aside = <Result>(
		doing: string,
		record: InstanceRecord,
		place: InstancePlace,
		work: WorkContext,
		act: Act<Result>,
	) =>
		telling(doing, () =>
			shared.lanes.takeOver(record.id, work.signal, signal => act(jobOf(shared, record, place, work, signal))),
		);

	return {
		name: 'hyperv',
		watchesResting: true,
		health: ({again = false} = {}) => host.health(scripts, again),
		create: (record, place, input, work) =>
			inLane('making the instance', record, place, work, job => create(job, input)),
		start: (record, place, work) => inLane('starting the instance', record, place, work, start),
		awake: async () => {},
		stop: (record, place, {timeoutMs}, work) =>
			inLane('stopping the instance', record, place, work, job => stop(job, timeoutMs, changes)),
		powerOff: (record, place, work) => aside('cutting its power', record, place, work, powerOff),
		reboot: (record, place, work) => inLane('rebooting the instance', record, place, work, job => reboot(job, changes)),
		suspend: async () => {
			throw new DroverError('driver.incapable', 'Instances on Hyper-V are not suspended.', {
				next: 'Stop it instead.',
			});
		},
		destroy: (record, place, work) => aside('removing the instance', record, place, work, destroy),
		observe: (record, place) => observe(shared, addresses, record, place),
		inspect: (record, _place) =>
			telling('looking at the instance', async () => {
				const mark = {owner, machine: record.id};
				const {pid} = await scripts.look(inspectResult, 'inspect', mark, {timeoutMs: 5000});
				return pid > 0 ? {pid} : {};
			}),
		guestFacts: async (record, place, signal) =>
			guestFacts(paths, host.environment, record, await observe(shared, addresses, record, place), signal),
		networks: () => telling('listing the networks', () => hostNetworks(scripts)),
		addNic: (record, place, nic, work) => inLane('adding the network', record, place, work, job => addNic(job, nic)),
		resize: (record, place, hardware, work) =>
			inLane('changing the instance', record, place, work, job => resize(job, hardware)),
		clone: (source, record, place, seed, work) =>
			inLane('cloning the instance', record, place, work, job => clone(job, source, seed)),
		diskFile: (_record, place) => diskFile(place),
		metrics: record => telling('sampling', () => samples.of(record)),
		snapshots: {
			isLive: false,
			take: (record, place, tag, work) =>
				inLane('taking the snapshot', record, place, work, job => takeSnapshot(job, tag)),
			restore: (record, place, tag, work) =>
				inLane('restoring the snapshot', record, place, work, job => restoreSnapshot(job, tag)),
			remove: (record, place, tag, work) =>
				inLane('deleting the snapshot', record, place, work, job => removeSnapshot(job, tag)),
		},
		watch: (record, _place, listener) => watching.add(record, listener),
		close() {
			watching.close();
			scripts.close();
		},
		lookerPid: () => scripts.lookerPid(),
		listings: () => listing.count,
	};
}
