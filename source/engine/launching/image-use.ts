import {readFile} from 'node:fs/promises';
import path from 'node:path';
import type {ImageUse} from '../../images/image.ts';
import {scopeNames} from '../../model/driver-name.ts';
import {plainLine} from '../../model/text.ts';
import {layersDirectory, type Paths} from '../../state/paths.ts';
import {basesIn, directoriesIn, diskPlaces} from '../cloning/disk-places.ts';

/** Which images instances need: those their disks are laid over, and those their records name. */
export async function imageUse(paths: Paths): Promise<ImageUse> {
	const counts = new Map<string, number>();
	const unclear: string[] = [];
	for (const {directory, name} of await diskPlaces(paths, unclear)) {
		const hashes = await hashesOf(directory).catch(() => undefined);
		if (hashes === undefined) unclear.push(plainLine(name));
		for (const hash of hashes ?? []) counts.set(hash, (counts.get(hash) ?? 0) + 1);
	}
	// A layer that no disk lies over is on its way out, and as long as it is there so is what it needs.
	for (const scope of scopeNames.filter(name => !unclear.includes(name))) {
		const layers = layersDirectory(paths, scope);
		for (const name of await directoriesIn(layers, unclear)) {
			const hashes = await hashesOf(path.join(layers, name)).catch(() => undefined);
			if (hashes === undefined) unclear.push(plainLine(name));
			for (const hash of hashes ?? []) if (!counts.has(hash)) counts.set(hash, 1);
		}
	}
	return {counts, unclear};
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
	for (const file of await basesIn(directory)) {
		const digits = /([\da-f]{64})\/[^/]+$/.exec(file)?.[1];
		if (digits !== undefined) hashes.add(`sha256:${digits}`);
	}
	return hashes;
}
