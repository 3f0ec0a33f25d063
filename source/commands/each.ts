import {DroverError} from '../model/errors.ts';
import {plainLine} from '../model/text.ts';

/**
 * Does something for each of several, one after another; one that is refused does not keep the others from it.
 * @throws DroverError the one refusal, or all of them in one
 */
export async function eachInTurn<Item>(items: readonly Item[], run: (item: Item) => Promise<void>): Promise<void> {
	const refusals: DroverError[] = [];
	for (const item of items) {
		try {
			await run(item);
		} catch (error) {
			// Without a daemon there is no use in going on.
			if (!(error instanceof DroverError) || error.code.startsWith('daemon.')) throw error;
			refusals.push(error);
		}
	}
	const [first] = refusals;
	if (first === undefined) return;
	if (refusals.length === 1) throw first;
	const lines = refusals.map(error => plainLine(error.message));
	throw new DroverError(first.code, `The following errors occurred:\n${lines.join('\n')}`, {next: first.next});
}
