import {readFile} from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import {writeAtomic} from './atomic.ts';
import {makePrivate, type Paths} from './paths.ts';

/** What was filled into the launch form last, by the names of its rows. */
export type LastLaunch = Readonly<Record<string, string>>;

const schema = v.record(v.pipe(v.string(), v.maxLength(40)), v.pipe(v.string(), v.maxLength(1024)));

const fileOf = (paths: Pick<Paths, 'data'>) => path.join(paths.data, 'launch-form.json');

/** Never throws: a file that cannot be read is as if nothing had been launched. */
export async function readLastLaunch(paths: Pick<Paths, 'data'>): Promise<LastLaunch> {
	try {
		return v.parse(schema, JSON.parse(await readFile(fileOf(paths), 'utf8')));
	} catch {
		return {};
	}
}

/** @throws DroverError `host.*` */
export async function writeLastLaunch(paths: Pick<Paths, 'data'>, values: LastLaunch): Promise<void> {
	makePrivate(paths.data);
	await writeAtomic(fileOf(paths), `${JSON.stringify(values)}\n`);
}
