import {readFile, rename} from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import {driverNames} from '../model/driver-name.ts';
import {instanceStates} from '../model/state.ts';
import {type SwitchStory, switchPhases} from '../model/switch-story.ts';
import {plainLine} from '../model/text.ts';
import {writeAtomic} from './atomic.ts';
import type {Paths} from './paths.ts';

const text = v.pipe(v.string(), v.transform(plainLine));
const time = v.number();
const problem = v.object({code: text, message: text, next: v.optional(text), cause: v.optional(text)});
const line = <const Methods extends readonly string[]>(methods: Methods) =>
	v.object({
		id: text,
		name: text,
		was: v.picklist(instanceStates),
		method: v.picklist(methods),
		result: v.picklist(['pending', 'running', 'done', 'failed']),
		stage: v.optional(text),
		percent: v.optional(v.number()),
		bytes: v.optional(v.number()),
		startedAt: v.optional(time),
		endedAt: v.optional(time),
		note: v.optional(text),
		error: v.optional(problem),
	});

const schema = v.object({
	schema: v.literal(1),
	id: text,
	from: v.picklist(driverNames),
	to: v.picklist(driverNames),
	isShared: v.boolean(),
	by: text,
	startedAt: time,
	endedAt: v.optional(time),
	phase: v.picklist(switchPhases),
	outcome: v.optional(v.picklist(['switched', 'partly', 'stayed'])),
	reason: v.optional(problem),
	wasTakenUp: v.optional(v.boolean()),
	park: v.array(line(['suspend', 'stop', 'leave'])),
	restore: v.array(line(['resume', 'start', 'leave'])),
});

function journalFile(paths: Paths): string {
	return path.join(paths.data, 'switch.json');
}

/** Writes the journal; when this returns it is on the disk. @throws DroverError `host.*` */
export async function writeStory(paths: Paths, story: SwitchStory): Promise<void> {
	await writeAtomic(journalFile(paths), `${JSON.stringify(story, undefined, '\t')}\n`);
}

/**
 * The last switch, under way or ended. A journal that cannot be read is set aside, not lost: `problem` says so. What was
 * parked is still known from the records, which carry their own mark.
 */
export async function readStory(paths: Paths): Promise<{story?: SwitchStory; problem?: string}> {
	const file = journalFile(paths);
	const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT') return undefined;
		throw error;
	});
	if (content === undefined) return {};
	try {
		return {story: v.parse(schema, JSON.parse(content)) as SwitchStory};
	} catch {
		const aside = `${file}.unreadable-${Date.now()}`;
		await rename(file, aside);
		return {problem: `The journal of the last switch could not be read; it was kept as ${path.basename(aside)}.`};
	}
}
