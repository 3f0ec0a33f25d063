import {link, readdir, readFile, rename, rm, rmdir} from 'node:fs/promises';
import path from 'node:path';
import type {ScopeName} from '../model/driver-name.ts';
import {DroverError} from '../model/errors.ts';
import type {InstanceRecord, RecordChange} from '../model/instance.ts';
import {nameProblem} from '../model/names.ts';
import {makeNew, removeLeftovers, storageError, syncDirectory, writeAtomic} from './atomic.ts';
import {instanceDirectory, makePrivate, type Paths, scopeDirectory} from './paths.ts';
import {parseRecord} from './record-schema.ts';

/** What stands in a scope under a name: a record, or the reason why there is none. */
export type StoredRecord =
	| {readonly kind: 'record'; readonly record: InstanceRecord}
	| {
			readonly kind: 'broken';
			readonly name: string;
			readonly scope: ScopeName;
			readonly directory: string;
			readonly reason: string;
			/** Whether a last good copy lies beside it. */
			readonly hasLastGood: boolean;
			/** Its machine, when that runs. */
			readonly machine?: {readonly id: string; readonly pid: number};
			/** There is nothing of it but the machine. */
			readonly isStranger?: boolean;
	  };

const fileName = 'instance.json';
const lastGoodName = 'instance.json.last';
const trashPrefix = '.purged-';

/** Records on disk: one directory and one JSON file an instance. Not safe against a second writer: the daemon's lock is. */
export class RecordStore {
	readonly #paths: Paths;

	constructor(paths: Paths) {
		this.#paths = paths;
	}

