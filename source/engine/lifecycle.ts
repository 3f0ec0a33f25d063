import type {WorkContext} from '../drivers/driver.ts';
import type {ActionOptions, Intent} from '../model/instance.ts';
import {forgetInstance} from '../state/alias-store.ts';
import {awaitAnswer} from './answering.ts';
import type {Entry} from './instances.ts';
import {abandoned} from './operations.ts';
import type {Workshop} from './workshop.ts';

/** Milliseconds a guest may take to power itself off. */
const stopTimeoutMs = 5 * 60_000;

/**
 * One action on one instance, from beginning to end. Each begins by writing its intent into the record and ends by
 * removing it, so that a daemon that dies in between leaves word for the next; each may be run again from the start.
 */
export type Step = (
	shop: Workshop,
	entry: Entry,
	options: ActionOptions,
	by: string,
	work: WorkContext,
	/** For the history: ` by the switch to lxd`. */
	because?: string,
) => Promise<void>;

function intent(shop: Workshop, action: Intent['action'], options: ActionOptions, by: string): Intent {
	return {action, options, by, at: shop.now().toISOString()};
}

export const start: Step = async (shop, entry, options, by, work, because = '') => {
	const {instances} = shop;
	const {driver} = instances;
	let record = instances.record(entry);
	if (record.shutdownAt !== undefined && entry.observation?.power === 'running') {
		await work.update({shutdownAt: undefined});
		await instances.tell(entry, 'delayed stop called off by a start', by);
		return;
	}
	const place = instances.place(entry);
	record = await work.update({intent: intent(shop, 'start', options, by), shutdownAt: undefined});
	const isResume = record.suspended !== undefined && !options.discardMemory;
	const began = Date.now();
	try {
		if (record.suspended && options.discardMemory) {
			work.progress('discarding the saved memory');
			await driver.powerOff(record, place, work);
			record = instances.record(entry);
		}
		work.progress(isResume ? 'resuming' : 'starting');
		await driver.start(record, place, work);
		record = await work.update({desired: 'running'});
		// The agent can be asked before SSH answers: whoever comes in first finds the clock right.
		const awake = isResume ? driver.awake(record, place, work) : undefined;
		// Waiting for the answer may fail first; then nobody asks how this went.
		awake?.catch(() => {});
		await awaitAnswer(shop, entry, work, {seconds: options.answerTimeout, did: isResume ? 'resumed' : 'started'});
		await awake;
		await shop.mounts.makeAll(entry, work);
		await instances.tell(entry, `${isResume ? 'resumed' : 'started'}${because}, ${seconds(began)}`, by);
	} finally {
		await clearIntent(work);
	}
};

export const stop: Step = async (shop, entry, options, by, work, because = '') => {
	const {instances} = shop;
	const place = instances.place(entry);
	const began = Date.now();
	const record = await work.update({intent: intent(shop, 'stop', options, by)});
	try {
		if (options.force) {
			shop.mounts.killAll(entry);
			work.progress('cutting the power');
			await instances.driver.powerOff(record, place, work);
		} else {
			await shop.mounts.endAll(entry, work);
			work.progress('waiting for the guest to power off');
			await instances.driver.stop(record, place, {timeoutMs: stopTimeoutMs}, work);
		}
		await work.update({desired: 'stopped', unanswered: undefined, shutdownAt: undefined});
		await instances.tell(entry, `${options.force ? 'power cut' : 'stopped'}${because}, ${seconds(began)}`, by);
	} finally {
		await clearIntent(work);
	}
};

export const suspend: Step = (shop, entry, options, by, work) => saveMemory(shop, entry, options, by, work, 'user');

