import {open} from 'node:fs/promises';
import path from 'node:path';
import type {Driver} from '../drivers/driver.ts';
import {driverTitles} from '../model/driver-name.ts';
import {errorData} from '../model/errors.ts';
import type {InstanceDetail} from '../model/instance.ts';
import {snapshotViews} from '../model/snapshot.ts';
import type {Entry, Instances} from './instances.ts';
import {mountNotes} from './mounting/mount-plan.ts';
import type {Workshop} from './workshop.ts';

/** Milliseconds a guest may take to answer questions about itself; `list` never asks. */
const guestTimeoutMs = 3000;

/** All that is known of an instance; the guest is asked only when told to, and its silence is no failure. */
export async function guestDetail(
	{instances, network}: Pick<Workshop, 'instances' | 'network'>,
	entry: Entry,
	{runtime, linked}: {readonly runtime: boolean; readonly linked: InstanceDetail['linked'] | undefined},
): Promise<InstanceDetail> {
	const {view, stored} = entry;
	if (stored.kind === 'broken') return {...view, directory: stored.directory, mac: ''};
	const {record} = stored;
	const place = instances.place(entry);
	const isAlive = entry.observation?.power === 'running';
	const facts: Awaited<ReturnType<Driver['inspect']>> = isAlive
		? await instances.driver.inspect(record, place).catch(() => ({}))
		: {};
	const {snapshots} = entry;
	const privateNetwork = network.placeOf(record, entry.observation?.power);
	const notes = [
		...(facts.notes ?? []),
		...mountNotes(record, instances.driver, driverTitles[instances.driver.name]),
		...(snapshots?.kind === 'damaged'
			? [`Its snapshots cannot be used: ${snapshots.reason} (${snapshots.file}).`]
			: []),
	];
	const detail: InstanceDetail = {
		...view,
		directory: place.directory,
		mac: record.hardware.mac,
		...facts,
		...(notes.length === 0 ? {} : {notes}),
		...(record.suspended ? {suspended: record.suspended} : {}),
		...(record.hardware.nics === undefined ? {} : {nics: record.hardware.nics}),
		...(linked === undefined ? {} : {linked}),
		...(privateNetwork === undefined ? {} : {privateNetwork}),
		...(snapshots?.kind === 'tree' ? {snapshots: snapshotViews(snapshots.tree)} : {}),
	};
	if (!runtime || !isAlive || record.deleted) return detail;
	try {
		const guest = await instances.driver.guestFacts(record, place, AbortSignal.timeout(guestTimeoutMs));
		return {...detail, guest};
	} catch (error) {
		return {...detail, guestError: errorData(error)};
	}
}

/** The end of what the guest wrote to its console, from where the driver has it. */
export async function consoleText(instances: Instances, entry: Entry): Promise<string> {
	const {driver} = instances;
	const place = instances.place(entry);
	if (driver.consoleText === undefined || entry.stored.kind !== 'record') return tailConsole(place.directory);
	return driver.consoleText(entry.stored.record, place);
}

/** The end of what the guest wrote to its console, at most 256 KiB; empty when there is nothing. */
async function tailConsole(directory: string): Promise<string> {
	const handle = await open(path.join(directory, 'console.log'), 'r').catch(() => undefined);
	if (!handle) return '';
	try {
		const {size} = await handle.stat();
		const length = Math.min(size, 256 * 1024);
		const {buffer} = await handle.read(Buffer.alloc(length), 0, length, size - length);
		return buffer.toString('utf8');
	} finally {
		await handle.close();
	}
}
