import {DroverError, errorData} from '../../model/errors.ts';
import type {Parked} from '../../model/instance.ts';
import type {ParkMethod, RestoreMethod} from '../../model/switch.ts';
import type {StoryLine} from '../../model/switch-story.ts';
import type {Entry} from '../instances.ts';
import {saveMemory, start, stop} from '../lifecycle.ts';
import type {ItemWork} from '../operations.ts';
import type {Scene} from '../scene.ts';

/**
 * Parks one instance: the mark is on disk before anything is done to it, so that whoever finds it knows that it ran and
 * which switch wanted it parked.
 * @throws DroverError when it could not be parked; it then runs as before, or its mark says that it should
 */
export async function parkOne(
	scene: Scene,
	entry: Entry,
	line: StoryLine<ParkMethod>,
	mark: Parked,
	work: ItemWork,
	force: boolean,
): Promise<void> {
	const {instances, shop} = scene;
	const because = ` by the switch to ${mark.to}`;
	await instances.exclusive(entry, line.method === 'suspend' ? 'suspend' : 'stop', work, async context => {
		await context.update({parked: mark});
		if (line.method === 'suspend') await saveMemory(shop, entry, {}, work.by, context, 'switch', because);
		else await stop(shop, entry, force ? {force: true} : {}, work.by, context, because);
	});
}

/** Whether a parked instance really rests: no process, and saved memory where there should be some. */
export async function restsProblem(
	scene: Scene,
	entry: Entry,
	line: StoryLine<ParkMethod>,
): Promise<string | undefined> {
	const seen = await scene.instances.observe(entry);
	const record = scene.instances.record(entry);
	if (line.method === 'suspend') {
		if (seen?.power !== 'suspended') return `it is ${seen?.power ?? 'not to be seen'} instead of suspended`;
		if (record.suspended === undefined) return 'its saved memory is not recorded';
		return undefined;
	}
	return seen?.power === 'off' ? undefined : `it is ${seen?.power ?? 'not to be seen'} instead of off`;
}

/**
 * Brings one instance back. What fails stays parked, with its reason in the record.
 * @throws DroverError the reason
 */
export async function restoreOne(scene: Scene, entry: Entry, work: ItemWork, because: string): Promise<void> {
	const {instances, shop} = scene;
	try {
		await instances.exclusive(entry, 'start', work, async context => {
			const seen = await instances.observe(entry);
			// It was not parked after all: nothing to bring back, and nothing to wait for.
			if (seen?.power !== 'running') await start(shop, entry, {}, work.by, context, because);
			await context.update({parked: undefined, intent: undefined});
		});
	} catch (error) {
		const {parked} = instances.record(entry);
		// A guest that runs and does not answer is back; it shows as Unknown by itself.
		const isBack = error instanceof DroverError && error.code === 'guest.unanswered';
		if (parked !== undefined) {
			await instances.update(entry, {parked: isBack ? undefined : {...parked, failure: errorData(error)}});
		}
		throw error;
	}
}

/** What is not brought back, by its restore policy, is parked no longer: it is what the user wants it to be. */
export async function settleLeft(scene: Scene, entry: Entry, line: StoryLine<RestoreMethod>): Promise<void> {
	if (line.method !== 'leave' || entry.stored.kind !== 'record' || entry.stored.record.parked === undefined) return;
	await scene.instances.update(entry, {
		parked: undefined,
		desired: entry.stored.record.suspended ? 'suspended' : 'stopped',
	});
}

/** Runs over all with at most `limit` at once; each outcome is its own. */
export async function eachWithin<Item>(
	items: readonly Item[],
	limit: number,
	run: (item: Item) => Promise<void>,
): Promise<void> {
	const waiting = [...items];
	const worker = async () => {
		for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
	};
	await Promise.all(Array.from({length: Math.min(limit, items.length)}, worker));
}