	directory(scope: ScopeName, name: string): string {
		return instanceDirectory(this.#paths, scope, name);
	}

	/** Everything in a scope. A record that cannot be read is told of, never dropped and never written over. */
	async load(scope: ScopeName): Promise<StoredRecord[]> {
		const root = scopeDirectory(this.#paths, scope);
		makePrivate(root);
		const found: StoredRecord[] = [];
		for (const entry of await readdir(root, {withFileTypes: true})) {
			if (entry.name.startsWith(trashPrefix)) {
				// A purge that was cut short: the name is free already, the rest of the files can go.
				await rm(path.join(root, entry.name), {recursive: true, force: true});
			} else if (entry.isDirectory() && nameProblem(entry.name) === undefined) {
				const stored = await this.#read(scope, entry.name);
				if (stored) found.push(stored);
			}
		}
		return found;
	}

	/** The records of a scope that can be read; nothing is touched, whoever may be at work on them. */
	async peek(scope: ScopeName): Promise<InstanceRecord[]> {
		const names = await readdir(scopeDirectory(this.#paths, scope)).catch(() => []);
		const found = await Promise.all(
			names
				.filter(name => nameProblem(name) === undefined)
				.map(async name => {
					const text = await readFile(path.join(this.directory(scope, name), fileName), 'utf8').catch(() => '');
					const parsed = parseRecord(text, {name, scope});
					return parsed.ok ? [parsed.record] : [];
				}),
		);
		return found.flat();
	}

	async #read(scope: ScopeName, name: string): Promise<StoredRecord | undefined> {
		const directory = this.directory(scope, name);
		await removeLeftovers(directory);
		const files = await readdir(directory);
		if (files.length === 0) {
			// A launch that was cut short before it had written anything.
			await rmdir(directory).catch(() => {});
			return undefined;
		}
		const broken = (reason: string): StoredRecord => ({
			kind: 'broken',
			name,
			scope,
			directory,
			reason,
			hasLastGood: files.includes(lastGoodName),
		});
		let text: string;
		try {
			text = await readFile(path.join(directory, fileName), 'utf8');
		} catch (error) {
			const code = (error as NodeJS.ErrnoException).code;
			return broken(
				code === 'ENOENT' ? 'its record is missing' : `its record cannot be read (${code ?? 'unknown error'})`,
			);
		}
		const parsed = parseRecord(text, {name, scope});
		return parsed.ok ? {kind: 'record', record: parsed.record} : broken(parsed.reason);
	}

	/**
	 * Takes the name and writes the first record.
	 * @throws DroverError `instance.exists` when anything is kept under that name
	 */
	async create(record: InstanceRecord): Promise<void> {
		const directory = this.directory(record.scope, record.name);
		makePrivate(path.dirname(directory));
		try {
			await makeNew(directory);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
				throw new DroverError('instance.exists', `instance "${record.name}" already exists`, {
					next: 'Choose another name, or purge the old one.',
				});
			}
			throw storageError(error, directory);
		}
		try {
			await this.save(record);
			await syncDirectory(path.dirname(directory));
		} catch (error) {
			await rm(directory, {recursive: true, force: true});
			throw error;
		}
	}

	/** Writes a record; the one before stays beside it as the last good version. */
	async save(record: InstanceRecord): Promise<void> {
		const directory = this.directory(record.scope, record.name);
		const file = path.join(directory, fileName);
		await keepLastGood(directory, file);
		await writeAtomic(file, `${JSON.stringify(record, undefined, '\t')}\n`);
	}

	/**
	 * Puts the last good copy back in the place of a record that cannot be read, which is kept beside it.
	 * @throws DroverError `instance.broken` when there is no copy, or it cannot be read either
	 */
	async restoreLastGood(scope: ScopeName, name: string): Promise<InstanceRecord> {
		const directory = this.directory(scope, name);
		const file = path.join(directory, fileName);
		const text = await readFile(path.join(directory, lastGoodName), 'utf8').catch(() => '');
		const parsed = parseRecord(text, {name, scope});
		if (!parsed.ok) {
			throw new DroverError('instance.broken', `instance "${name}" has no last good record: ${parsed.reason}`, {
				next: `Repair ${file} by hand, or let go of it: drover forget ${name}.`,
			});
		}
		await rename(file, `${file}.unreadable-${Date.now()}`).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'ENOENT') throw storageError(error, file);
		});
		await writeAtomic(file, text);
		return parsed.record;
	}

	/** Takes an instance's directory out of its scope without removing anything. @returns where it is now */
	async setAside(scope: ScopeName, name: string): Promise<string> {
		const directory = this.directory(scope, name);
		const place = path.join(this.#paths.data, 'forgotten');
		makePrivate(place);
		const aside = path.join(place, `${scope}-${name}-${Date.now()}`);
		try {
			await rename(directory, aside);
		} catch (error) {
			throw storageError(error, directory);
		}
		await syncDirectory(path.dirname(directory));
		return aside;
	}

	/** Removes an instance's directory: the name is free at once, whatever happens to the rest of the work. */
	async remove(scope: ScopeName, name: string, id: string): Promise<void> {
		const directory = this.directory(scope, name);
		const aside = path.join(path.dirname(directory), `${trashPrefix}${id}`);
		await rm(aside, {recursive: true, force: true});
		try {
			await rename(directory, aside);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
			throw storageError(error, directory);
		}
		await syncDirectory(path.dirname(directory));
		await rm(aside, {recursive: true, force: true});
	}
}

/** A hard link costs nothing and cannot be half written. */
async function keepLastGood(directory: string, file: string): Promise<void> {
	const aside = path.join(directory, `${lastGoodName}.${process.pid}-0.tmp`);
	try {
		await rm(aside, {force: true});
		await link(file, aside);
		await rename(aside, path.join(directory, lastGoodName));
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code;
		// The first record has none before it; file systems without links go without.
		if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'ENOTSUP') throw storageError(error, file);
	}
}

/** A record with a change applied: fields set to `undefined` are gone. */
export function changeRecord(record: InstanceRecord, change: RecordChange): InstanceRecord {
	const merged = {...record, ...change};
	return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) as InstanceRecord;
}
