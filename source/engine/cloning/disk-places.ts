import {readdir} from 'node:fs/promises';
import path from 'node:path';
import {backingChain} from '../../images/backing.ts';
import {type ScopeName, scopeNames} from '../../model/driver-name.ts';
import {plainLine} from '../../model/text.ts';
import {layersDirectory, type Paths, scopeDirectory} from '../../state/paths.ts';

/** What disks can be in. */
export type DiskPlace = {readonly directory: string; readonly name: string; readonly scope?: ScopeName};

/**
 * Everything that may hold disks of instances: the deleted and the broken ones of all scopes, what is being purged, and
 * what was set aside. It is the disks that tell what is needed, whatever became of the records.
 * @param unclear takes the names of what cannot be read
 */
export async function diskPlaces(paths: Paths, unclear: string[]): Promise<DiskPlace[]> {
	const found: DiskPlace[] = [];
	for (const scope of scopeNames) found.push(...(await scopePlaces(paths, scope, unclear)));
	const aside = path.join(paths.data, 'forgotten');
	for (const name of await directoriesIn(aside, unclear)) found.push({directory: path.join(aside, name), name});
	return found;
}

/** Those of one scope. */
export async function scopePlaces(paths: Paths, scope: ScopeName, unclear: string[]): Promise<DiskPlace[]> {
	const directory = scopeDirectory(paths, scope);
	const layers = path.basename(layersDirectory(paths, scope));
	const names = (await directoriesIn(directory, unclear)).filter(name => name !== layers);
	return names.map(name => ({directory: path.join(directory, name), name, scope}));
}

/** The names of the directories in another; none where that is not there. */
export async function directoriesIn(place: string, unclear: string[]): Promise<string[]> {
	try {
		const entries = await readdir(place, {withFileTypes: true});
		return entries.filter(entry => entry.isDirectory()).map(({name}) => name);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unclear.push(plainLine(path.basename(place)));
		return [];
	}
}

/**
 * All files that the disks in a directory are based on, the nearest first.
 * @throws what reading the disks throws: then it cannot be told
 */
export async function basesIn(directory: string): Promise<string[]> {
	const bases: string[] = [];
	for (const entry of await readdir(directory, {withFileTypes: true, recursive: true})) {
		if (!entry.isFile() || !entry.name.endsWith('.qcow2')) continue;
		bases.push(...(await backingChain(path.join(entry.parentPath, entry.name))));
	}
	return bases;
}
