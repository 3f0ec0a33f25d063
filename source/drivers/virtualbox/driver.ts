import {rm, stat} from 'node:fs/promises';
import {DroverError} from '../../model/errors.ts';
import type {InstanceRecord} from '../../model/instance.ts';
import type {Paths} from '../../state/paths.ts';
import type {Driver, InstancePlace, WorkContext} from '../driver.ts';
import {forwardsAfterStart} from '../forward-words.ts';
import {hostPortProblem} from '../host-port.ts';
import {Lanes} from '../machine/lanes.ts';
import {Ports} from '../machine/ports.ts';
import {clone} from './clone.ts';
import {findMachine, type Job, jobOf, type Shared} from './context.ts';
import {create} from './create.ts';
import {forgetMedium} from './disk.ts';
import {diskFile} from './disk-file.ts';
import {filesOf, machineName, readSettings} from './files.ts';
import {forwardNotes, forwards} from './forwards.ts';
import {awake, guestFacts} from './guest.ts';
import {type HostOptions, HostProbe} from './host.ts';
import {Listings} from './listing.ts';
import {ManageError, telling} from './manage.ts';
import {Sampler, sample} from './metrics.ts';
import {addNic, hostNetworks} from './nics.ts';
import {observe} from './observe.ts';
import {findProcess, waitProcessGone} from './process.ts';
import {resize} from './resize.ts';
import {loadProblem} from './saved.ts';
import {start} from './start.ts';
import {powerOff, reboot, stop} from './stop.ts';
import {findStrangers} from './strangers.ts';
import {suspend} from './suspend.ts';
import {watch} from './watch.ts';

export type VirtualBoxDriverOptions = HostOptions & {readonly paths: Paths};

/**
 * Runs instances with VirtualBox, by way of VBoxManage, its own client. Machines belong to the user, who sees them in
 * VirtualBox's window, too, by names like `drover-web-0123abcd`.
 *
 * Multipass's machines of VirtualBox cannot be taken over: they are those of another user (root, SYSTEM), whose VBoxManage
 * alone sees them. By the table there are no snapshots and no native mounts.
 */
export function createVirtualBoxDriver({
	paths,
	...options
}: VirtualBoxDriverOptions): Driver & {readonly starts: () => number} {
	const shared: Shared = {
		paths,
		host: new HostProbe(options),
		lanes: new Lanes(),
		ports: new Ports(),
		listings: new Listings(),
		sampler: new Sampler(),
	};
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
	const cutPower = (record: InstanceRecord, place: InstancePlace, work: WorkContext, act: Act<void>) =>
		telling('cutting its power', () =>
			shared.lanes.takeOver(record.id, work.signal, async signal =>
				act(await jobOf(shared, record, place, work, signal)),
			),
		);

	return {
		name: 'virtualbox',
		health: ({again = false} = {}) => shared.host.health(again),
		create: (record, place, input, work) =>
			inLane('making the machine', record, place, work, job => create(job, input)),
		start: (record, place, work) =>
			inLane('starting the machine', record, place, work, async job => {
				await start(job);
				await forwardsAfterStart(job.record, job.work, () => forwards(job));
			}),
		awake: (record, _place, work) => awake(paths, record, work),
		stop: (record, place, {timeoutMs}, work) =>
			inLane('stopping the machine', record, place, work, job => stop(job, timeoutMs)),
		powerOff: (record, place, work) => cutPower(record, place, work, powerOff),
		reboot: (record, place, work) => inLane('rebooting the machine', record, place, work, reboot),
		suspend: (record, place, {by}, work) => inLane('saving the memory', record, place, work, job => suspend(job, by)),
		loadProblem: (record, place) =>
			loadProblem(async () => findMachine({...(await shared.host.require()), record}), record, place),
		strangers: known =>
			telling('looking for machines without a record', async () =>
				findStrangers((await shared.host.require()).manage, shared.host.host, paths, known),
			),
		async endStranger({id, pid}) {
			const {manage} = await shared.host.require();
			await manage.work(['controlvm', id, 'poweroff'], {timeoutMs: 10_000}).catch(() => {});
			if (await waitProcessGone(pid, id, 5000)) return true;
			await manage.work(['startvm', id, '--type', 'emergencystop'], {timeoutMs: 10_000}).catch(() => {});
			return waitProcessGone(pid, id, 5000);
		},
		destroy: (record, place, work) =>
			cutPower(record, place, work, async job => {
				await powerOff(job).catch((error: unknown) => {
					// What VirtualBox cannot read the settings of does not run.
					if (!(error instanceof DroverError) || error.code !== 'instance.broken') throw error;
				});
				await unregister(job);
				shared.sampler.forget(record.id);
				await rm(place.sockets, {recursive: true, force: true});
			}),
		observe: (record, place) => observe(shared, record, place),
		async inspect(record, place) {
			const settings = await readSettings(record, place);
			const process = settings === undefined ? undefined : await findProcess(settings.directory, record.id);
			if (!process) return {};
			const notes = await telling('looking at the machine', async () => {
				if (record.forwards === undefined) return [];
				const machine = await findMachine({...(await shared.host.require()), record});
				return machine === undefined ? [] : forwardNotes(record, machine);
			}).catch(() => []);
			return {pid: process.pid, ...(notes.length === 0 ? {} : {notes})};
		},
		guestFacts: (record, _place, signal) => guestFacts(paths, record, signal),
		networks: () => telling('listing the networks', async () => hostNetworks((await shared.host.require()).manage)),
		addNic: (record, place, nic, work) => inLane('adding the network', record, place, work, job => addNic(job, nic)),
		resize: (record, place, hardware, work) =>
			inLane('changing the machine', record, place, work, job => resize(job, hardware)),
		diskFile: (record, place) =>
			telling('looking at the machine', async () => diskFile((await shared.host.require()).manage, record, place)),
		clone: (source, record, place, seed, work) =>
			inLane('cloning the instance', record, place, work, job => clone(job, source, seed)),
		forwards: (record, place, work) => inLane('forwarding ports', record, place, work, forwards),
		forwardProblem: (_record, _place, forward) => hostPortProblem(forward),
		async metrics(record, place) {
			const settings = await readSettings(record, place);
			if (settings === undefined || !(await findProcess(settings.directory, record.id))) {
				shared.sampler.forget(record.id);
				return undefined;
			}
			const {manage} = await shared.host.require();
			return sample(shared.sampler, manage, machineName(record), record, place);
		},
		watch: (record, place, listener) => watch(shared, record, place, listener),
		starts: () => shared.host.starts,
	};
}

/** Takes machine and media out of VirtualBox's lists; the files are the engine's to remove. */
async function unregister(job: Job): Promise<void> {
	const {manage, record, place} = job;
	try {
		await manage.work(['unregistervm', record.id]);
	} catch (error) {
		if (!(error instanceof ManageError) || error.problem !== 'missing') throw error;
	}
	const {disk, diskPart, seed} = filesOf(place);
	// Disks go with the machine that has them; what a broken creation left is without one, and a drive's stays in any case.
	const isThere = async (file: string) => (await stat(file).catch(() => undefined)) !== undefined;
	if (await isThere(seed)) await forgetMedium(job, seed, 'dvd');
	if (await isThere(diskPart)) await forgetMedium(job, diskPart);
	if (!(await readSettings(record, place)) && (await isThere(disk))) await forgetMedium(job, disk);
}
