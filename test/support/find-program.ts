import {accessSync, constants} from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/** Absolute path of a program, also of one for administrators only; `undefined` when there is none. */
export function findOnPath(program: string): string | undefined {
	for (const directory of [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/sbin']) {
		const file = path.join(directory, program);
		try {
			accessSync(file, constants.X_OK);
			return file;
		} catch {
			// Looked for in the next one.
		}
	}
	return undefined;
}
