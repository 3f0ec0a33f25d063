import {nameProblem} from '../../model/names.ts';
import {plainLine} from '../../model/text.ts';
import type {Paths} from '../../state/paths.ts';
import type {Stranger} from '../driver.ts';
import type {Machines} from './process.ts';

/**
 * Machines that were started from drover's own directories and that no record speaks of: somebody removed their records
 * while they ran. Machines of other people and programs are none of drover's business.
 * @param known ids that have a record
 * @param places directories of drover's, one of which must stand in the command line
 */
export async function findStrangers(
	machines: Machines,
	known: ReadonlySet<string>,
	places: readonly string[],
): Promise<Stranger[]> {
	const found: Stranger[] = [];
	for (const [id, pid] of await machines.all()) {
		if (known.has(id) || !/^[\da-f-]{36}$/.test(id)) continue;
		const words = await machines.argumentsOf(pid, id);
		// Joined: where a command line comes as one text, a place with a blank in its name has been taken apart.
		const line = words?.join(' ') ?? '';
		if (!words || !places.some(place => line.includes(`${place}/`) || line.includes(`${place}\\`))) continue;
		found.push({id, pid, name: nameIn(words) ?? `unnamed-${id.slice(0, 8)}`});
	}
	return found;
}

/** The directories that mark a machine as drover's. */
export function placesOf(paths: Partial<Pick<Paths, 'data' | 'runtime'>>): string[] {
	return [paths.data, paths.runtime].filter(place => place !== undefined);
}

/** The instance's name, as either driver tells QEMU: `web`, or `guest=drover-web-0123abcd,…`. */
function nameIn(words: readonly string[]): string | undefined {
	const word = plainLine(words[words.indexOf('-name') + 1] ?? '');
	const name = /^guest=drover-(.+)-[\da-f]{8}(?:,|$)/.exec(word)?.[1] ?? word.split(',')[0]!;
	return nameProblem(name) === undefined ? name : undefined;
}

/** Cuts such a machine's power. @returns whether it is gone */
export async function endStranger(machines: Machines, {id, pid}: Stranger): Promise<boolean> {
	const words = await machines.argumentsOf(pid, id);
	if (!words) return true;
	return machines.end({pid, arguments: words, runner: 'qemu', since: undefined}, id);
}