/** @param whose the user's own wish, or a switch that will bring it back by itself */
export async function saveMemory(
	shop: Workshop,
	entry: Entry,
	options: ActionOptions,
	by: string,
	work: WorkContext,
	whose: 'user' | 'switch',
	because = '',
): Promise<void> {
	const {instances} = shop;
	const began = Date.now();
	const record = await work.update({intent: intent(shop, 'suspend', options, by)});
	try {
		// The connections do not outlive it, and who waited for one in the guest would wait for long.
		await shop.mounts.endAll(entry, work);
		work.progress('saving memory');
		await instances.driver.suspend(record, instances.place(entry), {by: whose}, work);
		// What a switch parks is still wanted as it was: a stop that was put off comes due when it is back.
		if (whose === 'user') await work.update({desired: 'suspended', unanswered: undefined, shutdownAt: undefined});
		await instances.tell(entry, `suspended${because}, ${seconds(began)}`, by);
	} finally {
		await clearIntent(work);
	}
}

export const restart: Step = async (shop, entry, options, by, work) => {
	const {instances} = shop;
	const began = Date.now();
	const record = await work.update({intent: intent(shop, 'restart', options, by), shutdownAt: undefined});
	try {
		await shop.mounts.endAll(entry, work);
		work.progress('restarting');
		await instances.driver.reboot(record, instances.place(entry), work);
		await awaitAnswer(shop, entry, work, {seconds: options.answerTimeout, did: 'restarted'});
		await shop.mounts.makeAll(entry, work);
		await instances.tell(entry, `restarted, ${seconds(began)}`, by);
	} finally {
		await clearIntent(work);
	}
};

/** To the trash: what runs is stopped first; what is suspended stays so. With `purge` nothing is left. */
export const remove: Step = async (shop, entry, options, by, work) => {
	const {instances} = shop;
	const place = instances.place(entry);
	let record = await work.update({intent: intent(shop, 'delete', options, by)});
	if (options.purge) {
		await erase(shop, entry, work);
		return;
	}
	try {
		const seen = await instances.observe(entry);
		if (seen !== undefined && !['off', 'suspended', 'unusable'].includes(seen.power)) {
			await shop.mounts.endAll(entry, work);
			work.progress('stopping');
			await instances.driver.stop(record, place, {timeoutMs: stopTimeoutMs}, work);
			record = instances.record(entry);
		}
		await work.update({
			deleted: {at: shop.now().toISOString(), by},
			desired: record.suspended ? 'suspended' : 'stopped',
			shutdownAt: undefined,
			unanswered: undefined,
		});
		await instances.tell(entry, 'deleted (in the trash until it is purged)', by);
	} finally {
		await clearIntent(work);
	}
};

export const recover: Step = async (shop, entry, _options, by, work) => {
	await work.update({deleted: undefined});
	await shop.instances.tell(entry, 'recovered', by);
};

export const purge: Step = async (shop, entry, options, by, work) => {
	await work.update({intent: intent(shop, 'purge', options, by)});
	await erase(shop, entry, work);
};

/** Removes an instance for good: first what the hypervisor has, then the files, then the aliases that lead into it. */
export async function erase(shop: Workshop, entry: Entry, work: WorkContext): Promise<void> {
	work.progress('removing');
	const {instances} = shop;
	shop.mounts.killAll(entry);
	await instances.driver.destroy(instances.record(entry), instances.place(entry), work);
	await instances.remove(entry);
	// What it shared with others goes with the last of them; what fails here is looked at again later.
	await shop.layers.sweep().catch(() => {});
	if (instances.elsewhere(entry.name) === undefined) await forgetInstance(shop.paths, entry.name).catch(() => {});
}

/** Puts off or calls off a stop. */
export const delayStop: Step = async (shop, entry, options, by, work) => {
	if (options.cancelDelayed) {
		await work.update({shutdownAt: undefined});
		await shop.instances.tell(entry, 'delayed stop called off', by);
		return;
	}
	const minutes = options.delayMinutes ?? 0;
	await work.update({shutdownAt: new Date(shop.now().getTime() + minutes * 60_000).toISOString()});
	await shop.instances.tell(entry, `stop in ${minutes} min`, by);
};

/** The intent stays when the work was abandoned because the daemon ends: the next one takes it up. */
export async function clearIntent(work: WorkContext): Promise<void> {
	if (work.signal.reason !== abandoned) await work.update({intent: undefined});
}

function seconds(since: number): string {
	return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
