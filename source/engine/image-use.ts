import {readdir, readFile} from 'node:fs/promises';
import path from 'node:path';
import {backingFileOf} from '../images/backing.ts';
import type {ImageUse} from '../images/image.ts';
import {scopeNames} from '../model/driver-name.ts';
import {plainLine} from '../model/text.ts';
import {type Paths, scopeDirectory} from '../state/paths.ts';

/**
 * Which images instances need: those their disks are laid over, and those their records name. All scopes count, the
 * deleted and the broken ones too, and what was set aside: it is the disks that tell, whatever became of the records.
 */
export async function imageUse(paths: Paths): Promise<ImageUse> {
	const counts = new Map<string, number>();
	const unclear: string[] = [];
	const places = [...scopeNames.map(scope => scopeDirectory(paths, scope)), path.join(paths.data, 'forgotten')];
	for (const place of places) {
		for (const name of await namesIn(place, unclear)) {
			const hashes = await hashesOf(path.join(place, name)).catch(() => undefined);
			if (hashes === undefined) unclear.push(plainLine(name));
			for (const hash of hashes ?? []) counts.set(hash, (counts.get(hash) ?? 0) + 1);
		}
	}
	return {counts, unclear};
}

async function namesIn(place: string, unclear: string[]): Promise<string[]> {
	try {
		const entries = await readdir(place, {withFileTypes: true});
		return entries.filter(entry => entry.isDirectory()).map(({name}) => name);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unclear.push(path.basename(place));
		return [];
	}
}

/** @throws what reading the disks throws: then it cannot be told */
async function hashesOf(directory: string): Promise<Set<string>> {
	const hashes = new Set<string>();
	for (const name of ['instance.json', 'instance.json.last']) {
		const hash = /"hash":\s*"(sha256:[\da-f]{64})"/.exec(
			await readFile(path.join(directory, name), 'utf8').catch(() => ''),
		);
		if (hash !== null) hashes.add(hash[1]!);
	}
	for (const entry of await readdir(directory, {withFileTypes: true, recursive: true})) {
		if (!entry.isFile() || !entry.name.endsWith('.qcow2')) continue;
		const backing = await backingFileOf(path.join(entry.parentPath, entry.name));
		const digits = /([\da-f]{64})\/[^/]+$/.exec(backing ?? '')?.[1];
		if (digits !== undefined) hashes.add(`sha256:${digits}`);
	}
	return hashes;
}
