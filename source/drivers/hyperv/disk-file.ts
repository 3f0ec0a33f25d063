import {readdir} from 'node:fs/promises';
import type {DiskFile, InstancePlace} from '../driver.ts';
import {filesOf} from './context.ts';
import {exists} from './disk.ts';

/** The disk of a machine that is off; a text: why there is none to be copied. */
export async function diskFile(place: InstancePlace): Promise<DiskFile | string> {
	const {disk} = filesOf(place);
	if (!(await exists(disk))) return 'its disk is missing';
	const files = await readdir(place.directory, {recursive: true});
	// What was written since a checkpoint is in a file of its own.
	if (files.some(name => /\.avhdx$/i.test(name))) {
		return 'it has snapshots, and its disk as it is now is spread over several files: delete them first';
	}
	return {file: disk, format: 'vhdx'};
}
