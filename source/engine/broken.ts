import type {WorkContext} from '../drivers/driver.ts';
import {scopeOf} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import type {Entry, Instances} from './instances.ts';
import {loadSnapshots} from './snapshots/snapshot-shelf.ts';

/** For work that nobody follows. */
const quietWork: WorkContext = {
	signal: new AbortController().signal,
	progress() {},
	log() {},
	update: () => Promise.reject(new DroverError('instance.broken', 'a broken instance has no record to change')),
};

/** Finds machines that run without a record, and lets go of those that have ended. */
export async function lookForStrangers(instances: Instances): Promise<void> {
	const known = () =>
		new Set(instances.all().flatMap(entry => (entry.stored.kind === 'record' ? [entry.stored.record.id] : [])));
	// A hypervisor that is away tells nothing: what was found before stays, and drover opens all the same.
	const found = await Promise.resolve(instances.driver.strangers?.(known()) ?? []).catch(() => undefined);
	if (found === undefined) return;
	// One that was launched meanwhile has a record by now.
	const have = known();
	const strangers = new Map(found.filter(({id}) => !have.has(id)).map(stranger => [stranger.name, stranger]));
	for (const entry of instances.all()) {
		if (entry.stored.kind !== 'broken') continue;
		const stranger = strangers.get(entry.name);
		strangers.delete(entry.name);
		if (stranger === undefined && entry.stored.isStranger) instances.drop(entry);
		else {
			const {machine: _, ...stored} = entry.stored;
			entry.stored = {...stored, ...(stranger ? {machine: {id: stranger.id, pid: stranger.pid}} : {})};
			instances.refreshView(entry);
		}
	}
	const scope = scopeOf(instances.driver.name);
	for (const {id, pid, name} of strangers.values()) {
		const free = instances.has(name) ? `${name.slice(0, 50)}-${id.slice(0, 8)}` : name;
		if (instances.has(free)) continue;
		instances.put(free, scope, {
			kind: 'broken',
			name: free,
			scope,
			directory: instances.records.directory(scope, name),
			reason: 'its machine runs, and there is no record of it',
			hasLastGood: false,
			machine: {id, pid},
			isStranger: true,
		});
	}
}

/** Puts the last good record of a broken instance back. @throws DroverError `instance.broken`, `instance.state` */
export async function adopt(instances: Instances, entry: Entry): Promise<void> {
	const {stored} = entry;
	if (stored.kind === 'record' || stored.isStranger) {
		throw new DroverError(
			'instance.state',
			stored.kind === 'record'
				? `instance "${entry.name}" has a record`
				: `instance "${entry.name}" has left no record to go by`,
			{next: stored.kind === 'record' ? 'There is nothing to adopt.' : `drover forget ${entry.name} cuts its power.`},
		);
	}
	const record = await instances.records.restoreLastGood(entry.scope, entry.name);
	instances.drop(entry);
	const adopted = instances.put(entry.name, entry.scope, {kind: 'record', record});
	// The copy is a moment older: work that was under way then has long ended, or is not to be taken up on its word.
	await instances.update(adopted, {intent: undefined, phase: 'ready', shutdownAt: undefined});
	await loadSnapshots(instances, adopted);
	await instances.observe(adopted);
}

/** Lets go of a broken instance; nothing on the disk is removed. @returns where its files are, if it has any */
export async function forget(instances: Instances, entry: Entry): Promise<string | undefined> {
	const {stored} = entry;
	if (entry.view.state !== 'Broken') {
		throw new DroverError('instance.state', `instance "${entry.name}" is ${entry.view.state}, not broken`, {
			next: `drover delete ${entry.name} puts it into the trash.`,
		});
	}
	if (stored.kind === 'broken' && stored.machine) {
		if (!stored.isStranger) {
			throw new DroverError(
				'instance.state',
				`the machine of "${entry.name}" still runs as process ${stored.machine.pid}`,
				{
					next: stored.hasLastGood ? `drover adopt ${entry.name} puts its record back.` : 'End that process first.',
				},
			);
		}
		const isGone = await instances.driver.endStranger?.({...stored.machine, name: entry.name});
		if (!isGone) throw new DroverError('driver.failed', `process ${stored.machine.pid} could not be ended`);
		instances.drop(entry);
		return undefined;
	}
	if (stored.kind === 'record') await instances.driver.destroy(stored.record, instances.place(entry), quietWork);
	const aside = await instances.records.setAside(entry.scope, entry.name);
	instances.drop(entry);
	return aside;
}
