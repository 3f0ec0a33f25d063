import type {WorkContext} from '../drivers/driver.ts';
import type {Entry, Instances} from './instances.ts';
import type {ItemWork} from './operations.ts';

/**
 * Runs work that only asks a guest, which may take as long as the guest likes: shown with the instance, but in no queue,
 * so that a stop need not wait for its end, nor it for anything. It has to end by itself when the instance does.
 */
export async function beside(
	instances: Instances,
	entry: Entry,
	kind: string,
	item: ItemWork,
	run: (work: WorkContext) => Promise<void>,
): Promise<void> {
	const show = (stage: string, percent?: number) => {
		if (entry.aside === undefined) return;
		const hand = {id: item.operation, kind, stage, isQueued: false, ...(percent === undefined ? {} : {percent})};
		entry.aside = {...entry.aside, hand};
		instances.refreshView(entry);
	};
	let end!: () => void;
	const ended = new Promise<void>(resolve => (end = resolve));
	entry.aside = {hand: {id: item.operation, kind, stage: kind, isQueued: false}, ended};
	try {
		item.signal.throwIfAborted();
		await run({
			signal: item.signal,
			progress(stage, percent) {
				item.progress(stage, percent);
				show(stage, percent);
			},
			log: item.log,
			update: change => instances.update(entry, change),
		});
	} finally {
		delete entry.aside;
		instances.refreshView(entry);
		end();
	}
}
