import {appendFile, readFile, rename, stat} from 'node:fs/promises';
import path from 'node:path';
import type {InstanceEvent} from '../model/instance.ts';
import {plainLine} from '../model/text.ts';

const fileName = 'events.jsonl';
/** Bytes after which the log starts anew; the one before is kept. */
const limit = 256 * 1024;

/** Adds a line to an instance's history. History is not worth failing for: errors are swallowed. */
export async function appendEvent(directory: string, event: InstanceEvent): Promise<void> {
	const file = path.join(directory, fileName);
	try {
		const size = await stat(file).then(
			found => found.size,
			() => 0,
		);
		if (size > limit) await rename(file, `${file}.1`);
		await appendFile(file, `${JSON.stringify(event)}\n`, {mode: 0o600});
	} catch {}
}

/** An instance's history, oldest first, at most `count` lines; lines that cannot be read are left out. */
export async function readEvents(directory: string, count = 200): Promise<InstanceEvent[]> {
	const file = path.join(directory, fileName);
	const texts = await Promise.all([`${file}.1`, file].map(name => readFile(name, 'utf8').catch(() => '')));
	return texts.join('').split('\n').flatMap(parseEvent).slice(-count);
}

function parseEvent(line: string): InstanceEvent[] {
	try {
		const {at, what, by} = JSON.parse(line) as Record<string, unknown>;
		if (typeof at !== 'string' || typeof what !== 'string' || Number.isNaN(Date.parse(at))) return [];
		return [{at, what: plainLine(what), ...(typeof by === 'string' ? {by: plainLine(by)} : {})}];
	} catch {
		return [];
	}
}
